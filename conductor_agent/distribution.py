"""What is installed: the name that all four packages bear together, and its version."""

from __future__ import annotations

import importlib.metadata

DISTRIBUTION = "fqg-conductor"


def installed_version() -> str:
    """As in `1.0.0`; `source` where the packages are only on the path."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "source"
