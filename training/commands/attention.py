"""`fqg attend`: what a sequence model heeds at its decision after a failure, as a picture on a page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from conductor_agent.plain import counted
from fqg_env import arrays
from fqg_env.history import attempt_of, is_attempt
from fqg_env.lanes import Lanes
from fqg_env.level import Level
from fqg_env.puzzle import Puzzle
from fqg_env.render import category_name
from fqg_env.rules import FIRST_CALL
from fqg_env.splits import ALL_TIERS
from policies.recovery.base import FLOOR, Observation
from policies.recovery.network import NetworkPolicy
from policies.recovery.policy_file import HEADS
from policies.recovery.registry import PolicyError, policy_named
from training.commands.levels import (
    Generated,
    MixOption,
    SeedOption,
    SizeOption,
    SplitOption,
    TierOption,
    chosen,
)
from training.disk import check_file, why_not
from training.judging.episodes import observations
from training.judging.replay import named
from training.judging.setting import Setting, deal
from training.pages.charts import BLUE, label, line, svg, titled
from training.pages.report import table, write_report
from training.terminal import JsonOption, command, fail, print_json

CELL, LEFT, LETTER = 22.0, 96.0, 7.6
"""Size of a cell of the picture, least room for the names of its rows, and the most that a letter takes."""


class Moment(NamedTuple):
    """A decision that comes after a failure."""

    level: Level
    attempts: tuple[str, ...]
    """What was tried and what came of it, the newest first."""
    choice: str
    floor: bool
    """The index rule chose it in the model's place."""
    tokens: tuple[str, ...]
    """Names of the tokens: attempts as they are told, calls, artifacts."""
    weights: np.ndarray
    """[heads, tokens] how much the call that is chosen heeds each; where none is, the mean over calls."""


def attempts_told(level: Level, history: np.ndarray) -> tuple[str, ...]:
    """The attempts of a history [T, fields] in words, the newest first."""
    seen = [attempt_of(entry) for entry in history if is_attempt(entry)]
    return tuple(
        f"{level.call_names[one.call]}: {category_name(one.category).lower().replace('_', ' ')}"
        for one in seen
    )


def weights_of(attention: np.ndarray, attempts: int, level: Level, action: int) -> np.ndarray:
    """[heads, tokens] of attention [heads, L, L] on a board, without the tokens that are padding."""
    calls, artifacts = len(level.call_names), len(level.artifact_names)
    shown = max(1, attempts)  # an empty history has one empty place
    padded = attention.shape[1] - shown
    size = next(s for s in arrays.SIZES.values() if s.calls + s.artifacts == padded)
    keys = [*range(attempts), *range(shown, shown + calls)]
    keys += range(shown + size.calls, shown + size.calls + artifacts)
    rows = range(shown, shown + calls) if action < FIRST_CALL else [shown + action - FIRST_CALL]
    weights: np.ndarray = attention[:, list(rows)].mean(1)[:, keys]
    return weights


def moment(lanes: Lanes, level: Level, policy: NetworkPolicy, failures: int) -> Moment | None:
    """The decision after so many failures, if the policy meets as many on the one lane, which it plays."""
    while not lanes.boards["stopped"][0]:
        seen: Observation = observations(lanes)
        decision = policy.decide(seen, lanes.masks)
        action = int(decision.action[0])
        if lanes.boards["failed"][0] >= failures:
            attention = policy.attention(seen, lanes.masks)[0]
            told = attempts_told(level, seen["history"][0])
            weights = weights_of(attention, len(told), level, action)
            tokens = (*told, *level.call_names, *level.artifact_names)
            floor = decision.source[0] == FLOOR
            return Moment(level, told, named(level, action), floor, tokens, weights)
        lanes.step(np.array([action]))
    return None


def lane_of(puzzle: Puzzle) -> Lanes:
    """One lane at the start of a puzzle, with beliefs."""
    lanes = Lanes(1, puzzle.level.size, belief=True)
    puzzle.load(lanes, None)
    lanes.begin()
    return lanes


def lane_drawn(which: Generated) -> Lanes:
    """One lane at the start of a generated level, with all that its mix hides: a puzzle does not say whether
    codes are garbled or dialects.
    """
    tiers = ALL_TIERS if which.tier is None else (which.tier, which.tier)
    return deal(Setting(which.split, 1, which.seed, tiers, which.size, which.mix), 0, 1)


def heatmap(rows: Sequence[str], columns: Sequence[str], weights: np.ndarray) -> str:
    """Weights [rows, columns] as cells, the darker the more; what each is says itself when pointed at."""
    top, left = 12.0, max(LEFT, 16 + LETTER * max(map(len, rows)))
    width = left + CELL * len(columns)
    parts = []
    for i, row in enumerate(rows):
        y = top + i * CELL
        parts.append(label(left - 8, y + 15, row, "end", "axis"))
        for j, column in enumerate(columns):
            share = float(weights[i, j])
            cell = (
                f'<rect x="{left + j * CELL:.0f}" y="{y:.0f}" width="{CELL - 1:.0f}" height="{CELL - 1:.0f}" '
                f'fill="{BLUE}" fill-opacity="{min(1.0, share) ** 0.7:.3f}" stroke="#e3e7ec"/>'
            )
            parts.append(titled(cell, f"{row}: {share:.0%} on {column}"))
    foot = top + len(rows) * CELL
    for j, column in enumerate(columns):
        x = left + j * CELL + CELL / 2
        words = html.escape(column)
        parts.append(
            f'<text transform="translate({x:.0f},{foot + 8:.0f}) rotate(60)" class="axis">{words}</text>'
        )
    longest = max(map(len, columns))
    parts.append(line(left, foot + 2, width, foot + 2))
    return svg(width + 4.0 * longest, foot + 24 + 6.4 * longest, parts)


def page_of(seen: Moment, policy: str, path: Path) -> Path:
    """Write the page: what had happened, what is chosen next, and what each head heeds."""
    heads = [f"layer {1 + i // HEADS}, head {1 + i % HEADS}" for i in range(len(seen.weights))]
    mean = seen.weights.mean(0)
    most = np.argsort(-mean)[:8]
    attempts = "".join(f"<li>{html.escape(words)}</li>" for words in reversed(seen.attempts))
    kind = ["attempt"] * len(seen.attempts) + ["call"] * len(seen.level.call_names)
    kind += ["artifact"] * len(seen.level.artifact_names)
    rows = [(html.escape(seen.tokens[j]), kind[j], f"{mean[j]:.0%}") for j in most]
    chooses = (
        "the floor, which is the index rule, chooses in its place" if seen.floor else "chooses"
    )
    one_call = seen.choice in seen.level.call_names
    whose = "the call that is chosen" if one_call else "a call, the mean over all of them"
    explained = (
        f"<p>Next <b>{html.escape(policy)}</b> {chooses}: <b>{html.escape(seen.choice)}</b>. What the token "
        f"of {whose} heeds: a row for each head of each layer, which adds up to 100%; the darker, the more, "
        "and each cell says how much when pointed at. First attempts (the newest first), then calls, then "
        "artifacts.</p>"
    )
    sections = [
        f"<p>{html.escape(seen.level.name)}. So far:</p><ol>{attempts}</ol>",
        explained,
        heatmap(heads, seen.tokens, seen.weights),
        "<h2>What it heeds most, over all heads</h2>",
        table(("token", "kind", "share"), rows),
    ]
    return write_report(path, "What a sequence model heeds after a failure", sections)


@command
def attend(
    level: Annotated[str | None, typer.Argument(help="Name in the library, or a file.")] = None,
    policy: Annotated[str, typer.Option(help="A sequence model: a name or a folder.")] = "sequence",
    split: SplitOption = "test",
    tier: TierOption = None,
    seed: SeedOption = 0,
    size: SizeOption = "small",
    mix: MixOption = "",
    failures: Annotated[int, typer.Option(min=1, help="After how many failures.")] = 1,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("attention.html"),
    as_json: JsonOption = False,
) -> None:
    """Show what a sequence model heeds when it chooses what to try after a failure.

    Example: fqg attend --split test --tier 12 --seed 3 --failures 2 --out attention.html
    """
    check_file("--out", out)
    which = Generated(split, tier, seed, size, mix)
    puzzle = chosen(level, which)
    try:
        player = policy_named(policy)
    except PolicyError as problem:
        fail(str(problem))
    if not isinstance(player, NetworkPolicy) or not player.has_attention:
        fail(f"the policy {policy!r} is no sequence model; name one, such as sequence")
    lanes = lane_drawn(which) if level is None else lane_of(puzzle)
    seen = moment(lanes, puzzle.level, player, failures)
    if seen is None:
        met = "no failure" if failures == 1 else f"fewer than {failures} failures"
        fail(f"the policy meets {met} on this level; name another level or seed, or fewer failures")
    try:
        page_of(seen, policy, out)
    except OSError as problem:
        fail(f"{out}: {why_not(problem, 'name another file with --out')}")
    if as_json:
        heeded = {"tokens": list(seen.tokens), "weights": seen.weights.round(4).tolist()}
        print_json(
            {
                "choice": seen.choice,
                "floor": seen.floor,
                "attempts": list(seen.attempts),
                **heeded,
                "page": str(out),
            }
        )
    else:
        who = "the floor" if seen.floor else "it"
        tried = counted(len(seen.attempts), "attempt")
        typer.echo(f"after {tried} {who} chooses: {seen.choice}\npage: {out}")
