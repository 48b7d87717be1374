"""`conductor explain` for people: each decision in sentences, nothing of them twice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conductor_agent.commands.show import CERTAIN, COLOURS, Terminal, beyond
from conductor_agent.deciding.untried import UNTRIED
from conductor_agent.explain import Step
from conductor_agent.plain import clean, counted
from fqg_env.row import Strategy
from policies.recovery.base import FLOOR

INDENT = "    "
WIDEST = 100
"""Letters of a line: longer ones are hard to read."""
TRACE_LINES = 4
DOUBTFUL, DOWN = 0.05, 0.5
"""Shares from which an artifact is told as doubtful, somebody's outage as probable."""
MOST_WEIGHED = 3
"""Other actions that are named, the likeliest first; `--json` has all."""


def show_head(console: Terminal, run: Mapping[str, Any]) -> None:
    """One run in a sentence."""
    reason = run["stopped"]
    ended = "" if reason in ("policy", "no") else f", ended by {ENDED.get(reason, reason)}"
    console.tell(
        (run["name"], "bold"), ": ", (run["status"], COLOURS[run["status"]]),
        f" after {counted(run['attempts'], 'attempt')}, {run['elapsed_s']:.2f} s and cost {run['cost']:.2f}",
        f"{ended}, under the policy {run['policy']}. ", (f"Run {run['run_id']}.", "dim"),
    )  # fmt: skip


ENDED = {
    "time": "its time budget",
    "cost": "its cost budget",
    "attempts": "its attempts",
    "steps": "its number of decisions",
}


def show_steps(console: Terminal, steps: Iterable[Step]) -> None:
    """What was known, chosen, weighed and believed at each decision, what speaks for it, what came of it."""
    steps = list(steps)
    differ = sum(not step.same_observation for step in steps)
    if differ:
        text = f"{counted(differ, 'observation')} not as logged: another version or machine wrote the run"
        console.tell((text, "yellow"))
    told: dict[str, str] = {}
    for step in steps:
        console.tell()
        ours = step.source in (FLOOR, UNTRIED)
        chosen = "" if ours else f", chosen by {step.source}{_share(step)}"
        console.tell(
            f"{step.number}. ", (f"{step.at_s:.2f} s", "dim"), "  ", (step.action, "bold"),
            f"  {LABELS.get(step.strategy, step.strategy.replace('_', ' '))}{chosen}",
        )  # fmt: skip
        for style, text in _sentences(step, told):
            _tell(console, text, style)
        for outcome in step.outcome:
            if outcome["event"] == "stopped" and step.action == "STOP":
                continue  # it is what was chosen
            style = "" if outcome.get("category", "SUCCESS") == "SUCCESS" else "red"
            _tell(console, f"-> {_outcome(outcome, step.action)}", style)
            for text in _why(outcome):
                _tell(console, text, "dim", INDENT * 2)


LABELS = {
    Strategy.AWAIT.value: "wait for an answer or for news",
    Strategy.DELIVER.value: "deliver what is held",
}
"""Strategies whose word alone does not tell."""


def _tell(console: Terminal, text: str, style: str = "", indent: str = INDENT) -> None:
    """Lines of one text, folded between words."""
    width = max(40, min(console.width, WIDEST))
    hanging = indent + ("   " if text.startswith("-> ") else "")
    for part in textwrap.wrap(
        clean(text), width, initial_indent=indent, subsequent_indent=hanging,
        break_long_words=False, break_on_hyphens=False,
    ):  # fmt: skip
        console.tell((part, style))


def _share(step: Step) -> str:
    """How sure the policy was, and of what else it thought."""
    if step.probability > CERTAIN:
        return ""
    named = [f"{name} {p:.0%}" for name, p in [*step.considered.items()][:MOST_WEIGHED]]
    more = len(step.considered) - len(named)
    named += [f"{more} more"] if more > 0 else []
    return f" with {step.probability:.0%}" + (f", before {_listed(named)}" if named else "")


def _listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _sentences(step: Step, told: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(style, text): what was known, why the floor, what speaks for it, what is not asked again, beliefs.

    Args:
        step: the decision.
        told: what stands above already, of the board and of beliefs in others; added to.
    """
    yield "", _known(step.known, told)
    if step.source == FLOOR:
        yield (
            "yellow",
            f"The floor (the rule `index`) decided{_share(step)}: {step.why or 'the policy handed over'}.",
        )
    if step.source == UNTRIED:
        yield "yellow", f"Not the policy's choice: {step.why}."
    if step.reasons:
        yield "", f"For it: {'; '.join(step.reasons)}."
    if again := list(_not_again(step, told)):
        yield "", f"Not asked again: {'; '.join(again)}."
    if believed := [*_of_call(step), *_of_others(step, told)]:
        yield "dim", f"Believed: {'; '.join(believed)}."


def _known(known: Mapping[str, Any], told: dict[str, str]) -> str:
    """Attempts, what is held and missing where that is news, and budgets."""
    attempts, failures, left = known["attempts"], known["failures"], known["left"]
    failed = {0: "none failed", attempts: "failed" if attempts == 1 else "all failed"}
    parts = ["nothing tried yet"]
    if attempts:
        parts = [
            f"{counted(attempts, 'attempt')} so far, {failed.get(failures, f'{failures} failed')}"
        ]
    missing = [name for name in known["missing"] if name not in known["rejected"]]
    for word, names in (
        ("held", known["held"]),
        ("rejected by its gate", known["rejected"]),
        ("missing", missing),
        ("in flight", known["in_flight"]),
    ):
        if told.get(word, "") != (text := ", ".join(names)):
            told[word] = text
            parts += [f"{word}: {text}"] if text else []
    parts.append(
        f"left: {left['time_s']:.3g} s, cost {left['cost']:.3g}, {counted(left['attempts'], 'attempt')}"
    )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _not_again(step: Step, told: dict[str, str]) -> Iterator[str]:
    """Calls of which nothing new could come, where that is news."""
    barred = {f"{call}, which": why for call, why in step.barred.items()}
    for gone in [one for one in told if one.endswith(", which") and one not in barred]:
        del told[gone]
    for call, why in barred.items():
        if told.get(call) != why:
            told[call] = why
            yield f"{call} {why}"


def _of_call(step: Step) -> Iterator[str]:
    """What is believed of the chosen call and of the run."""
    believed = step.believed
    if "answers" in believed:
        yield (
            f"it answers with {believed['answers']:.2f}, well with {believed['answers_well']:.2f}, "
            f"and can never work with {believed['never_works']:.2f}"
        )
        provider = believed["provider"]
        if provider in believed["provider_down"]:
            own = provider == step.action.partition("/")[0]
            what = "what it depends on" if own else f"its provider {provider}"
            yield f"{what} is down with {believed['provider_down'][provider]:.2f}"
    if step.success is not None:
        yield f"the run succeeds with {step.success:.2f}"


def _of_others(step: Step, told: dict[str, str]) -> Iterator[str]:
    """What is believed of other providers and of artifacts, where it is news."""
    believed = step.believed
    down = {
        f"{name} is down": p
        for name, p in believed["provider_down"].items()
        if p > DOWN and name != believed.get("provider")
    }
    rejected = step.known["rejected"]  # what is wrong with those is known
    bad = {
        f"{name} is bad": p
        for name, p in believed["artifact_bad"].items()
        if p > DOUBTFUL and name not in rejected
    }
    for what, p in {**down, **bad}.items():
        if told.get(what) != f"{p:.2f}":
            told[what] = f"{p:.2f}"
            yield f"{what} with {p:.2f}"


def _outcome(told: Mapping[str, Any], action: str) -> str:
    match told["event"]:
        case "finished":
            return _finished(told, action)
        case "waited":
            return f"waited until {told['until_s']:.2f} s"
        case "lost":
            return f"the answer of attempt {told['attempt']} was lost in a crash"
        case "signal":
            return f"news: {told['provider']} is {'up' if told['up'] else 'down'}"
        case _:
            return f"the run ended by {ENDED.get(told['reason'], told['reason'])}"


def _finished(told: Mapping[str, Any], action: str) -> str:
    who = "" if told["call"] == action else f"{told['call']}: "
    message, took = told["message"], f"{told['elapsed_s']:.2f} s"
    if told["category"] == "SUCCESS":
        made = f"made {', '.join(told['made'])}" if told["made"] else "answered"
        text = f"{who}{made} in {took}" + (f": {message}" if message else "")
    else:
        text = f"{who}{told['category']} after {took}: {message}"
    hints = [_hint(hint) for hint in told.get("hints", ())]
    return text.rstrip(".") + (f"; it hints at {', '.join(hints)}" if hints else "")


def _hint(hint: Mapping[str, Any]) -> str:
    """`read/plain 0.50 (Grainy)`."""
    reason = (hint["reason"] or "").rstrip(".")
    return f"{hint['for']} {hint['p']:.2f}" + (f" ({reason})" if reason else "")


def _why(told: Mapping[str, Any]) -> Iterator[str]:
    """Lines for who wants to know why a call failed: its detail, the end of its trace, what lies below."""
    message, cause = told["message"] if told["event"] == "finished" else "", told.get("cause")
    if detail := beyond(message, told.get("detail") or ""):
        yield detail
    while cause is not None:
        said = beyond(message, f"{cause['type']}: {cause['message']}".removesuffix(": "))
        if said and said != detail:
            yield said
        yield from _end_of((cause["trace"] or "").splitlines())
        cause = cause["cause"]


def _end_of(trace: Sequence[str]) -> Sequence[str]:
    """The last lines of a trace, from a place on: marks below a line that is not shown say nothing."""
    lines = trace[-TRACE_LINES:]
    places = [i for i, one in enumerate(lines) if one.lstrip().startswith("File ")]
    return lines[places[0] :] if places else lines
