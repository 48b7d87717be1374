"""How long a warm call of an extension takes beyond the extension's own work, bare and conducted.

    python benchmarks/call_overhead.py [--quick] [--json]

One worker that answers its input, 8 numbers, one call after the other. Bare: seen from the caller.
Conducted: one step of a run (observe, choose, journal, call, journal, fold) over the call within it and the
journal's durable writes; how long one of those takes is given beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from to_its_end import to_its_end

from conductor_agent.clock import RunClock
from conductor_agent.conductor import Conductor
from conductor_agent.files.workflow import Workflow, read_workflow
from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.live_world import LiveWorld
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Journal, content
from conductor_agent.record.recorder import JournalRecorder
from conductor_agent.runs import open_run, warm_up
from fqg_env.outcome import StandardError
from fqg_env.rules import FIRST_CALL
from policies.recovery.base import Decision, Observation, certain
from policies.recovery.index import Index
from policies.resource.limits import ResourceLimits, limits_for

ECHO = """
from conductor_agent.hosting.extension import extension

@extension
def echo(inputs, parameters, context):
    return inputs
"""


async def warm_call(calls: int, warm_up: int = 200) -> dict[str, float]:
    """Percentiles over `calls` calls, in milliseconds.

    Raises:
        RuntimeError: a call failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "echo.py"
        path.write_text(ECHO)
        source, limits = ExtensionSource(str(path)), limits_for("motif")
        async with Supervisor() as supervisor:
            took = []
            for _ in range(warm_up + calls):
                began = time.perf_counter()
                reply = await supervisor.call(source, CallRequest({"numbers": [1.0] * 8}), limits)
                took.append(time.perf_counter() - began)
                if isinstance(reply.outcome, StandardError):
                    raise RuntimeError(reply.outcome.message)  # noqa: TRY004  (a failure of the run)
    cuts = statistics.quantiles(took[warm_up:], n=100)
    return {"p50_ms": round(cuts[49] * 1e3, 4), "p99_ms": round(cuts[98] * 1e3, 4)}


WORKFLOW = """
workflow: conductor-workflow/1
name: echo
artifacts: {numbers: {}, copy: {goal: {weight: 1}}}
functions:
  echo: {inputs: [numbers], outputs: [copy], variants: {default: {cost: 0.01, latency_s: 0.001}}}
budget: {time_s: 600, cost: 1000, attempts: 64}
shield: {retries_per_function: 64, retry_share: 1.0}
extensions:
  echo: {source: echo.py, class: motif}
inputs:
  numbers: {json: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}
"""


class TimedHost(Supervisor):
    """A host that remembers how long its last call took."""

    took_s = 0.0

    async def call(
        self, source: ExtensionSource, request: CallRequest, limits: ResourceLimits
    ) -> Reply:
        """The call, timed."""
        began = time.perf_counter()
        reply = await super().call(source, request, limits)
        self.took_s = time.perf_counter() - began
        return reply


class Again(Index):
    """Thinks as the index rule does, then calls once more whatever it thought."""

    __module__ = Index.__module__  # asked as ours are, not in a thread of its own

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """The one call."""
        super().decide(observation, mask)
        return certain(np.array([FIRST_CALL]), mask.shape[1], self.name)


async def conducted_call(runs: int) -> dict[str, float]:
    """Medians over the steps of some runs, the first few of each left out, in milliseconds."""
    over, commits = [], []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "echo.py").write_text(
            ECHO.replace("return inputs", 'return {"copy": inputs["numbers"]}')
        )
        (folder / "echo.yaml").write_text(WORKFLOW)
        workflow = read_workflow(folder / "echo.yaml")
        host = TimedHost()
        async with host:
            for number in range(runs):
                with Journal.create(folder / f"{number}.sqlite") as journal:
                    steps = await one_run(workflow, host, journal)
                over += [whole - call - written for whole, call, written in steps[5:]]
                commits += journal.commits_ms[10:]
    return {
        "over_bare_ms_p50": round(statistics.median(over) * 1e3, 4),
        "fsync_ms_p50": round(statistics.median(commits), 4),
    }


async def one_run(
    workflow: Workflow, host: TimedHost, journal: Journal
) -> list[tuple[float, float, float]]:
    """Seconds of each step, of the call in it and of its durable writes."""
    record, held = open_run("run", workflow, "again")
    journal.begin(record, [content(value) for value in workflow.inputs.values()])
    warm_up(workflow.level)
    recorder = JournalRecorder(journal, "run")
    world = LiveWorld(workflow, host)
    conductor = Conductor("run", Fold(workflow.level), world, Again(), recorder, RunClock(), held)
    steps = []
    for _ in range(workflow.level.budget.attempts):
        written = len(journal.commits_ms)
        began = time.perf_counter()
        await conductor.step()
        whole_s = time.perf_counter() - began
        steps.append((whole_s, host.took_s, sum(journal.commits_ms[written:]) / 1e3))
    recorder.close()
    return steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    arguments = parser.parse_args()
    result = {"warm_call": asyncio.run(warm_call(1_000 if arguments.quick else 10_000))}
    result["conducted_call"] = asyncio.run(conducted_call(2 if arguments.quick else 20))
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, figures in result.items():
            print(f"{name:16}" + "".join(f"{key} {value:.3f}   " for key, value in figures.items()))


if __name__ == "__main__":
    to_its_end(main)
