"""The suite from outside: conductors are started, watched while they are attacked, and outlived.

A conductor that an attack ends or hangs has not contained it; the next one goes on with the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import stage
from sandbox.bait import VARIABLE
from sandbox.case import ATTACKS
from sandbox.cases import CASES, CONDUCTOR_KILLED
from sandbox.conduct import alive

from conductor_agent.hosting.watch import tree

CASE_S = 300.0
"""A conductor that tells nothing for so long hangs; a campaign tells nothing until its end."""
SCRIPT = Path(__file__).resolve().parents[1] / "sandbox_suite.py"
DAEMONS = 25
"""That an extension leaves before its conductor is killed."""
_SUBREAPER = 36


class Unavailable(Exception):
    """The profile does not hold here. The text says why, in one sentence."""


@dataclass
class Result:
    """What a run of the suite came to."""

    profile: str = ""
    enforcement: dict[str, dict[str, str]] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name: what the worst of its runs told, with the times of all of them."""
    not_claimed: dict[str, dict[str, str]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def contained(self) -> bool:
        """Whether every case was."""
        return all(case["contained"] for case in self.cases.values())

    @property
    def gone_ms_p99(self) -> float | None:
        """Over every run in which something was killed for a limit; None: there was none."""
        times = sorted(time for case in self.cases.values() for time in case.get("gone_ms_all", ()))
        if len(times) < 2:
            return times[0] if times else None
        return round(statistics.quantiles(times, n=100, method="inclusive")[98], 2)

    def add(self, line: dict[str, Any]) -> None:
        """One run of one case; a case is as good as its worst run."""
        told = self.cases.setdefault(line["name"], {**line, "gone_ms_all": []})
        if line["gone_ms"] is not None:
            told["gone_ms_all"].append(line["gone_ms"])
        if told["contained"] and not line["contained"]:
            told.update({key: value for key, value in line.items() if key != "gone_ms"})
        if told["gone_ms_all"]:
            told["gone_ms"] = max(told["gone_ms_all"])

    def as_json(self) -> dict[str, Any]:
        """The form for programs; times in milliseconds."""
        hidden = {"name", "turn"}
        cases = {
            name: {key: value for key, value in case.items() if key not in hidden}
            for name, case in self.cases.items()
        }
        return {
            "profile": self.profile,
            "gone_ms_p99": self.gone_ms_p99,
            "cases": cases,
            "not_claimed": self.not_claimed,
            "not_run": self.not_run,
            "enforcement": self.enforcement,
        }


def run(profile: str | None, names: list[str], repeats: int, *, every: bool = False) -> Result:
    """Run cases in conductors of their own.

    Args:
        profile: how extensions are walled in; None: the strongest that holds here.
        names: of the cases.
        repeats: runs of each case in which something is killed.
        every: run even what the profile does not claim to contain.

    Raises:
        Unavailable: the profile does not hold here.
    """
    result = Result()
    with _prepared() as environment:
        _hello(result, profile, environment)
        claimed = _claimed(result, names, every=every)
        waiting = [name for name in claimed if name != CONDUCTOR_KILLED]
        while waiting:
            waiting = _some(result, waiting, repeats, environment)
        if CONDUCTOR_KILLED in claimed:
            result.cases[CONDUCTOR_KILLED] = conductor_killed(result.profile, environment)
    return result


def special(profile: str | None, *, attack: str | None = None, calls: int | None = None) -> Result:
    """Run somebody's own attack, or a campaign, in a conductor of its own.

    Raises:
        Unavailable: the profile does not hold here.
    """
    result = Result()
    with _prepared() as environment:
        process = _conductor({"profile": profile, "attack": attack, "calls": calls}, environment)
        _listen(result, process, [])
    if not result.profile:
        raise Unavailable("No conductor starts here; its own words are above.")
    return result


@contextlib.contextmanager
def _prepared() -> Iterator[dict[str, str]]:
    """The environment of conductors: their secret, and programs for the attacks."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # what outlives a conductor stays in sight
    with tempfile.TemporaryDirectory(prefix="programs-") as programs:
        Path(programs).chmod(0o755)
        _compile(Path(programs))
        secret = f"secret-{os.urandom(8).hex()}"
        yield {**os.environ, VARIABLE: secret, "FQG_SUITE_PROGRAMS": programs}


def _compile(folder: Path) -> None:
    """Programs that have to be faster than Python can be; where there is no compiler, Python does it."""
    compiler = shutil.which("cc")
    if compiler is not None:
        line = [compiler, "-O2", "-o", str(folder / "hopper"), str(ATTACKS / "hopper.c")]
        subprocess.run(line, check=False, capture_output=True)


def _hello(result: Result, profile: str | None, environment: dict[str, str]) -> None:
    """Learn which profile it is and what that claims."""
    process = _conductor({"profile": profile, "names": [], "repeats": 1}, environment)
    _listen(result, process, [])
    if not result.profile:
        raise Unavailable("No conductor starts here; its own words are above.")


def _claimed(result: Result, names: list[str], *, every: bool) -> list[str]:
    """Those that the profile claims, the others written down."""
    kept = []
    for name in names:
        lack = CASES[name].unclaimed(result.enforcement)
        if CASES[name].deadly and not stage.entered():
            result.not_run[name] = "it needs a process namespace of the suite's own: run it as root"
        elif lack is not None and not every:
            result.not_claimed[name] = {"row": lack[0], "level": lack[1]}
        else:
            kept.append(name)
    return kept


def _some(result: Result, names: list[str], repeats: int, environment: dict[str, str]) -> list[str]:
    """Run these in one conductor, as far as it lives; those that are left."""
    asked = {"profile": result.profile, "names": names, "repeats": repeats}
    waiting = list(names)
    _listen(result, _conductor(asked, environment), waiting)
    if waiting == names:
        raise Unavailable("The conductor ended before the first attack; its own words are above.")
    return waiting


def _listen(result: Result, process: subprocess.Popen[bytes], waiting: list[str]) -> None:
    """Take down what a conductor tells until it ends; and how it ended, if it was in the middle."""
    running = ""
    for line in _lines(process):
        if "unavailable" in line:
            raise Unavailable(f"The profile does not hold here: {line['unavailable']}.")
        if "profile" in line:
            result.profile, result.enforcement = line["profile"], line["enforcement"]
        elif "began" in line:
            running = line["began"]
            if running in waiting:
                waiting.remove(running)
        elif "name" in line:
            result.add(line)
            running = ""
    survivors = _survivors()
    if not running:
        return
    code = process.wait()
    why = [f"the conductor ended {_death(code)}"]
    if survivors:
        why.append(f"{survivors} processes outlived it")
    result.add({"name": running, "contained": False, "why": why, "category": None, "gone_ms": None})


def _death(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _conductor(asked: dict[str, Any], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "--conduct", json.dumps(asked)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What a conductor tells; it is ended when it hangs."""
    assert process.stdout is not None
    rest = b""
    with process.stdout as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], CASE_S)
            data = os.read(pipe.fileno(), 65_536) if ready else b""
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            yield from map(json.loads, whole)
    process.kill() if process.poll() is None and not ready else None
    process.wait()


def _survivors(within_s: float = 1.0) -> int:
    """Processes below us that do not end within a second; they are ended then."""
    new = gone(within_s)
    for pid in new:
        tree.kill(pid)
    with contextlib.suppress(ChildProcessError):  # the orphans that came to us
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return len(new)


def gone(within_s: float) -> list[int]:
    """Wait until nothing lives below us; what still does after so long."""
    began = time.monotonic()
    while True:
        new = [pid for pid in tree.descendants(os.getpid()) if alive(pid)]
        if not new or time.monotonic() - began > within_s:
            return new
        time.sleep(0.002)


def conductor_killed(profile: str, environment: dict[str, str]) -> dict[str, Any]:
    """Kill a conductor while an extension of it has left daemons, and see whether they live on."""
    asked = {"profile": profile, "names": [CONDUCTOR_KILLED], "repeats": 1}
    process = _conductor(asked, environment)
    ends = time.monotonic() + CASE_S
    count = 0
    while count < DAEMONS and time.monotonic() < ends and process.poll() is None:
        count = sum(alive(pid) for pid in tree.descendants(process.pid))
        time.sleep(0.005)
    killed_at = time.monotonic()
    process.kill()
    left = gone(1.0)
    gone_ms = round((time.monotonic() - killed_at) * 1e3, 2)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
    for pid in left:
        tree.kill(pid)
    why = [f"{len(left)} processes outlived the conductor"] if left else []
    if count < DAEMONS:
        why.append(f"the attack did not begin: {count} processes were seen")
    return {
        "contained": not why,
        "why": why,
        "category": None,
        "gone_ms": None if left else gone_ms,
        "survivors": len(left),
    }
