"""Write the parts of the documentation that the code already says.

    python docs/make_observation.py

observation.md is made whole, from the comments beside the fields; errors.md and game.md have one table each,
between two marker lines. tests/test_docs.py says when they are not up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
from enum import IntEnum
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from fqg_env.arrays import CODES, GROUP, SIZES, UNKNOWN_SHARE, Group, History  # noqa: E402
from fqg_env.fields import (  # noqa: E402
    OBSERVATION_VERSION,
    Artifact,
    Belief,
    Call,
    Doubt,
    Run,
    observation_dtype,
)
from fqg_env.frequencies import CLEAR, CONFUSED  # noqa: E402
from fqg_env.outcome import WIRE  # noqa: E402

FIELD = re.compile(r"^    ([A-Z][A-Z0-9_]*) = (\d+)(?:  # (.*))?$")
UNSAID = {
    ("Call", "RECENT_FAILURE"): "n / (n + 4)",
    ("Call", "PROVIDER_FAILURE"): "n / (n + 2) at its provider",
    ("Artifact", "GOAL_WEIGHT"): "weight of the goal; 0: no goal",
    ("Run", "COST_LEFT"): "share of the budget",
    ("Run", "ATTEMPTS_LEFT"): "share of the budget",
    ("Run", "COST_WEIGHT"): "scoring weight",
    ("Run", "TIME_WEIGHT"): "scoring weight",
}
"""What a field without a comment means, where it is not a plain yes or no."""
MORE = {
    "Call.COST_RANK": "1 where there is none; an unknown cost is never dearer, and none is dearer than it",
    "Call.PLAN_POSITION": "places count from 0, and the first of a call holds; 0: not in the order",
    "Call.LAST_CATEGORY": "{categories}",
    "Call.SINCE_LAST": "1 before it has one; a lost answer counts as one",
    "Call.IN_FLIGHT_SHARE": "a latency that is not known stands for {unknown} of the time budget",
    "Call.LAST_GROUP": "all 0 before one has finished",
    "Artifact.CLAIMED_CHANGE": "0.5 where either is not known",
    "History.CATEGORY": "{categories}",
}
"""What the comment of a field leaves open."""
NUMBERED = "numbers follow the order of [errors.md](errors.md), from 1"
YES_OR_NO = "1 if so, else 0"
SHAPES = {
    "calls": "[C, X]",
    "artifacts": "[A, Y]",
    "needs": "[C, A]",
    "makes": "[C, A]",
    "consumes": "[C, A]",
    "probes": "[C, A]",
    "same_function": "[C, C]",
    "same_provider": "[C, C]",
    "history": "[H, fields]",
    "run": "[R]",
    "belief": "[C, B]",
    "doubt": "[A, D]",
}
ENUMS = (
    (Call, "calls"),
    (Artifact, "artifacts"),
    (History, "history"),
    (Run, "run"),
    (Belief, "belief"),
    (Doubt, "doubt"),
)


def meanings(enum: type[IntEnum]) -> dict[str, str]:
    """Field -> its meaning: the comment beside it in the source."""
    found = {}
    for line in inspect.getsource(enum).splitlines():
        if match := FIELD.match(line):
            name, _, comment = match.groups()
            key = enum.__name__, name
            more = MORE.get(".".join(key), "").format(
                categories=NUMBERED, unknown=f"{UNKNOWN_SHARE:g}"
            )
            found[name] = "; ".join(filter(None, (comment or UNSAID.get(key, YES_OR_NO), more)))
    return found


def fields(enum: type[IntEnum], key: str) -> str:
    """One group of fields as a section."""
    known = meanings(enum)
    docstring = " ".join((enum.__doc__ or "").split())
    lines = [f"## `{key}`", "", docstring, "", "| number | field | meaning |", "|---:|---|---|"]
    lines += [f"| {int(field)} | {field.name} | {known[field.name]} |" for field in enum]
    return "\n".join(lines)


def arrays() -> str:
    """The arrays of an observation, with their shapes in each size."""
    head = " | ".join(SIZES)
    lines = [f"| key | shape | type | {head} |", "|---|---|---|" + "---|" * len(SIZES)]
    for key, shape in SHAPES.items():
        kinds = [observation_dtype(size, True)[key].subdtype for size in SIZES.values()]
        sizes = " | ".join(" x ".join(map(str, kind[1])) for kind in kinds if kind)
        base = kinds[0][0] if kinds[0] else None
        lines.append(f"| `{key}` | {shape} | {base} | {sizes} |")
    return "\n".join(lines)


PREFACE = """\
# The observation, field by field

Made from the comments in `fqg_env/fields.py` by `python docs/make_observation.py`; mend it there.

Version {version}. A policy file names the version it reads; another one is refused with a sentence. In
code, name a field by its enum (`Call.LATENCY`), never by its number.

All numbers lie in [0, 1]; relations are bytes, 0 or 1. What does not exist (the padding up to the size) is 0.
`belief` and `doubt` are there where the environment is made with `belief=True`; a real run always has them.

C calls, A artifacts, H attempts remembered, X, Y, R, B, D fields.

{arrays}

`needs`, `makes`, `consumes` and `probes` say which call reads, makes, uses up and looks at which artifact.
`same_function` and `same_provider` say which calls share one.

The groups of categories, in the order of GROUP_COUNT and LAST_GROUP: {groups}. Which category is in
which group is in [errors.md](errors.md).

`belief` and `doubt` cannot be worked out from the others: they are read off the posterior over the hidden
faults. That is `fqg_env/belief.py`, moved on with each event by `fqg_env/filtering.py` and read by
`fqg_env/believed.py`; call these.
"""


def observation_page() -> str:
    """The whole page."""
    groups = ", ".join(f"{int(group)} {group.name.lower()}" for group in Group)
    version = OBSERVATION_VERSION
    preface = PREFACE.format(version=version, arrays=arrays(), groups=groups)
    return "\n".join([preface, *(fields(enum, key) + "\n" for enum, key in ENUMS)])


def categories() -> str:
    """The table of errors.md."""
    lines = ["| category | HTTP | gRPC | may a repeat help | group |", "|---|---:|---:|---|---|"]
    words = {True: "yes", False: "no", None: "not known"}
    for category, wire in WIRE.items():
        group = Group(int(GROUP[CODES[category]])).name.lower()
        lines.append(
            f"| `{category.value}` | {wire.http} | {wire.grpc} | {words[wire.retryable]} | {group} |"
        )
    return "\n".join(lines)


def causes() -> str:
    """The table of game.md."""
    lines = ["| cause | shows, told clearly, as |", "|---|---|"]
    for cause, row in CLEAR.items():
        told = ", ".join(f"`{category.value}` {p:.0%}" for category, p in row.items())
        lines.append(f"| {cause.lower().replace('_', ' ')} | {told} |")
    confused = ", ".join(f"`{category.value}` {p:.0%}" for category, p in CONFUSED.items())
    rest = 1.0 - sum(CONFUSED.values())
    lines.append(f"| any, told badly | {confused}, the others {rest:.0%} together |")
    return "\n".join(lines)


def with_table(page: Path, name: str, table: str) -> str:
    """The page with the table between its markers."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page.name}: the markers {begin} and {end} are missing; put them back")
    return f"{before}{begin}\n{table}\n{end}{after}"


def pages() -> dict[Path, str]:
    """Page -> its text as it should be."""
    errors, game = DOCS / "errors.md", DOCS / "game.md"
    return {
        DOCS / "observation.md": observation_page(),
        errors: with_table(errors, "categories", categories()),
        game: with_table(game, "causes", causes()),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
