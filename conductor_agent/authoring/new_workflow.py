"""`conductor new`: a workflow of one's own that runs at once, with a failure and a recovery to look at."""

from __future__ import annotations

from pathlib import Path

from conductor_agent.authoring.scaffold import SCHEMA_LINE, name_of, write_folder

SOURCE = '''"""Two ways to the total of a receipt. Put your own work in here."""

import re

from conductor_agent.hosting.extension import Unable, extension
from fqg_env.outcome import Category, Hint, StandardError, error

PRICE = re.compile(r"(\\d+\\.\\d\\d)\\s*$")


@extension(output="total")
def read_total(receipt: str) -> float | StandardError:
    """The price in the line that begins with Total. Where there is none it says so, and what may help."""
    for line in receipt.splitlines():
        if line.lower().startswith("total") and (price := PRICE.search(line)):
            return float(price[1])
    return error(
        Category.UNABLE,
        "No line of the receipt begins with Total.",
        hints=(Hint(0.8, strategy="fallback", reason="Its other lines can be read."),),
    )


@extension(output="total")
def add_up(receipt: str) -> float:
    """The sum of all prices."""
    prices = [float(price[1]) for line in receipt.splitlines() if (price := PRICE.search(line))]
    if not prices:
        raise Unable("No line of the receipt ends with a price.")
    return round(sum(prices), 2)


def plausible(total: float) -> float:
    """The gate of the workflow: how good a total is, in [0, 1], as far as it can be seen from outside."""
    return 1.0 if 0.0 < total < 10_000.0 else 0.0
'''
WORKFLOW = (
    SCHEMA_LINE
    + """workflow: conductor-workflow/1
name: Total of a receipt
artifacts:
  receipt: {{check: {{type: text}}}}
  total:
    goal: {{weight: 1}}
    check: {{type: number, quality: "{name}.py:plausible", minimum: 0.5}}
functions:
  read_total:                       # the cheaper one is tried first
    inputs: [receipt]
    outputs: [total]
    variants: {{default: {{cost: 1, latency_s: 0.1}}}}
  add_up:
    inputs: [receipt]
    outputs: [total]
    variants: {{default: {{cost: 2, latency_s: 0.1}}}}
budget: {{time_s: 60, cost: 10}}
extensions:
  read_total: {{source: {name}.py, class: motif}}
  add_up: {{source: {name}.py, class: motif}}
inputs:
  receipt: {{file: receipt.txt}}
"""
)
RECEIPT = """Corner shop
bread      2.40
milk       1.10
apples     3.25
Thank you
"""
TEST = '''"""Runs in this process, without limits: pytest {test}"""

from pathlib import Path

from {name} import add_up, plausible, read_total

from conductor_agent.hosting.extension import failure, outputs
from fqg_env.outcome import Category

RECEIPT = (Path(__file__).parent / "receipt.txt").read_text("utf-8")


def test_the_total_is_read_where_there_is_one():
    assert outputs(read_total, {{"receipt": RECEIPT + "Total 6.75\\n"}}) == {{"total": 6.75}}


def test_a_receipt_without_a_total_is_said_to_be_none_and_can_be_added_up():
    failed = failure(read_total, {{"receipt": RECEIPT}})
    assert failed.category is Category.UNABLE
    assert failed.hints[0].strategy == "fallback"
    assert outputs(add_up, {{"receipt": RECEIPT}}) == {{"total": 6.75}}


def test_the_gate_refuses_what_cannot_be_a_total():
    assert (plausible(6.75), plausible(0.0)) == (1.0, 0.0)
'''
README = """# {name}

A workflow of two functions that make the same: the total of a receipt. The receipt here has no line with its
total, so that the first function fails, and says so; the policy falls back on the second.

```sh
conductor run workflow.yaml            # a failure, and a recovery
conductor explain last                 # why it went so
pytest                                 # the functions alone, in one process
```

| file | what it is |
|---|---|
| `workflow.yaml` | what is wanted, who can make it, budgets, and which function is bound to what |
| `{name}.py` | the functions (extensions), and the gate that judges what they make |
| `receipt.txt` | what is given; another one: `conductor run workflow.yaml --input receipt=FILE` |
| `test_{name}.py` | tests of the functions |
| `schemas/workflow.json` | lets an editor check `workflow.yaml`; from `conductor schema workflow` |

To make it yours: change `{name}.py`, name your artifacts and functions in `workflow.yaml`, and see that it
fits and loads before anything is asked: `conductor run workflow.yaml --dry-run`. A function for others too
gets a folder and a manifest of its own: `conductor extension new NAME`.
"""


def write_workflow(path: Path) -> list[Path]:
    """Write the files; which they are.

    Args:
        path: a folder that is not there yet, or is empty; its name becomes the module's.

    Raises:
        ManifestError: the folder is in use, cannot be written, or its name is no name for a module.
    """
    name = name_of(path, "a module")
    test = f"test_{name}.py"
    files = {
        "workflow.yaml": WORKFLOW.format(name=name),
        f"{name}.py": SOURCE,
        "receipt.txt": RECEIPT,
        test: TEST.format(name=name, test=test),
        "README.md": README.format(name=name),
    }
    return write_folder(path, files, ["workflow"])
