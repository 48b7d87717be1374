"""The tutorials: every command in them is run, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
STEP = re.compile(
    r"Save as `(?P<file>[\w./]+)`[^`]*?```\w+\n(?P<text>.*?)^```$|^```sh\n(?P<lines>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def steps(page: Path) -> list[tuple[str, str]]:
    """(file, its text), or ("", commands), in their order."""
    found = STEP.finditer(page.read_text("utf-8"))
    return [(step["file"] or "", step["text"] or step["lines"]) for step in found]


def shorter(text: str) -> str:
    """The same with a training that is over in seconds."""
    return text.replace("labels: 131072", "labels: 8192")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train", ["what is wrong", "Cheapest", "runs/tiny/policy", "report: report.html"]),
        ("deploy", ["fallback", "TIMEOUT", "memory_bytes", "works", "lost the answer"]),
        ("extension", ["A 1.00", "INVALID_INPUT", "words"]),
    ],
)
def test_a_tutorial_goes_through(name: str, said: list[str], tmp_path: Path) -> None:
    script = ["set -eu"]
    for file, text in steps(DOCS / f"tutorial_{name}.md"):
        text = shorter(text)
        script.append(f"cat > '{file}' <<'THE_END'\n{text}THE_END" if file else text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for words in said:
        assert words in ran.stdout + ran.stderr, words
    assert "Traceback" not in ran.stdout + ran.stderr
