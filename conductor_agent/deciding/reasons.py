"""What speaks for a choice: facts of the board and the posterior, as they were when it was made.

A reason is derived, never guessed: it says how the chosen action stands beside the others that were allowed,
what was said about it, and what is believed of it. It does not look into a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from conductor_agent.deciding.untried import makers, untried
from conductor_agent.record.fold import Fold
from fqg_env import faults
from fqg_env.arrays import CANCELLED, SUCCESS
from fqg_env.faults import WINDOWS
from fqg_env.fields import Belief, Doubt
from fqg_env.fields import Call as Field
from fqg_env.level import CallKind
from fqg_env.reading import input_versions
from fqg_env.render import category_name
from fqg_env.row import alternative, function_of, preset_of, same_function
from fqg_env.rules import FIRST_CALL, STOP, WAIT

WORTH_TELLING = 0.05
"""A chance below this is no reason."""
LATER_GAIN = 0.1
"""So much likelier later that it is a reason to wait."""
PERHAPS_DOWN = 0.2
"""A chance of an outage from which on it is a reason to wait."""
MAYBE = 0.5
"""Of a repeat: it was not said whether it may help."""
LEAST = 0.005
"""A difference of chances that two decimals can show."""
MOST_NAMED = 3


def reasons(run: Fold, action: int, share: float) -> list[str]:
    """Phrases that each tell one fact in favour of an action, the strongest kind first; perhaps none.

    Args:
        run: as of the decision, and looked at, with the mask that the policy saw.
        action: a number as in the mask.
        share: how likely the policy was to choose it, which is told where nothing else can be.
    """
    if action == WAIT:
        return list(_for_waiting(run)) or [f"no fact speaks for it, the policy gave it {share:.2f}"]
    if action == STOP:
        return list(_for_stopping(run))
    call = action - FIRST_CALL
    return [
        *_said(run, call),
        *_after_failures(run, call),
        *_for_probing(run, call),
        *_beside_others(run, call),
    ]


def missing(run: Fold) -> list[str]:
    """Goals that could not be delivered as it is."""
    return [name for name in run.level.goals if not run.usable(name)]


def providers_down(run: Fold) -> dict[str, float]:
    """Provider -> chance that it is down now."""
    budget_s, at_s = run.level.budget.time_s, run.number("at_s")
    windows = [w for w in range(WINDOWS) if faults.down(w, at_s, budget_s)]
    return {
        name: float(sum(run.belief["provider"][p][w] for w in windows))
        for p, name in enumerate(run.level.providers)
    }


def failures(run: Fold) -> list[int]:
    """Calls whose last answer was a failure, the latest first."""
    board, calls = run.board, range(len(run.level.calls))
    failed = [
        c
        for c in calls
        if board["tries"][c] and board["last_category"][c] not in (-1, SUCCESS, CANCELLED)
    ]
    return sorted(failed, key=lambda c: -board["last_at_s"][c])


def failure_of(run: Fold, call: int) -> str:
    """`read/fast answered TIMEOUT`."""
    return f"{run.level.call_names[call]} answered {_answer(run, call)}"


def _answer(run: Fold, call: int) -> str:
    return category_name(int(run.board["last_category"][call]))


def said_in_vain(run: Fold) -> dict[str, str]:
    """Calls that are not allowed because their last answer said so, with what it said as after `which`."""
    final = run.board["final_with"]
    if run.record["final_repeats_allowed"]:
        return {}
    return {
        run.level.call_names[c]: f"answered {_answer(run, c)} and said that a repeat is in vain"
        for c in failures(run)
        if final[c] and final[c] == input_versions(run.record, run.board, c)
    }


def _legal(run: Fold) -> list[int]:
    return [c for c in range(len(run.level.calls)) if run.mask[0, FIRST_CALL + c]]


def _said(run: Fold, call: int) -> Iterator[str]:
    """Hints."""
    confidence, giver = float(run.board["hint"][call]), int(run.board["hint_giver"][call])
    if confidence > 0.0 and giver >= 0:
        names, strongest = run.level.call_names, int(run.board["hint"].argmax())
        text = f"hinted at by {names[giver]} with confidence {confidence:.2f}"
        if (most := float(run.board["hint"][strongest])) > confidence:
            text += f" (the strongest hint, {most:.2f}, is for {names[strongest]})"
        yield text


def _after_failures(run: Fold, call: int) -> Iterator[str]:
    """What earlier answers say for it."""
    board, failed = run.board, failures(run)
    if call in failed:
        seen, last = run.seen[0]["calls"][call], _answer(run, call)
        if seen[Field.LAST_RETRYABLE] > MAYBE:
            yield f"its last answer, {last}, says that a repeat may help"
        if anew := _made_since(run, call):
            yield f"{' and '.join(anew)} {'is' if len(anew) == 1 else 'are'} new since it answered {last}"
        return
    if board["lost"][call]:
        yield "its last answer was lost"
    elif board["tries"][call] and board["blamed"][call]:
        yield "later failures were blamed on what it made"
    others = [
        c for c in failed if same_function(run.level, c, call) or alternative(run.level, c, call)
    ]
    if others:
        told = ", ".join(failure_of(run, c) for c in others[:MOST_NAMED])
        yield told + (
            f" and {len(others) - MOST_NAMED} more failed" if len(others) > MOST_NAMED else ""
        )


def _made_since(run: Fold, call: int) -> list[str]:
    """What it reads that was made after its last answer."""
    since_s, names = run.board["last_at_s"][call], run.level.artifact_names
    read = run.level.inputs_of(run.level.calls[call])
    return [
        name for a, name in enumerate(names) if name in read and run.board["made_at_s"][a] > since_s
    ]


def _for_probing(run: Fold, call: int) -> Iterator[str]:
    """What is not known yet of what it looks at."""
    function = function_of(run.level, call)
    if function.kind is CallKind.INSPECT and not run.board["tries"][call]:
        yield f"it has not looked at {' and '.join(function.probes)} yet"
    if function.kind is CallKind.VERIFY:
        yield from _may_be_bad(run, function.probes)


def _may_be_bad(run: Fold, artifacts: Iterable[str]) -> Iterator[str]:
    """Of what is held, what may be no good."""
    for name in artifacts:
        bad = float(run.seen[0]["doubt"][run.level.artifact_names.index(name)][Doubt.BAD])
        if bad > WORTH_TELLING:
            yield f"the {name} that is held may be bad"


def _beside_others(run: Fold, call: int) -> Iterator[str]:
    """How it stands among the calls that make the same and were allowed."""
    outputs = [name for name in function_of(run.level, call).outputs if not run.usable(name)]
    if not outputs:
        yield from _may_be_bad(run, function_of(run.level, call).outputs)
        return
    made = " and ".join(outputs)
    found = {c for name in outputs for c in makers(run, name)}
    allowed = [c for c in _legal(run) if c in found]
    if len(found) == 1:
        yield f"nothing else makes {made}"
    elif allowed == [call]:
        yield f"of {len(found)} that make {made} the only one that was allowed now"
    elif call in allowed:
        yield from _best_of(run, call, allowed, made)


def _best_of(run: Fold, call: int, allowed: Sequence[int], made: str) -> Iterator[str]:
    """In which ways it is strictly the best of those allowed."""
    belief, best = run.seen[0]["belief"], []
    costs = [preset_of(run.level, c).cost for c in allowed]
    mine, others = allowed.index(call), [i for i, c in enumerate(allowed) if c != call]
    if None not in costs:
        cost, next_cost = costs[mine] or 0.0, min(costs[i] or 0.0 for i in others)
        if cost < next_cost:
            best.append(f"the cheapest (cost {cost:g}, the next {next_cost:g})")
    well = [float(belief[c][Belief.ANSWERS_WELL]) for c in allowed]
    if well[mine] > (next_well := max(well[i] for i in others)) + LEAST:
        best.append(f"the likeliest to do it well (the next {next_well:.2f})")
    price = [float(belief[c][Belief.PRICE_OF_SUCCESS]) for c in allowed]
    if price[mine] < min(price[i] for i in others):
        best.append("the cheapest for its chance of success")
    if best:
        told = " and ".join(part for part in (", ".join(best[:-1]), best[-1]) if part)
        yield f"of {len(allowed)} that make {made} it is {told}"


def _for_waiting(run: Fold) -> Iterator[str]:
    """What is in flight, what asked to be left alone, and what will be likelier."""
    at_s = run.number("at_s")
    flights = [run.level.call_names[c] for c in run.flights().values()]
    if flights:
        yield f"{', '.join(flights)} {'is' if len(flights) == 1 else 'are'} in flight"
    for c, name in enumerate(run.level.call_names):
        if (left_s := float(run.board["retry_at_s"][c]) - at_s) > 0.0:
            yield f"{name} asked for {left_s:.3g} s more before a repeat"
    for p, name in enumerate(run.level.providers):
        if (left_s := float(run.board["down_until_s"][p]) - at_s) > 0.0:
            yield f"{name} is announced to be down for {left_s:.3g} s more"
    yield from _later(run)
    if not flights:
        yield from _likely_down(run)


def _likely_down(run: Fold) -> Iterator[str]:
    """Of the providers of calls that were allowed the one that is most likely down, where that is likely."""
    level = run.level
    asked = {level.provider_of(level.calls[c].function) for c in _legal(run)}
    down = {name: p for name, p in providers_down(run).items() if name in asked}
    name = max(down, key=lambda one: down[one], default="")
    if name and down[name] > PERHAPS_DOWN:
        own = name in level.functions  # what nobody else depends on bears the name of its function
        what = f"what {name} depends on" if own else name
        yield f"{what} is believed to be down with {down[name]:.2f}"


def _later(run: Fold) -> Iterator[str]:
    """The call that gains most by waiting."""
    belief, legal = run.seen[0]["belief"], _legal(run)
    gains = {c: float(belief[c][Belief.ANSWERS_LATER] - belief[c][Belief.ANSWERS]) for c in legal}
    best = max(gains, key=lambda c: gains[c], default=None)
    if best is not None and gains[best] > LATER_GAIN:
        of, in_s = belief[best], float(belief[best][Belief.LATER_IN]) * run.level.budget.time_s
        yield (
            f"{run.level.call_names[best]} is believed to answer with {of[Belief.ANSWERS]:.2f} now, "
            f"with {of[Belief.ANSWERS_LATER]:.2f} in {in_s:.3g} s"
        )


def _for_stopping(run: Fold) -> Iterator[str]:
    """Whether anything is missing, and what could still be done about it."""
    lacking = missing(run)
    if not lacking:
        yield "every goal is held"
        return
    legal = _legal(run)
    if not legal:
        yield f"{', '.join(lacking)}: missing, and no call was allowed any more"
        return
    named = set()
    for name in lacking:
        allowed = [c for c in makers(run, name) if c in legal]
        if not allowed:
            yield f"{name} is missing, and nothing that makes it was allowed{_for_want(run, name)}"
            continue
        best = max(allowed, key=lambda c: _well(run, c))
        named.add(best)
        call, well = run.level.call_names[best], _well(run, best)
        yield f"{name} is missing, and the best call left for it, {call}, does it well with {well:.2f}"
    yield from _never_tried(run, [c for c in untried(run, lacking) if c not in named])


def _well(run: Fold, call: int) -> float:
    """What is believed of a call: the chance that it does well."""
    return float(run.seen[0]["belief"][call][Belief.ANSWERS_WELL])


def _for_want(run: Fold, name: str) -> str:
    """`: read lacks clean`, of who would make it; empty where that is not why it was not allowed."""
    level = run.level
    lacks = {
        call.function: [one for one in level.inputs_of(call) if not run.usable(one)]
        for call in (level.calls[c] for c in makers(run, name))
    }
    told = [f"{who} lacks {' and '.join(what)}" for who, what in lacks.items() if what]
    return f": {', '.join(told)}" if told else ""


def _never_tried(run: Fold, fresh: Iterable[int]) -> Iterator[str]:
    """Calls on a way to what is missing that might have been tried as things are, and were not."""
    fresh = sorted(fresh, key=lambda c: -_well(run, c))
    told = [
        f"{run.level.call_names[c]} (believed to do well with {_well(run, c):.2f})"
        for c in fresh[:MOST_NAMED]
    ]
    if told:
        more = f" and {len(fresh) - MOST_NAMED} more" if len(fresh) > MOST_NAMED else ""
        what = "could still be tried" if run.board["tries"][fresh].any() else "never tried"
        yield f"{what}: {', '.join(told)}{more}"
