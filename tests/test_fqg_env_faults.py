"""One generative model: what `draw` samples is what `likelihood` says, and that sums to 1."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hand_drawn import SMALL, level, maker, preset, probe

from fqg_env import arrays, faults
from fqg_env.arrays import CATEGORIES, Gate, Kind, Verdict
from fqg_env.faults import (
    CLEAR,
    CONFUSED,
    FALSE_BLAME,
    KINDS,
    VERIFY_WRONG,
    WINDOW_PRIOR,
    WINDOWS,
    Cause,
    FunctionKind,
)
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal, Level, Reputation
from fqg_env.splits import level_key

ARTIFACTS = {
    "page": Artifact(given=True),
    "draft": Artifact(gate=True),
    "text": Artifact(goal=Goal()),
}
DRAWN = level(
    {
        "draw": maker("draft", fidelity=0.7, variants={"a": preset(memory_bytes=2.0), "b": preset(memory_bytes=1.0)}),
        "read": maker("text", inputs=("draft",), fidelity=0.5, variants={"a": preset(), "b": preset()}),
        "gather": maker("draft", inputs=()),
        "mend": maker("draft", inputs=("draft",), kind=CallKind.REPAIR),
        "judge": probe(CallKind.VERIFY, "text"),
    },
    ARTIFACTS,
)  # fmt: skip
NAMES = DRAWN.call_names
LEVELS = DRAWN.record(SMALL)


def classes(call: int) -> list[np.ndarray]:
    """Every class of outcome that the likelihood tells apart, one row each."""
    record = LEVELS[0]
    out = []
    for category, blamed in itertools.product(range(1, CATEGORIES), (0, 1)):
        row = arrays.new(arrays.row_dtype(SMALL), 1)
        faults.clear_row(record, row[0])
        row["category"], row["blamed"][0, 0] = category, blamed
        out.append(row)
    gated = any(record["makes"][call, a] and record["gate"][a] for a in range(3))
    for gate in (Gate.PASSED, Gate.REJECTED) if gated else (Gate.NONE,):
        row = arrays.new(arrays.row_dtype(SMALL), 1)
        faults.clear_row(record, row[0])
        if record["kind"][call] < Kind.VERIFY:
            row["made"][0, :] = record["makes"][call]
        row["gate"][0, :] = np.where(record["makes"][call] & record["gate"], gate, 0)
        row["category"] = arrays.CODES[arrays.Category.LOW_QUALITY] if gate == Gate.REJECTED else 0
        out.append(row)
    return out


def key_of(call: int, row: np.ndarray) -> tuple[int, int, int]:
    """The class of a row: (category, something blamed, what the gate said); a gate's category is left out."""
    if faults.made_something(LEVELS[0], row[0]):
        return 0, 0, int(row["gate"].max())
    return int(row["category"][0]), int(row["blamed"].any()), 0


def kinds_of(call: int) -> range:
    record = LEVELS[0]
    is_probe = bool(record["kind"][call] >= Kind.VERIFY)
    return range(faults.kinds_of(record, int(record["function"][call]), is_probe))


def expected(
    call: int, kind: int, is_down: bool, bad_input: float
) -> dict[tuple[int, int, int], float]:
    record = LEVELS[0]
    lightest = int(faults.lightest_variant(record, int(record["function"][call])))
    return {
        key_of(call, row): faults.likelihood(
            record, call, kind, lightest, is_down, bad_input, row[0]
        )
        for row in classes(call)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_likelihood_of_all_outcomes_sums_to_1(name: str) -> None:
    call = NAMES.index(name)
    reads = name.startswith("read")
    for kind, is_down, bad in itertools.product(kinds_of(call), (False, True), (0.0, 0.3, 1.0)):
        if bad > 0.0 and not reads:
            continue  # what reads nothing bad has no bad input
        assert math.fsum(expected(call, kind, is_down, bad).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["draw/a", "draw/b", "read/b", "gather", "judge"])
def test_what_is_drawn_is_as_frequent_as_the_likelihood_says(name: str) -> None:
    """Chi-square of 2,000 draws for each kind, up and down, with good and bad inputs; the keys are fixed."""
    n, call = 2000, NAMES.index(name)
    levels, hidden = LEVELS.copy(), arrays.new(arrays.faults_dtype(SMALL), 1)
    board, truth = (
        arrays.new(arrays.board_dtype(SMALL), 1),
        arrays.new(arrays.truth_dtype(SMALL), 1),
    )
    row, bad = arrays.new(arrays.row_dtype(SMALL), 1), np.zeros(SMALL.artifacts, np.uint8)
    faults.draw_faults(levels[0], hidden[0])
    spare = [0, 1] if name.startswith("read") else [0]
    for kind, is_down, input_is_bad in itertools.product(kinds_of(call), (False, True), spare):
        hidden["kind"][0, levels["function"][0, call]] = kind
        hidden["window"][0, :] = 4 if is_down else 0  # down for the whole run, or never
        truth["bad"][0, DRAWN.artifact_names.index("draft")] = input_is_bad
        seen: Counter[tuple[int, int, int]] = Counter()
        for i in range(n):
            levels["key"] = level_key("train", i)
            faults.draw(levels[0], hidden[0], board[0], truth[0], call, 1 + i % 3, 0.0, row[0], bad)
            seen[key_of(call, row)] += 1
        chances = expected(call, kind, is_down, float(input_is_bad))
        assert {k for k, p in chances.items() if p == 0.0}.isdisjoint(seen)
        large = {k: n * p for k, p in chances.items() if n * p >= 5.0}
        rest = n - sum(large.values()), n - sum(seen[k] for k in large)
        chi = sum((seen[k] - e) ** 2 / e for k, e in large.items())
        chi += (rest[1] - rest[0]) ** 2 / rest[0] if rest[0] >= 5.0 else 0.0
        freedom = max(1, len(large))
        assert chi < freedom + 5.0 * math.sqrt(2.0 * freedom), (
            FunctionKind,
            kind,
            is_down,
            input_is_bad,
        )


def test_a_repair_is_not_spoiled_by_what_it_mends() -> None:
    mend, read = NAMES.index("mend"), NAMES.index("read/a")
    draft = DRAWN.artifact_names.index("draft")
    assert not faults.taints(LEVELS[0], mend, draft) and faults.taints(LEVELS[0], read, draft)


def test_log_likelihood_is_its_logarithm() -> None:
    row = classes(0)[0]
    args = (LEVELS[0], 0, int(FunctionKind.BROKEN), 0, False, 0.0, row[0])
    assert faults.log_likelihood(*args) == pytest.approx(math.log(faults.likelihood(*args)))
    args = (LEVELS[0], 0, int(FunctionKind.OK), 0, False, 0.0, row[0])
    assert faults.log_likelihood(*args) == -math.inf


def test_tables_are_distributions() -> None:
    assert CLEAR.shape == (len(Cause), CATEGORIES)
    np.testing.assert_allclose(CLEAR.sum(1), 1.0)
    assert CONFUSED.sum() == pytest.approx(1.0) and CONFUSED[arrays.CANCELLED] == 0.0
    assert WINDOW_PRIOR.sum() == pytest.approx(1.0)
    assert 0.0 < FALSE_BLAME < 1.0


def test_the_prior_of_kinds_sums_to_1() -> None:
    reputations = [None, Reputation(mean=0.9, strength=30.0), Reputation(mean=0.1, strength=3.0)]
    for reputation, n in itertools.product(reputations, (1, 2, 5)):
        drawn = level(
            {
                "read": maker(
                    "text", reputation=reputation, variants={f"v{i}": preset() for i in range(n)}
                ),
                "judge": probe(CallKind.VERIFY, "text"),
            }
        )
        record = drawn.record(SMALL)[0]
        for call, is_probe in ((0, False), (n, True)):
            kinds = faults.kinds_of(record, int(record["function"][call]), is_probe)
            assert kinds <= KINDS
            total = math.fsum(faults.kind_prior(record, call, k) for k in range(kinds))
            assert total == pytest.approx(1.0)


def test_drawn_faults_follow_the_prior() -> None:
    drawn: Level = level({"read": maker("text", variants={"a": preset(), "b": preset()})})
    n = 4000
    levels, hidden = drawn.record(SMALL), arrays.new(arrays.faults_dtype(SMALL), 1)
    windows, kinds = np.zeros(WINDOWS), np.zeros(KINDS)
    for i in range(n):
        levels["key"] = level_key("train", i)
        faults.draw_faults(levels[0], hidden[0])
        windows[hidden["window"][0, 0]] += 1
        kinds[hidden["kind"][0, 0]] += 1
    prior = np.array([faults.kind_prior(levels[0], 0, k) for k in range(10)])
    for seen, p in ((windows, WINDOW_PRIOR), (kinds[:10], prior)):
        assert (np.abs(seen / n - p) < 4.0 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
    assert kinds[10:].sum() == 0


def test_a_verify_is_wrong_as_often_as_it_says_and_repeats_itself() -> None:
    n, call = 3000, NAMES.index("judge")
    text = DRAWN.artifact_names.index("text")
    levels, hidden = LEVELS.copy(), arrays.new(arrays.faults_dtype(SMALL), 1)
    board, truth = (
        arrays.new(arrays.board_dtype(SMALL), 1),
        arrays.new(arrays.truth_dtype(SMALL), 1),
    )
    row, bad = arrays.new(arrays.row_dtype(SMALL), 1), np.zeros(SMALL.artifacts, np.uint8)
    wrong = 0
    for i in range(n):
        levels["key"] = level_key("train", i)
        said = []
        for nth in (1, 2):
            faults.draw(levels[0], hidden[0], board[0], truth[0], call, nth, 0.0, row[0], bad)
            said.append(int(row["verdict"][0, text]))
        assert said[0] == said[1] != Verdict.NONE
        wrong += said[0] == Verdict.BAD
    assert abs(wrong / n - VERIFY_WRONG) < 4.0 * math.sqrt(VERIFY_WRONG / n)


def test_policies_that_diverge_meet_the_same_luck() -> None:
    """The nth attempt of a call answers the same whatever was done before it, while the provider is up."""
    n = 40
    one, two = (Lanes(n, SMALL, belief=False, tiers=(8, 20)) for _ in range(2))
    for lanes in (one, two):
        lanes.keys[:] = [level_key("train", i) for i in range(n)]
        lanes.draw_levels()
        lanes.faults["window"][:] = 0
        lanes.levels["max_in_flight"] = 1
        lanes.begin()
    first = one.masks[:, 2:].argmax(1)
    two.step(np.full(n, 99))  # an illegal action first
    two.step(np.zeros(n, np.int64))  # then a wait
    one.step(2 + first)
    two.step(2 + first)
    lasting = one.boards["last_category"][np.arange(n), first]
    both = (two.done == 0) & (one.done == 0)
    assert both.sum() > n / 2
    assert np.array_equal(lasting[both], two.boards["last_category"][np.arange(n), first][both])
