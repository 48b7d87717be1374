"""Make THIRD_PARTY.md: what is installed with each extra, and under which licence.

python docs/make_third_party.py     # in an environment with all extras but `bench` and `notebooks`
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "THIRD_PARTY.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BASE = "base"
WHAT = {
    BASE: "always installed",
    "train": "training",
    "datasets": "datasets of episodes",
    "models": "the real models of the examples",
    "bench": "the peers that benchmarks measure",
    "notebooks": "opening the notebooks",
    "dev": "tests and checks",
}
SPDX = {
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD-3": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MPL-2.0 AND MIT": "MPL-2.0 AND MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages write -> the identifier that is meant."""
READ = {
    "envpool": "Apache-2.0",
    "ipython_pygments_lexers": "BSD-3-Clause",
    "Jinja2": "BSD-3-Clause",
    "jupyterlab": "BSD-3-Clause",
    "minigrid": "MIT",
    "mpmath": "BSD-3-Clause",
    "nest-asyncio2": "BSD-2-Clause",
    "nodeenv": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "omegaconf": "BSD-3-Clause",
    "prompt_toolkit": "BSD-3-Clause",
    "pyright": "MIT",
    "scipy": "BSD-3-Clause",
    "sympy": "BSD-3-Clause",
    "ViennaRNA": "its own: free to use and change, not to be passed on for a fee; "
    "ask its authors before it goes into a commercial product",
}
"""Read by us in the package's licence, where it says `BSD`, says nothing, or is not installed here."""
HEAD = """\
# Licences of others

All that is in this repository and in the wheel is ours, under [Apache-2.0](LICENSE), the trained policies
and the pictures in the notebooks included. Nothing of others is copied into it. What is installed beside it:
"""
FOOT = """
## Beside Python

- Programs of the system, used where they are there and never needed: bubblewrap (LGPL-2.0-or-later),
  Tesseract (Apache-2.0).
- rapidocr brings the weights of its models (PP-OCR, Apache-2.0), py3langid its own. Runs download nothing.
- Scanned pages are drawn with the font inside Pillow.
- torch for a GPU brings the libraries of its maker, under that maker's licences.
- Licences change with versions: what a package says in its own files decides.

Made by `docs/make_third_party.py` from what the packages say of themselves.
"""
UNLISTED = ("nvidia-", "cuda-", "triton")
"""What torch brings where it comes with a GPU's libraries."""


def licence_of(name: str) -> str:
    """The licence of a package: what we have read, or what it says of itself.

    Raises:
        ValueError: it says nothing that is known here.
    """
    if name in READ:
        return READ[name]
    told = metadata.metadata(name)
    if told["License-Expression"]:
        return str(told["License-Expression"])
    lines = [line for line in told.get_all("Classifier") or () if line.startswith("License")]
    classifiers = [line.split(" :: ")[-1] for line in lines]
    first_line = str(told.get("License") or "").strip().splitlines()[:1]
    for words in (*first_line, *classifiers):
        if words in SPDX or words in SPDX.values():
            return SPDX.get(words, words)
    raise ValueError(f"{name}: {first_line} {classifiers}; read its licence, and add it to READ")


def asked(extra: str) -> list[str]:
    """The requirements of an extra, as pyproject.toml has them."""
    return list(
        PROJECT["dependencies"] if extra == BASE else PROJECT["optional-dependencies"][extra]
    )


def brought(names: list[str]) -> Iterator[str]:
    """What these packages bring, as far as it is installed here; those themselves are left out."""
    seen = {key(name) for name in names}
    waiting = [Requirement(line) for line in names]
    while waiting:
        one = waiting.pop()
        try:
            found = metadata.distribution(one.name)
        except metadata.PackageNotFoundError:
            continue
        name = found.metadata["Name"]
        if key(name) not in seen:
            seen.add(key(name))
            yield name
        needs = [Requirement(line) for line in found.requires or ()]
        extras = one.extras or {""}
        waiting += [
            each
            for each in needs
            if key(each.name) not in seen
            and any(
                each.marker is None or each.marker.evaluate({"extra": extra}) for extra in extras
            )
        ]


def key(requirement: str) -> str:
    """A package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


def rows(extra: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(name, licence) of what an extra asks for, and of what that brings."""
    names = [Requirement(line).name for line in asked(extra)]
    more = [name for name in brought(asked(extra)) if not name.startswith(UNLISTED)]
    return (
        [(name, licence_of(name)) for name in names],
        sorted((name, licence_of(name)) for name in more),
    )


def page() -> str:
    """The whole page."""
    lines = HEAD.splitlines()
    told: set[str] = set()
    for extra, what in WHAT.items():
        direct, more = rows(extra)
        title = "The base" if extra == BASE else f"Extra `{extra}`"
        lines += ["", f"## {title}: {what}", "", "| package | licence |", "|---|---|"]
        lines += [f"| {name} | {licence} |" for name, licence in direct]
        new = [(name, licence) for name, licence in more if key(name) not in told]
        told |= {key(name) for name, _ in (*direct, *more)}
        if new:
            lines += [
                "",
                "They bring: " + ", ".join(f"{n} ({licence})" for n, licence in new) + ".",
            ]
    return "\n".join([*lines, FOOT])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
