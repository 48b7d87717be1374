"""The page of an evaluation: plots that say at a glance who wins, at what cost, and how, and one level replayed."""

from __future__ import annotations

import html
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fqg_env.render import duration
from training.judging.behaviour import Reaction
from training.judging.bounds import BOUNDS
from training.judging.contestants import Contestant, own
from training.judging.evaluate import Judged
from training.judging.processes import Workers
from training.judging.replay import Replay, Showing, ToldLevel, replay, told
from training.judging.setting import Setting, mixes_of
from training.judging.stats import NORMAL_95
from training.pages.charts import (
    TINTS,
    colours,
    key,
    line_chart,
    scatter,
    stacked_bars,
)
from training.pages.grouped_bars import grouped_bars
from training.pages.report import evaluation, number, percent, table, write_report

MOST_PANELS = 6
"""Policies whose reactions are drawn."""
MOST_CATEGORIES = 10
MOST_GROUPS = 6
CELL_WORDS = {
    "explicit_transient": "explicit\ntransient",
    "explicit_permanent": "explicit\npermanent",
    "implicit_transient": "implicit\ntransient",
    "implicit_permanent": "implicit\npermanent",
}


def judged_policies(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The policies that have figures."""
    return {name: p for name, p in result["policies"].items() if "error" not in p}


def champion(result: dict[str, Any]) -> str:
    """The policy that stands out: the best of somebody's own, else the best that is told nothing hidden."""
    policies = judged_policies(result)
    rivals = own(policies) or [name for name in policies if name not in BOUNDS] or list(policies)
    return max(rivals, key=lambda name: policies[name]["return_mean"], default="")


Bands = dict[str, dict[str, float | None]]
"""Group in words -> policy -> a figure."""


def banded(policies: dict[str, dict[str, Any]], field: str) -> tuple[Bands, Bands]:
    """Mean return by group, and half of its 95% interval; neighbouring tiers together where there are many."""
    names = list(next(iter(policies.values()))["by"][field])
    width = -(-len(names) // MOST_GROUPS) if field == "tier" else 1
    means: Bands = {}
    halves: Bands = {}
    for first in range(0, len(names), width):
        band = names[first : first + width]
        words = band[0] + (f" to {band[-1]}" if len(band) > 1 else "")
        means[words], halves[words] = {}, {}
        for name, p in policies.items():
            means[words][name], halves[words][name] = together(
                [p["by"][field][each] for each in band]
            )
    return means, halves


def together(groups: Sequence[dict[str, Any]]) -> tuple[float, float | None]:
    """The mean return of groups, and half of its 95% interval; None where one has no standard error.

    A group is a stratum: as many of its levels are in each sample, so that what differs between groups is no
    part of the error.
    """
    weights = np.array([each["episodes"] for each in groups], float)
    weights /= weights.sum()
    mean = float(weights @ [each["return_mean"] for each in groups])
    errors = [each["return_se"] for each in groups]
    if None in errors:
        return mean, None
    return mean, NORMAL_95 * float(np.sqrt(weights**2 @ np.square(np.array(errors, float))))


def plots(result: dict[str, Any]) -> str:
    """Every plot, each with a sentence that says how to read it."""
    policies = judged_policies(result)
    if not policies:
        return ""
    palette = colours(list(policies))
    return "".join(
        [
            cost_plot(policies, palette),
            profile_plot(policies, palette),
            by_group(policies, palette),
            cell_plot(policies, palette),
            cell_table(policies),
            recoveries_plot(policies, palette),
            "<h2>What each policy does after an error</h2>",
            reaction_panels(policies),
        ]
    )


Policies = dict[str, dict[str, Any]]
"""Label -> figures."""


def cost_plot(policies: Policies, palette: dict[str, str]) -> str:
    """Return against cost."""
    points = {
        name: (p["cost_mean"], p["return_mean"], *p["return_ci95"]) for name, p in policies.items()
    }
    drawn = scatter(points, palette, "cost, share of the budget", "return; whisker: 95% interval")
    note = '<p class="note">Better is up and to the left.</p>'
    return f"<h2>Return against cost</h2>{drawn}{note}"


def profile_plot(policies: Policies, palette: dict[str, str]) -> str:
    """The performance profile."""
    profiles = {
        name: (p["profile"]["return"], p["profile"]["share"]) for name, p in policies.items()
    }
    drawn = line_chart(profiles, palette, "return", "episodes with more than this return")
    note = (
        '<p class="note">Higher is better. A drop on the left is levels lost at a cost; '
        "the height on the right is levels done nearly for free.</p>"
    )
    return f"<h2>Performance profile</h2>{key(palette)}{drawn}{note}"


def cell_plot(policies: Policies, palette: dict[str, str]) -> str:
    """Success where a fault of each cell is in the way."""
    cells = {
        words: {name: p["recovery"][cell]["rate"] for name, p in policies.items()}
        for cell, words in CELL_WORDS.items()
    }
    note = (
        '<p class="note">Success on the levels with a fault of this cell in the way of the default order, but '
        "for those that provably nobody can solve. Explicit: the attempt fails. Implicit: it answers "
        "something bad as if all were well. Permanent: trying again does not help.</p>"
    )
    drawn = grouped_bars(cells, palette)
    return f"<h2>Recovery by kind of fault</h2>{key(palette)}{drawn}{note}"


def recoveries_plot(policies: Policies, palette: dict[str, str]) -> str:
    """Success within a number of recovery attempts."""
    budgets = {
        f"{k} recovery\nattempt{'' if k == '1' else 's'}": {
            name: p["success_by_recoveries"][k] for name, p in policies.items()
        }
        for k in next(iter(policies.values()))["success_by_recoveries"]
    }
    note = '<p class="note">A recovery attempt is one at what had been attempted before, or a repair.</p>'
    drawn = grouped_bars(budgets, palette)
    return f"<h2>Success within a number of recovery attempts</h2>{key(palette)}{drawn}{note}"


def by_group(policies: Policies, palette: dict[str, str]) -> str:
    """Return by tier and by family; by template where there are no tiers."""
    words = {
        "tier": "Return by tier",
        "family": "Return by family",
        "template": "Return by template or file",
    }
    by = next(iter(policies.values()))["by"]
    legend, note = key(palette), '<p class="note">Whisker: 95% interval of the mean.</p>'
    parts = []
    for field in (field for field in words if by[field]):
        means, halves = banded(policies, field)
        drawn = grouped_bars(means, palette, share=False, halves=halves)
        parts.append(f"<h2>{words[field]}</h2>{legend}{drawn}{note}")
    return "".join(parts)


def cell_table(policies: dict[str, dict[str, Any]]) -> str:
    """The figures of recovery, with the episodes that each rests on."""
    heads = [words.replace("\n", ", ") for words in CELL_WORDS.values()]
    rows = []
    for name, p in policies.items():
        cells = [p["recovery"][cell] for cell in CELL_WORDS]
        stops = p["give_ups"]
        rows.append(
            [
                html.escape(name),
                *(f"{percent(c['rate'])} of {c['episodes']:,}" for c in cells),
                percent(p["pass_8"]),
                number(stops["unsolvable_cost"], 2),
                percent(stops["false_give_up_rate"]),
                number(p["time_to_goal"], 2),
                number(p["repeats_without_news"], 2),
            ]
        )
    more = ("pass^8", "cost on unsolvable", "false give-ups", "time to goal", "idle repeats")
    note = (
        '<p class="note">pass^8: share of levels done under each of 8 lucks. Cost on unsolvable: share of the '
        "budget spent on levels that provably nobody can solve. False give-ups: stopped with an essential goal "
        "missing on a level that is not one of these. Time to goal: share of the time budget, where it "
        "succeeded. Idle repeats: attempts per episode that repeat a final outcome with nothing new known.</p>"
    )
    return table(("policy", *heads, *more), rows) + note


def reaction_panels(policies: dict[str, dict[str, Any]]) -> str:
    """What the first decision was after each category of error: of somebody's own policies, then of those
    with the highest returns.
    """
    names = [reaction.name.lower() for reaction in Reaction]
    palette: dict[str, str] = dict(zip(names, TINTS, strict=True))
    ranked = sorted(policies, key=lambda name: -policies[name]["return_mean"])
    mine = own(ranked)
    shown = [*mine, *(name for name in ranked if name not in mine)][:MOST_PANELS]
    counts: dict[str, int] = {}
    for name in shown:
        for category, each in policies[name]["reactions"].items():
            counts[category] = counts.get(category, 0) + each["failures"]
    categories = sorted(counts, key=lambda category: -counts[category])[:MOST_CATEGORIES]
    panels = []
    for name in shown:
        its = policies[name]["reactions"]
        rows = [(c, its[c]["failures"], its[c]["shares"]) for c in categories if c in its]
        panels.append(f"<div><h3>{html.escape(name)}</h3>{stacked_bars(rows, palette)}</div>")
    legend = key({name.replace("_", " "): colour for name, colour in palette.items()})
    note = (
        '<p class="note">Right of each bar: how often a call failed so. The commonest categories.'
    )
    if len(shown) < len(policies):
        first = "your own first, then " if mine else ""
        note += f" {len(shown)} of {len(policies)} are shown, {first}the highest returns."
    return f'{legend}<div class="panels">{"".join(panels)}</div>{note}</p>'


# --- one level, side by side --------------------------------------------------------------------------


def rivals_of(judged: Judged) -> list[tuple[str, str]]:
    """Pairs of policies to show side by side, the most telling first: the best of somebody's own and the best
    other; where there is none of these the champion, and the best hand rule or the next best.
    """
    policies = judged_policies(judged.result)
    one = champion(judged.result)
    rule = judged.result["gap"]["rule"]
    others = sorted(
        (name for name in policies if name != one and name not in BOUNDS),
        key=lambda name: -policies[name]["return_mean"],
    )
    if rule is not None and rule in others and not own(policies):
        others = [rule, *(name for name in others if name != rule)]
    return [(one, other) for other in others]


def episode_to_show(judged: Judged, one: str, other: str) -> tuple[int, str] | None:
    """The first level that one solved and the other did not, both having met a fault and made more than one
    attempt; else where they differ most; None where they came to the same on every level.
    """
    a, b = judged.played[one].episodes, judged.played[other].episodes
    tried = (a["met"] != 0) & (b["met"] != 0) & (a["attempts"] > 1) & (b["attempts"] > 1)
    apart = np.flatnonzero((a["success"] == 1) & (b["success"] == 0) & tried)
    if len(apart):
        return int(apart[0]), f"the first level that {one} solved and {other} tried to and did not"
    gaps = np.abs(a["return"] - b["return"])
    most = int(np.argmax(gaps))
    if gaps[most] == 0.0:
        return None
    return most, f"the level on which {one} and {other} are furthest apart"


def side_by_side(judged: Judged) -> str:
    """One level under two policies, step by step."""
    pairs = rivals_of(judged)
    found = [(pair, episode_to_show(judged, *pair)) for pair in pairs]
    apart = [(pair, shown) for pair, shown in found if shown is not None]
    same = [other for (_, other), shown in found if shown is None]
    alike = nothing_apart(pairs[0][0], same) if same and found[0][1] is None else ""
    if not apart:
        return alike
    pair, (episode, why) = apart[0]
    question = judged.question
    showings = [
        Showing(
            Contestant(label, question.policies[label], question.thinking),
            question.setting,
            episode,
        )
        for label in pair
    ]
    with Workers(1) as staff:
        replays = {
            s.contestant.label: answer
            for s, answer in staff.run(replay, [s for s in showings if s.contestant.foreign])
        }
    replays |= {s.contestant.label: replay(s) for s in showings if not s.contestant.foreign}
    if not all(isinstance(replays[label], Replay) for label in pair):
        return ""
    tier = int(judged.played[pair[0]].episodes["tier"][episode])
    look = how_to_look(question.setting, episode, tier)
    level = told(question.setting, episode)
    return alike + replayed({label: replays[label] for label in pair}, level, why, look)


def nothing_apart(one: str, others: list[str]) -> str:
    """That there is no level to show of policies that came to the same on every one."""
    names = html.escape(" and ".join(others))
    return f'<p class="note">{html.escape(one)} and {names} came to the same return on every level.</p>'


def how_to_look(setting: Setting, episode: int, tier: int) -> str:
    """The command that shows an episode's level and a way to solve it, as HTML."""
    mixes = mixes_of(setting)
    if setting.levels:
        which = [setting.levels[episode % len(setting.levels)]]
    else:
        which = ["--split", setting.split]
        which += ["--tier", str(tier)] if setting.drawn else []
        which += ["--seed", str(setting.seed + episode), "--size", setting.size]
        which += ["--mix", mixes[episode % len(mixes)]] if setting.mix else []
    words = shlex.join(["fqg", "levels", "show", *which, "--solution"])
    other = setting.drawn and setting.mode != "hybrid"
    but = f" It shows it in mode hybrid; here the mode is {setting.mode}." if other else ""
    return (
        '<p class="note">The level, what is wrong in it, and a way to solve it: '
        f"<code>{html.escape(words)}</code>.{html.escape(but)}</p>"
    )


def replayed(replays: dict[str, Replay], level: ToldLevel, why: str, look: str) -> str:
    """Two replays beside each other; `look` is what says how to look at the level."""
    columns = "".join(
        f"<div><h3>{html.escape(name)}: {'solved' if r.success else 'not solved'}, return "
        f"{r.episode_return:.3f}</h3><ol>{''.join(map(step_item, r.steps))}</ol>"
        f"<p>{html.escape(r.ended)}.</p></div>"
        for name, r in replays.items()
    )
    wrong = "; ".join(level.wrong) or "nothing"
    return (
        f"<h2>One level, side by side: {html.escape(level.title)}</h2>"
        f'<p class="note">It is {html.escape(why)}. What is hidden in it, which neither is told: '
        f'{html.escape(wrong)}.</p>{look}<div class="pair">{columns}</div>'
    )


def step_item(step: Any) -> str:
    """One decision and what came of it."""
    mark = {True: "yes", False: "no", None: ""}[step.good]
    came = f'<br><span class="{mark}">{html.escape("; ".join(step.came))}</span>'
    return (
        f'<li><span class="when">{duration(step.at_s) or "0 s"}</span> <b>{html.escape(step.did)}</b>'
        f"{came if step.came else ''}</li>"
    )


def write_evaluation(path: Path, judged: Judged) -> Path:
    """Write the page of an evaluation."""
    sections = [evaluation(judged.result, champion(judged.result)), plots(judged.result)]
    if judged.played:
        sections.append(side_by_side(judged))
    return write_report(path, "Who recovers, and at what cost", sections)
