"""Cases of the attack suite can fail: each succeeds where the one wall that holds it is taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NOBODY_GRANTS = (
    "from conductor_agent.files import bindings\nbindings._check_granted = lambda *_: None\n"
)
NOTHING_COUNTS = "from conductor_agent.hosting import windows\nwindows.total = lambda places: 0\n"
NO_CEILING = """
from conductor_agent.files import bindings
from policies.resource.limits import ResourceLimits
bindings.limits_of = lambda *_: ResourceLimits(environment=("FQG_SUITE_SECRET",))
"""
EVERY_CONNECTION = "from conductor_agent.hosting.walls import egress\negress.CONNECTIONS = 10_000\n"
EVERY_NAME = (
    "import re\nfrom conductor_agent.hosting.walls import egress\n"
    "egress.HOST = re.compile('(?s).*')\n"
)
ANYTHING_IS_AN_ANSWER = """
import types
import msgspec
from conductor_agent.hosting import frames, supervisor
from fqg_env.outcome import Success

def forgiving(body):
    said = msgspec.msgpack.decode(body)
    return frames.Result(Success(outputs=said.get("outcome", {}).get("outputs", {})))

supervisor.frames = types.SimpleNamespace(**{**vars(frames), "from_worker": forgiving})
"""
ALL_CALLS_BEAR_ONE_ID = """
from conductor_agent.hosting.workers.pool import WorkerPool
WorkerPool.call_id = lambda self: 7
"""
WHO_FAILED_IS_ASKED_AGAIN = """
from conductor_agent.hosting.workers.process import WorkerProcess

def end(self, reason):
    self._resolve(reason)
    done = self._loop.create_future()
    done.set_result(True)
    return done

WorkerProcess.end = end
"""


FOLLOWS_LINKS = """
from conductor_agent.hosting.workers import launch
launch.places = lambda field, paths: {}
"""


@pytest.mark.parametrize(
    ("profile", "name", "off", "sentence"),
    [
        ("jail", "privacy/granted_link", FOLLOWS_LINKS, "the secret"),
        ("lock", "privacy/granted_link", FOLLOWS_LINKS, "the secret"),
        ("jail", "network/flood_the_way_out", EVERY_CONNECTION, " of 64"),
        ("jail", "network/names_with_another_end", EVERY_NAME, "it managed '\\x00'"),
        ("group", "protocol/two_parts", NOTHING_COUNTS, "it answered"),
        ("group", "protocol/ready", ANYTHING_IS_AN_ANSWER, "it answered"),
        ("group", "protocol/extra_beside", ANYTHING_IS_AN_ANSWER, "it answered"),
        ("group", "protocol/late", ALL_CALLS_BEAR_ONE_ID, "it got 99 of 0"),
        ("group", "protocol/deaf_later", WHO_FAILED_IS_ASKED_AGAIN, "the next call did not work"),
        ("group", "manifest/read_paths", NOBODY_GRANTS, "the secret"),
        ("group", "manifest/write_paths", NOBODY_GRANTS, "it changed the file 'kept'"),
        ("group", "manifest/network", NOBODY_GRANTS, "it reached the tcp listener"),
        ("group", "manifest/devices", NOBODY_GRANTS, "it managed /dev/"),
        ("group", "manifest/environment", NO_CEILING, "the secret"),
    ],
)
def test_an_attack_succeeds_where_its_wall_is_taken_away(
    profile: str, name: str, off: str, sentence: str
) -> None:
    """The wall is one that every profile has, or all that have a way out."""
    if name == "manifest/devices" and not os.access("/dev/kmsg", os.R_OK | os.W_OK):
        pytest.skip("there is no device here that this user may open")
    script = f"{off}\nfrom sandbox.conduct import main\nmain({profile!r}, [{name!r}], 1)\n"
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS), "FQG_SUITE_SECRET": "a-secret"}
    line = [sys.executable, "-c", script]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, env=environment)
    *_, told = [json.loads(line) for line in done.stdout.splitlines()]
    if "unavailable" in told:
        pytest.skip(told["unavailable"])
    assert sentence in "; ".join(told["why"]), (told, done.stderr)
