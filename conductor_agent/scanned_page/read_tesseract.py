"""clean -> text, by the program `tesseract`; bind it only where `available()`."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from conductor_agent.scanned_page.report import answer
from fqg_env.outcome import Blame, Category, Cause, StandardError, Success, error

PROGRAM = "tesseract"


def available() -> bool:
    """Whether the program is installed."""
    return shutil.which(PROGRAM) is not None


@extension
def read_tesseract(
    inputs: dict[str, Any], parameters: dict[str, Any], context: Context
) -> Success | StandardError:
    """Parameters: `psm` (page segmentation, 6) and `languages` ("eng")."""
    png = inputs.get("clean")
    if not isinstance(png, bytes) or not png:
        raise InvalidInput("The clean page is not an image.", artifact="clean")
    if not available():
        return error(
            Category.UNSUPPORTED, "The program tesseract is not installed.", blame=Blame.PLATFORM
        )
    psm, languages = str(parameters.get("psm", 6)), str(parameters.get("languages", "eng"))
    done = subprocess.run(  # noqa: S603  (a program of a fixed name, its options from a fixed list)
        [PROGRAM, "stdin", "stdout", "--psm", psm, "-l", languages, "tsv"],
        input=png,
        capture_output=True,
        timeout=max(0.1, context.deadline_s),
        check=False,
    )
    if done.returncode:
        cause = Cause("exit", done.stderr.decode(errors="replace")[-500:])
        return error(
            Category.DEPENDENCY_FAILED,
            "tesseract ended with an error.",
            blame=Blame.EXTENSION,
            cause=cause,
        )
    text, confidence = from_table(done.stdout.decode(errors="replace"))
    return answer(text, confidence, strength="tesseract", angle=0.0)


def from_table(table: str) -> tuple[str, float]:
    """(text, mean confidence) of tesseract's table of words."""
    lines: dict[tuple[str, ...], list[str]] = {}
    confidences = []
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[11].strip():
            lines.setdefault(tuple(cells[1:5]), []).append(cells[11])
            confidences.append(float(cells[10]) / 100)
    text = "\n".join(" ".join(words) for words in lines.values())
    return text, sum(confidences) / len(confidences) if confidences else 0.0
