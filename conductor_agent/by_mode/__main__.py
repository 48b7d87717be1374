"""The command: plays a real workflow in every mode and says what happened, in seconds.

python -m conductor_agent.by_mode scenario_1 --policy index --cases 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conductor_agent.by_mode.cases import WORKFLOWS, Case, cases_of
from conductor_agent.by_mode.figures import as_json, figures, story_of
from conductor_agent.by_mode.play import Played, play
from conductor_agent.files.workflow import WorkflowError
from conductor_agent.interrupts import INTERRUPTED, hear_no_more, hear_sigterm_as_ctrl_c
from conductor_agent.plain import to_json
from conductor_agent.record.journal import JournalError
from fqg_env.errors import suggest
from policies.recovery.registry import PolicyError, deciding

COLUMNS = {
    "success_rate": "success",
    "quality_mean": "quality",
    "latency_s_mean": "seconds",
    "latency_s_max": "longest",
    "start_s_mean": "starting",
    "wasted_fraction": "wasted",
    "cost_mean": "cost",
    "violations": "violations",
    "attempts": "attempts",
    "failures_seen_by_conductor": "failures seen",
    "failures_inside": "failures inside",
    "resolved_inside_extension": "resolved inside",
}
"""Figure -> its column."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Play and tell; every failure is one sentence and an exit code."""
    hear_sigterm_as_ctrl_c()
    try:
        _run(_parser().parse_args(arguments))
    except (JournalError, PolicyError, WorkflowError) as problem:
        _fail(" ".join(str(problem).split()), 2)
    except KeyboardInterrupt:
        hear_no_more()
        _fail("interrupted; nothing of it runs on, begin again", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conductor_agent.by_mode",
        description="Play a real workflow with the conductor, the extensions, or both owning failures.",
        epilog="Example: python -m conductor_agent.by_mode scenario_1 --policy shipped --json",
    )
    parser.add_argument("workflow", help=f"one of {', '.join(WORKFLOWS)}")
    parser.add_argument("--policy", default="index", help="a name, a folder or module:Class")
    parser.add_argument(
        "--cases", type=_count, default=2, help="inputs of each kind, from seed 0 (default 2)"
    )
    parser.add_argument("--kinds", help="only inputs of these kinds, separated by commas")
    parser.add_argument(
        "--scale",
        type=_scale,
        help="multiplies the seconds of scenario_1; 100: those of the story, a limit of 5 minutes",
    )
    parser.add_argument("--journal", type=Path, help="keep the runs, for `conductor explain`")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _run(asked: argparse.Namespace) -> None:
    policy = deciding(asked.policy)
    cases = _of_kinds(cases_of(asked.workflow, asked.cases, asked.scale), asked.kinds)
    tell = not asked.json
    if tell:
        print(f"{asked.workflow}, policy {asked.policy}; each line is a run of its own")
    with tempfile.TemporaryDirectory(prefix="by-mode-") as folder:
        journal = asked.journal or Path(folder) / "runs.sqlite"
        played = play(cases, policy, journal, watch=_show if tell else lambda _: None)
    if tell:
        _show_figures(played)
        return
    report = {"workflow": asked.workflow, "policy": asked.policy, "scale": asked.scale}
    print(to_json({**report, "modes": figures(played), "runs": as_json(played)}))


def _of_kinds(cases: list[Case], wanted: str | None) -> list[Case]:
    known = list(dict.fromkeys(case.kind for case in cases))
    kinds = known if wanted is None else wanted.split(",")
    for kind in kinds:
        if kind not in known:
            raise WorkflowError(f"there is no kind of input {kind!r}." + suggest(kind, known))
    return [case for case in cases if case.kind in kinds]


def _show(run: Played) -> None:
    head = f"{run.case:<13}{run.mode.value:<10}{run.elapsed_s:6.1f} s  "
    print(head + story_of(run), flush=True)


def _show_figures(played: Sequence[Played]) -> None:
    print("\n" + "  ".join(["mode".ljust(9), *COLUMNS.values()]))
    for mode, found in figures(played).items():
        cells = (f"{found[key]:.3g}".rjust(len(name)) for key, name in COLUMNS.items())
        print("  ".join([mode.ljust(9), *cells]))


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of inputs; give 1 or more")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.0 < scale < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; give a number above 0")
    return scale


def _fail(text: str, code: int) -> None:
    print(f"by_mode: {text}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
