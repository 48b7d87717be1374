"""One generative model: what `draw` samples is what `likelihood` says, and that sums to 1."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hand_drawn import SMALL, level, maker, preset, probe

from fqg_env import arrays, draw, faults, hide, rules
from fqg_env import likelihood as model
from fqg_env.arrays import CANCELLED, CATEGORIES, Gate, Kind, Verdict
from fqg_env.faults import (
    CLEAR,
    CONFUSED,
    FALSE_BLAME,
    FAULTS,
    VERIFY_WRONG,
    WINDOW_CAUSE,
    WINDOW_FROM,
    WINDOW_PRIOR,
    WINDOW_UNTIL,
    WINDOWS,
    Cause,
    Fault,
    Inputs,
)
from fqg_env.frequencies import MIXES, PUBLISHED
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal, Level, Recent, Reputation
from fqg_env.prior import MIX_FAULTS, MIX_WINDOWS, prior
from fqg_env.splits import MIX_NAMES, Source, level_key

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
LEVELS["latency_s"] = 0.0
DRAFT, TEXT = DRAWN.artifact_names.index("draft"), DRAWN.artifact_names.index("text")
UP, OUTAGE, LIMIT = 0, 4, 7
MODES = range(3)


def announcements(window: int) -> list[float]:
    """Every announced time that there may be at the start: none, of a flake, of the window.

    Attempts of these levels take no time that counts, so that what is announced does not depend on it.
    """
    budget = float(LEVELS["time_budget_s"][0])
    out = {0.0, PUBLISHED.flake_passes * budget}
    return sorted(out | ({WINDOW_UNTIL[window] * budget} if window else set()))


def classes(call: int, window: int) -> list[np.ndarray]:
    """Every class of outcome that the likelihood tells apart, one row each."""
    record = LEVELS[0]
    out = []
    parts = itertools.product(range(1, CATEGORIES), (0, 1), (0, 1), announcements(window))
    for category, blamed, again, announced in parts:
        row = arrays.new(arrays.row_dtype(SMALL), 1)
        draw.clear_row(record, row[0])
        first = int(record["needs"][call].argmax())  # false blame falls on the first that is read
        row["category"], row["blamed"][0, first], row["own_recovery"] = category, blamed, again
        row["retry_after_s"] = announced
        out.append(row)
    gated = any(record["makes"][call, a] and record["gate"][a] for a in range(3))
    for gate, again in itertools.product(
        (Gate.PASSED, Gate.REJECTED) if gated else (Gate.NONE,), (0, 1)
    ):
        row = arrays.new(arrays.row_dtype(SMALL), 1)
        draw.clear_row(record, row[0])
        if record["kind"][call] < Kind.VERIFY:
            row["made"][0, :] = record["makes"][call]
        row["gate"][0, :] = np.where(record["makes"][call] & record["gate"], gate, 0)
        row["category"] = arrays.CODES[arrays.Category.LOW_QUALITY] if gate == Gate.REJECTED else 0
        row["own_recovery"] = again
        out.append(row)
    return out


def key_of(row: np.ndarray) -> tuple[int, int, int, int, float]:
    """The class of a row; a gate's category is left out."""
    again = int(row["own_recovery"][0])
    if model.made_something(LEVELS[0], row[0]):
        return 0, 0, int(row["gate"].max()), again, 0.0
    announced = round(float(row["retry_after_s"][0]), 6)
    return int(row["category"][0]), int(row["blamed"].any()), 0, again, announced


def states(call: int) -> Any:
    """(fault, window, uses, inputs, mode) of everything that may be hidden, as far as it makes a difference."""
    reads = NAMES[call].startswith("read")
    inputs = list(Inputs) if reads else [Inputs.FINE]
    n = faults.faults_of(LEVELS[0], call)
    for fault in range(n):
        uses = (1, 2, 4) if fault in (Fault.QUOTA_1, Fault.QUOTA_3) else (1,)
        yield from itertools.product([fault], (UP, OUTAGE, LIMIT), uses, inputs, MODES)


def expected(call: int, state: tuple[int, ...]) -> dict[Any, float]:
    """Class of outcome -> its likelihood."""
    fault, window, uses, inputs, mode = state
    levels = LEVELS.copy()
    levels["mode"] = mode
    return {
        key_of(row): model.likelihood(levels[0], call, window, fault, uses, inputs, 0.0, row[0])
        for row in classes(call, window)
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_likelihood_of_all_outcomes_sums_to_1(name: str) -> None:
    call = NAMES.index(name)
    for state in states(call):
        assert math.fsum(expected(call, state).values()) == pytest.approx(1.0), state


@pytest.mark.parametrize("name", ["draw/a", "read/b", "judge"])
def test_what_is_drawn_is_as_frequent_as_the_likelihood_says(name: str) -> None:
    """Chi-square of 400 draws for everything that may be hidden; the keys are fixed."""
    n, call = 400, NAMES.index(name)
    levels, hidden = LEVELS.copy(), arrays.new(arrays.hidden_dtype(SMALL), 1)
    boards, truth = (
        arrays.new(arrays.board_dtype(SMALL), 1),
        arrays.new(arrays.truth_dtype(SMALL), 1),
    )
    row, bad = arrays.new(arrays.row_dtype(SMALL), 1), np.zeros(SMALL.artifacts, np.uint8)
    hide.draw_hidden(levels[0], hidden[0], 0, np.empty(faults.FAULTS))
    function = int(levels["function"][0, call])
    for state in states(call):
        fault, window, uses, inputs, mode = state
        levels["mode"] = mode
        hidden["fault"][0, function], hidden["window"][0, :] = fault, window
        hidden["clash"][0, :] = 1 if inputs == Inputs.CLASH else 2
        rules.reset(levels[0], boards[0])
        boards["maker"][0, DRAFT] = NAMES.index("gather")
        truth["bad"][0, DRAFT] = inputs == Inputs.BAD
        boards["function_tries"][0, function] = uses
        seen: Counter[Any] = Counter()
        for i in range(n):
            levels["key"], boards["tries"][0, call] = level_key("train", i), 1 + i % 3
            draw.draw(levels[0], hidden[0], boards[0], truth[0], call, row[0], bad)
            seen[key_of(row)] += 1
        chances = expected(call, state)
        assert set(seen) <= {k for k, p in chances.items() if p > 0.0}, state
        large = {k: n * p for k, p in chances.items() if n * p >= 5.0}
        rest = n - sum(large.values()), n - sum(seen[k] for k in large)
        chi = sum((seen[k] - e) ** 2 / e for k, e in large.items())
        chi += (rest[1] - rest[0]) ** 2 / rest[0] if rest[0] >= 5.0 else 0.0
        freedom = max(1, len(large))
        assert chi < freedom + 5.5 * math.sqrt(2.0 * freedom), state


def test_a_repair_is_not_spoiled_by_what_it_mends() -> None:
    mend, read = NAMES.index("mend"), NAMES.index("read/a")
    assert not faults.taints(LEVELS[0], mend, DRAFT) and faults.taints(LEVELS[0], read, DRAFT)


def test_tables_are_distributions() -> None:
    assert CLEAR.shape == (len(Cause), CATEGORIES)
    np.testing.assert_allclose(CLEAR.sum(1), 1.0)
    assert CONFUSED.sum() == pytest.approx(1.0) and CONFUSED[arrays.CANCELLED] == 0.0
    assert np.array_equal(WINDOW_PRIOR, MIX_WINDOWS[0])
    np.testing.assert_allclose(MIX_WINDOWS.sum(1), 1.0)
    np.testing.assert_allclose(MIX_FAULTS.sum(1), 1.0)
    names = [fault.name.lower() for fault in Fault if fault is not Fault.OK]
    assert MIXES[0].faults == tuple(getattr(PUBLISHED, name) for name in names)
    announced = (PUBLISHED.announced_outage, PUBLISHED.announced_limit, PUBLISHED.announced_flake)
    assert tuple(range(len(announced))) == (Cause.OUTAGE, Cause.LIMIT, Cause.FLAKY)
    assert tuple(faults.ANNOUNCED) == announced
    assert 0.0 < FALSE_BLAME < 1.0
    assert WINDOW_FROM[0] > 1.0 and set(WINDOW_CAUSE.tolist()) == {Cause.OUTAGE, Cause.LIMIT}


def prior_of(record: Any, call: int, mix: int = 0) -> np.ndarray:
    """The prior of a call's function, as far as it has faults."""
    out = np.zeros(FAULTS)
    prior(record, call, mix, out)
    return out[: faults.faults_of(record, call)]


def test_the_prior_of_faults_sums_to_1() -> None:
    reputations = [None, Reputation(mean=0.9, strength=30.0), Reputation(mean=0.1, strength=3.0)]
    recents = [{}, {"read": Recent(success=2.5, failure=0.3)}]
    for reputation, n, recent in itertools.product(reputations, (1, 2, 5), recents):
        variants = {f"v{i}": preset() for i in range(n)}
        functions = {
            "read": maker("text", reputation=reputation, variants=variants),
            "judge": probe(CallKind.VERIFY, "text"),
        }
        record = level(functions, recent={f"{k}/v0": v for k, v in recent.items()}).record(SMALL)[0]
        for call, mix in itertools.product((0, n), range(len(MIXES))):
            assert math.fsum(prior_of(record, call, mix)) == pytest.approx(1.0)


def test_recent_runs_speak_for_and_against() -> None:
    def well(**counts: float) -> float:
        drawn = level({"read": maker("text")}, recent={"read": Recent(**counts)})
        return float(prior_of(drawn.record(SMALL)[0], 0)[Fault.OK])

    unknown = prior_of(level({"read": maker("text")}).record(SMALL)[0], 0)[Fault.OK]
    assert well(failure=3.0) < well(failure=1.0) < unknown < well(success=1.0) < well(success=3.0)


@pytest.mark.parametrize("mix", [i for i, one in enumerate(MIXES) if one.spread == 1.0])
def test_drawn_faults_follow_the_prior(mix: int) -> None:
    drawn: Level = level({"read": maker("text", variants={"a": preset(), "b": preset()})})
    n = 4000
    levels, hidden = drawn.record(SMALL), arrays.new(arrays.hidden_dtype(SMALL), 1)
    windows, kinds = np.zeros(WINDOWS), np.zeros(FAULTS)
    for i in range(n):
        levels["key"] = level_key("train", i)
        hide.draw_hidden(levels[0], hidden[0], mix, np.empty(faults.FAULTS))
        windows[hidden["window"][0, 0]] += 1
        kinds[hidden["fault"][0, 0]] += 1
    prior = prior_of(levels[0], 0, mix)
    for seen, p in ((windows, MIX_WINDOWS[mix]), (kinds[: len(prior)], prior)):
        assert (np.abs(seen / n - p) < 4.0 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
    assert kinds[len(prior) :].sum() == 0


def test_every_level_of_the_varied_mix_leans_its_own_way() -> None:
    levels = level({"read": maker("text")}).record(SMALL)
    leaned = []
    for key in (1, 1, 2):
        levels["key"], shares = key, np.full(4, 0.2)
        hide.lean(levels[0], shares, 4, 3.0, 0)
        assert math.fsum(shares) == pytest.approx(0.8) and (shares[:-1] != shares[1:]).all()
        assert shares.max() / shares.min() <= 9.0
        leaned.append(shares.tolist())
    assert leaned[0] == leaned[1] != leaned[2]


def test_where_a_mix_says_so_codes_are_confused_and_hints_point_anywhere() -> None:
    variants = {"a": preset(), "b": preset()}
    levels = level({"read": maker("text", variants=variants, fidelity=1.0)}).record(SMALL)
    hidden, row = arrays.new(arrays.hidden_dtype(SMALL), 1), arrays.new(arrays.row_dtype(SMALL), 1)
    hidden["fault"][0, 0] = Fault.WRONG + 2  # it needs variant b
    clear = {c for c, share in enumerate(faults.CLEAR[Cause.WRONG_PARAMETERS]) if share > 0.0}
    for lies, all_true in ((0.0, True), (1.0, False)):
        hidden["miscoded"], hidden["false_hints"] = lies, lies
        codes, hints = [], []
        for key in range(400):
            levels["key"] = key + 1
            codes.append(
                draw.draw_category(levels[0], hidden[0], 0, 1, Cause.WRONG_PARAMETERS) in clear
            )
            row["hint"] = 0.0
            draw.draw_hint(levels[0], hidden[0], row[0], 0, 0, 1.0)
            hints.append(row["hint"][0, 1] > 0.0)
        assert all(codes) == all(hints) == all_true
        assert all_true or (np.mean(codes) < 0.5 and not any(hints))


def test_where_a_mix_has_dialects_every_provider_has_one_other_code_for_each() -> None:
    two = {
        "read": maker("text", provider="north", fidelity=1.0),
        "scan": maker("text", provider="south", fidelity=1.0),
    }
    levels, hidden = level(two).record(SMALL), arrays.new(arrays.hidden_dtype(SMALL), 1)
    codes = [c for c in range(1, CATEGORIES) if c != CANCELLED]
    hide.draw_hidden(levels[0], hidden[0], MIX_NAMES.index("dialects"), np.empty(faults.FAULTS))
    assert hidden["dialects"][0] == 1
    seen = set()
    for key in range(1, 40):
        levels["key"] = key
        said = [tuple(draw.in_dialect(levels[0], call, c) for c in codes) for call in (0, 1)]
        for dialect in said:
            assert sorted(dialect) == codes and all(
                a != b for a, b in zip(dialect, codes, strict=True)
            )
        seen.add(said[0] == said[1])
        true = [in_words(levels, hidden, on=0, call=call, key=key) for call in (0, 1)]
        told = [in_words(levels, hidden, on=1, call=call, key=key) for call in (0, 1)]
        for call in (0, 1):
            assert told[call] == [said[call][codes.index(c)] for c in true[call]]
    assert seen == {True, False}  # providers mostly differ


def in_words(levels: Any, hidden: Any, on: int, call: int, key: int) -> list[int]:
    """The codes that the first ten outages of a call show as."""
    levels["key"], hidden["dialects"] = key, on
    return [draw.draw_category(levels[0], hidden[0], call, n, Cause.OUTAGE) for n in range(10)]


def test_recent_runs_are_drawn_as_the_prior_reads_them() -> None:
    """Faults drawn first and memories from them: among levels that remember alike the prior is right."""
    drawn = level(
        {"read": maker("text", variants={"a": preset(), "b": preset()})}, plan=("read/a",)
    )
    n = 6000
    sound: dict[tuple[float, float], list[bool]] = {}
    levels, hidden = drawn.record(SMALL), arrays.new(arrays.hidden_dtype(SMALL), 1)
    for i in range(n):
        levels["key"], levels["recent_success"], levels["recent_failure"] = i + 1, 0.0, 0.0
        hide.draw_hidden(levels[0], hidden[0], 0, np.empty(faults.FAULTS))
        hide.draw_recent(levels[0], hidden[0], 2, np.empty(faults.FAULTS))
        told = float(levels["recent_success"][0, 0]), float(levels["recent_failure"][0, 0])
        sound.setdefault(told, []).append(bool(hidden["fault"][0, 0] == Fault.OK))
    assert set(sound) == {(0.0, 2.0), (1.0, 1.0), (2.0, 0.0)}
    for (good, failed), found in sound.items():
        levels["recent_success"][0, 0], levels["recent_failure"][0, 0] = good, failed
        p = float(prior_of(levels[0], 0)[Fault.OK])
        assert abs(np.mean(found) - p) < 4.0 * math.sqrt(p * (1 - p) / len(found))


def test_a_verify_is_wrong_as_often_as_it_says_and_repeats_itself() -> None:
    n, call = 3000, NAMES.index("judge")
    levels, hidden = LEVELS.copy(), arrays.new(arrays.hidden_dtype(SMALL), 1)
    boards, truth = (
        arrays.new(arrays.board_dtype(SMALL), 1),
        arrays.new(arrays.truth_dtype(SMALL), 1),
    )
    row, bad = arrays.new(arrays.row_dtype(SMALL), 1), np.zeros(SMALL.artifacts, np.uint8)
    rules.reset(levels[0], boards[0])
    levels["time_to_live_s"][0, TEXT] = 10.0
    wrong, aged = 0, Counter[tuple[int, int]]()
    for i in range(n):
        levels["key"] = level_key("train", i)
        said = []
        for nth, at_s in ((1, 0.0), (2, 0.0), (3, 6.0)):  # the last is past half the time to live
            boards["tries"][0, call], boards["at_s"] = nth, at_s
            draw.draw(levels[0], hidden[0], boards[0], truth[0], call, row[0], bad)
            said.append(int(row["verdict"][0, TEXT]))
        assert said[0] == said[1] != Verdict.NONE
        wrong += said[0] == Verdict.BAD
        aged[said[1], said[2]] += 1
    assert abs(wrong / n - VERIFY_WRONG) < 4.0 * math.sqrt(VERIFY_WRONG / n)
    # an old verdict says nothing of the luck of a new one, which the posterior takes for fresh evidence
    stale = PUBLISHED.stale
    again = VERIFY_WRONG * (stale * (1.0 - VERIFY_WRONG) + (1.0 - stale) * VERIFY_WRONG)
    assert abs(aged[Verdict.BAD, Verdict.BAD] / n - again) < 4.0 * math.sqrt(again / n)


def test_policies_that_diverge_meet_the_same_luck() -> None:
    """The nth attempt of a call answers the same whatever was done before it, while the provider is up."""
    n = 40
    one, two = (Lanes(n, SMALL, belief=False, source=Source(tiers=(8, 20))) for _ in range(2))
    for lanes in (one, two):
        lanes.keys[:] = [level_key("train", i) for i in range(n)]
        lanes.draw_levels()
        lanes.hidden["window"][:] = 0
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


@pytest.mark.parametrize(
    ("cause", "until", "window"),
    [
        (Cause.OUTAGE, 0.05, 1),
        (Cause.OUTAGE, 0.06, 1),
        (Cause.OUTAGE, 0.0600005, 1),
        (Cause.OUTAGE, 0.07, 2),
        (Cause.OUTAGE, 0.2, 3),
        (Cause.OUTAGE, 0.5, 4),
        (Cause.OUTAGE, 3.0, 4),
        (Cause.LIMIT, 0.01, 6),
        (Cause.LIMIT, 0.05, 7),
        (Cause.LIMIT, 0.2, -1),
    ],
)
def test_an_announced_time_means_the_window_that_ends_next(
    cause: Cause, until: float, window: int
) -> None:
    assert model.announced_window(cause, until) == window


@pytest.mark.parametrize(
    ("began", "ahead", "meant"),
    [
        (0.0, PUBLISHED.flake_passes, True),  # exactly as the game says it
        (0.0, 0.001, True),  # nearly, as real times are
        (0.0, 0.02, True),
        (0.0, 0.031, False),
        (0.02, 0.02, False),  # near too, yet exactly the end of a window: that was meant
    ],
)
def test_a_passing_failure_is_announced_nearly_as_the_game_does(
    began: float, ahead: float, meant: bool
) -> None:
    record, call = LEVELS[0], NAMES.index("read/a")
    budget = float(record["time_budget_s"])
    row = arrays.new(arrays.row_dtype(SMALL), 1)
    draw.clear_row(record, row[0])
    row["category"], row["retry_after_s"] = 1, ahead * budget
    p = model.likelihood(record, call, UP, Fault.FLAKY, 1, Inputs.FINE, began * budget, row[0])
    assert (p > 0.0) is meant
