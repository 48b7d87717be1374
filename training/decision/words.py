"""What `fqg compare` found, for people: rows of a table, of the alignment matrix, and a page with plots."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, NamedTuple

from conductor_agent.by_mode import cases
from training.pages.charts import colours, key
from training.pages.grouped_bars import grouped_bars
from training.pages.report import number, percent, table, write_report

MODES = tuple(mode.value for mode in cases.MODES)
TITLE = "Who owns failures"
ROWS = ("Extension-First", "Exokernel", "Community Innovation", "FQG Training")
SETTING_WORDS = {
    "generated": "generated levels",
    "scenario_1": "Scenario 1, the game's",
    "scenario_2": "Scenario 2, the game's",
    "scenario_1_real": "Scenario 1, real",
    "scenario_2_real": "Scenario 2, real expert",
    "scenario_2_naive": "Scenario 2, real naive",
    "scanned_page": "scanned page, real",
}
HEAD = ("mode", "success", "s", "wasted", "tries", "twice", "limits", "seen", "mended")
"""Columns of the table of a setting."""
READ = (
    "success: what was delivered is truly good. s: mean seconds of a run; in the game, the game's own. "
    "wasted: share of the attempts' seconds that went into failures and own recovery. Per run: tries; "
    "twice, tries of a call that had just repeated in vain by itself; limits broken, as the ledger has "
    "them, or in the game failures that say so; failures seen by the conductor; calls mended inside the "
    "extension."
)


def tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Setting -> a row for each mode."""
    return {
        name: [row(mode, modes[mode]) for mode in MODES]
        for name, modes in result["settings"].items()
    }


def row(mode: str, figures: dict[str, float]) -> tuple[str, ...]:
    """The cells of one mode of one setting."""
    counts = (
        "attempts",
        "duplicated_retries",
        "violations",
        "failures_seen_by_conductor",
        "resolved_inside_extension",
    )
    return (
        mode,
        percent(figures["success_rate"]),
        number(figures["latency_s_mean"], 1),
        percent(figures["wasted_fraction"]),
        *(number(figures[name] / figures["runs"], 2) for name in counts),
    )


def differences(result: dict[str, Any], setting: str) -> list[str]:
    """How hybrid differs from the others on a setting, run by run, with 95% intervals."""
    out = []
    for other in ("conductor", "community"):
        pair = result["paired"][setting][f"hybrid/{other}"]
        success = interval_of(pair["success_rate"], 100.0, 1)
        seconds = interval_of(pair["latency_s_mean"], 1.0, 2)
        out.append(f"hybrid minus {other}: success {success} points, {seconds} s")
    return out


def interval_of(found: dict[str, Any], unit: float, digits: int) -> str:
    """A difference with its interval."""
    low, high = (unit * bound for bound in found["difference_ci95"])
    mean = unit * found["difference_mean"]
    return f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


PROPOSAL = (
    "The proposal is the document that this project implements; docs/decision.md holds what it argues with "
    "against what was measured."
)


class Row(NamedTuple):
    """A row of the alignment matrix."""

    name: str
    measure: str
    values: tuple[str, ...]
    """By mode."""


def matrix(result: dict[str, Any]) -> list[Row]:
    """The alignment matrix: a row for each thing that the decision was taken for."""
    mended, asks, gains, seen = (result["alignment"][name] for name in ROWS)
    return [
        Row(ROWS[0], mended["measure"], tuple(percent(mended[mode]) for mode in MODES)),
        Row(
            ROWS[1],
            asks["measure"].format(**asks),
            tuple("allowed" if asks[mode]["own_recovery"] else "switched off" for mode in MODES),
        ),
        Row(ROWS[2], gains["measure"], tuple(gain(gains[mode]) for mode in MODES)),
        Row(ROWS[3], seen["measure"], tuple(percent(seen[mode]["seen"]) for mode in MODES)),
        Row(
            ROWS[3],
            "of these, in the game, the share after which it has a choice",
            tuple(percent(seen[mode]["with_a_choice"]) for mode in MODES),
        ),
        Row(
            ROWS[3],
            "the same as the proposal guessed it, in stars of 5",
            tuple(str(seen["stars"][mode]) for mode in MODES),
        ),
    ]


def known(rows: list[Row]) -> list[Row]:
    """Those with a value in some mode: a row that no setting that was played tells of has none."""
    return [row for row in rows if set(row.values) != {percent(None)}]


def left_out(name: str, why: str) -> str:
    """A setting that was not played, with the reason, which may begin with its name."""
    return f"left out: {why}" if why.startswith(f"{name} ") else f"left out: {name}: {why}"


def gain(found: dict[str, float] | None) -> str:
    """What an expert gains over a naive extension."""
    if found is None:
        return "-"
    return f"{100 * found['success_rate']:+.0f} points, {found['latency_s_mean']:+.1f} s"


Shares = dict[str, dict[str, float | None]]
"""Setting in words -> mode -> a share."""


def success_by_setting(result: dict[str, Any]) -> Shares:
    """Success, as bars are drawn of it."""
    return in_two_lines(
        {
            SETTING_WORDS[name]: {m: modes[m]["success_rate"] for m in MODES}
            for name, modes in result["settings"].items()
        }
    )


def in_two_lines(shares: Shares) -> Shares:
    """The same with names in two lines where they have a comma, for the room below bars."""
    return {words.replace(", ", "\n"): modes for words, modes in shares.items()}


def write_page(path: Path, result: dict[str, Any]) -> Path:
    """The page: success and seconds as plots, the table, the matrix.

    Raises:
        OSError: it cannot be written.
    """
    palette = colours(MODES)
    skipped = "".join(
        f'<p class="note">{html.escape(left_out(name, why))}</p>'
        for name, why in result["skipped"].items()
    )
    return write_report(
        path,
        f"{TITLE}: policy {result['policy']}",
        [
            f"<h2>Success</h2>{key(palette)}{grouped_bars(success_by_setting(result), palette)}",
            f'<p class="note">{html.escape(READ)}</p>',
            *(
                f"<h3>{html.escape(SETTING_WORDS[name])}</h3>{table(HEAD, rows)}"
                + "".join(f'<p class="note">{each}</p>' for each in differences(result, name))
                for name, rows in tables(result).items()
            ),
            "<h2>What the decision was taken for</h2>",
            table(
                ("row", "measured", *MODES),
                [
                    (r.name, html.escape(r.measure), *map(html.escape, r.values))
                    for r in known(matrix(result))
                ],
            ),
            skipped,
        ],
    )
