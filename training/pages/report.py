"""The report: one self-contained HTML page with the pictures and tables of a quickstart or an evaluation."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conductor_agent.plain import counted
from conductor_agent.whole_file import write_whole
from training.deploy import JOURNAL
from training.disk import writing
from training.judging.evaluate import evaluation_title
from training.pages.charts import bars
from training.pages.terminal_tables import known_shares, pairs_to_tell, tie

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.7rem}h2{margin-top:2.2rem;font-size:1.25rem}
.wide{max-width:100%;overflow-x:auto}
.wide:has(table){background:linear-gradient(90deg,#fff 50%,#fff0) 0 0/3rem 100% no-repeat local,linear-gradient(270deg,#fff 50%,#fff0) 100% 0/3rem 100% no-repeat local,linear-gradient(270deg,#5a667540,#fff0) 100% 0/.9rem 100% no-repeat}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:right;padding:.3rem .55rem;border-bottom:1px solid #e3e7ec}
th:first-child,td:first-child{text-align:left}td:not(:first-child){white-space:nowrap}tr.us td{font-weight:600;background:#eef5ff}
.note{color:#5a6675;font-size:.9rem}.yes{color:#0a7a3d}.no{color:#b3261e}
img{height:70px;border:1px solid #ccd;vertical-align:middle}
svg{max-width:100%;height:auto}
.pair>*,.panels>*{min-width:0}
.key b{font-weight:400;white-space:nowrap}.key span{display:inline-block;width:.8em;height:.8em;margin:0 .35em 0 1em;vertical-align:-.05em}.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}.pair ol{padding-left:1.4rem;font-size:.88rem;margin:.4rem 0}.pair li{margin:.25rem 0}.pair li b{font-weight:600}.when{color:#5a6675}.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:.5rem 1.5rem}h3{font-size:1rem;margin:.8rem 0 .2rem}
svg text{font:12px system-ui,sans-serif;fill:#1c2430}svg text.axis{fill:#5a6675}svg text.us{font-weight:700}
code{font-size:.85em;overflow-wrap:anywhere}
@media(max-width:40rem){.pair,.panels{grid-template-columns:minmax(0,1fr)}table{width:max-content;min-width:100%}th{white-space:nowrap}th:first-child,td:first-child{position:sticky;left:0;background:#fff;max-width:40vw;overflow-wrap:anywhere}svg text{font-size:15px}body{margin:1rem auto;font-size:15px}table{font-size:.8rem}th,td{padding:.25rem .35rem}}
"""
TOTALS = ("cost", "attempts", "seconds")
"""Columns of the deployment that are sums over its pages."""


def percent(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}%"


def number(value: float | None, digits: int = 3) -> str:
    """A number; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], ours: str = "") -> str:
    """An HTML table; the row whose first cell is `ours` stands out. Cells are HTML already."""
    lines = ['<div class="wide"><table><tr>', *(f"<th>{cell}</th>" for cell in head), "</tr>"]
    for row in rows:
        mark = ' class="us"' if ours and row[0] == ours else ""
        lines += [f"<tr{mark}>", *(f"<td>{cell}</td>" for cell in row), "</tr>"]
    return "".join([*lines, "</table></div>"])


def policy_rows(policies: dict[str, dict[str, Any]]) -> list[list[str]]:
    """One row of figures per policy that was judged."""
    rows, known = [], known_shares(policies)
    for name, p in policies.items():
        if "error" in p:
            continue
        low, high = p["return_ci95"]
        rows.append(
            [
                html.escape(name),
                percent(p["success_rate"]),
                f"{p['return_mean']:.3f} [{low:.3f}, {high:.3f}]",
                *(percent(p.get(key)) for key, _ in known.values()),
                number(p["attempts_per_success"], 1),
                number(p["cost_per_success"], 2),
                percent(p["wrong_delivered_rate"]),
                number(p["decision_ms_p50"]),
            ]
        )
    return rows


def policy_head(policies: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The columns of those rows; shares of a bound stand where it is known."""
    return (
        "policy",
        "success",
        "return [95%]",
        *known_shares(policies),
        "attempts / success",
        "cost / success",
        "wrong delivered",
        "decision ms",
    )


def differences(result: dict[str, Any]) -> str:
    """How policies differ, pair by pair, as the terminal tells it."""
    policies = {name: p for name, p in result["policies"].items() if "error" not in p}
    lines: list[str] = []
    for one, other in pairs_to_tell(policies):
        if p := result["paired"].get(f"{one}/{other}"):
            low, high = p["difference_ci95"]
            lines.append(
                f"<li>{html.escape(one)} minus {html.escape(other)}: "
                f"{p['difference_mean']:+.3f} [{low:+.3f}, {high:+.3f}]{tie(low, high)}</li>"
            )
    return "".join(lines)


def evaluation(result: dict[str, Any], ours: str = "trained") -> str:
    """The section about held-out levels."""
    pairs = differences(result)
    failed = "".join(
        f"<li>{html.escape(name)}: {html.escape(p['error'])}</li>"
        for name, p in result["policies"].items()
        if "error" in p
    )
    shares = "".join(
        f"{head[0].upper()}{head[1:]}: {what}. "
        for head, (_, what) in known_shares(result["policies"]).items()
    )
    return (
        f"<h2>{html.escape(evaluation_title(result))}</h2>"
        + bars(result["policies"], ours)
        + table(policy_head(result["policies"]), policy_rows(result["policies"]), ours)
        + (f'<p class="no">Not judged:</p><ul>{failed}</ul>' if failed else "")
        + '<p class="note">Every policy plays the same levels under the same luck. '
        f"{shares}"
        "A return is 1 for everything delivered, good, at no cost; 0 for stopping at once. "
        "A dash: there is no such figure, as of cost per success where there is no success; "
        "the oracle's decisions are not timed.</p>"
        + (f"<p>Difference in return, level by level:</p><ul>{pairs}</ul>" if pairs else "")
    )


def page_cell(run: dict[str, Any]) -> str:
    """How one page went under one policy."""
    goals = " ".join(
        f'<span class="{"yes" if good else "no"}">{html.escape(name)}</span>'
        for name, good in run["good"].items()
    )
    return (
        f"{goals or '<span class=no>nothing</span>'}<br>"
        f"{counted(run['attempts'], 'attempt')}, cost {run['cost']:.1f}<br>"
        f"<code>{html.escape(run['run_id'])}</code>"
    )


def deployment(deploy: dict[str, Any], folder: Path) -> str:
    """The section about the real workflow."""
    labels = [name for name in ("rule", "trained") if name in deploy]
    rows = [
        [
            html.escape(f"{name} ({deploy[name]['policy']})"),
            f"{deploy[name]['success_rate'] * deploy[name]['pages']:.0f} of {deploy[name]['pages']}",
            f"{deploy[name]['goals']['text']} of {deploy[name]['pages']}",
            number(deploy[name]["cost"], 1),
            str(deploy[name]["attempts"]),
            number(deploy[name]["elapsed_s"], 1),
            percent(deploy[name]["wrong_delivered_rate"]),
        ]
        for name in labels
    ]
    pages = deploy[labels[0]]["pages"]
    totals = (f"{name}, all pages" for name in TOTALS)
    head = ("policy", "pages done", "texts good", *totals, "wrong delivered")
    each = []
    for i in range(pages):
        file = folder / "pages" / f"page-{i:02d}.png"
        picture = base64.b64encode(file.read_bytes()).decode() if file.exists() else ""
        runs = [deploy[name]["runs"][i] for name in labels]
        defects = ", ".join(runs[0]["defects"]) or "clean"
        each.append(
            [
                f'<img alt="page {i}" src="data:image/png;base64,{picture}"> {html.escape(defects)}',
                *map(page_cell, runs),
            ]
        )
    return (
        "<h2>Deployed: scanned pages, real models in limited processes</h2>"
        + table(head, rows)
        + "<p></p>"
        + table(("page and what is wrong with it", *labels), each)
        + '<p class="note">Green: delivered and truly good, against the truth the page was made from. '
        "Cost is counted in the cheapest way through; the budget is in the workflow file. "
        "Below each is the id of its run; beside this report, <code>conductor explain ID --journal "
        f"{JOURNAL}</code> tells each of its decisions.</p>"
    )


def write_report(path: Path, title: str, sections: Sequence[str]) -> Path:
    """Write the page.

    Raises:
        OSError: it cannot be written; with its name.
    """
    body = "".join(sections)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>\n"
    )
    with writing(path):
        write_whole(path, page.encode())
    return path
