"""The alignment matrix: for each thing that the decision was taken for, a measured stand-in, by mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from conductor_agent.files.manifest import Ours
from conductor_agent.files.workflow_parts import ExtensionEntry
from conductor_agent.hosting.extension import extension
from conductor_agent.hosting.sdk.harness import call
from fqg_env.level import Responsibility
from fqg_env.outcome import Success
from policies.resource.limits import ResourceLimits

SMALLEST = """
from conductor_agent.hosting.extension import extension

@extension
def shout(inputs, parameters, context):
    return {"loud": inputs["quiet"].upper()}
"""
"""An extension with nothing in it that could be left out; tests/test_training_compared.py runs it."""
BINDING = {"source": "shout.py", "class": "motif"}
"""All that a workflow has to say of it."""
STARS = {Responsibility.CONDUCTOR: 5, Responsibility.COMMUNITY: 2, Responsibility.HYBRID: 4}
"""Of 5, for "FQG alignment", as the document that this project implements gives them."""
ASKED = (
    "the smallest extension that works takes {lines} lines and {fields_needed} fields; {fields_open} more "
    "fields and {limits} limits are open to its author; own recovery is"
)
EXPERT, NAIVE = "scenario_2_real", "scenario_2_naive"
Figures = dict[str, float]
Settings = dict[str, dict[str, Figures]]


def alignment(settings: Settings) -> dict[str, dict[str, Any]]:
    """Row -> what is measured, and its value by mode; None where no setting that was played tells.

    Args:
        settings: setting -> mode -> figures.
    """
    return {
        "Extension-First": {
            "measure": "of the calls that failed somewhere, the share that extensions mended inside",
            **by_mode(settings, resolved),
        },
        "Exokernel": {
            "measure": ASKED,
            **asked(),
        },
        "Community Innovation": {
            "measure": "success, and seconds, that an expert's own recovery gains over a naive extension",
            **{mode.value: gained(settings, mode.value) for mode in Responsibility},
        },
        "FQG Training": {
            "measure": "of all failures, those before a repeat inside too, the share that the conductor sees",
            **{
                mode: {"seen": seen, "with_a_choice": by_mode(settings, choice)[mode]}
                for mode, seen in by_mode(settings, visible).items()
            },
            "stars": {mode.value: stars for mode, stars in STARS.items()},
        },
    }


def by_mode(
    settings: Settings, share: Callable[[list[Figures]], float | None]
) -> dict[str, float | None]:
    """A share over all settings that were played, by mode; each setting counts alike."""
    out = {}
    for mode in Responsibility:
        shares = [share([modes[mode.value]]) for modes in settings.values() if mode.value in modes]
        known = [value for value in shares if value is not None]
        out[mode.value] = sum(known) / len(known) if known else None
    return out


def total(figures: Iterable[Figures], key: str) -> float:
    """The sum of a figure."""
    return sum(each.get(key, 0.0) for each in figures)


def share_of(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole > 0.0 else None


def resolved(figures: list[Figures]) -> float | None:
    """Calls mended inside, of those that failed."""
    inside = total(figures, "resolved_inside_extension")
    return share_of(inside, inside + total(figures, "failures_seen_by_conductor"))


def visible(figures: list[Figures]) -> float | None:
    """Failures that the conductor sees, of all: each repeat inside was after a failure."""
    seen = total(figures, "failures_seen_by_conductor")
    return share_of(seen, seen + total(figures, "own_repeats"))


def choice(figures: list[Figures]) -> float | None:
    """Failures after which the conductor has a choice, of those that it sees; None of a real run."""
    if not all("failures_with_a_choice" in each for each in figures):
        return None
    seen = total(figures, "failures_seen_by_conductor")
    return share_of(total(figures, "failures_with_a_choice"), seen)


def gained(settings: Settings, mode: str) -> dict[str, float] | None:
    """What the expert's extension has over the naive one on the same inputs."""
    if EXPERT not in settings or NAIVE not in settings:
        return None
    expert, naive = settings[EXPERT][mode], settings[NAIVE][mode]
    keys = ("success_rate", "quality_mean", "latency_s_mean")
    return {key: expert[key] - naive[key] for key in keys}


# --- what the interface asks ----------------------------------------------------------------------------


def asked() -> dict[str, Any]:
    """Lines and fields of the smallest extension that works, and what is left to an author by mode."""
    return {
        "lines": sum(bool(line) for line in SMALLEST.splitlines()),
        "fields_needed": len(BINDING),
        "fields_open": len(Ours.model_fields) + len(ExtensionEntry.model_fields) - len(BINDING),
        "limits": len(ResourceLimits.model_fields),
        **{mode.value: {"own_recovery": recovers(mode)} for mode in Responsibility},
    }


def recovers(mode: Responsibility) -> bool:
    """Whether an author's own repeat is let happen in a mode: tried, not looked up."""
    tries = iter((False, True))

    @extension(output="answer")
    def asks_twice(context: Any) -> bool:
        return bool(context.retry(lambda: answered(next(tries)), attempts=2))

    outcome = call(asks_twice, {}, recover=mode is not Responsibility.CONDUCTOR)
    return isinstance(outcome, Success)


def answered(there: bool) -> bool:
    """An answer, where there is one.

    Raises:
        ConnectionError: there is none.
    """
    if not there:
        raise ConnectionError("There is no answer yet.")
    return there
