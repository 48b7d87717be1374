"""The picture of docs/decision.md is drawn from the tables of the page, and says what it shows."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from make_decision import PAGE, PICTURE, picture_of, success_in

from training.decision.words import MODES, SETTING_WORDS

SVG = "{http://www.w3.org/2000/svg}"


def test_every_setting_of_the_page_is_read() -> None:
    found = success_in(PAGE.read_text("utf-8"), "shipped")
    assert set(found) == set(SETTING_WORDS.values())
    assert all(tuple(modes) == MODES for modes in found.values())
    assert found["Scenario 1, the game's"]["community"] == 0.0


def test_the_picture_is_that_of_the_page_and_names_itself() -> None:
    drawn = PICTURE.read_text("utf-8")
    assert drawn == picture_of(PAGE.read_text("utf-8"), "shipped")
    title = ET.fromstring(drawn).find(SVG + "title")
    assert title is not None and title.text is not None and "by mode" in title.text
