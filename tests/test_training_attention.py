"""What a sequence model heeds: shares of the real tokens of a level, on a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from policies.recovery.network import NetworkPolicy, load
from policies.recovery.policy_file import HEADS
from training.cli import app
from training.commands.attention import Moment, heatmap, lane_drawn, lane_of, moment, page_of
from training.commands.levels import Generated, generated
from training.learning.export import export
from training.learning.pointer_network import Conductor
from training.learning.sequence_network import SequenceNetwork


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained sequence model: it plays as the index rule does."""
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("sequence")
    export(Conductor(SequenceNetwork(16)), out, "untrained", {})
    return out


@pytest.mark.parametrize("size", ["small", "standard"])
def test_shares_of_every_head_add_up_over_real_tokens(folder: Path, size: str) -> None:
    """Padding is heeded by nobody, so without it nothing is missing."""
    policy = load(folder)
    assert isinstance(policy, NetworkPolicy) and policy.has_attention
    puzzle = generated(Generated("test", 14, 3, size))
    seen = moment(lane_of(puzzle), puzzle.level, policy, 2)
    assert seen is not None
    level = puzzle.level
    assert seen.tokens == (*seen.attempts, *level.call_names, *level.artifact_names)
    assert seen.weights.shape == (2 * HEADS, len(seen.tokens))
    np.testing.assert_allclose(seen.weights.sum(1), 1.0, atol=1e-5)
    failed = [words for words in seen.attempts if not words.endswith("success")]
    assert len(failed) == 2 and seen.attempts[0] == failed[0]


def test_codes_are_those_of_the_mix(folder: Path) -> None:
    """The same level and the same faults, told in dialects."""
    policy = load(folder)
    assert isinstance(policy, NetworkPolicy)
    plain, odd = (Generated("test", 14, 3, mix=mix) for mix in ("published", "dialects"))
    level = generated(plain).level
    told = [moment(lane_drawn(which), level, policy, 1) for which in (plain, odd)]
    assert told[0] is not None and told[1] is not None
    calls = [[words.split(": ")[0] for words in each.attempts] for each in told if each]
    assert calls[0] == calls[1] and told[0].attempts != told[1].attempts


def test_the_page_says_what_happened_and_what_is_heeded(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "attention.html"
    words = ["attend", "--policy", str(folder), "--tier", "14", "--seed", "3", "--json"]
    done = CliRunner().invoke(app, [*words, "--out", str(page)])
    assert done.exit_code == 0
    told, text = json.loads(done.stdout), page.read_text("utf-8")
    assert told["page"] == str(page) and all(words in text for words in told["attempts"])
    assert text.count("<rect") == len(told["tokens"]) * 2 * HEADS


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "shipped", "--tier", "14"], "is no sequence model"),
        (["--policy", "index", "--tier", "14"], "is no sequence model"),
        (["--policy", "sipped", "--tier", "14"], "there is no policy 'sipped'"),
        (["--policy", "HERE", "--tier", "14", "--failures", "60"], "fewer than 60 failures"),
        (["--policy", "HERE", "escape_the_room", "--failures", "40"], "name another level or seed"),
        (["--policy", "HERE", "--tier", "14", "--out", "/"], "--out /: name a file in a folder"),
        (
            ["--policy", "sipped", "--tier", "14", "--out", "/nowhere/a.html"],
            "--out /nowhere/a.html: ",
        ),
        (["--tier", "14", "--out", f"{'a' * 300}.html"], "(File name too long); name another file"),
    ],
)
def test_what_cannot_be_shown_is_told(folder: Path, words: list[str], told: str) -> None:
    given = [str(folder) if word == "HERE" else word for word in words]
    done = CliRunner().invoke(app, ["attend", *given])
    assert done.exit_code == 2 and told in done.stderr


def test_who_chooses_and_whose_look_it_is_is_told(folder: Path, tmp_path: Path) -> None:
    """On a level too large for a model the index rule chooses, not the model; a WAIT has no token of its own."""
    small, page = tmp_path / "small", tmp_path / "attention.html"
    shutil.copytree(folder, small)
    manifest = json.loads((small / "manifest.json").read_text("utf-8"))
    (small / "manifest.json").write_text(json.dumps({**manifest, "max_calls": 1}))
    said = []
    for policy in (folder, small):
        words = ["attend", "--policy", str(policy), *"--tier 14 --seed 3 --out".split(), str(page)]
        said.append((CliRunner().invoke(app, words).stdout, page.read_text("utf-8")))
    (its, its_page), (floors, floors_page) = said
    assert its.startswith("after 1 attempt it chooses: ")
    assert floors.startswith("after 1 attempt the floor chooses: ")
    assert "the floor, which is the index rule, chooses in its place" in floors_page
    assert "the floor" not in its_page and "the token of the call that is chosen" in its_page
    level = generated(Generated("test", 14, 3)).level
    tokens = ("done", *level.call_names, *level.artifact_names)
    waits = Moment(level, ("done",), "wait", False, tokens, np.full((8, len(tokens)), 0.1))
    assert "a call, the mean over all of them" in page_of(waits, "it", page).read_text("utf-8")


def test_names_of_rows_have_room() -> None:
    """In the widest of the usual fonts a letter takes 7.2; names end 8 before the cells."""
    picture = heatmap(["layer 1, head 1"], ["a"], np.ones((1, 1)))
    assert float(picture.split('<text x="')[1].split('"')[0]) >= 7.2 * len("layer 1, head 1")
