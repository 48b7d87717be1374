"""The command: plays the scenario in every mode and says what happened, in seconds.

python -m conductor_agent.scenario_1 --policy index --documents 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_agent.journal import JournalError
from conductor_agent.plain import to_json
from conductor_agent.scenario_1.documents import Kind
from conductor_agent.scenario_1.figures import as_json, figures, story_of
from conductor_agent.scenario_1.play import STORY_SCALE, Played, play
from conductor_agent.workflow import WorkflowError
from fqg_env.errors import suggest
from policies.recovery.registry import PolicyError, policy_named

if TYPE_CHECKING:
    from policies.recovery.base import Policy

INTERRUPTED = 130
COLUMNS = {
    "success_rate": "success",
    "latency_s_mean": "seconds",
    "latency_s_max": "longest",
    "start_s_mean": "starting",
    "wasted_fraction": "wasted",
    "cost_mean": "cost",
    "violations": "violations",
    "attempts": "attempts",
    "failures_seen_by_conductor": "failures seen",
    "resolved_inside_extension": "resolved inside",
}
"""Figure -> its column."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Play and tell; every failure is one sentence and an exit code."""
    try:
        _run(_parser().parse_args(arguments))
    except (JournalError, PolicyError, WorkflowError) as problem:
        _fail(" ".join(str(problem).split()), 2)
    except KeyboardInterrupt:
        _fail("interrupted; nothing of it runs on, begin again", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conductor_agent.scenario_1",
        description="Play a community model with a 2-hour timeout, and a fallback, in every mode.",
        epilog="Example: python -m conductor_agent.scenario_1 --policy shipped --json",
    )
    parser.add_argument("--policy", default="index", help="a name, a folder or module:Class")
    parser.add_argument(
        "--documents", type=_count, default=2, help="of each kind, from seed 0 (default 2)"
    )
    parser.add_argument(
        "--kinds", type=_kinds, default=tuple(Kind), help=f"of {', '.join(k.value for k in Kind)}"
    )
    parser.add_argument(
        "--scale",
        type=_scale,
        default=1.0,
        help=f"multiplies the seconds; {STORY_SCALE:g}: those of the story, a limit of 5 minutes",
    )
    parser.add_argument("--journal", type=Path, help="keep the runs, for `conductor explain`")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _run(asked: argparse.Namespace) -> None:
    policy = _policy(asked.policy)
    tell = not asked.json
    if tell:
        print(f"policy {asked.policy}, scale {asked.scale:g}; each line is a run of its own")
    with tempfile.TemporaryDirectory(prefix="scenario-1-") as folder:
        played = play(
            policy,
            asked.journal or Path(folder) / "runs.sqlite",
            kinds=asked.kinds,
            seeds=range(asked.documents),
            scale=asked.scale,
            watch=_show if tell else lambda _: None,
        )
    if tell:
        _show_figures(played)
        return
    report = {"policy": asked.policy, "scale": asked.scale, "modes": figures(played)}
    print(to_json({**report, "runs": as_json(played)}))


def _policy(name: str) -> Policy:
    policy: Policy = policy_named(name)
    if not hasattr(policy, "decide"):
        raise PolicyError(
            f"the policy {name!r} plans in the game alone; a real run needs one that decides"
        )
    return policy


def _show(run: Played) -> None:
    head = f"{run.kind.value:<9}{run.seed:<3}{run.mode.value:<10}{run.elapsed_s:6.1f} s  "
    print(head + story_of(run), flush=True)


def _show_figures(played: Sequence[Played]) -> None:
    print("\n" + "  ".join(["mode".ljust(9), *COLUMNS.values()]))
    for mode, found in figures(played).items():
        cells = (f"{found[key]:.3g}".rjust(len(name)) for key, name in COLUMNS.items())
        print("  ".join([mode.ljust(9), *cells]))


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of documents; give 1 or more")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.0 < scale < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; give a number above 0")
    return scale


def _kinds(text: str) -> tuple[Kind, ...]:
    known = [kind.value for kind in Kind]
    for name in (names := text.split(",")):
        if name not in known:
            raise argparse.ArgumentTypeError(
                f"there is no kind of document {name!r}." + suggest(name, known)
            )
    return tuple(map(Kind, names))


def _fail(text: str, code: int) -> None:
    print(f"scenario_1: {text}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
