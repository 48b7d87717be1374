"""The JSON Schemas of the package as files: what `conductor schema` prints and editors read.

They are made from the models by `python docs/make_reference.py` (see `schema.py`).
"""

from __future__ import annotations

from pathlib import Path

from conductor_agent.bad_input import BadInput
from fqg_env.errors import suggest

FOLDER = Path(__file__).parent.parent / "schemas"


def schema_names() -> list[str]:
    """What there is a schema of."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def schema_path(name: str) -> Path:
    """Where a schema lies.

    Raises:
        BadInput: there is none of this name.
    """
    if name not in schema_names():
        raise BadInput(f"there is no schema {name!r}.{suggest(name, schema_names())}")
    return FOLDER / f"{name}.json"


def schema_text(name: str) -> str:
    """A schema as JSON.

    Raises:
        BadInput: there is none of this name.
    """
    return schema_path(name).read_text("utf-8")
