"""Which walls stand around extensions here, and why none may run where they are not what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from conductor_agent.hosting.classify import from_enforcement
from conductor_agent.hosting.walls.enforcement import Enforced, enforcement, reaches
from conductor_agent.hosting.walls.profiles import PROFILES, Profile
from conductor_agent.hosting.walls.self_test import strongest, what_would
from fqg_env.outcome import StandardError


class Walls(NamedTuple):
    """What stands around extensions."""

    profile: Profile
    refusal: StandardError | None
    """Why none may run in there; None: they may."""


def walls(profile: str | None, require: Mapping[str, Enforced]) -> Walls:
    """The profile of this name or the strongest one. Blocks for a self-test, some tenths of a second.

    Args:
        profile: its name; None: the strongest that holds here.
        require: limit -> weakest enforcement to accept.
    """
    chosen = strongest() if profile is None else PROFILES[profile]
    return Walls(chosen, _unavailable(chosen) or _unmet(require, enforcement(chosen.name)))


def _unavailable(profile: Profile) -> StandardError | None:
    lack = profile.lacks()
    text = f"The profile {profile.name} does not hold here: {lack}."
    return from_enforcement(text) if lack else None


def _unmet(
    require: Mapping[str, Enforced], report: Mapping[str, Mapping[str, str]]
) -> StandardError | None:
    """The first limit that needs more enforcement than there is."""
    for limit, wanted in require.items():
        found = Enforced(report[limit]["level"]) if limit in report else Enforced.NONE
        if not reaches(found, Enforced(wanted)):
            mend = what_would(limit, Enforced(wanted))
            return from_enforcement(
                f"{limit}: {Enforced(wanted).value} is wanted, there is {found.value}"
                + (f"; {mend}." if mend else ".")
            )
    return None
