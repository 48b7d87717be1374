"""A ledger in a journal of its own, and runs and breaches to enter."""

import asyncio

import pytest
from hand_written import work, workflow

from conductor_agent.hosting.testing import FakeHost
from conductor_agent.record.journal import Journal
from conductor_agent.record.ledger import Ledger
from conductor_agent.runs import begin
from fqg_env.outcome import Blame, Category, PolicyEvidence, error
from policies.recovery.rules import HandRule, Rule

CASCADE = HandRule(Rule.CASCADE)
BROKEN = PolicyEvidence(
    "memory_bytes", 100.0, 130.0, "bytes", "killed", "watchdog", "SIGKILL", "the log"
)


def breach(**fields):
    """A limit broken, as the host says it."""
    return error(Category.POLICY_VIOLATION, "no", policy=BROKEN, blame=Blame.EXTENSION, **fields)


@pytest.fixture(name="path")
def journal_path(tmp_path):
    return tmp_path / "conductor.sqlite"


@pytest.fixture(name="ledger")
def new_ledger(path):
    with Journal.create(path) as journal:
        yield Ledger(journal, now=lambda: "2026-01-01")


def played(path, answers, flow=None, **more):
    """One run in which each function answers as told."""
    flow = flow or workflow({name: work() for name in answers})
    host = FakeHost({name: lambda _, a=answer: a for name, answer in answers.items()})
    return asyncio.run(begin(flow, CASCADE, path, host=host, **more))


def looked_into(path, look):
    """What the ledger of a file says."""
    with Journal.read(path) as journal:
        return look(Ledger(journal))


def level_of(path, run_id):
    with Journal.read(path) as journal:
        return journal.level(run_id)
