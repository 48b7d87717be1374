"""The report: one self-contained HTML page with the pictures and tables of a quickstart or an evaluation."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.7rem}h2{margin-top:2.2rem;font-size:1.25rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:right;padding:.3rem .55rem;border-bottom:1px solid #e3e7ec}
th:first-child,td:first-child{text-align:left}tr.us td{font-weight:600;background:#eef5ff}
.note{color:#5a6675;font-size:.9rem}.yes{color:#0a7a3d}.no{color:#b3261e}
img{height:70px;border:1px solid #ccd;vertical-align:middle}
svg text{font:12px system-ui,sans-serif;fill:#1c2430}
"""
BLUE, GREY = "#2563eb", "#94a3b8"


def percent(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}%"


def number(value: float | None, digits: int = 3) -> str:
    """A number; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], ours: str = "") -> str:
    """An HTML table; the row whose first cell is `ours` stands out. Cells are HTML already."""
    lines = ["<table><tr>", *(f"<th>{cell}</th>" for cell in head), "</tr>"]
    for row in rows:
        mark = ' class="us"' if ours and row[0] == ours else ""
        lines += [f"<tr{mark}>", *(f"<td>{cell}</td>" for cell in row), "</tr>"]
    return "".join([*lines, "</table>"])


def bars(policies: dict[str, dict[str, Any]], ours: str) -> str:
    """Return of each policy with its 95% interval, as SVG."""
    shown = {name: p for name, p in policies.items() if "error" not in p}
    low = min(0.0, *(p["return_ci95"][0] for p in shown.values()))
    high = max(0.05, *(p["return_ci95"][1] for p in shown.values()))
    left, width, row = 130, 560, 30

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * width

    parts = []
    for i, (name, p) in enumerate(shown.items()):
        y = 10 + i * row
        a, b = sorted((x(0.0), x(p["return_mean"])))
        c, d = (x(v) for v in p["return_ci95"])
        colour = BLUE if name == ours else GREY
        parts.append(
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{a:.1f}" y="{y}" width="{b - a:.1f}" height="18" fill="{colour}"/>'
            f'<line x1="{c:.1f}" x2="{d:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="#111" stroke-width="2"/>'
            f'<text x="{max(b, d) + 6:.1f}" y="{y + 14}">{p["return_mean"]:.3f}</text>'
        )
    return (
        f'<svg width="{left + width + 60}" height="{20 + row * len(shown)}">{"".join(parts)}</svg>'
    )


def curve(points: Sequence[dict[str, Any]]) -> str:
    """Return and success over training steps, as SVG."""
    if len(points) < 2:
        return ""
    width, height, left = 640, 220, 50
    steps = [p["steps"] for p in points]
    values = [p[key] for p in points for key in ("return_mean", "success_rate")]
    low, high = min(values), max(values)

    def path(key: str, colour: str) -> str:
        line = " ".join(
            f"{left + (p['steps'] - steps[0]) / (steps[-1] - steps[0]) * width:.1f},"
            f"{10 + (high - p[key]) / max(1e-9, high - low) * height:.1f}"
            for p in points
        )
        return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'

    return (
        f'<svg width="{left + width + 20}" height="{height + 45}">'
        f"{path('return_mean', BLUE)}{path('success_rate', GREY)}"
        f'<text x="0" y="16">{high:.2f}</text><text x="0" y="{height + 12}">{low:.2f}</text>'
        f'<text x="{left}" y="{height + 36}">{steps[0]:,} to {steps[-1]:,} steps. '
        f"Blue: return. Grey: share of episodes that succeed.</text></svg>"
    )


def policy_rows(policies: dict[str, dict[str, Any]]) -> list[list[str]]:
    """One row of figures per policy."""
    rows = []
    for name, p in policies.items():
        if "error" in p:
            rows.append([html.escape(name), f"failed: {html.escape(p['error'])}", *[""] * 6])
            continue
        low, high = p["return_ci95"]
        rows.append(
            [
                html.escape(name),
                percent(p["success_rate"]),
                f"{p['return_mean']:.3f} [{low:.3f}, {high:.3f}]",
                percent(p["fraction_of_oracle"]),
                number(p["attempts_per_success"], 1),
                number(p["cost_per_success"], 2),
                percent(p["wrong_delivered_rate"]),
                number(p["decision_ms_p50"]),
            ]
        )
    return rows


POLICY_HEAD = (
    "policy",
    "success",
    "return [95%]",
    "of oracle",
    "attempts / success",
    "cost / success",
    "wrong delivered",
    "decision ms",
)


def evaluation(result: dict[str, Any], ours: str = "trained") -> str:
    """The section about held-out levels."""
    pairs = "".join(
        f"<li>{html.escape(ours)} minus {html.escape(name.split('/')[1])}: "
        f"{p['difference_mean']:+.3f} [{p['difference_ci95'][0]:+.3f}, {p['difference_ci95'][1]:+.3f}]</li>"
        for name, p in result["paired"].items()
        if name.startswith(ours + "/")
    )
    if result["tiers"] is None:
        title = f"{result['episodes']:,} episodes of {len(result['levels'])} level files"
    else:
        low, high = result["tiers"]
        split = html.escape(result["split"])
        title = f"Held-out levels: {result['episodes']:,} of split {split}, tiers {low} to {high}"
    return (
        f"<h2>{title}</h2>"
        + bars(result["policies"], ours)
        + table(POLICY_HEAD, policy_rows(result["policies"]), ours)
        + '<p class="note">Every policy plays the same levels under the same luck. '
        "The oracle is the index rule told what is hidden: a reference, not a rival. "
        "A return is 1 for everything delivered, good, at no cost; 0 for stopping at once.</p>"
        + (f"<p>Difference in return, level by level:</p><ul>{pairs}</ul>" if pairs else "")
    )


def page_cell(run: dict[str, Any]) -> str:
    """How one page went under one policy."""
    goals = " ".join(
        f'<span class="{"yes" if good else "no"}">{html.escape(name)}</span>'
        for name, good in run["good"].items()
    )
    return f"{goals or '<span class=no>nothing</span>'}<br>{run['attempts']} attempts, cost {run['cost']:.1f}"


def deployment(deploy: dict[str, Any], folder: Path) -> str:
    """The section about the real workflow."""
    labels = [name for name in ("rule", "trained") if name in deploy]
    rows = [
        [
            html.escape(f"{name} ({deploy[name]['policy']})"),
            f"{deploy[name]['success_rate'] * deploy[name]['pages']:.0f} of {deploy[name]['pages']}",
            str(deploy[name]["goals"]["text"]),
            number(deploy[name]["cost"], 1),
            str(deploy[name]["attempts"]),
            number(deploy[name]["elapsed_s"], 1),
            percent(deploy[name]["wrong_delivered_rate"]),
        ]
        for name in labels
    ]
    head = ("policy", "pages done", "texts good", "cost", "attempts", "seconds", "wrong delivered")
    each = []
    for i in range(deploy[labels[0]]["pages"]):
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
        "Cost is counted in the cheapest way through; the budget is in the workflow file.</p>"
    )


def write_report(path: Path, title: str, sections: Sequence[str]) -> Path:
    """Write the page."""
    body = "".join(sections)
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>\n",
        "utf-8",
    )
    return path
