"""The best policy of the templates: its value against brute force over histories, and nobody above it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_drawn import SMALL

from fqg_env.arrays import CODES, GROUP
from fqg_env.exact import Maker, Template, level_of
from fqg_env.faults import CLEAR, ELAPSED, Cause, Fault
from fqg_env.frequencies import PUBLISHED, WINDOWS
from fqg_env.lanes import Lanes, draw_all_hidden, template_records
from fqg_env.level import Level
from fqg_env.outcome import Category
from fqg_env.puzzle import Puzzle
from fqg_env.splits import SPLITS, level_key, source_of
from policies.recovery.bayes import (
    Bayes,
    action_values,
    read_solution,
    solution,
    solve_anew,
    write_solution,
)
from policies.recovery.index import Index
from policies.recovery.oracle import Oracle, exact_action
from policies.recovery.rules import CodeAware
from training.judging.episodes import Seen, play

# --- an independent solver: plain Python, every history, everything hidden one by one ------------------

FAULTS = ("ok", "flaky", "very_flaky", "broken", "silent", "quota_1", "quota_3")
FAILS = {"flaky": 0.35, "very_flaky": 0.7, "broken": 1.0}
CAUSES = {
    "flaky": Cause.FLAKY,
    "very_flaky": Cause.FLAKY,
    "broken": Cause.BROKEN,
    "quota_1": Cause.QUOTA,
    "quota_3": Cause.QUOTA,
}


def fault_chances(well: float) -> dict[str, float]:
    """Prior of a function with one variant and a reputation on 20 outcomes."""
    p = PUBLISHED
    ok = (well * 20.0 + p.reputation * p.reputation_strength) / (20.0 + p.reputation_strength)
    wrong = {name: getattr(p, name) for name in FAULTS[1:]}
    return {"ok": ok} | {
        name: (1.0 - ok) * share / sum(wrong.values()) for name, share in wrong.items()
    }


def price(cost: float, level: Level, category: int) -> float:
    """Mean price of an attempt, the next to nothing that its time costs included."""
    shares = ELAPSED[GROUP[category]]
    if category == CODES[Category.TIMEOUT]:
        shares = np.full(16, 3.0)
    paid = float(np.minimum(2.0, shares).mean()) * cost / level.budget.cost
    return (
        level.scoring.cost * paid
        + level.scoring.time * float(shares.mean()) * 1e-3 / level.budget.time_s
    )


class BruteForce:
    """Expectimax over histories of templates of one stage, without variants, gates or probes."""

    def __init__(self, template: Template):
        self.level, self.template = level_of(template, "tiny"), template
        self.names = sorted({maker.provider for maker in template.makers})
        each = [fault_chances(maker.well) for maker in template.makers]
        self.hidden = {
            (windows, kinds): float(
                np.prod([PUBLISHED.windows[w] for w in windows])
                * np.prod([chances[kind] for chances, kind in zip(each, kinds, strict=True)])
            )
            for windows in itertools.product(range(8), repeat=len(self.names))
            for kinds in itertools.product(FAULTS, repeat=len(each))
        }

    def answers(self, hidden: Any, f: int, share: float, uses: int) -> dict[Any, float]:
        """Chance of each (category, announced share or None) of an attempt; category 0: it makes the goal."""
        windows, kinds = hidden
        w = windows[self.names.index(self.template.makers[f].provider)]
        out: dict[Any, float] = {}
        up = 1.0
        if WINDOWS[w].from_share <= share < WINDOWS[w].until_share:
            up = 1.0 - PUBLISHED.hit
            cause = Cause.LIMIT if WINDOWS[w].limit else Cause.OUTAGE
            says = PUBLISHED.announced_limit if WINDOWS[w].limit else PUBLISHED.announced_outage
            for c in range(1, CLEAR.shape[1]):
                out[c, WINDOWS[w].until_share] = PUBLISHED.hit * says * CLEAR[cause, c]
                out[c, None] = PUBLISHED.hit * (1.0 - says) * CLEAR[cause, c]
        quota = {"quota_1": 1, "quota_3": 3}.get(kinds[f])
        fail = FAILS.get(kinds[f], float(quota is not None and uses > quota))
        if fail > 0.0:
            cause = CAUSES[kinds[f]]
            says = PUBLISHED.announced_flake if cause == Cause.FLAKY else 0.0
            for c in range(1, CLEAR.shape[1]):
                shown = up * fail * CLEAR[cause, c]
                out[c, None] = out.get((c, None), 0.0) + shown * (1.0 - says)
                out[c, "soon"] = shown * says
        out[0, None] = up * (1.0 - fail)
        return out

    def value(
        self, weights: dict[Any, float], share: float, waits: int, tries: tuple[int, ...],
        held: int, announced: tuple[float, ...],
    ) -> float:  # fmt: skip
        """The best return from here on, times the sum of the weights of what may be hidden."""
        good = 0.0
        if held >= 0:
            wrong = self.level.scoring.wrong
            good = sum(p * (-wrong if h[1][held] == "silent" else 1.0) for h, p in weights.items())
        if sum(tries) == self.template.attempts or share >= 1.0:
            return good
        best = good
        if share < 0.4:  # later nothing changes by waiting
            ends = [share + self.level.wait_base * 2**waits, 1.0]
            until = min(ends + [a for a in announced if a > share + 1e-9])
            later = self.value(weights, until, waits + 1, tries, held, announced)
            best = max(
                best, later - self.level.scoring.time * (until - share) * sum(weights.values())
            )
        for f in range(len(tries)):
            best = max(best, self.attempt(weights, share, tries, held, announced, f))
        return best

    def attempt(
        self, weights: dict[Any, float], share: float, tries: tuple[int, ...],
        held: int, announced: tuple[float, ...], f: int,
    ) -> float:  # fmt: skip
        """The same, if function f is tried now."""
        told: dict[Any, dict[Any, float]] = {}
        for hidden, p in weights.items():
            for answer, chance in self.answers(hidden, f, share, tries[f] + 1).items():
                if chance > 0.0:
                    told.setdefault(answer, {})[hidden] = p * chance
        used = tuple(n + (i == f) for i, n in enumerate(tries))
        value = 0.0
        for (category, says), after in told.items():
            until = share + PUBLISHED.flake_passes if says == "soon" else (says or 0.0)
            heard = tuple(until if i == f else a for i, a in enumerate(announced))
            value += self.value(after, share, 0, used, held if category else f, heard)
            value -= sum(after.values()) * price(self.template.makers[f].cost, self.level, category)
        return value

    def solved(self) -> float:
        """V*."""
        n = len(self.template.makers)
        return self.value(self.hidden, 0.0, 0, (0,) * n, -1, (0.0,) * n)


TINY = {
    "one function": Template((Maker("a", 1.0, 0.5),), 2),
    "three tries": Template((Maker("a", 1.0, 0.3),), 3),
    "one provider": Template((Maker("a", 1.0, 0.6), Maker("a", 2.0, 0.7)), 2),
    "two providers": Template((Maker("a", 1.0, 0.3), Maker("b", 1.5, 0.4)), 1),
}


def solved(template: Template) -> float:
    """V* by dynamic programming."""
    return solve_anew(level_of(template, "tiny").record(SMALL)[0]).value


@pytest.mark.parametrize("name", TINY)
def test_the_value_is_that_of_brute_force_over_histories(name: str) -> None:
    assert solved(TINY[name]) == pytest.approx(BruteForce(TINY[name]).solved(), abs=1e-6)


@pytest.mark.parametrize("name", ["three tries", "one provider"])
def test_the_oracle_plays_as_brute_force_that_is_told_what_is_hidden(name: str) -> None:
    brute = BruteForce(TINY[name])
    record = brute.level.record(SMALL)
    lanes = Lanes(1, SMALL)
    Puzzle(level=brute.level).load(lanes)
    lanes.begin()
    number = {kind: int(Fault[kind.upper()]) for kind in FAULTS}
    for windows, kinds in list(brute.hidden)[::7]:
        lanes.hidden["window"][0, : len(windows)] = windows
        lanes.hidden["fault"][0, : len(kinds)] = [number[kind] for kind in kinds]
        brute.hidden = {(windows, kinds): 1.0}
        _, value = exact_action(record[0], lanes.hidden[0], lanes.boards[0], lanes.truths[0])
        assert value == pytest.approx(brute.solved(), abs=1e-6), (windows, kinds)


# --- played in the simulated world -----------------------------------------------------------------------


def dealt(split: str, number: int, n: int) -> Lanes:
    """n episodes of one template, everything hidden drawn."""
    lanes = Lanes(n, SMALL, source=SPLITS[split])
    lanes.keys[:] = [level_key(split, i) for i in range(n)]
    lanes.levels[:] = template_records(split, SMALL)[number]
    lanes.levels["key"] = lanes.keys
    draw_all_hidden(lanes.levels, lanes.hidden, lanes.keys, np.ones(n, np.uint8))
    lanes.begin()
    return lanes


def returns(policy: Any, split: str, number: int, n: int) -> np.ndarray:
    """[n] what a policy gets on one template."""
    lanes = dealt(split, number, n)
    play(policy, lanes)
    assert not lanes.boards["refused"].any()
    return lanes.truths["episode_return"].copy()


PLAYED = {
    "three alike": ("exact", 2),
    "gate and verify": ("exact", 10),
    "two stages": ("exact", 15),
}


@pytest.mark.parametrize("name", PLAYED)
def test_bayes_gets_its_value_and_nobody_more(name: str) -> None:
    split, number = PLAYED[name]
    value, n = solution(split, number).value, 400
    got = {
        "bayes": returns(Bayes(), split, number, n),
        "oracle": returns(Oracle(), split, number, n),
        "index": returns(Index(), split, number, n),
        "code_aware": returns(CodeAware(), split, number, n),
    }
    error = {name: r.std() / np.sqrt(n) for name, r in got.items()}
    assert abs(got["bayes"].mean() - value) < 3.0 * error["bayes"]
    for rule in ("index", "code_aware"):
        gain = got[rule] - got["bayes"]
        assert gain.mean() < 2.0 * gain.std() / np.sqrt(n), rule
        assert got[rule].mean() < value + 3.0 * error[rule]
    assert got["oracle"].mean() > got["bayes"].mean()


def test_the_values_of_actions_lead_to_the_value_of_the_board() -> None:
    split, number = PLAYED["three alike"]
    lanes = dealt(split, number, 30)
    planner = Bayes()
    for step in range(3):
        chosen = planner.plan(Seen(lanes)).action
        for n in np.flatnonzero(lanes.boards["stopped"] == 0):
            level, board, belief = lanes.levels[n], lanes.boards[n], lanes.beliefs[n]
            values = action_values(level, SMALL, board, belief)
            assert np.nanargmax(values) == chosen[n] and lanes.masks[n][~np.isnan(values)].all()
            assert step > 0 or np.nanmax(values) == pytest.approx(solution(split, number).value)
        lanes.step(chosen)


def test_what_bayes_does_not_know_it_refuses_in_one_sentence() -> None:
    lanes = Lanes(2, SMALL, source=source_of("validation"))
    lanes.deal("validation")
    with pytest.raises(ValueError, match="for the splits `exact` and `exact_train` alone"):
        Bayes().plan(Seen(lanes))


def test_another_process_can_use_the_kernels_that_were_kept() -> None:
    solved(TINY["one function"])
    code = (
        "from fqg_env.exact import Maker, Template, level_of\n"
        "from fqg_env.arrays import SIZES\n"
        "from policies.recovery.bayes import solve_anew\n"
        "level = level_of(Template((Maker('a', 1.0, 0.5),), 2), 'tiny')\n"
        "print(solve_anew(level.record(SIZES['small'])[0]).value)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0 and float(ran.stdout) == solved(TINY["one function"]), ran.stderr


def test_a_solution_is_kept_on_disk(tmp_path: Path) -> None:
    made = solve_anew(level_of(TINY["two providers"], "tiny").record(SMALL)[0])
    write_solution(tmp_path / "kept.npz", made)
    kept = read_solution(tmp_path / "kept.npz")
    assert kept.value == made.value and kept.beliefs == made.beliefs
    used = made.memo.digest > 0
    assert dict(zip(made.memo.digest[used], made.memo.action[used], strict=True)) == dict(
        zip(
            kept.memo.digest[kept.memo.digest > 0],
            kept.memo.action[kept.memo.digest > 0],
            strict=True,
        )
    )
