"""A run from beginning to end: workflow, policy, journal and processes put together.

result = await begin(workflow, policy, Path("conductor.sqlite"))
result = await resume("last", Path("conductor.sqlite"))
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numba
import numpy as np

from conductor_agent.clock import Clock, RunClock
from conductor_agent.conductor import Conductor
from conductor_agent.distribution import DISTRIBUTION, installed_version
from conductor_agent.files.workflow import Workflow, restore_workflow
from conductor_agent.hosting.contract import Host
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.live_world import Held, LiveWorld
from conductor_agent.quarantine import admitted
from conductor_agent.record.account import Account
from conductor_agent.record.code import changed_code, code_of
from conductor_agent.record.events import CodeChanged, Ended, Event, Finished, Lost, Started, Waited
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Journal, JournalError, RunRecord, content
from conductor_agent.record.ledger import Ledger
from conductor_agent.record.recorder import JournalRecorder
from conductor_agent.record.reputation import remembered
from conductor_agent.results import Result, folded, holdings, result_of
from fqg_env.arrays import Stopped
from fqg_env.fields import OBSERVATION_VERSION
from fqg_env.level import Level
from fqg_env.outcome import Success
from policies.recovery.base import Policy
from policies.resource.limits import Settings

Watch = Callable[[Event], None]


def new_run_id() -> str:
    """When it began, and something to tell it from others."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@asynccontextmanager
async def _hosted(host: Host | None, account: Account | None) -> AsyncIterator[Host]:
    """The host that was handed in, or our own, closed afterwards."""
    if host is not None:
        yield host
        return
    unheard = account.unheard if account else lambda *_: None
    async with Supervisor(unheard=unheard) as supervisor:
        yield supervisor


async def begin(
    workflow: Workflow,
    policy: Policy,
    journal_path: str | Path,
    *,
    ceiling: Settings | None = None,
    host: Host | None = None,
    clock: Clock | None = None,
    watch: Watch = lambda _: None,
    run_id: str | None = None,
    policy_name: str = "",
    memory: bool = True,
) -> Result:
    """Run a workflow.

    Args:
        workflow: what to run.
        policy: who decides.
        journal_path: where it is written down; made where there is none.
        ceiling: the operator's limits that the workflow was read under.
        host: runs the extensions; None: processes of our own.
        clock: time of the run; None: the real one.
        watch: told of every event.
        run_id: None: a new one.
        policy_name: by which `resume` finds the policy again; its own name where it is not given.
        memory: what the journal knows of the extensions counts: their reputation, how their calls went
            lately, and who is quarantined. False: every run begins alike, as comparisons need it.

    Raises:
        JournalError: the journal cannot be written.
        WorkflowError: too many of its extensions are quarantined.
    """
    run_id = run_id or new_run_id()
    with Journal.create(journal_path) as journal:
        ledger = Ledger(journal)
        if memory:
            workflow = remembered(admitted(workflow, ledger), ledger)
        record, held = open_run(run_id, workflow, policy_name or policy.name, ceiling)
        journal.begin(record, [content(value) for value in workflow.inputs.values()])
        journal.take(run_id)
        recorder = JournalRecorder(journal, run_id, account=ledger.account(run_id, workflow))
        return await _play(
            workflow, policy, recorder, Fold(workflow.level), held, host, clock, watch, run_id
        )


def open_run(
    run_id: str, workflow: Workflow, policy: str, ceiling: Settings | None = None
) -> tuple[RunRecord, dict[str, Held]]:
    """What is fixed when a run begins, and what it holds then."""
    held = {name: Held(content(value)[0], value) for name, value in workflow.inputs.items()}
    record = RunRecord(
        run_id=run_id,
        created=datetime.now(UTC).isoformat(),
        path=str(workflow.path.resolve()),
        workflow=workflow.text,
        level=workflow.level.model_dump_json(),
        inputs={name: one.sha256 for name, one in held.items()},
        limits={name: bound.limits.model_dump() for name, bound in workflow.extensions.items()},
        ceiling={name: dict(fields) for name, fields in (ceiling or {}).items()},
        policy=policy,
        versions=versions(),
        code=code_of(workflow),
    )
    return record, held


async def resume(
    run: str,
    journal_path: str | Path,
    policy: Callable[[str], Policy],
    *,
    host: Host | None = None,
    clock: Clock | None = None,
    watch: Watch = lambda _: None,
) -> Result:
    """Go on with a run that was interrupted; what was in flight is lost, only the policy repeats anything.
    A run that is over is told again, and nothing is written.

    Args:
        run: its id, the beginning of one, or `last`.
        journal_path: where it is written down.
        policy: gives the policy that the id in the journal names.

    Raises:
        JournalError: there is no such run, or somebody else plays it.
        WorkflowError: what the workflow names is not there any more.
    """
    Journal.read(journal_path).close()
    with Journal.create(journal_path) as journal:
        run_id = journal.find(run)
        record, (level, events, state) = journal.run(run_id), folded(journal, run_id)
        held = holdings(journal, record, events)
        if state.stopped() is not Stopped.NO:
            return result_of(run_id, state, events, held)
        inputs = {name: held[name].value for name in record.inputs}
        workflow = restore_workflow(
            record.workflow, Path(record.path), level, inputs, record.ceiling
        )
        chosen = policy(record.policy)
        journal.take(run_id)
        # nobody else writes from here on: what was read before may be old
        level, events, state = folded(journal, run_id)
        held = holdings(journal, record, events)
        at_s = state.number("at_s")
        account = Ledger(journal).account(run_id, workflow)
        recorder = JournalRecorder(journal, run_id, len(events), account)
        news: list[Event] = [Lost(at_s=at_s, attempt=number) for number in state.flights()]
        if code := changed_code(record, events, workflow):
            news.append(CodeChanged(at_s=at_s, code=code))
        if news:
            await recorder.write(news)
        for event in news:
            state.apply(event)
            watch(event)
        before = [*events, *news]
        return await _play(
            workflow, chosen, recorder, state, held, host, clock, watch, run_id, before
        )


async def _play(
    workflow: Workflow,
    policy: Policy,
    recorder: JournalRecorder,
    state: Fold,
    held: dict[str, Held],
    host: Host | None,
    clock: Clock | None,
    watch: Watch,
    run_id: str,
    before: Sequence[Event] = (),
) -> Result:
    try:
        async with _hosted(host, recorder.account) as runner:
            world = LiveWorld(workflow, runner)
            warm_up(workflow.level)
            at_s = state.number("at_s")
            conductor = Conductor(
                run_id,
                state,
                world,
                policy,
                recorder,
                clock or RunClock(at_s),
                held,
                watch=watch,
                tries_all=workflow.give_up == "tried",
                before=before,
            )
            await conductor.warm_up()
            conductor.clock = clock or RunClock(at_s)  # the run's time begins here
            await conductor.run()
    finally:
        with contextlib.suppress(JournalError):  # what went wrong before is what to tell
            recorder.close()
    result = result_of(run_id, state, recorder.journal.events(run_id), conductor.held)
    commits = recorder.journal.commits_ms
    return Result(
        **{**vars(result), "fsync_ms_p50": statistics.median(commits) if commits else None}
    )


def warm_up(level: Level) -> None:
    """Load every compiled kernel before the run's time begins."""
    state, name = Fold(level), level.call_names[0]
    state.look()
    state.digest()
    answer = Finished(at_s=0.0, attempt=0, call=name, outcome=Success(), elapsed_s=0.0)
    state.wait_until()
    state.exhausted()
    for event in (Started(at_s=0.0, attempt=0, call=name, key=""), answer, Waited(at_s=0.0)):
        state.apply(event)
    state.redundant(())
    state.apply(Ended(at_s=0.0, reason="policy"))


def versions() -> dict[str, str]:
    """What the figures of a run depend on."""
    return {
        DISTRIBUTION: installed_version(),
        "observation": str(OBSERVATION_VERSION),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "machine": f"{platform.machine()} {os.cpu_count()} CPU",
    }
