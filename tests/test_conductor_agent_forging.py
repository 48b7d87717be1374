"""Evidence that an extension forges is told, and believed by nobody."""

import asyncio
import functools
from pathlib import Path

import pytest
from hand_written import work, workflow
from ledgers import (
    CASCADE,
    journal_path,  # noqa: F401 (a fixture)
    looked_into,
    new_ledger,  # noqa: F401 (a fixture)
    played,
)

from conductor_agent import runs
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.self_test import why_not
from conductor_agent.record.ledger import Tally
from conductor_agent.runs import begin
from fqg_env.outcome import Blame, Category
from policies.resource.health import conduct, health
from policies.resource.limits import ResourceLimits

FORGING = str(Path(__file__).parent / "extensions" / "forging.py")
LIMITS = ResourceLimits(start_wall_s=20, wall_s=20, memory_bytes=150_000_000)


def hosted(source, *, unheard=lambda *_: None, **request):
    """The answer of a real process."""

    async def call():
        async with Supervisor(profile="group", unheard=unheard) as host:
            return (await host.call(source, CallRequest(**request), LIMITS)).outcome

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("name", "category"), [("accuses", "POLICY_VIOLATION"), ("excuses", "TIMEOUT")]
)
def test_forged_evidence_is_a_failure_and_no_violation(path, name, category):
    """Neither against itself nor as an excuse: what it answers is its word, whatever it is signed with."""
    outcome = hosted(ExtensionSource(FORGING, name))
    assert (outcome.policy.enforcer, outcome.blame) == ("told: watchdog", Blame.EXTENSION)
    played(path, {name: outcome, "good": {"text": "hi"}})

    def look(ledger):
        extension = f"small:{name}"
        assert ledger.violations(extension) == ledger.violations(extension, blamed=False) == []
        assert ledger.tally(extension) == Tally(failures={category: 1})

    looked_into(path, look)


def test_who_says_that_it_was_cancelled_was_not():
    outcome = hosted(
        ExtensionSource(FORGING, "excuses"), parameters={"category": Category.CANCELLED.value}
    )
    assert (outcome.category, outcome.blame) == (Category.CANCELLED, Blame.EXTENSION)


def test_what_is_forged_while_loading_is_told_as_well():
    outcome = hosted(ExtensionSource(FORGING, environment=(("FORGE_AT_LOAD", "1"),)))
    assert outcome.message == "Not me."
    assert outcome.policy.enforcer == "told: watchdog"


def test_a_limit_broken_after_the_answer_is_held_against_its_call(tmp_path, path, monkeypatch):
    monkeypatch.setattr(runs, "Supervisor", functools.partial(Supervisor, profile="group"))
    parameters = {"pid": str(tmp_path / "pid")}
    flow = workflow(
        {
            "idles": {**work(parameters=parameters), "outputs": ["note"]},
            "outlives": work(parameters=parameters, inputs=["note"]),
        },
        {name: {"source": FORGING} for name in ("idles", "outlives")},
        {"note": {}},
    )
    result = asyncio.run(begin(flow, CASCADE, path))
    assert result.values == {"text": "it is gone"}

    def look(ledger):
        assert ledger.tally("forging:idles").successes == 1
        (found,) = ledger.violations("forging:idles")
        assert (found["limit"], found["call"], found["attempt"]) == ("memory_bytes", "idles", 0)
        assert found["seen"] > found["allowed"] > 0
        assert ledger.health("forging:idles").breaches == 1

    looked_into(path, look)


@pytest.mark.skipif(bool(why_not("jail")), reason=why_not("jail"))
def test_to_reach_for_what_is_not_allowed_and_to_answer_well_is_an_escape_all_the_same(path):
    heard = []
    limits = LIMITS.model_copy(update={"network": ("127.0.0.1:9",)})

    async def call():
        async with Supervisor(profile="jail", unheard=lambda *told: heard.append(told)) as host:
            return (
                await host.call(ExtensionSource(FORGING, "shrugs"), CallRequest(), limits)
            ).outcome

    assert asyncio.run(call()).outputs == {"text": "nothing happened"}
    ((source, failure),) = heard
    assert (source.name, failure.policy.name) == ("shrugs", "network")
    assert failure.policy.evidence == "127.0.0.1:10"
    assert health([[conduct(None, blamed=False, limit=failure.policy.name)]]).left_out is True


def test_a_real_breach_is_entered_with_who_saw_it(path, monkeypatch):
    monkeypatch.setattr(runs, "Supervisor", functools.partial(Supervisor, profile="group"))
    source = str(Path(__file__).parent / "extensions" / "misbehaving.py")
    flow = workflow(
        {"hog": work(), "echo": work()},
        {"hog": {"source": source, "limits": {"memory_bytes": 100_000_000}}},
    )
    asyncio.run(begin(flow, CASCADE, path))
    (found,) = looked_into(path, lambda ledger: ledger.violations("misbehaving:hog"))
    assert (found["limit"], found["allowed"], found["action"]) == ("memory_bytes", 1e8, "killed")
    assert found["seen"] > 1e8
    assert found["enforcer"] in ("watchdog", "control group")
