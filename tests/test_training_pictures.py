"""Pictures for notebooks: they stand alone as SVG, and draw what they are given."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from training.commands.attention import heatmap
from training.pages.charts import bars, colours, curve, line_chart
from training.pages.grouped_bars import grouped_bars
from training.pages.pictures import BAD, GOOD, NEITHER, Picture, Span, timeline

SVG = "{http://www.w3.org/2000/svg}"
NAMES = colours(["a <b>", "index"])
POLICIES = {
    name: {"return_mean": mean, "return_ci95": [mean - 0.1, mean + 0.1]}
    for name, mean in (("a <b>", 0.3), ("index", -0.1))
}
POINTS = [{"steps": n, "return_mean": 0.1 * n, "success_rate": 0.5} for n in (1, 2, 3)]
DRAWINGS = {
    "bars": bars(POLICIES, "index"),
    "curve": curve(POINTS),
    "line_chart": line_chart(
        {name: ([0, 1], [0.2, 0.9]) for name in NAMES}, NAMES, "time", "share"
    ),
    "grouped_bars": grouped_bars({"one": {"a <b>": 0.5, "index": 0.7}}, NAMES),
    "heatmap": heatmap(["a <b>"], ["x", "y & z"], np.array([[0.2, 0.8]])),
    "timeline": timeline({"a <b>": [Span(0.0, 2.0, "read & write", True)]}),
}


def drawn(picture: Picture) -> ET.Element:
    """The picture as Jupyter gets it, read as XML."""
    return ET.fromstring(picture._repr_svg_())


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_chart_stands_alone(name: str):
    root = drawn(Picture(DRAWINGS[name]))
    assert root.tag == SVG + "svg" and root.find(SVG + "style") is not None
    assert len(list(root.iter())) > 5
    assert float(root.attrib["width"]) > 100 and float(root.attrib["height"]) > 30


def test_a_legend_has_room_of_its_own():
    bare, named = (drawn(Picture(DRAWINGS["line_chart"], its)) for its in (None, NAMES))
    assert float(named.attrib["height"]) > float(bare.attrib["height"])
    words = [text.text for text in named.findall(SVG + "text")]
    assert words == list(NAMES)
    fills = [square.attrib["fill"] for square in named.findall(SVG + "rect")]
    assert fills[1:] == list(NAMES.values())


def test_a_bar_of_nothing_stands_on_its_zero():
    shown = {"one": {"a <b>": 0.0, "index": 0.5}}
    root = drawn(Picture(grouped_bars(shown, NAMES)))
    nothing, half = (root.find(f".//{SVG}rect[@fill='{NAMES[name]}']").attrib for name in NAMES)
    foot = float(half["y"]) + float(half["height"])
    assert float(nothing["height"]) == 1.0
    assert float(nothing["y"]) + 1.0 == foot
    below = ET.fromstring(grouped_bars({"one": {"index": -0.1}}, NAMES, share=False)[18:-6])
    assert float(below.find(".//rect").attrib["height"]) > 50


def test_a_picture_names_itself_where_it_is_told_to():
    root = drawn(Picture(DRAWINGS["grouped_bars"], NAMES, "Who & what"))
    assert root[0].tag == SVG + "title" and root[0].text == "Who & what"
    assert drawn(Picture(DRAWINGS["grouped_bars"], NAMES)).find(SVG + "title") is None


def test_a_timeline_shows_when_and_how_it_went():
    spans = [Span(0, 1, "fast", False), Span(1, 3, "wait", None), Span(3, 4, "plain", True)]
    root = drawn(Picture(timeline({"read": spans})))
    found = [bar for bar in root.iter(SVG + "rect") if bar.attrib.get("height") == "22"]
    assert [bar.attrib["fill"] for bar in found] == [BAD, NEITHER, GOOD]
    begins = [float(bar.attrib["x"]) for bar in found]
    widths = [float(bar.attrib["width"]) for bar in found]
    assert begins == sorted(begins) and widths[1] == pytest.approx(2 * widths[0], abs=1.5)
    marks = [text.text for text in root.iter(SVG + "text") if text.text.endswith(" s")]
    assert marks == ["0 s", "1 s", "2 s", "3 s", "4 s"]


@pytest.mark.parametrize(("until_s", "last"), [(0.4, "0.4 s"), (9.0, "9 s"), (73.0, "70 s")])
def test_the_seconds_of_a_timeline_are_round(until_s: float, last: str):
    root = drawn(Picture(timeline({"read": [Span(0.0, until_s, "", True)]})))
    marks = [text.text for text in root.iter(SVG + "text") if (text.text or "").endswith(" s")]
    assert marks[0] == "0 s" and marks[-1] == last and 3 <= len(marks) <= 10


@pytest.mark.parametrize("drawing", [bars({}, ""), timeline({}), timeline({"a": []})])
def test_nothing_is_no_picture(drawing: str):
    with pytest.raises(ValueError, match="did the chart get any values"):
        Picture(drawing)
