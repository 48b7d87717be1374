"""Scenario 1 for real: a community model with a 2-hour timeout, in a workflow with a fallback."""
