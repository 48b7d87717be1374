"""Attacks on the walls around extensions: which are contained here, and how soon every process is gone.

    python benchmarks/sandbox_suite.py [--profile NAME] [--quick] [--only NAME,...] [--json]
    python benchmarks/sandbox_suite.py --attack FILE.py      (your own, as an extension or as a program)
    python benchmarks/sandbox_suite.py --calls 2000          (one in twenty a violation: does anything leak?)

As root the suite first gives itself mounts and processes of its own; --as-user then becomes an ordinary
user. Exit code 0: everything was contained; 4: something was not; 2: the profile does not hold here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import campaign, conduct, own_attack, report, stage, suite
from sandbox.cases import CASES

REPEATS = 3
"""Runs of each attack that is ended by a limit; one with --quick."""
PROFILES = ("full", "jail", "lock", "group")


def main(words: Sequence[str]) -> int:
    """Run what the words say; the exit code."""
    parser = _parser()
    asked = parser.parse_args(words)
    if asked.conduct:
        _conduct(asked)
        return 0
    try:
        names = _names(asked.only)
        keep = [Path(asked.attack).resolve().parent] if asked.attack else []
        if asked.attack:
            own_attack.extensions_in(Path(asked.attack).read_text("utf-8"))
        code = stage.enter(__file__, list(words), keep, as_user=asked.as_user)
        return _play(asked, names) if code is None else code
    except (suite.Unavailable, stage.StageError, _UsageError) as problem:
        print(problem, file=sys.stderr)
    except (OSError, UnicodeDecodeError, SyntaxError) as problem:
        print(f"{asked.attack or 'The suite'}: {problem}", file=sys.stderr)
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


class _UsageError(Exception):
    """One sentence for whoever typed it."""


def _names(only: str) -> list[str]:
    """Cases by name or theme; empty: all."""
    wanted = [word for word in only.split(",") if word]
    unknown = [word for word in wanted if not any(_is(name, word) for name in CASES)]
    if unknown:
        raise _UsageError(
            f"There is no attack {unknown[0]!r}; themes are {', '.join(report.THEMES)}."
        )
    return [name for name in CASES if not wanted or any(_is(name, word) for word in wanted)]


def _is(name: str, word: str) -> bool:
    return name == word or name.startswith(f"{word}/")


def _play(asked: argparse.Namespace, names: list[str]) -> int:
    if asked.markdown:
        return _markdown(asked, names)
    if asked.attack or asked.calls:
        result = suite.special(asked.profile, attack=asked.attack, calls=asked.calls)
    else:
        repeats = 1 if asked.quick else REPEATS
        result = suite.run(asked.profile, names, repeats, every=asked.every)
    if asked.json:
        print(json.dumps(result.as_json()))
    else:
        report.show(result)
    return 0 if result.contained else 4


def _markdown(asked: argparse.Namespace, names: list[str]) -> int:
    results = []
    for profile in PROFILES:
        try:
            results.append(suite.run(profile, names, 1 if asked.quick else REPEATS))
        except suite.Unavailable as problem:
            print(problem, file=sys.stderr)
    print(report.markdown(results), end="")
    return 0 if all(result.contained for result in results) else 4


def _conduct(asked: argparse.Namespace) -> None:
    """In a conductor's process: what the suite asks of it, as JSON."""
    wanted = json.loads(asked.conduct)
    if wanted.get("attack"):
        own_attack.main(wanted["profile"], wanted["attack"])
    elif wanted.get("calls"):
        campaign.main(wanted["profile"], wanted["calls"])
    else:
        conduct.main(asked.conduct)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
