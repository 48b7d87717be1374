"""The commands of `fqg`, a file for each; `training/cli.py` puts them together."""
