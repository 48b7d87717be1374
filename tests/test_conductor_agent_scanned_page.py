"""The scanned page: pages, gate and judge by hand, and the real models on a few pages."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rapidocr")
pytest.importorskip("cv2")
pytest.importorskip("PIL")

from conductor_agent.files.workflow import read_workflow
from conductor_agent.hosting.extension import call
from conductor_agent.scanned_page import judge as judging
from conductor_agent.scanned_page import read as read_module
from conductor_agent.scanned_page.calls import FUNCTIONS, OPTIONAL
from conductor_agent.scanned_page.cases import APART, KINDS, cases
from conductor_agent.scanned_page.clean import clean
from conductor_agent.scanned_page.detect_language import detect_language
from conductor_agent.scanned_page.gate import ACCEPTED, text_quality
from conductor_agent.scanned_page.guess_language import guess_language
from conductor_agent.scanned_page.images import decode, encode, look
from conductor_agent.scanned_page.inspect_page import inspect_page
from conductor_agent.scanned_page.make_keywords import make_keywords
from conductor_agent.scanned_page.make_vector import make_vector
from conductor_agent.scanned_page.pages import DEFECTS, Page, make_page
from conductor_agent.scanned_page.phrases import SENTENCES, check_digit
from conductor_agent.scanned_page.read_tesseract import available, from_table, read_tesseract
from conductor_agent.scanned_page.recognise import PRESETS, Preset, Reader
from conductor_agent.scanned_page.repairs import REPAIRS, STRAIGHTENINGS
from conductor_agent.scanned_page.report import answer
from conductor_agent.scanned_page.straighten import straighten
from fqg_env.level import Responsibility
from fqg_env.outcome import Category, StandardError, Success, from_json, to_json

PARAMETERS = FUNCTIONS["read"].variants
WORKFLOW = Path(judging.__file__).with_name("workflow.yaml")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture
def read(reader: Reader, monkeypatch: pytest.MonkeyPatch):
    """The real extension with a model that is loaded once for all tests."""
    monkeypatch.setattr(read_module.read, "loader", lambda: reader)
    return read_module.read


def text_of(read, page: Page, straighten_how="none", clean_how="none", preset="plain"):
    upright = call(straighten, {"page": page.png}, {"how": straighten_how})
    cleaned = call(clean, {"upright": upright.outputs["upright"]}, {"how": clean_how})
    return call(read, {"clean": cleaned.outputs["clean"]}, PARAMETERS[preset])


# Pages


def test_a_seed_gives_the_same_page_and_another_seed_another():
    assert make_page(3) == make_page(3)
    assert make_page(3).png != make_page(4).png


def test_three_languages_and_every_defect_are_drawn():
    pages = [make_page(seed) for seed in range(120)]
    assert {page.truth_language for page in pages} == set(SENTENCES)
    assert {defect for page in pages for defect in page.defects} >= set(DEFECTS)
    assert all(45 <= len(page.truth_text.split()) <= 100 for page in pages)


@pytest.mark.parametrize("defect", [*DEFECTS, "ruined"])
def test_every_defect_makes_an_image(defect: str):
    image = decode(make_page(1, (defect,)).png)
    assert image is not None
    assert image.ndim == 2


# Gate


@pytest.mark.parametrize("seed", range(30))
def test_the_gate_accepts_every_true_text(seed: int):
    assert text_quality(make_page(seed).truth_text) == 1.0


def test_the_gate_rejects_what_a_reader_may_get_wrong():
    lines = make_page(2).truth_text.splitlines()
    good = "\n".join(lines)
    wrong_total = lines[-1].split()
    wrong_total[1] = str(int(wrong_total[1]) + 1)
    assert text_quality("\n".join([*lines[:-1], " ".join(wrong_total)])) < ACCEPTED
    assert text_quality("\n".join(reversed(lines))) < ACCEPTED, "order of reading"
    assert text_quality("\n".join(lines[:1] + lines[-1:])) < ACCEPTED, "lines are missing"
    assert text_quality(good.replace("e", "c")) < ACCEPTED
    assert text_quality(good.replace(" ", "")) < ACCEPTED
    assert text_quality("") == text_quality(None) == text_quality(b"x") == 0.0


def test_one_wrong_digit_always_changes_the_check_digit():
    for total in range(100, 600):
        digits = str(total)
        for place in range(3):
            for digit in "123456789":
                other = digits[:place] + digit + digits[place + 1 :]
                assert other == digits or check_digit(int(other)) != check_digit(total)


# Judge


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("a", "bab", 2)],
)
def test_distance(a: str, b: str, edits: int):
    assert judging.distance(a, b) == judging.distance(b, a) == edits


def test_the_judge_takes_each_goal_for_itself():
    pages = [make_page(1000 + i) for i in range(4)]
    page = pages[0]
    delivered = {"text": page.truth_text, "language": page.truth_language}
    for make in (make_vector, make_keywords):
        search = call(make, delivered).outputs["search"]
        assert judging.judge(page, {**delivered, "search": search}, pages) == {
            "text": True, "language": True, "search": True,
        }  # fmt: skip
        assert not judging.search_is_good(pages[1], search, pages)
    assert judging.judge(page, {"text": page.truth_text[:-20]}) == {"text": False}
    assert judging.judge(page, {"text": 7, "search": "x"}, pages) == {
        "text": False,
        "search": False,
    }


# Extensions


def test_a_clear_page_is_read_by_every_preset(read):
    page = make_page(11, ())
    for preset in PRESETS:
        outcome = text_of(read, page, preset=preset)
        assert isinstance(outcome, Success), outcome
        assert judging.text_is_good(page, outcome.outputs["text"]), preset
        assert outcome.quality["text"] > 0.7


@pytest.mark.parametrize(
    ("defects", "how", "preset"),
    [
        (("skew",), {"straighten_how": "deskew"}, "fast"),
        (("upside_down",), {"straighten_how": "turn"}, "plain"),
        (("salt",), {"clean_how": "despeckle"}, "plain"),
        (("stripes",), {"clean_how": "destripe"}, "plain"),
        (("faint",), {"clean_how": "flatten"}, "plain"),
    ],
)
def test_the_right_repair_turns_failure_into_success(read, defects, how, preset):
    page = make_page(501, defects)
    unrepaired = text_of(read, page, preset=preset)
    text = unrepaired.outputs.get("text") if isinstance(unrepaired, Success) else ""
    assert text_quality(text) < ACCEPTED
    repaired = text_of(read, page, preset=preset, **how)
    assert isinstance(repaired, Success), repaired
    assert judging.text_is_good(page, repaired.outputs["text"])
    assert text_quality(repaired.outputs["text"]) >= ACCEPTED


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("page", ["ruined", "blank"])
def test_a_page_without_text_is_blamed_on_the_page_with_hints(read, page, preset):
    blank = encode(np.full((300, 400), 236, np.uint8))
    image = blank if page == "blank" else make_page(1, ("ruined",)).png
    outcome = call(read, {"clean": image}, PARAMETERS[preset])
    assert isinstance(outcome, StandardError)
    assert outcome.category in {Category.UNABLE, Category.LOW_QUALITY}
    assert [blamed.artifact for blamed in outcome.blamed_inputs] == ["clean"]
    assert outcome.ext["quality"] < 0.35
    if preset != "thorough":
        assert outcome.hints
        assert outcome.not_examined
    assert from_json(to_json(outcome)) == outcome


@pytest.mark.parametrize(
    ("defect", "hinted"),
    [
        ("skew", "straighten/deskew"),
        ("upside_down", "straighten/turn"),
        ("salt", "clean/despeckle"),
        ("stripes", "clean/destripe"),
        ("shading", "clean/flatten"),
        ("blur", "clean/sharpen"),
        ("noise", "clean/nlm"),
    ],
)
def test_inspect_advises_the_right_call(defect: str, hinted: str):
    outcome = call(inspect_page, {"page": make_page(21, (defect,)).png})
    assert isinstance(outcome, Success)
    assert outcome.outputs == {}
    assert hinted in {hint.call for hint in outcome.hints}


def test_inspect_says_what_it_cannot_see_and_is_silent_about_a_clear_page():
    assert call(inspect_page, {"page": make_page(21, ()).png}).hints == ()
    assert call(inspect_page, {"page": make_page(21, ("noise",)).png}).not_examined == (
        "straighten/turn",
    )
    assert abs(look(decode(make_page(21, ()).png)).angle) < 0.5


def test_both_language_extensions_agree_on_true_texts():
    for seed in range(6):
        page = make_page(seed)
        for ask in (detect_language, guess_language):
            assert call(ask, {"text": page.truth_text}).outputs == {"language": page.truth_language}


@pytest.mark.parametrize(
    ("ext", "inputs", "parameters", "artifact"),
    [
        (straighten, {"page": b"no image"}, {}, "page"),
        (straighten, {"page": make_page(1).png}, {"how": "magic"}, None),
        (clean, {"upright": b""}, {}, "upright"),
        (clean, {"upright": make_page(1).png}, {"how": "magic"}, None),
        (inspect_page, {}, {}, "page"),
        (read_module.read, {"clean": b"\x89PNG\r\n\x1a\n"}, {}, "clean"),
        (read_module.read, {"clean": make_page(1).png}, {"depth": 3}, None),
        (detect_language, {"text": " "}, {}, "text"),
        (guess_language, {"text": 3}, {}, "text"),
        (make_vector, {"text": ""}, {}, "text"),
        (make_keywords, {"text": "a b", "language": "xx"}, {}, "language"),
    ],
)
def test_bad_inputs_are_errors_that_name_the_artifact(ext, inputs, parameters, artifact, read):
    outcome = call(ext, inputs, parameters)
    assert isinstance(outcome, StandardError)
    assert outcome.category is Category.INVALID_INPUT
    assert [blamed.artifact for blamed in outcome.blamed_inputs] == ([artifact] if artifact else [])


def test_the_catalogue_names_real_extensions_and_the_presets():
    for name in {**FUNCTIONS, **OPTIONAL}:
        module = importlib.import_module(f"conductor_agent.scanned_page.{name}")
        assert getattr(module, name).name == name
    assert list(FUNCTIONS["straighten"].variants) == list(STRAIGHTENINGS)
    assert set(FUNCTIONS["clean"].variants) == set(REPAIRS)
    level = read_workflow(WORKFLOW, inputs={"page": WORKFLOW}, has_program=lambda _: True).level
    for name in level.functions:
        variants = level.functions[name].variants
        known = {**FUNCTIONS, **OPTIONAL}[name].variants
        assert {v: preset.parameters for v, preset in variants.items()} == known
    for name, parameters in FUNCTIONS["read"].variants.items():
        assert Preset(**parameters) == PRESETS[name]
        assert PRESETS[name].strength == name


def test_every_repair_keeps_the_shape_of_the_page():
    image = decode(make_page(1, ("shading",)).png)
    for repair in REPAIRS.values():
        assert repair(image).shape == image.shape


def test_doubtful_readings_carry_hints_and_worthless_ones_fail():
    truth = make_page(1).truth_text
    assert answer(truth, 0.99, strength="plain", angle=0.0).hints == ()
    doubtful = answer(truth, 0.6, strength="plain", angle=0.0)
    assert isinstance(doubtful, Success)
    assert "read/thorough" in {hint.call for hint in doubtful.hints}
    assert isinstance(answer("xq zv " * 20, 0.8, strength="plain", angle=0.0), StandardError)


def test_tesseract_is_optional_and_its_table_is_understood():
    table = "head\n" + "\t".join("5 1 1 1 1 1 0 0 9 9 96.5 Hello".split()) + "\n"
    table += "\t".join("5 1 1 1 2 1 0 0 9 9 90.5 world".split())
    assert from_table(table) == ("Hello\nworld", pytest.approx(0.935))
    if not available():
        outcome = call(read_tesseract, {"clean": make_page(1).png})
        assert isinstance(outcome, StandardError)
        assert outcome.category is Category.UNSUPPORTED


# As cases


def test_a_page_is_a_case_judged_by_what_was_written():
    pytest.importorskip("sklearn")
    pytest.importorskip("py3langid")
    made = cases(2)
    pages = [
        make_page(APART * nth + seed, defects)
        for nth, defects in enumerate(KINDS.values())
        for seed in range(2)
    ]
    assert len({one.name for one in made}) == len(made) == 2 * len(KINDS)
    texts = []
    for one in made:
        [page] = one.workflow(Responsibility.HYBRID).inputs.values()
        truth = next(other for other in pages if other.png == page)
        text, language = truth.truth_text, truth.truth_language
        search = call(make_vector, {"text": text}).outputs["search"]
        assert one.good({"text": text, "language": language, "search": search}) == 1.0
        assert one.good({"text": text, "search": search}) == one.enough == 0.8
        assert one.good({"text": text, "language": language}) == 0.7
        assert one.good({"text": text[::-1]}) == one.good({}) == 0.0
        texts.append(text)
    assert len(set(texts)) == len(made)
