"""What somebody's exception says can be shown and written, whatever it holds."""

from __future__ import annotations

from policies.said import one_line


def test_a_terminal_has_nothing_to_obey_and_a_file_can_hold_it() -> None:
    said = one_line(ValueError("no \x1b[31mpage\n\udce4 \u202e here"))
    assert said == "ValueError: no [31mpage here"
    said.encode()


def test_a_text_that_raises_leaves_the_name() -> None:
    class Mute(ValueError):
        def __str__(self) -> str:
            raise RuntimeError

    assert one_line(Mute()) == "Mute"
