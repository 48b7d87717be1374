"""What a run delivered, as files: each is there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from full_disk import largest_file

from conductor_agent.bad_input import BadInput
from conductor_agent.delivery import write_values


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_value_is_a_file_in_its_form(tmp_path: Path) -> None:
    write_values(tmp_path / "out", {"text": "é", "page": b"\x00", "total": 3})
    assert files(tmp_path / "out") == {
        "text.txt": "é".encode(),
        "page.bin": b"\x00",
        "total.json": b"3",
    }


def test_where_there_is_no_room_no_half_of_a_file_is_left(tmp_path: Path) -> None:
    with (
        largest_file(8),
        pytest.raises(BadInput, match=r"total.json cannot be written .*make room"),
    ):
        write_values(tmp_path, {"total": [1000, 2000, 3000]})
    assert files(tmp_path) == {}


def test_where_there_is_no_room_what_was_there_before_stays(tmp_path: Path) -> None:
    write_values(tmp_path, {"text": "of the run before"})
    with largest_file(8), pytest.raises(BadInput, match="make room"):
        write_values(tmp_path, {"text": "longer than there is room for"})
    assert files(tmp_path) == {"text.txt": b"of the run before"}
