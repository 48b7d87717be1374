"""Scratch folders: counted and removed, whatever an extension made of them."""

from __future__ import annotations

import os
from pathlib import Path

from conductor_agent.hosting.watch.scratch import Folder, remove_folder


def test_files_are_counted_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/")
    seen = Folder(tmp_path).look()
    assert seen.files == 4
    assert 100_000 <= seen.bytes < 200_000


def deep(folder: Path, levels: int) -> None:
    """Folders in folders, deeper than a path can say; a file in the innermost."""
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("inner", dir_fd=fd)
        inner = os.open("inner", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_CREAT, dir_fd=fd))
    os.close(fd)


def test_what_is_too_deep_to_be_named_is_hidden_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    deep(folder, 1200)
    assert Folder(folder).look().hidden
    remove_folder(folder)
    assert not folder.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    folder, kept = tmp_path / "scratch", tmp_path / "kept"
    (folder / "inner").mkdir(parents=True)
    kept.mkdir()
    (kept / "file").touch()
    (folder / "link").symlink_to(kept)
    (folder / "inner" / "link").symlink_to(kept)
    os.mkfifo(folder / "inner" / "fifo")
    os.link(kept / "file", folder / "hard")
    remove_folder(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_closed_folders_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file").touch()
    (folder / "closed" / "inner").chmod(0)
    (folder / "closed").chmod(0)
    remove_folder(folder)
    assert not folder.exists()
    remove_folder(folder)  # it is gone: nothing to say


def test_removed_files_count_while_they_are_open(tmp_path: Path) -> None:
    folder = Folder(tmp_path, lambda: [os.getpid()])
    before = folder.look().bytes
    memory = os.memfd_create("window")
    os.write(memory, bytes(300_000))
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(200_000))
        file.flush()
        (tmp_path / "file").unlink()
        again = Folder(tmp_path, lambda: [os.getpid()])
        assert 200_000 <= again.look().bytes - before < 300_000
    os.close(memory)
    assert Folder(tmp_path, lambda: [os.getpid(), 2**22 + 1]).look().bytes == before
