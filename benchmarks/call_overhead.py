"""How long a warm call of an extension takes beyond the extension's own work.

    python benchmarks/call_overhead.py [--quick] [--json]

One worker that answers its input, 8 numbers, one call after the other, seen from the caller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import StandardError
from policies.resource.limits import limits_for

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
                    raise RuntimeError(reply.outcome.message)
    cuts = statistics.quantiles(took[warm_up:], n=100)
    return {"p50_ms": round(cuts[49] * 1e3, 4), "p99_ms": round(cuts[98] * 1e3, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    arguments = parser.parse_args()
    result = {"warm_call": asyncio.run(warm_call(1_000 if arguments.quick else 10_000))}
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, figures in result.items():
            print(f"{name:16} p50 {figures['p50_ms']:.3f} ms   p99 {figures['p99_ms']:.3f} ms")


if __name__ == "__main__":
    main()
