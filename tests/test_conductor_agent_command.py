"""Any program as an extension: what it says, how it ends, what it takes too much of."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conductor_agent.hosting.command import command_extension, command_source, packed, unpacked
from conductor_agent.hosting.contract import CallRequest, Reply
from conductor_agent.hosting.extension import call, outputs
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.watch import tree
from fqg_env.outcome import Blame, Category, Phase, StandardError, Success
from policies.resource.limits import ResourceLimits

LIMITS = ResourceLimits(
    wall_s=20, memory_bytes=100_000_000, reply_bytes=1_000_000, log_bytes=100_000
)
SHELL = """#!/bin/sh
[ "$1" = deaf ] || cat > request.json
case "$1" in
  echo) cat request.json;;
  out) echo '{"n": 1, "page": {"$base64": "aGk="}}';;
  where) printf '{"cwd": "%s", "path": "%s", "own": "%s"}' "$PWD" "$PYTHONPATH$FQG_COMMAND" "$OWN";;
  deaf) exec 0<&-; echo '{}';;
  exit) echo "why" >&2; exit "$2";;
  signal) kill -"$2" $$;;
  junk) echo "hello";;
  list) echo "[1]";;
  nan) echo '{"n": NaN}';;
  nothing) ;;
  bad64) echo '{"page": {"$base64": "?"}}';;
  outcome) echo '{"schema": "success/1", "outputs": {"page": {"$base64": "aGk="}}, "quality": {"page": 0.5}}';;
  limited) echo '{"schema": "standard-error/1", "category": "RATE_LIMITED", "message": "slow", "retry_after_s": 2}'; exit 3;;
  lie) echo '{"n": 1}'; exit 1;;
  long) head -c 3000000 /dev/zero | tr '\\0' a;;
  flood) yes >&2;;
  sleep) sleep 60;;
  behind) sleep 60 & echo '{}';;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "program.sh"
    program.write_text(SHELL)
    program.chmod(0o755)
    return tmp_path


def ask(folder: Path, *arguments: str, limits: ResourceLimits = LIMITS, **request: Any) -> Reply:
    """One call in a worker, and the check that nothing is left of it."""
    source = command_source(["./program.sh", *arguments], folder, (("OWN", "1"),))

    async def run() -> Reply:
        async with Supervisor() as host:
            return await host.call(source, CallRequest(request, {"how": "fast"}, attempt=2), limits)

    before = set(tree.descendants(os.getpid()))
    reply = asyncio.run(run())
    assert set(tree.descendants(os.getpid())) <= before
    return reply


def test_a_program_gets_inputs_parameters_and_context(folder: Path):
    outcome = ask(folder, "echo", page=b"\x00png", n=[1, None]).outcome
    assert isinstance(outcome, Success)
    assert outcome.outputs["inputs"] == {"page": b"\x00png", "n": [1, None]}
    assert outcome.outputs["parameters"] == {"how": "fast"}
    context = outcome.outputs["context"]
    assert (context["attempt"], context["recover"]) == (2, True)
    assert 0 < context["deadline_s"] <= 20
    assert context["own_retries"] == ResourceLimits().own_retries


def test_outputs_bytes_and_outcomes(folder: Path):
    assert ask(folder, "out").outcome == Success(outputs={"n": 1, "page": b"hi"})
    assert ask(folder, "outcome").outcome == Success(outputs={"page": b"hi"}, quality={"page": 0.5})
    failure = ask(folder, "limited").outcome
    assert isinstance(failure, StandardError) and failure.category is Category.RATE_LIMITED
    assert (failure.retry_after_s, failure.retryable) == (2.0, True)


def test_a_program_has_a_folder_of_its_own_and_no_variables_of_ours(folder: Path):
    seen = ask(folder, "where").outcome.outputs
    assert seen["path"] == "" and seen["own"] == "1"
    assert not Path(seen["cwd"]).exists()


def test_a_program_need_not_read_its_input(folder: Path):
    assert ask(folder, "deaf", page=b"x" * 5_000_000).outcome == Success()


@pytest.mark.parametrize(
    ("code", "category", "blame", "phase"),
    [
        (1, Category.CRASHED, Blame.EXTENSION, Phase.EXECUTE),
        (64, Category.INVALID_INPUT, Blame.CALLER, Phase.INPUT),
        (65, Category.INVALID_INPUT, Blame.UPSTREAM, Phase.INPUT),
        (69, Category.UNAVAILABLE, Blame.EXTENSION, Phase.EXECUTE),
        (75, Category.UNAVAILABLE, Blame.EXTENSION, Phase.EXECUTE),
        (77, Category.FORBIDDEN, Blame.PLATFORM, Phase.EXECUTE),
        (78, Category.UNSUPPORTED, Blame.PLATFORM, Phase.EXECUTE),
        (124, Category.TIMEOUT, Blame.EXTENSION, Phase.EXECUTE),
        (127, Category.UNSUPPORTED, Blame.PLATFORM, Phase.EXECUTE),
        (139, Category.CRASHED, Blame.EXTENSION, Phase.EXECUTE),
    ],
)
def test_exit_codes_are_categories(folder: Path, code: int, category, blame, phase):
    run = command_extension(["./program.sh", "exit", str(code)], folder)
    failure = call(run, {"page": b"x"})
    assert isinstance(failure, StandardError)
    assert (failure.category, failure.blame, failure.phase) == (category, blame, phase)
    assert failure.detail == "why\n"
    assert [one.artifact for one in failure.blamed_inputs] == (["page"] if code == 65 else [])


@pytest.mark.parametrize(("name", "code"), [("SEGV", "SIGNAL_SIGSEGV"), ("KILL", "SIGNAL_SIGKILL")])
def test_signals_are_crashes(folder: Path, name: str, code: str):
    failure = call(command_extension(["./program.sh", "signal", name], folder))
    assert isinstance(failure, StandardError)
    assert (failure.category, failure.code) == (Category.CRASHED, code)


@pytest.mark.parametrize("what", ["junk", "list", "nan", "nothing", "bad64"])
def test_what_is_no_answer_is_invalid_output(folder: Path, what: str):
    failure = call(command_extension(["./program.sh", what], folder))
    assert isinstance(failure, StandardError) and failure.category is Category.INVALID_OUTPUT
    assert "Standard output" in failure.detail


def test_outputs_of_a_program_that_fails_do_not_count(folder: Path):
    assert call(command_extension(["./program.sh", "lie"], folder)).category is Category.CRASHED


def test_limits_hold_for_the_program(folder: Path):
    short = LIMITS.model_copy(update={"wall_s": 0.4})
    cases = [
        ("long", LIMITS, Category.POLICY_VIOLATION, "reply_bytes", "told: adapter"),
        ("flood", LIMITS, Category.POLICY_VIOLATION, "log_bytes", "log pipe"),
        ("sleep", short, Category.TIMEOUT, "wall_s", "watchdog"),
    ]
    for what, limits, category, limit, enforcer in cases:
        failure = ask(folder, what, limits=limits).outcome
        assert isinstance(failure, StandardError) and failure.category is category, failure
        assert failure.policy is not None
        assert (failure.policy.name, failure.policy.enforcer) == (limit, enforcer)
        assert failure.policy.observed > failure.policy.limit


def test_what_a_program_leaves_running_is_ended_and_not_waited_for(folder: Path):
    assert ask(folder, "behind").outcome == Success()


def test_without_a_supervisor_the_deadline_holds_too(folder: Path):
    slow = command_extension(["./program.sh", "sleep"], folder)
    assert call(slow, deadline_s=0.1).category is Category.TIMEOUT
    assert call(slow, cancelled=lambda: True).category is Category.CANCELLED


def test_a_program_that_is_not_there_is_named(tmp_path: Path):
    failure = call(command_extension(["no-such-program"], tmp_path))
    assert isinstance(failure, StandardError) and failure.category is Category.UNSUPPORTED
    assert "no-such-program" in failure.message


def test_no_shell_reads_the_arguments(tmp_path: Path):
    script = "import json, sys; print(json.dumps({'arguments': sys.argv[1:]}))"
    arguments = ["$HOME", "; exit 3", "a b", "*"]
    run = command_extension([sys.executable, "-c", script, *arguments], tmp_path)
    assert outputs(run) == {"arguments": arguments}


def test_bytes_survive_json():
    value = {"a": [b"", b"\xff", {"$base64": 3}, {"b": b"x", "c": "text"}], "n": None}
    assert unpacked(packed(value)) == value
