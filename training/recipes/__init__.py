"""Recipes: how a conductor is trained, as YAML files in this folder."""
