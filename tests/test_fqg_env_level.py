"""Level files: round trips, and one sentence for everything that can be wrong in one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_drawn import SMALL, level, maker, one_move, preset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fqg_env import library, shapes
from fqg_env.arrays import SIZES, Effect, GoalClass, Kind, Mode
from fqg_env.describe import describe
from fqg_env.lanes import Lanes
from fqg_env.level import (
    Artifact,
    Budget,
    CallKind,
    Goal,
    GoalKind,
    Level,
    Recent,
    Responsibility,
)
from fqg_env.level_file import read_level
from fqg_env.outcome import SideEffects
from fqg_env.puzzle import Faults, Puzzle, describe_faults, read_puzzle, write_puzzle
from fqg_env.shapes import TIERS
from fqg_env.splits import SPLITS, Source, level_key


def drawn(tier: int, seed: int, size: str = "small") -> Lanes:
    """One lane with a generated level."""
    lanes = Lanes(1, SIZES[size], belief=False, source=Source(tiers=(tier, tier)))
    lanes.keys[0] = level_key("train", seed)
    lanes.draw_levels()
    return lanes


def used(record: Any) -> dict[str, np.ndarray]:
    """The fields of a level record without padding."""
    counts = {16: "calls", 8: "artifacts"}
    out = {}
    for name in record.dtype.names:
        value = np.asarray(record[name])
        if name == "variants":
            value = value[: record["functions"]]
        elif value.ndim:
            value = value[: record[counts[value.shape[0]]]]
        out[name] = value[:, : record["artifacts"]] if value.ndim == 2 else value
    return out


def assert_equal_records(one: Any, two: Any) -> None:
    a, b = used(one), used(two)
    for name, value in a.items():
        assert np.array_equal(value, b[name], equal_nan=value.dtype.kind == "f"), name


# --- round trips ---------------------------------------------------------------------------------------


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tier=st.integers(1, TIERS), seed=st.integers(0, 2**32))
def test_a_generated_level_is_the_same_described_written_and_read(
    tier: int, seed: int, tmp_path: Path
) -> None:
    lanes = drawn(tier, seed)
    built = describe(lanes.levels[0], "generated")
    assert_equal_records(lanes.levels[0], built.record(SMALL)[0])
    path = tmp_path / "level.yaml"
    write_puzzle(Puzzle(level=built), path)
    again = read_level(path)
    assert again == built
    assert_equal_records(lanes.levels[0], again.record(SMALL)[0])


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tier=st.integers(1, TIERS), seed=st.integers(0, 2**32), told=st.integers(0, 7))
def test_a_file_holds_the_hidden_faults_too(
    tier: int, seed: int, told: int, tmp_path: Path
) -> None:
    lanes = drawn(tier, seed)
    wrongly = {"miscoded": 0.25, "false_hints": 0.75, "dialects": 1}
    for i, (name, value) in enumerate(wrongly.items()):
        if told & 1 << i:
            lanes.hidden[name] = value
    built = describe(lanes.levels[0], "generated")
    path = tmp_path / "puzzle.yaml"
    write_puzzle(Puzzle(level=built, faults=describe_faults(built, lanes.hidden[0])), path)
    other = Lanes(1, SMALL, belief=False)
    read_puzzle(path).load(other)
    calls, providers = lanes.levels["calls"][0], lanes.levels["providers"][0]
    functions, artifacts = lanes.levels["functions"][0], lanes.levels["artifacts"][0]
    for name, n in (
        ("window", providers),
        ("fault", functions),
        ("defect", artifacts),
        ("latency_s", calls),
        ("cost", calls),
    ):
        assert np.array_equal(lanes.hidden[name][0, :n], other.hidden[name][0, :n]), name
    for name in wrongly:
        assert lanes.hidden[name][0] == other.hidden[name][0], name
    assert other.levels["key"][0] == lanes.levels["key"][0]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [(CallKind, Kind), (Responsibility, Mode), (SideEffects, Effect), (GoalKind, GoalClass)],
)
def test_words_and_the_numbers_they_are_in_arrays_go_by_name(words: Any, numbers: Any) -> None:
    absent = {"NONE"} if numbers is GoalClass else set()  # no goal has no word
    assert {number.name for number in numbers} == {word.name for word in words} | absent


def test_the_library_survives_writing(tmp_path: Path) -> None:
    for name in library.names():
        puzzle = library.load(name)
        write_puzzle(puzzle, tmp_path / "again.yaml")
        assert read_puzzle(tmp_path / "again.yaml") == puzzle


def test_a_changed_copy_is_worked_out_and_checked_anew() -> None:
    first = level({"read": maker("text"), "copy": maker("text")})
    assert first.default_plan == (0,)
    assert first.model_copy(update={"plan": ("copy",)}).default_plan == (1,)
    with pytest.raises(ValueError, match="is no call of this level"):
        first.model_copy(update={"plan": ("cope",)})


def test_the_default_plan_leaves_out_what_led_nowhere() -> None:
    artifacts = {
        "page": Artifact(given=True),
        "side": Artifact(),
        "never": Artifact(),
        "text": Artifact(goal=Goal()),
    }
    functions = {
        "aside": maker("side"),
        "hard": maker("text", inputs=("side", "never")),
        "loop": maker("never", inputs=("never",)),
        "easy": maker("text"),
    }
    built = level(functions, artifacts)
    assert [built.call_names[c] for c in built.default_plan] == ["easy"]


def test_a_variant_with_its_own_inputs_consumes_only_what_it_reads() -> None:
    variants = {"whole": preset(), "page_only": preset(inputs=("page",))}
    artifacts = {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())}
    functions = {
        "draw": maker("draft"),
        "read": maker("text", inputs=("page", "draft"), consumes=("draft",), variants=variants),
    }
    record = level(functions, artifacts).record(SMALL)[0]
    assert record["consumes"][:3, 1].tolist() == [0, 1, 0]


# --- what can be wrong ---------------------------------------------------------------------------------


"""The default plan takes two calls, and one is enough."""


# --- the generator -------------------------------------------------------------------------------------


def digest(seeds: range, tiers: range) -> str:
    """sha256 of generated levels: whole numbers as they are, others to 9 significant digits."""
    hashed = hashlib.sha256()
    for tier in tiers:
        lanes = Lanes(len(seeds), SMALL, belief=False, source=Source(tiers=(tier, tier)))
        lanes.keys[:] = [level_key("validation", seed) for seed in seeds]
        lanes.draw_levels()
        for record, hidden in zip(lanes.levels, lanes.hidden, strict=True):
            for name, value in used(record).items():
                cells = [
                    f"{x:.9g}" if value.dtype.kind == "f" else str(int(x)) for x in value.ravel()
                ]
                hashed.update(f"{name}={','.join(cells)};".encode())
            hashed.update(hidden["window"][: record["providers"]].tobytes())
            hashed.update(hidden["fault"][: record["functions"]].tobytes())
    return hashed.hexdigest()


GOLDEN = "00fc96aaf8e22e8f74324bc3c020c86ff271ab98e2dec6b718e1c8c34d6fed93"
"""Changes when the generator, the prior or the keys change: then every published figure changes too."""


def test_levels_are_the_same_on_every_machine_and_version() -> None:
    assert digest(range(50), range(1, TIERS + 1)) == GOLDEN


@pytest.mark.parametrize("size", ["small", "standard"])
def test_every_generated_level_is_valid(size: str) -> None:
    n = 20
    for tier in range(1, TIERS + 1):
        lanes = Lanes(n, SIZES[size], belief=False, source=Source(tiers=(tier, tier)))
        lanes.keys[:] = [level_key("test", seed) for seed in range(n)]
        lanes.draw_levels()
        for record in lanes.levels:
            built = describe(record, "generated")  # checks names, goals, plan and budget
            assert built.size.calls <= SIZES[size].calls


def test_levels_grow_with_the_tier() -> None:
    means = []
    for tier in (1, 10, TIERS):
        lanes = Lanes(200, SMALL, belief=False, source=Source(tiers=(tier, tier)))
        lanes.keys[:] = [level_key("test", seed) for seed in range(200)]
        lanes.draw_levels()
        means.append(lanes.levels["calls"].mean())
    assert means[0] < means[1] < means[2]
    assert shapes.SHAPES.shape == (TIERS, shapes.KNOBS)


def test_splits_are_disjoint() -> None:
    keys = {split: {int(level_key(split, s)) for s in range(2000)} for split in SPLITS}
    assert sum(map(len, keys.values())) == len(set().union(*keys.values())) == 2000 * len(SPLITS)


def test_unknown_declared_numbers_are_not_what_is_taken() -> None:
    hidden = Faults(cost={"read": 7.0}, latency_s={"read": 30.0})
    variants = {"default": preset().model_copy(update={"cost": None, "latency_s": None})}
    puzzle = Puzzle(level=level({"read": maker("text", variants=variants)}), faults=hidden)
    lanes = Lanes(1, SMALL, belief=False)
    puzzle.load(lanes)
    assert np.isnan(lanes.levels["cost"][0, 0])
    assert lanes.hidden["cost"][0, 0] == 7.0 and lanes.hidden["latency_s"][0, 0] == 30.0


def test_a_level_is_immutable_and_equal_to_its_like() -> None:
    drawn_level: Level = one_move(budget=Budget(time_s=320.0, cost=100.0))
    with pytest.raises(ValueError, match="frozen"):
        drawn_level.name = "other"  # type: ignore[misc]
    assert drawn_level == one_move(budget=Budget(time_s=320.0, cost=100.0))


@pytest.mark.parametrize("name", ["read", "read/default"])
def test_what_is_remembered_of_a_call_counts_by_either_of_its_names(name: str) -> None:
    record = one_move(recent={name: Recent(success=2.0, failure=1.0)}).record(SMALL)[0]
    assert record["recent_success"][0] == 2.0 and record["recent_failure"][0] == 1.0
