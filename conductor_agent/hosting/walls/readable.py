"""What a worker has to read to begin: the system's libraries, its Python, our packages, its own code."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_agent.hosting.walls.enter import ROOT

if TYPE_CHECKING:
    from conductor_agent.hosting.contract import ExtensionSource

NEEDED = ("fqg_env", "policies", "conductor_agent")
"""Packages a worker imports from."""
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/ca-trust",
    "/etc/localtime", "/etc/timezone", "/etc/fonts", "/etc/mime.types", "/etc/magic",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
EVERYBODYS = ("/tmp", "/var/tmp")  # noqa: S108
NAMES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/services")
"""Where the network is open, how names are found."""


def code_of(source: ExtensionSource, python: str, write: Iterable[str] = ()) -> list[str]:
    """Folders and files of Python, packages and the extension itself, none of them twice.

    What lies below a folder in `write` is left out, see `firm`.

    The folder of a source file is among them, so that it can import its neighbours, unless that folder
    is a home, holds one, or is everybody's: then it is the file alone.
    """
    paths = [*_python(sys.executable), *_python(python)]
    paths += [str(ROOT / package) for package in NEEDED]
    if python == sys.executable:
        paths += _imported_from()
    paths += [*source.import_paths, *filter(None, map(shutil.which, source.command[:1]))]
    if source.source.endswith(".py") and firm([source.source], write):
        file = Path(source.source).resolve()
        paths.append(str(file if common(file.parent) else file.parent))
    return outermost(firm(paths, write))


def _imported_from() -> list[str]:
    """Folders that what the conductor can import lies in: neither its script's own, nor everybody's."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [Path(path) for path in (*named, *sys.path[1:]) if path]
    return [str(one) for one in folders if one != ROOT and one.exists() and not common(one)]


def outermost(paths: Iterable[str]) -> list[str]:
    """Paths without those that lie below another."""
    kept: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths}):  # noqa: PTH100  (links stay links)
        if not kept or not Path(path).is_relative_to(kept[-1]):
            kept.append(path)
    return kept


@cache
def _python(executable: str) -> tuple[str, ...]:
    """Where a Python lies: its environment, and the installation that was made from.

    An environment comes with the extension, and where it says that its home is, or its links lead, is the
    author's word: it counts where the interpreter really lies there. Of each folder only what belongs to
    Python is shown.
    """
    real, named = Path(executable).resolve(), Path(executable)
    folders = [real.parent.parent]
    if (named.parent.parent / "pyvenv.cfg").is_file():
        folders.append(named.parent.parent)
    parts = (part for folder in folders for part in _parts(folder, real))
    return (*(str(part) for part in parts), str(real), executable)


def _parts(folder: Path, real: Path) -> list[Path]:
    """What belongs to Python in a folder that holds one, and leads nowhere else but to the interpreter."""
    if not [*folder.glob("lib*/python3*/os.py"), *folder.glob("lib*/python3*/site-packages")]:
        return []
    kinds = ("bin/python*", "lib*/python3*", "lib*/libpython3*", "pyvenv.cfg")
    found = ((path, path.resolve()) for kind in kinds for path in folder.glob(kind))
    inside = folder.resolve()
    return [path for path, leads in found if leads == real or leads.is_relative_to(inside)]


def common(folder: Path) -> bool:
    """Whether a folder is a home, holds one, or is everybody's: it is no extension's own."""
    places = [Path(path).resolve() for path in (tempfile.gettempdir(), *EVERYBODYS)]
    with contextlib.suppress(RuntimeError):  # a user may have none
        places.append(Path.home().resolve())
    return any(place.is_relative_to(folder) for place in places)


def firm(paths: Iterable[str], write: Iterable[str]) -> list[str]:
    """Paths without those below a folder that may be written: who writes there reads them anyway, and could
    put a link in their place that the next worker would be shown.
    """
    roots = [Path(path).resolve() for path in write]
    return [
        path
        for path in paths
        if not any(
            above.resolve().is_relative_to(root) for above in Path(path).parents for root in roots
        )
    ]


def open_to_all(paths: Iterable[str], *, above: bool) -> bool:
    """Whether any user may read these; `above`: and reach them through the folders above."""
    return all(_open(Path(path), above=above) for path in paths)


def _open(path: Path, *, above: bool) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return True  # what is not there is read by nobody
    wanted = 0o5 if stat.S_ISDIR(mode) else 0o4
    if mode & wanted != wanted:
        return False
    return not above or all(parent.stat().st_mode & 0o1 for parent in path.resolve().parents)
