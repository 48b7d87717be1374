"""`conductor extension new`: a small extension that works, with manifest, test, scenario and workflow."""

from __future__ import annotations

from pathlib import Path

from conductor_agent.authoring.scaffold import SCHEMA_LINE, TOML_SCHEMA_LINE, name_of, write_folder
from policies.resource.limits import ExtensionClass

SOURCE = '''"""Counts the words of a text. Put your own work in here."""

from conductor_agent.hosting.extension import Context, InvalidInput, extension
from fqg_env.outcome import Blame, BlamedInput, Category, Phase, StandardError, error

MOST_LETTERS = 1_000_000


@extension(output="words")
def {name}(text: str, *, least_letters: int = 1, context: Context) -> int | StandardError:
    """How many words have at least so many letters.

    What is missing, unknown or of another type is refused before this function is asked. What only it can
    know, it says itself.
    """
    if least_letters < 1:
        raise InvalidInput("A word has at least one letter.", field="least_letters")
    if len(text) > MOST_LETTERS:
        return error(
            Category.INPUT_TOO_LARGE,
            f"The text has {{len(text)}} letters, {{MOST_LETTERS}} are the most.",
            blame=Blame.UPSTREAM,
            blamed_inputs=(BlamedInput("text", "it is too long"),),
            phase=Phase.INPUT,
        )
    words = 0
    for number, word in enumerate(text.split()):
        if number % 10_000 == 0:
            context.checkpoint()  # ends what takes too long, in time to answer
        words += len(word) >= least_letters
    return words
'''
PROGRAM = '''#!/usr/bin/env python3
"""Counts the words of a text. Any language will do: JSON on standard input, JSON on standard output."""

import json
import sys

MOST_BYTES = 1_000_000


def failed(category, message, **more):
    failure = {{"schema": "standard-error/1", "category": category, "message": message, **more}}
    print(json.dumps({{"phase": "input", **failure}}))
    raise SystemExit


body = sys.stdin.buffer.read(MOST_BYTES + 1)
if len(body) > MOST_BYTES:
    failed("INPUT_TOO_LARGE", f"More than {{MOST_BYTES}} bytes came in.", blame="upstream")
request = json.loads(body)
unknown = [f"input {{name}}" for name in request["inputs"].keys() - {{"text"}}]
unknown += [f"parameter {{name}}" for name in request["parameters"].keys() - {{"least_letters"}}]
if unknown:
    failed("INVALID_INPUT", f"There is no {{unknown[0]}}.", blame="caller")
text = request["inputs"].get("text")
if not isinstance(text, str):
    blamed = [{{"artifact": "text", "reason": "it is no text"}}]
    failed("INVALID_INPUT", "The text is no text.", blame="upstream", blamed_inputs=blamed)
least = request["parameters"].get("least_letters", 1)
print(json.dumps({{"words": sum(len(word) >= least for word in text.split())}}))
'''
TEST = '''"""Runs in this process, without limits: pytest {file}"""

from {name} import {name}

from conductor_agent.hosting.extension import failure, outputs
from fqg_env.outcome import Category
'''
PROGRAM_TEST = '''"""Runs the program as a worker would, without limits: pytest {file}"""

from pathlib import Path

from conductor_agent.hosting.command import command_extension
from conductor_agent.hosting.extension import failure, outputs
from fqg_env.outcome import Category

{name} = command_extension(["python3", "./{name}.py"], Path(__file__).parent)
'''
SAME_TESTS = """

def test_words_are_counted():
    assert outputs({name}, {{"text": "so it is"}}) == {{"words": 3}}
    assert outputs({name}, {{"text": "so it was"}}, {{"least_letters": 3}}) == {{"words": 1}}


def test_a_text_that_is_none_is_refused_by_name():
    refused = failure({name}, {{"text": 7}})
    assert refused.category is Category.INVALID_INPUT
    assert refused.blamed_inputs[0].artifact == "text"
"""
"""Of both kinds, whichever way the extension is had."""
MANIFEST = (
    TOML_SCHEMA_LINE
    + """# What the extension says of itself. Every key: docs/files.md

[extension]
{code}
class = "{kind}"
idempotent = true
inputs = {{text = "text"}}
outputs = {{words = "number"}}

[extension.variants.all]
parameters = {{least_letters = 1}}

[extension.variants.long]
parameters = {{least_letters = 5}}

[extension_info]
name = "{name}"
version = "0.1.0"
description = "Counts the words of a text."

[function_quest]
trainable = true
function_signature = "{name}(text) -> words"
test_scenarios = ["scenario.json"]
difficulty_level = "beginner"

[function_quest.gameplay]
function_name = "{name}"
input_types = ["text"]
output_types = ["number"]
side_effects = []
deterministic = true

[failure_policies]
max_retries = 0
graceful_degradation = false

[runtime.resources]
execution_timeout = 5
network_required = false
"""
)
SCENARIO = """{"name": "a short text", "inputs": {"text": "so it is"}, "expect": "success"}
"""
WORKFLOW = (
    SCHEMA_LINE
    + """# conductor run workflow.yaml
workflow: conductor-workflow/1
name: Count words
artifacts:
  text: {{check: {{type: text}}}}
  words: {{goal: {{weight: 1}}, check: {{type: number, schema: {{minimum: 0}}}}}}
functions:
  {name}:
    inputs: [text]
    outputs: [words]
    variants:
      all: {{parameters: {{least_letters: 1}}, cost: 1}}
budget: {{time_s: 60, cost: 10}}
extensions:
  {name}: {{manifest: extension.toml}}
inputs:
  text: {{text: so it is}}
"""
)


def write_extension(path: Path, kind: ExtensionClass, *, command: bool) -> list[Path]:
    """Write the files; which they are.

    Args:
        path: a folder that is not there yet, or is empty; its name becomes the extension's.
        kind: the class.
        command: a program instead of a function.

    Raises:
        ManifestError: the folder is in use, cannot be written, or its name is no name for a function.
    """
    name = name_of(path, "a function")
    code = f'command = ["python3", "./{name}.py"]' if command else f'source = "{name}.py"'
    test = f"test_{name}.py"
    files = {
        f"{name}.py": (PROGRAM if command else SOURCE).format(name=name),
        "extension.toml": MANIFEST.format(name=name, code=code, kind=kind.value),
        "scenario.json": SCENARIO,
        test: ((PROGRAM_TEST if command else TEST) + SAME_TESTS).format(name=name, file=test),
        "workflow.yaml": WORKFLOW.format(name=name),
    }
    return write_folder(path, files, ["manifest", "workflow"])
