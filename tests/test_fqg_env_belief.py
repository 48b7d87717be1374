"""The posterior is exact where it factors, and calibrated where it is not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hand_drawn import SMALL, level, maker, preset, probe

from fqg_env import belief as posterior
from fqg_env import faults, filtering, hearing, reading, rules
from fqg_env import likelihood as model
from fqg_env.arrays import CANCELLED, CODES, History, Kind, Verdict
from fqg_env.belief import FLOOR
from fqg_env.believed import UP_AT_END, observe_belief
from fqg_env.faults import FAULTS, HIT, VERIFY_WRONG, WINDOW_PRIOR, WINDOWS, Inputs
from fqg_env.fields import Belief, Doubt, observation_dtype
from fqg_env.lanes import Lanes, draw_all_hidden
from fqg_env.level import Artifact, CallKind, Goal, Level, Reputation
from fqg_env.outcome import Category
from fqg_env.prior import prior as fill_prior
from fqg_env.puzzle import Puzzle
from fqg_env.splits import Source, level_key

DRAWN = level(
    {
        "read": maker("text", variants={"a": preset(30.0), "b": preset(30.0)}, fidelity=0.6),
        "copy": maker("text", reputation=Reputation(mean=0.4), variants={"default": preset(30.0)}),
        "judge": probe(CallKind.VERIFY, "text"),
    }
)
READ_A, READ_B, COPY, JUDGE = 0, 1, 2, 3


def play(drawn: Level, seed: int, calls: list[int], waits: int = 1) -> tuple[Lanes, list[Any]]:
    """Attempts with a wait between them; returns (call, row, begun at, uses) of each that finished."""
    lanes = Lanes(1, SMALL)
    Puzzle(level=drawn).load(lanes, int(level_key("train", seed)))
    lanes.begin()
    lanes.truths["news_s"] = np.inf  # no news from outside
    seen = []
    for call in calls:
        if not lanes.masks[0, 2 + call]:
            continue
        began = float(lanes.boards["at_s"][0])
        lanes.step(np.array([2 + call]))
        if lanes.rows["category"][0, 0] != CANCELLED:
            uses = int(lanes.boards["function_tries"][0, lanes.levels["function"][0, call]])
            seen.append((call, lanes.rows[0, :1].copy(), began, uses))
        for _ in range(waits):
            lanes.step(np.array([0]))
        if lanes.done[0]:
            break
    return lanes, seen


def enumerate_all(lanes: Lanes, seen: list[Any], functions: tuple[int, ...]) -> dict[Any, float]:
    """P(window, kind of each function | outcomes) by going through all of them; the inputs are given, so good."""
    record = lanes.levels[0]
    first = {
        f: int(np.flatnonzero(record["function"][: record["calls"]] == f)[0]) for f in functions
    }
    ranges = [range(faults.faults_of(record, first[f])) for f in functions]
    priors = np.zeros((len(functions), FAULTS))
    for f, prior in zip(functions, priors, strict=True):
        fill_prior(record, first[f], 0, prior)
    weights = {}
    for window, *kinds in itertools.product(range(WINDOWS), *ranges):
        p = WINDOW_PRIOR[window]
        for prior, kind in zip(priors, kinds, strict=True):
            p *= prior[kind]
        for call, row, began, uses in seen:
            kind = kinds[functions.index(int(record["function"][call]))]
            fine = int(Inputs.FINE)
            told = model.likelihood(record, call, window, kind, uses, fine, began, row[0])
            p *= max(FLOOR, told)
        weights[(window, *kinds)] = p
    total = sum(weights.values())
    return {state: p / total for state, p in weights.items()}


@pytest.mark.parametrize("seed", range(25))
def test_it_equals_exact_enumeration(seed: int) -> None:
    """Two functions at one provider, hints left out: windows and kinds to 1e-8 (each event is floored at 1e-9)."""
    calls = np.random.default_rng(seed).choice([READ_A, READ_B, COPY], 8).tolist()
    drawn = DRAWN.model_copy(
        update={"shield": DRAWN.shield.model_copy(update={"retries_per_function": 9})}
    )
    drawn = drawn.model_copy(
        update={"functions": {n: f for n, f in drawn.functions.items() if n != "judge"}}
    )
    lanes, seen = play(drawn, seed, calls)
    assert len(seen) >= 3
    belief = np.zeros(1, posterior.belief_dtype(SMALL))  # folded anew without the hints
    posterior.reset(lanes.levels[0], belief[0])
    boards = lanes.boards.copy()
    rules.reset(lanes.levels[0], boards[0])
    for call, row, began, _ in seen:
        row = row.copy()
        row["hint"] = 0.0
        row["not_examined"] = 1  # silence would be evidence too
        number = rules.begin(lanes.levels[0], boards[0], call, began)
        slot = reading.slot_of(boards[0], number)
        filtering.begin(lanes.levels[0], boards[0], belief[0], slot)
        filtering.update(lanes.levels[0], boards[0], belief[0], slot, row[0])
        rules.finish(lanes.levels[0], boards[0], number, row[0], began + float(row["elapsed_s"][0]))
    exact = enumerate_all(lanes, seen, (0, 1))
    for window in range(WINDOWS):
        p = sum(q for (w, *_), q in exact.items() if w == window)
        assert belief["provider"][0, 0, window] == pytest.approx(p, abs=1e-8)
        for f in (0, 1):
            shares = belief["function"][0, window if belief["mixed"][0, f] else 0, f]
            for kind in range(faults.faults_of(lanes.levels[0], 2 * f)):
                joint = sum(q for (w, *k), q in exact.items() if w == window and k[f] == kind)
                ours = belief["provider"][0, 0, window] * shares[kind]
                assert ours == pytest.approx(joint, abs=1e-8)
    now = float(boards["at_s"][0])
    out = np.zeros(1, observation_dtype(SMALL, True))
    observe_belief(lanes.levels[0], boards[0], belief[0], out[0])
    for call in (READ_A, READ_B, COPY):
        f, variant = int(lanes.levels["function"][0, call]), int(lanes.levels["variant"][0, call])
        uses = int(boards["function_tries"][0, f]) + 1
        answers = well = 0.0
        for (window, *kinds), p in exact.items():
            up = posterior.up_chance(window, now, 320.0)
            works = p * up * faults.works(lanes.levels[0], call, kinds[f], 0, uses)
            answers += works
            well += 0.0 if faults.silent(kinds[f], variant) else works
        seen_now = out["belief"][0, call, [Belief.ANSWERS, Belief.ANSWERS_WELL]]
        assert seen_now == pytest.approx((answers, well), abs=1e-6)


def test_a_hint_and_a_silence_weigh_as_the_model_says() -> None:
    """An inspection's hint, and its silence, move the kinds by Bayes's rule; asked again, by nothing."""
    drawn = level(
        {
            "look": probe(CallKind.INSPECT, "page").model_copy(update={"fidelity": 0.8}),
            "read": maker("text", variants={"a": preset(30.0), "b": preset(30.0)}),
        }
    )
    said = set()
    for seed in range(150):
        lanes, seen = play(drawn, seed, [0])
        if not seen or seen[0][1]["category"][0] != 0 or seen[0][1]["not_examined"].any():
            continue
        row, prior = seen[0][1], np.zeros(1, posterior.belief_dtype(SMALL))
        posterior.reset(lanes.levels[0], prior[0])
        hints = row["hint"][0, 1:3]
        variant = int(hints.argmax()) if hints.max() > 0 else -1
        said.add(variant)
        kinds = prior["function"][0, 0, 1].copy()
        for k in range(faults.faults_of(lanes.levels[0], 1)):
            if variant >= 0:
                kinds[k] *= faults.hint_chance(k, variant, 2, 0.8)
            else:
                kinds[k] *= faults.silence_chance(k, faults.HINTED_INSPECT, 0.8)
        again = lanes.beliefs["function"][0, 0, 1].copy()
        assert again == pytest.approx(kinds / kinds.sum(), abs=1e-9)
        lanes.step(np.array([2]))
        assert lanes.beliefs["function"][0, 0, 1] == pytest.approx(again, abs=1e-9)
    assert said == {-1, 0, 1}


def test_a_hint_that_names_several_variants_alike_says_nothing_of_them() -> None:
    """`other_parameters` expands to all other variants: the kinds stay where the failure alone puts them."""
    lanes, seen = play(DRAWN, 0, [])
    row = np.zeros(1, lanes.rows.dtype)
    row["hint"][0, READ_A] = row["hint"][0, READ_B] = 0.8
    before = lanes.beliefs["function"].copy()
    hearing.hear(lanes.levels[0], lanes.boards[0], lanes.beliefs[0], COPY, row[0])
    assert (lanes.beliefs["function"] == before).all()
    row["hint"][0, READ_B] = 0.0
    hearing.hear(lanes.levels[0], lanes.boards[0], lanes.beliefs[0], COPY, row[0])
    assert (lanes.beliefs["function"] != before).any()
    assert not seen


def test_doubt_of_what_is_made_is_exact_and_a_verdict_weighs_in() -> None:
    judged = 0
    for seed in range(150):
        lanes, seen = play(DRAWN, seed, [COPY, COPY])
        if [row["category"][0] == 0 for _, row, *_ in seen] != [False, True]:
            continue
        exact = enumerate_all(lanes, seen, (1,))
        bad = sum(p for (_, kind), p in exact.items() if faults.silent(kind, 0))
        # what cannot be is floored, by event
        assert lanes.beliefs["bad"][0, 1] == pytest.approx(bad, abs=1e-6)
        lanes, seen = play(DRAWN, seed, [COPY, COPY, JUDGE])
        verdict = seen[-1][1]["verdict"][0, 1]
        if verdict == Verdict.NONE:
            continue
        judged += 1
        right, wrong = 1.0 - VERIFY_WRONG, VERIFY_WRONG
        if_bad, if_good = (right, wrong) if verdict == Verdict.BAD else (wrong, right)
        bad = bad * if_bad / (bad * if_bad + (1.0 - bad) * if_good)
        assert lanes.beliefs["bad"][0, 1] == pytest.approx(bad, abs=1e-8)
    assert judged >= 5


def test_a_verify_that_repeats_itself_is_no_news() -> None:
    for seed in range(30):
        lanes, seen = play(DRAWN, seed, [COPY, JUDGE], waits=0)
        if [int(row["category"][0]) for _, row, *_ in seen] != [0, 0]:
            continue
        before = float(lanes.beliefs["bad"][0, 1])
        lanes.step(np.array([2 + JUDGE]))
        assert lanes.beliefs["bad"][0, 1] == before
        return
    pytest.fail("no seed made and judged")


def test_news_from_outside_moves_the_windows() -> None:
    lanes = Lanes(1, SMALL)
    Puzzle(level=DRAWN).load(lanes)
    lanes.begin()
    belief = lanes.beliefs[0]
    hearing.hear_signal(lanes.levels[0], belief, 0, 0, 128.0, 1.0)
    down = sum(belief["provider"][0, w] for w in range(WINDOWS) if faults.down(w, 1.0, 320.0))
    assert down > 0.6 and belief["provider"][0].sum() == pytest.approx(1.0)
    assert belief["provider"][0, 3] > 0.5  # the window that ends at 128 of 320 s
    hearing.hear_signal(lanes.levels[0], belief, 0, 1, 0.0, 2.0)
    hearing.hear_signal(lanes.levels[0], belief, 0, 1, 0.0, 2.0)
    assert (
        sum(belief["provider"][0, w] for w in range(WINDOWS) if faults.down(w, 2.0, 320.0)) < 0.05
    )


def test_what_is_told_to_outlast_every_window_is_believed_as_the_longest() -> None:
    """A real provider may be out until tomorrow in a run of minutes: by news, and by a retry-after."""
    lanes = Lanes(1, SMALL)
    Puzzle(level=DRAWN).load(lanes)
    down = []
    for until_s in (2.0 * 320.0, 86_400.0):
        lanes.begin()
        belief = lanes.beliefs[0]
        hearing.hear_signal(lanes.levels[0], belief, 0, 0, until_s, 6.4)
        down.append(
            sum(belief["provider"][0, w] for w in range(WINDOWS) if faults.down(w, 6.4, 320.0))
        )
    assert down[0] == down[1] > 0.6
    row = np.zeros(1, lanes.rows.dtype)
    row["category"] = CODES[Category.UNAVAILABLE]
    row["retry_after_s"] = 86_400.0
    told = [
        model.likelihood(lanes.levels[0], COPY, w, 0, 1, 0, 6.4, row[0]) for w in range(WINDOWS)
    ]
    assert told[4] > 0.0 and sum(told) == told[4]  # window 4 alone is down for good by then


def test_false_news_looks_like_true_news_and_is_believed_as_often_as_it_is_true() -> None:
    lanes = Lanes(20_000, SMALL, source=Source(tiers=(16, 20)))
    lanes.deal("validation")
    budget = lanes.levels["time_budget_s"][:, None]
    told = np.isfinite(lanes.truths["news_s"]) & (
        np.arange(SMALL.providers) < lanes.levels["providers"][:, None]
    )
    at_s, until_s = lanes.truths["news_s"], lanes.truths["news_until_s"]
    kinds: dict[tuple[float, float], list[bool]] = {}
    for n, p in np.argwhere(told):
        said = round(at_s[n, p] / budget[n, 0], 6), round(until_s[n, p] / budget[n, 0], 6)
        window = int(lanes.hidden["window"][n, p])
        kinds.setdefault(said, []).append(
            faults.down(window, float(at_s[n, p]), float(budget[n, 0]))
        )
    assert len(kinds) == WINDOWS - 1  # one for each window that is told
    for (at, until), true in kinds.items():
        lanes.begin(np.arange(lanes.n) == 0)
        belief, seconds = lanes.beliefs[0], float(budget[0, 0])
        hearing.hear_signal(lanes.levels[0], belief, 0, 0, until * seconds, at * seconds)
        down = [faults.down(w, at * seconds, seconds) for w in range(WINDOWS)]
        believed = float(belief["provider"][0][down].sum())
        assert 0 < sum(true) < len(true)
        assert believed == pytest.approx(np.mean(true), abs=0.06)


def calibration_error(predicted: np.ndarray, observed: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean gap between prediction and frequency over equal bins."""
    which = np.minimum((predicted * bins).astype(int), bins - 1)
    gap = 0.0
    for b in range(bins):
        chosen = which == b
        if chosen.any():
            gap += chosen.mean() * abs(predicted[chosen].mean() - observed[chosen].mean())
    return gap


@pytest.fixture(scope="module")
def played() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Predictions and what came of them, over 4,000 generated episodes played at random."""
    n = 4000
    lanes = Lanes(n, SMALL, source=Source(tiers=(8, 20)))
    lanes.keys[:] = [level_key("validation", i) for i in range(n)]
    lanes.draw_levels()
    lanes.levels["max_in_flight"] = 1
    lanes.levels["time_budget_s"] *= (
        4.0  # so that few attempts are cut off, which would pick among them
    )
    lanes.levels["cost_budget"] *= 4.0
    lanes.begin()
    random, row_of = np.random.default_rng(0), np.arange(n)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"answers": [], "well": [], "doubt": []}
    for _ in range(24):
        weight = random.random(lanes.masks.shape) * lanes.masks
        weight[:, 1] = 1e-9
        weight[:, 0] *= 0.6
        action = weight.argmax(1)
        call = np.maximum(action - 2, 0)
        before = lanes.observations["belief"][row_of, call].copy()
        running = lanes.done == 0
        lanes.step(action)
        row = lanes.rows[:, 0]
        begun = running & (action >= 2) & (lanes.levels["kind"][row_of, call] < Kind.VERIFY)
        tried = begun & (row["category"] != CANCELLED) & (lanes.truths["flight_lost"][:, 0] == 0)
        made = row["made"].any(1)
        good = made & ~((row["made"] == 1) & (lanes.truths["flight_bad"][:, 0] == 1)).any(1)
        found["answers"].append((before[tried, Belief.ANSWERS], made[tried]))
        found["well"].append((before[tried, Belief.ANSWERS_WELL], good[tried]))
        held = (lanes.boards["present"] == 1) & (lanes.done == 0)[:, None]
        held &= np.arange(SMALL.artifacts) < lanes.levels["artifacts"][:, None]
        truly = [
            faults.truly_bad(lanes.levels[i], lanes.boards[i], lanes.truths[i], a)
            for i, a in np.argwhere(held)
        ]
        found["doubt"].append(
            (lanes.observations["doubt"][..., Doubt.BAD][held], np.array(truly, float))
        )
    return found


@pytest.mark.parametrize("what", ["answers", "well", "doubt"])
def test_it_is_calibrated(
    what: str, played: dict[str, list[tuple[np.ndarray, np.ndarray]]]
) -> None:
    predicted = np.concatenate([p for p, _ in played[what]])
    observed = np.concatenate([o for _, o in played[what]]).astype(float)
    assert len(predicted) > 10_000
    assert calibration_error(predicted, observed) < 0.02
    always = np.mean((observed.mean() - observed) ** 2)
    assert np.mean((predicted - observed) ** 2) < 0.9 * always  # and it knows something


# --- where edges couple ---------------------------------------------------------------------------------

STAGES = level(
    {
        "scan": maker("draft", provider="north"),
        "photo": maker("draft", provider="south"),
        "read": maker(
            "text", inputs=("draft",), provider="north", variants={"a": preset(), "b": preset()}
        ),
        "judge": probe(CallKind.VERIFY, "text"),
    },
    {"page": Artifact(given=True), "draft": Artifact(), "text": Artifact(goal=Goal())},
)
SCAN, PHOTO, STAGE_READ_A, STAGE_READ_B, STAGE_JUDGE = range(5)
PARTICLES = 60_000


@pytest.mark.parametrize(
    "calls",
    [
        (SCAN, STAGE_READ_A, STAGE_JUDGE, STAGE_READ_B, STAGE_JUDGE),
        (PHOTO, STAGE_READ_B, SCAN, STAGE_READ_B, STAGE_JUDGE),
        (SCAN, STAGE_READ_A, STAGE_READ_A, PHOTO, STAGE_READ_A),
    ],
)
def test_where_edges_couple_it_is_near_what_particles_say(calls: tuple[int, ...]) -> None:
    """Worlds drawn from the prior, sorted by what they showed: in each lot as much is bad as was believed.

    A reader that answers badly and a bad draft look alike, and a clash looks like either; the factored
    posterior is not exact there.
    """
    lanes = Lanes(PARTICLES, SMALL)
    lanes.levels[:] = STAGES.record(SMALL)[0]
    lanes.keys[:] = [level_key("train", i) for i in range(PARTICLES)]
    lanes.levels["key"] = lanes.keys
    draw_all_hidden(lanes.levels, lanes.hidden, lanes.keys, np.ones(PARTICLES, np.uint8))
    lanes.begin()
    for call in calls:
        lanes.step(np.full(PARTICLES, 2 + call))
    history = lanes.boards["history"][:, : len(calls)]
    shown = history[:, :, [History.CALL, History.CATEGORY, History.BLAMED, History.GATE]]
    verdicts = lanes.boards["checks_passed"] - 8 * lanes.boards["times_rejected"]
    _, lot = np.unique(
        np.column_stack([shown.reshape(PARTICLES, -1), verdicts]), axis=0, return_inverse=True
    )
    lot, errors, sizes = lot.ravel(), [], []
    for a in (1, 2):
        held = lanes.boards["present"][:, a] == 1
        size = np.bincount(lot[held], minlength=lot.max() + 1)
        believed = np.bincount(lot[held], lanes.beliefs["bad"][held, a], lot.max() + 1)
        true = np.bincount(lot[held], lanes.truths["bad"][held, a], lot.max() + 1)
        large = size >= 400
        errors.append(np.abs(believed - true)[large] / size[large])
        sizes.append(size[large])
    error, weight = np.concatenate(errors), np.concatenate(sizes)
    assert len(error) >= 10
    assert np.average(error, weights=weight) < 0.01
    assert error.max() < 0.05


@pytest.mark.parametrize(
    ("windows", "later", "until"),
    [
        ({2: 1.0}, 0.5, 0.15),  # down until 15% of the time: then it works as it does
        ({3: 1.0}, 0.5, 0.4),
        ({4: 1.0}, 0.5 * (1.0 - HIT), 0.0),  # down for good: no wait pays
        ({2: 0.97, 3: 0.03}, 0.5 * (1.0 - 0.03 * HIT), 0.15),  # a longer wait is not worth its time
        ({2: 0.9, 3: 0.1}, 0.5, 0.4),  # it is now
        ({0: 0.9, 3: 0.1}, 0.5 * (1.0 - 0.1 * HIT), 0.0),  # most likely up
        ({0: 0.995, 2: 0.005}, 0.5 * (1.0 - 0.005 * HIT), 0.0),  # not waited for
    ],
)
def test_a_wait_is_as_long_as_it_is_worth(
    windows: dict[int, float], later: float, until: float
) -> None:
    """Time weighs 0.15 of the return for the whole budget, and the call works half of the time."""
    lanes = Lanes(1, SMALL)
    Puzzle(level=level({"read": maker("text")})).load(lanes)
    lanes.begin()
    belief, out = lanes.beliefs, lanes.observations
    belief["provider"][0, 0] = [windows.get(w, 0.0) for w in range(WINDOWS)]
    belief["mixed"], belief["works"], belief["works_well"] = 0, 0.5, 0.5
    observe_belief(lanes.levels[0], lanes.boards[0], belief[0], out[0])
    seen = out["belief"][0, 0]
    assert seen[Belief.ANSWERS_LATER] == pytest.approx(later, abs=1e-6)
    assert seen[Belief.LATER_IN] == pytest.approx(until, abs=1e-6)


def test_an_outage_hits_until_it_ends_and_not_at_its_end() -> None:
    """Of windows until 6%, 15% and 40%, at the end of each."""
    hit = 1.0 - HIT
    assert UP_AT_END[1:4, 1:4].tolist() == [[1.0, hit, hit], [1.0, 1.0, hit], [1.0, 1.0, 1.0]]
