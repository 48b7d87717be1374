"""What a policy sees: in [0, 1], the static part static, and no names anywhere (permutations permute)."""

from __future__ import annotations

import numpy as np
import pytest
from hand_drawn import SMALL, Events, level, maker, one_move, preset, probe

from fqg_env import arrays, believed, filtering, observation, reading, rules
from fqg_env import belief as posterior
from fqg_env.arrays import FLIGHTS, HISTORY, History
from fqg_env.fields import ARTIFACT_FIELDS, CALL_FIELDS, observation_dtype
from fqg_env.fields import Artifact as Y
from fqg_env.fields import Call as X
from fqg_env.fields import Run as R
from fqg_env.history import call_of, is_attempt
from fqg_env.lanes import Lanes
from fqg_env.level import CallKind
from fqg_env.outcome import Category
from fqg_env.splits import Source, level_key

DTYPE = observation_dtype(SMALL, True)


def played(n: int, steps: int, seed: int = 0) -> tuple[Lanes, list[np.ndarray]]:
    """Lanes after some random legal actions, and what was observed at every step."""
    lanes = Lanes(n, SMALL)
    lanes.keys[:] = [level_key("train", seed + i) for i in range(n)]
    lanes.draw_levels()
    lanes.begin()
    random = np.random.default_rng(seed)
    seen = [lanes.observations.copy()]
    for _ in range(steps):
        weight = random.random(lanes.masks.shape) * lanes.masks
        weight[:, rules.STOP] *= 0.05
        lanes.step(weight.argmax(1))
        seen.append(lanes.observations.copy())
    return lanes, seen


@pytest.fixture(scope="module")
def lanes_and_seen() -> tuple[Lanes, list[np.ndarray]]:
    return played(64, 25)


def test_all_values_lie_between_0_and_1(lanes_and_seen: tuple[Lanes, list[np.ndarray]]) -> None:
    for seen in lanes_and_seen[1]:
        for name in DTYPE.names or ():
            assert (seen[name] >= 0).all() and (seen[name] <= 1).all(), name


def test_the_static_part_does_not_move(lanes_and_seen: tuple[Lanes, list[np.ndarray]]) -> None:
    first, *rest = lanes_and_seen[1]
    for seen in rest:
        for name in ("needs", "makes", "consumes", "probes", "same_function", "same_provider"):
            assert np.array_equal(seen[name], first[name])
        assert np.array_equal(seen["calls"][:, :, : X.READABLE], first["calls"][:, :, : X.READABLE])
        before = slice(None, int(Y.PRESENT))
        assert np.array_equal(seen["artifacts"][:, :, before], first["artifacts"][:, :, before])


def test_padding_is_zero(lanes_and_seen: tuple[Lanes, list[np.ndarray]]) -> None:
    lanes, seen = lanes_and_seen
    for n in range(lanes.n):
        c, a = lanes.levels["calls"][n], lanes.levels["artifacts"][n]
        for name in ("calls", "needs", "makes", "probes", "belief", "same_function"):
            assert not seen[-1][name][n, c:].any(), name
        assert not seen[-1]["artifacts"][n, a:].any() and not seen[-1]["doubt"][n, a:].any()


def test_every_field_is_named_once() -> None:
    assert DTYPE["calls"].shape[1] == CALL_FIELDS and DTYPE["artifacts"].shape[1] == ARTIFACT_FIELDS
    assert len(History) == arrays.HISTORY_FIELDS == DTYPE["history"].shape[1]
    one_each = [*X][:-2]  # the last two are blocks of GROUPS
    assert [int(field) for field in one_each] == list(range(int(X.GROUP_COUNT)))


class Fold:
    """One level, its board, belief and observation, folded from given rows instead of draws."""

    def __init__(self, record: np.ndarray):
        self.levels = record.copy()
        self.boards = arrays.new(arrays.board_dtype(SMALL), 1)
        self.beliefs = arrays.new(posterior.belief_dtype(SMALL), 1)
        self.out = arrays.new(DTYPE, 1)
        self.mask = np.zeros(2 + SMALL.calls, np.uint8)
        self.level, self.board, self.belief = self.levels[0], self.boards[0], self.beliefs[0]
        rules.reset(self.level, self.board)
        posterior.reset(self.level, self.belief)
        observation.observe_static(self.level, self.out[0])
        believed.observe_belief_static(self.level, self.out[0])
        self.look()

    def look(self) -> None:
        rules.legal(self.level, self.board, self.mask)
        observation.observe(self.level, self.board, self.out[0])
        believed.observe_belief(self.level, self.board, self.belief, self.out[0])

    def attempt(self, call: int, row: np.ndarray) -> None:
        now = float(self.board["at_s"])
        number = rules.begin(self.level, self.board, call, now)
        slot = reading.slot_of(self.board, number)
        filtering.begin(self.level, self.board, self.belief, slot)
        filtering.update(self.level, self.board, self.belief, slot, row[0])
        rules.finish(self.level, self.board, number, row[0], now + float(row["elapsed_s"][0]))
        self.look()


def attempts_of(seed: int, count: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """A level [1] and attempts in order, drawn by the simulator one flight at a time."""
    lanes = Lanes(1, SMALL, source=Source(tiers=(12, 20)))
    lanes.keys[0] = level_key("train", seed)
    lanes.draw_levels()
    lanes.levels["max_in_flight"] = 1
    lanes.begin()
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        calls = np.flatnonzero(lanes.masks[0, 2:])
        if len(calls) == 0 or lanes.done[0]:
            break
        call = int(random.choice(calls))
        lanes.step(np.array([2 + call]))
        row = lanes.rows[0, :1].copy()
        if lanes.boards["last_category"][0, call] == row["category"][0] and row["elapsed_s"][0] > 0:
            found.append((call, row))
    return lanes.levels.copy(), found


def permuted(array: np.ndarray, axes: dict[str, tuple[np.ndarray, str]]) -> np.ndarray:
    """A record array in which the axes of the named fields are reordered: {letter: (new order, fields)}."""
    out = array.copy()
    for order, spec in axes.values():
        for item in spec.split():
            name, axis = item.split(":")
            out[name] = np.take(out[name], order, axis=int(axis))
    return out


CALL_AXES = (
    "function:1 provider:1 variant:1 kind:1 latency_s:1 p95_s:1 cost:1 memory_bytes:1 quality:1 idempotent:1 "
    "reputation_mean:1 reputation_strength:1 recent_success:1 recent_failure:1 fidelity:1 "
    "needs:1 makes:1 consumes:1 probes:1"
)
ARTIFACT_AXES = (
    "given:1 gate:1 time_to_live_s:1 goal_class:1 goal_weight:1 needs:2 makes:2 consumes:2 probes:2"
)


@pytest.mark.parametrize("seed", range(12))
def test_permuting_calls_permutes_the_observation(seed: int) -> None:
    record, attempts = attempts_of(seed, 10)
    order = np.random.default_rng(seed).permutation(record["calls"][0])
    order = np.concatenate([order, np.arange(len(order), SMALL.calls)])  # new index -> old index
    new_of = np.argsort(order)
    other = permuted(record, {"c": (order, CALL_AXES)})
    other["plan"] = np.where(record["plan"] >= 0, new_of[record["plan"]], -1)
    one, two = Fold(record), Fold(other)
    for call, row in [(None, None), *attempts]:
        if row is not None and call is not None:
            one.attempt(call, row)
            two.attempt(int(new_of[call]), permuted(row, {"c": (order, "hint:1 not_examined:1")}))
        a, b = one.out[0], two.out[0]
        assert np.array_equal(one.mask[2:][order], two.mask[2:])
        for name in ("calls", "needs", "makes", "consumes", "probes"):
            assert np.array_equal(a[name][order], b[name]), name
        np.testing.assert_allclose(a["belief"][order], b["belief"], atol=1e-6)
        np.testing.assert_allclose(a["doubt"], b["doubt"], atol=1e-6)
        for name in ("same_function", "same_provider"):
            assert np.array_equal(a[name][np.ix_(order, order)], b[name])
        assert np.array_equal(a["artifacts"], b["artifacts"]) and np.array_equal(a["run"], b["run"])
        assert np.array_equal(a["history"][:, 1:], b["history"][:, 1:])
        for seen, mapped in zip(a["history"], b["history"], strict=True):
            assert is_attempt(seen) == is_attempt(mapped)
            assert not is_attempt(seen) or call_of(mapped) == new_of[call_of(seen)]


@pytest.mark.parametrize("seed", range(12))
def test_permuting_artifacts_permutes_the_observation(seed: int) -> None:
    record, attempts = attempts_of(seed, 10)
    order = np.random.default_rng(seed).permutation(record["artifacts"][0])
    order = np.concatenate([order, np.arange(len(order), SMALL.artifacts)])
    other = permuted(record, {"a": (order, ARTIFACT_AXES)})
    one, two = Fold(record), Fold(other)
    for call, row in [(None, None), *attempts]:
        if row is not None and call is not None:
            one.attempt(call, row)
            axes = "blamed:1 made:1 quality:1 gate:1 verdict:1"
            two.attempt(call, permuted(row, {"a": (order, axes)}))
        a, b = one.out[0], two.out[0]
        assert np.array_equal(one.mask, two.mask)
        assert np.array_equal(a["artifacts"][order], b["artifacts"])
        np.testing.assert_allclose(a["doubt"][order], b["doubt"], atol=1e-6)
        for name in ("needs", "makes", "consumes", "probes"):
            assert np.array_equal(a[name][:, order], b[name]), name
        np.testing.assert_allclose(a["belief"], b["belief"], atol=1e-6)
        for name in ("calls", "same_function", "same_provider", "history", "run"):
            assert np.array_equal(a[name], b[name]), name


@pytest.mark.parametrize("seed", range(12))
def test_permuting_providers_changes_nothing(seed: int) -> None:
    record, attempts = attempts_of(seed, 10)
    order = np.random.default_rng(seed).permutation(record["providers"][0])
    other = record.copy()
    used = np.arange(SMALL.calls) < record["calls"][0]
    other["provider"] = np.where(used, order[np.where(used, record["provider"], 0)], 0)
    one, two = Fold(record), Fold(other)
    for call, row in attempts:
        one.attempt(call, row)
        two.attempt(call, row)
        for name in DTYPE.names or ():
            assert np.array_equal(one.out[0][name], two.out[0][name]), name


def seen_of(events: Events) -> np.ndarray:
    """The observation of a board driven by events."""
    out = arrays.new(observation_dtype(SMALL, False), 1)
    observation.observe_static(events.level, out[0])
    observation.observe(events.level, events.board, out[0])
    return out[0]


def test_history_shows_the_newest_first_and_forgets_the_oldest() -> None:
    events = Events(one_move())
    for i in range(HISTORY + 3):
        events.board["function_tries"][0] = 0
        events.run("read", i + 1, Category.UNAVAILABLE if i % 2 else Category.CRASHED)
    history = seen_of(events)["history"]
    at = history[:, History.AT] * 320.0
    np.testing.assert_allclose(at, np.arange(HISTORY + 3, 3, -1), rtol=1e-5)


def test_what_a_call_shows_of_its_past() -> None:
    drawn = level(
        {
            "read": maker("text", variants={"a": preset(), "b": preset()}),
            "look": probe(CallKind.INSPECT, "page"),
        }
    )
    events = Events(drawn)
    events.run("read/a", 1, Category.RATE_LIMITED, retryable=1, retry_after_s=32.0)
    events.run("look", 2, hint={"read/b": 0.75})
    calls = seen_of(events)["calls"]
    a, b = calls[0], calls[1]
    assert a[X.LAST_RETRYABLE] == 1.0 and b[X.LAST_RETRYABLE] == 0.5
    assert a[X.RETRY_AFTER] == pytest.approx(31.0 / 320.0)
    assert b[X.HINT] == 0.75 and a[X.HINT] == 0.0
    assert (
        a[X.ATTEMPTS_LEFT] == b[X.ATTEMPTS_LEFT] == pytest.approx(5 / 8)
    )  # one function, one try of 6
    assert a[X.PROVIDER_FAILURE] == b[X.PROVIDER_FAILURE] == pytest.approx(1 / 3)
    assert a[X.SINCE_LAST] == pytest.approx((1 / 320) ** 0.5) and b[X.SINCE_LAST] == 1.0


def test_flights_show_in_the_run_and_at_the_call() -> None:
    events = Events(one_move(max_in_flight=2))
    events.begin("read", 0)
    rules.waited(events.level, events.board, 10.0)
    seen = seen_of(events)
    assert seen["run"][R.IN_FLIGHT] == seen["run"][R.SLOTS_FREE] == 1 / FLIGHTS
    assert seen["calls"][0][X.IN_FLIGHT] == 1.0
    assert seen["calls"][0][X.IN_FLIGHT_SHARE] == 0.5  # 10 s of a typical 10 s
