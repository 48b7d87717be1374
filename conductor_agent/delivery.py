"""What a run delivered, as files in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conductor_agent.bad_input import BadInput
from conductor_agent.whole_file import write_whole


def check_out(out: Path | None) -> None:
    """See that values can be written there before anything runs.

    Raises:
        BadInput: it is a file, or cannot be made.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: it is a file; name a folder")
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise BadInput(
                f"--out {out}: it cannot be made ({problem.strerror}); name another one"
            ) from None


def write_values(out: Path, values: dict[str, Any]) -> None:
    """One file per delivered goal.

    Raises:
        BadInput: one cannot be written.
    """
    for name, value in values.items():
        ending, body = _as_file(value)
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_whole(out / f"{name}.{ending}", body)
        except OSError as problem:
            raise BadInput(
                f"--out {out}: {name}.{ending} cannot be written ({problem.strerror}); make room and take "
                "the values with `conductor resume last --out DIR`"
            ) from None


def _as_file(value: Any) -> tuple[str, bytes]:
    """The ending and the bytes of a value: text, bytes, or JSON."""
    match value:
        case str():
            return "txt", value.encode()
        case bytes():
            return "bin", value
        case _:
            text = json.dumps(value, ensure_ascii=False, indent=1, default=_as_text)
            return "json", text.encode()


def _as_text(value: Any) -> str:
    """Bytes inside other data, in base 64."""
    import base64

    return base64.b64encode(value).decode()
