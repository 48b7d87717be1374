"""A cache of kernels that is damaged, half written or another's costs a compilation, and no more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KERNEL = """
import ctypes, fcntl, os, signal, sys
import numba
from fqg_env import compiled

# Modes of files hold for root as well once it has given up its capabilities (version 3, of this process; none).
assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()) == 0
replace, take, written = os.replace, fcntl.flock, 0

def use(words):
    def write(one, other):
        global written
        written += 1
        if f"killed_at_{written}" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "waiting" in words:
            print("writing", flush=True)
            sys.stdin.read()
        replace(one, other)

    def lock(*arguments):
        if "lock" in words:
            print("locking", flush=True)
        take(*arguments)

    os.replace, fcntl.flock = write, lock

    @compiled.kernel
    def half(x):
        return x / 2

    value = half(3.0 if "float" in words else 3)
    print(value, "loaded" if half.stats.cache_hits else "compiled", compiled.why_not_kept(), flush=True)

numba.njit(lambda x: x)(1)  # what every child would otherwise begin with
for words in sys.argv[1:]:
    if not os.fork():
        use(words.split())
        os._exit(0)
    if os.wait()[1] == signal.SIGKILL:
        print("killed", flush=True)
"""
KEPT = "1.5 compiled None"
LOADED = "1.5 loaded None"


class Cache:
    """A folder for one kernel, and the processes that use it."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "kernel.py").write_text(KERNEL, "utf-8")

    def start(self, *processes: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "FQG_CACHE_DIR": str(self.folder), "PYTHONPATH": str(ROOT)}
        environment.pop("FQG_KERNELS_MADE_HERE", None)
        return subprocess.Popen(
            [sys.executable, str(self.folder / "kernel.py"), *processes],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *processes: str) -> list[str]:
        """What processes print that use the kernel one after the other, and the end of a traceback."""
        said, failed = self.start(*processes).communicate()
        return said.splitlines() + failed.splitlines()[-1:]

    def file(self, ending: str) -> Path:
        (file,) = self.folder.glob(f"fqg/*/*/*.{ending}")
        return file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    kept = Cache(tmp_path_factory.mktemp("made"))
    assert kept.run("", "") == [KEPT, LOADED]
    return kept


@pytest.fixture
def cache(made: Cache) -> Iterator[Cache]:
    """A cache that holds the kernel for whole numbers, in one place for all tests: it goes by the path."""
    kept = made.folder.with_name("kept")
    shutil.copytree(made.folder / "fqg", kept)
    yield made
    shutil.rmtree(made.folder / "fqg")
    kept.rename(made.folder / "fqg")


def cut(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def spoil(file: Path) -> None:
    """Zeros in the middle of the machine code, as a disk leaves them that lost its power."""
    content = bytearray(file.read_bytes())
    begin = content.index(b"\x7fELF") + 64
    content[begin : begin + 1024] = bytes(1024)
    file.write_bytes(content)


@contextmanager
def unwritable(*folders: Path) -> Iterator[None]:
    """Folders that may be read and not written."""
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.parametrize("size", [0, 12, 100, 700])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_is_cut_is_compiled_and_written_anew(ending: str, size: int, cache: Cache) -> None:
    cut(cache.file(ending), size)
    assert cache.run("", "") == [KEPT, LOADED]


def test_machine_code_that_is_damaged_is_not_run(cache: Cache) -> None:
    spoil(cache.file("nbc"))
    assert cache.run("", "") == [KEPT, LOADED]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_is_no_file_is_said_and_not_kept(ending: str, cache: Cache) -> None:
    file = cache.file(ending)
    file.unlink()
    file.mkdir()
    assert cache.run("") == [f"1.5 compiled {file.parent.parent}: Is a directory"]


@pytest.mark.parametrize("write", [1, 2])
def test_a_process_killed_while_it_writes_leaves_nothing_that_stays_broken(
    write: int, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    assert cache.run(f"killed_at_{write}", "", "") == ["killed", KEPT, LOADED]


def test_one_version_is_not_taken_for_another_where_the_index_was_lost(cache: Cache) -> None:
    """The new index gives the number of the old version to the new one, whose code never came."""
    cut(cache.file("nbi"), 12)
    assert cache.run("float killed_at_2", "float", "", "float", "") == [
        "killed", KEPT, KEPT, LOADED, LOADED,
    ]  # fmt: skip


def test_who_waits_for_a_process_that_is_killed_while_it_writes_goes_on(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.start("waiting killed_at_2")
    assert first.stdout is not None and first.stdin is not None
    assert first.stdout.readline() == "writing\n"
    second = cache.start("float lock")
    try:
        assert second.stdout is not None and second.stdout.readline() == "locking\n"
        assert first.communicate("")[0] == "killed\n"
        assert second.communicate()[0].strip() == KEPT
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert cache.run("float", "", "", "float") == [LOADED, KEPT, LOADED, LOADED]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_may_not_be_read_is_replaced_where_it_may_be(ending: str, cache: Cache) -> None:
    cache.file(ending).chmod(0)
    assert cache.run("", "") == [KEPT, LOADED]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_may_be_neither_read_nor_replaced_is_compiled_in_memory(
    ending: str, cache: Cache
) -> None:
    file = cache.file(ending)
    file.chmod(0)
    with unwritable(file.parent):
        assert cache.run("") == [f"1.5 compiled {file.parent.parent}: Permission denied"]
    (file.parent.parent / ".writable").unlink()
    with unwritable(file.parent.parent, file.parent):
        assert cache.run("") == [f"1.5 compiled {cache.folder / 'fqg'} cannot be written"]


def test_the_folder_of_one_module_that_may_not_be_written_is_read_all_the_same(
    cache: Cache,
) -> None:
    folder = cache.file("nbi").parent
    with unwritable(folder):
        lost = f"1.5 compiled {folder.parent}: Permission denied"
        assert cache.run("", "float") == [LOADED, lost]
    assert not list(cache.folder.glob("__pycache__/*.nb?"))  # where no change elsewhere is seen
    assert cache.run("float") == [KEPT]
