"""Attacks on the walls around extensions: which are contained here, and how soon every process is gone.

    python benchmarks/sandbox_suite.py [--profile NAME] [--quick] [--only NAME,...] [--json]
    python benchmarks/sandbox_suite.py --attack FILE.py      (your own, as an extension or as a program)
    python benchmarks/sandbox_suite.py --calls 2000          (one in twenty a violation: does anything leak?)

As root the suite first gives itself mounts and processes of its own; --as-user then becomes an ordinary
user. Exit code 0: everything was contained; 4: something was not; 2: the profile does not hold here.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import stage  # the others are imported where they are used: it starts us anew, twice

if TYPE_CHECKING:
    from sandbox.suite import Result

REPEATS = 3
"""Runs of each attack that is ended by a limit; one with --quick."""
PROFILES = ("full", "jail", "lock", "group")


class UsageError(Exception):
    """One sentence for whoever typed it."""


def main(words: Sequence[str]) -> int:
    """Run what the words say; the exit code."""
    asked = _parser().parse_args(words)
    if asked.conduct:
        _conduct(json.loads(asked.conduct))
        return 0
    try:
        keep = [Path(asked.attack).resolve().parent] if asked.attack else []
        code = stage.enter(__file__, list(words), keep, as_user=asked.as_user)
        return _play(asked) if code is None else code
    except (stage.StageError, UsageError) as problem:
        print(problem, file=sys.stderr)
    except KeyboardInterrupt:
        print(
            "Interrupted; run the same command again, or --only NAME for one attack.",
            file=sys.stderr,
        )
        return 130
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", choices=PROFILES, help="how extensions are walled in")
    parser.add_argument("--attack", metavar="FILE.py", help="run this script as an extension")
    parser.add_argument("--calls", type=int, metavar="N", help="run a campaign of so many calls")
    parser.add_argument("--only", default="", metavar="NAME,...", help="attacks or themes to run")
    parser.add_argument("--quick", action="store_true", help="each attack once")
    parser.add_argument(
        "--every", action="store_true", help="also what is not claimed to be contained"
    )
    parser.add_argument("--as-user", action="store_true", help="as root: become an ordinary user")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument(
        "--markdown", action="store_true", help="the table of all profiles that hold here"
    )
    parser.add_argument("--conduct", help=argparse.SUPPRESS)
    return parser


def _play(asked: argparse.Namespace) -> int:
    from sandbox import report, suite

    try:
        if asked.markdown:
            return _markdown(asked)
        result = _result(asked)
    except suite.Unavailable as problem:
        raise UsageError(problem) from None
    if asked.json:
        print(json.dumps(result.as_json()))
    else:
        report.show(result)
    return 0 if result.contained else 4


def _result(asked: argparse.Namespace) -> Result:
    from sandbox import suite

    if asked.attack:
        _check(Path(asked.attack))
        return suite.special(asked.profile, attack=asked.attack)
    if asked.calls:
        return suite.special(asked.profile, calls=asked.calls)
    repeats = 1 if asked.quick else REPEATS
    return suite.run(asked.profile, names_of(asked.only), repeats, every=asked.every)


def _check(file: Path) -> None:
    try:
        ast.parse(file.read_text("utf-8"))
    except OSError as problem:
        raise UsageError(f"{file}: {problem.strerror}.") from None
    except (SyntaxError, ValueError) as problem:
        raise UsageError(f"{file} is not Python: {problem}.") from None


def names_of(only: str) -> list[str]:
    """Cases by name or theme, separated by commas; empty: all.

    Raises:
        UsageError: there is no such case or theme.
    """
    from sandbox.cases import CASES

    wanted = [word for word in only.split(",") if word]
    unknown = [word for word in wanted if not any(_is(name, word) for name in CASES)]
    if unknown:
        themes = ", ".join(dict.fromkeys(name.split("/")[0] for name in CASES))
        raise UsageError(f"There is no attack {unknown[0]!r}; themes are {themes}.")
    return [name for name in CASES if not wanted or any(_is(name, word) for word in wanted)]


def _is(name: str, word: str) -> bool:
    return name == word or name.startswith(f"{word}/")


def _markdown(asked: argparse.Namespace) -> int:
    from sandbox import report, suite

    results = []
    for profile in PROFILES:
        try:
            results.append(suite.run(profile, names_of(asked.only), 1 if asked.quick else REPEATS))
        except suite.Unavailable as problem:
            print(problem, file=sys.stderr)
    print(report.markdown(results), end="")
    return 0 if all(result.contained for result in results) else 4


def _conduct(wanted: dict[str, Any]) -> None:
    """In a conductor's process: what the suite asks of it."""
    from sandbox import campaign, conduct, own_attack

    if wanted.get("attack"):
        own_attack.main(wanted["profile"], wanted["attack"])
    elif wanted.get("calls"):
        campaign.main(wanted["profile"], wanted["calls"])
    else:
        conduct.main(wanted["profile"], wanted["names"], wanted["repeats"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
