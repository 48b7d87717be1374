"""Write what the commands and the models of files already say: two pages and the JSON Schemas.

    python docs/make_reference.py

docs/commands.md, docs/files.md and conductor_agent/schemas/*.json are made whole.
tests/test_docs_reference.py says when they are not up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from conductor_agent import cli as conductor  # noqa: E402
from conductor_agent.files.schema import BY_CLASS, schema_of, schemas  # noqa: E402
from conductor_agent.files.schema_files import FOLDER  # noqa: E402
from training import cli as fqg  # noqa: E402
from training.learning.recipe import Recipe  # noqa: E402

PROGRAMS = {"conductor": conductor.app, "fqg": fqg.app}
COMMANDS = """\
# Commands

Made from the commands themselves by `python docs/make_reference.py`. `COMMAND --help` says the same,
`fqg --version` and `conductor --version` the version.

Where there is `--json`, standard output is one JSON object and nothing else. Exit codes: 0 done, 1 a fault of
ours, 2 bad input, 3 partly done, 4 not achieved, 130 interrupted, with how to go on.
"""
FILES = """\
# Files, key by key

Made from the models that read them by `python docs/make_reference.py`. `conductor schema NAME` prints
the same as JSON Schema, by which editors complete and check a file; what `conductor new` and
`conductor extension new` write has the line for it. What a key is for in practice: [runtime.md](runtime.md),
[extensions.md](extensions.md), [game.md](game.md), [training.md](training.md).
"""
TITLES = {
    "workflow": "A workflow (workflow.yaml)",
    "manifest": "A manifest (extension.toml)",
    "limits": "An operator's limits (limits.yaml or limits.toml)",
    "level": "A level (level.yaml)",
    "recipe": "A recipe (recipe.yaml)",
}
PARTS = {
    "Artifact": "an artifact",
    "WorkflowArtifact": "an artifact",
    "Budget": "the budget",
    "Check": "a check",
    "Draws": "levels to train on",
    "ExtensionEntry": "an extension that a function is bound to",
    "FailurePolicies": "`[failure_policies]`",
    "Faults": "the faults",
    "Function": "a function",
    "FunctionQuest": "`[function_quest]`",
    "Gameplay": "`[function_quest.gameplay]`",
    "Goal": "a goal",
    "Info": "`[extension_info]`",
    "InputEntry": "an input: exactly one of these",
    "Ours": "`[extension]`",
    "Recent": "recent runs of a call",
    "ReliabilityContract": "`[reliability_contract]`",
    "Reputation": "a reputation",
    "Requires": "what is required",
    "ResourceLimits": "limits",
    "Resources": "`[runtime.resources]`",
    "Runtime": "`[runtime]`",
    "Scoring": "the scoring",
    "Shield": "the shield",
    "Slot": "an input or output as a table",
    "Teaching": "the teacher",
    "Variant": "a variant",
    "WorkflowShield": "the shield",
}


def commands_of(program: str, app: typer.Typer) -> Iterator[tuple[str, Any]]:
    """(words of a command line, click command), of every command that does something."""
    open_: list[tuple[str, Any]] = [(program, typer.main.get_command(app))]
    while open_:
        words, command = open_.pop(0)
        if hasattr(command, "commands"):
            open_[:0] = [(f"{words} {name}", one) for name, one in command.commands.items()]
        else:
            yield words, command


def told(command: Any) -> tuple[str, list[str]]:
    """What a command says of itself, and its examples."""
    text = f"{command.help or ''}\n\n{command.epilog or ''}"
    parts = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    examples = [part.removeprefix("Example: ") for part in parts if part.startswith("Example: ")]
    return "\n\n".join(part for part in parts if not part.startswith("Example: ")), examples


def commands_page() -> str:
    """Every command with its arguments, options and examples."""
    parts = [COMMANDS]
    for program, app in PROGRAMS.items():
        for words, command in commands_of(program, app):
            said, examples = told(command)
            parts.append(f"## {words}\n\n{said}\n\n```sh\n" + "\n".join(examples) + "\n```\n")
            rows = [_row(one) for one in command.params if one.name not in ("help", "context")]
            if rows:
                parts.append("| | | default |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(parameter: Any) -> str:
    """One argument or option as a row."""
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        name = ", ".join(f"`{one}`" for one in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    shown = "" if default in (None, False, "", ()) or callable(default) else f"`{default}`"
    shown = "needed" if parameter.required else shown
    meaning = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| {name} | {meaning} | {(getattr(default, 'value', None) and f'`{default.value}`') or shown} |"


def all_schemas() -> dict[str, dict[str, Any]]:
    """Name -> schema, of every file; a recipe is known to the training alone."""
    return {**schemas(), "recipe": schema_of("A recipe", Recipe)}


def files_page() -> str:
    """Every key of every file."""
    made = all_schemas()
    parts, seen = [FILES], set()
    for name, title in TITLES.items():
        schema = made[name]
        parts.append(f"## {title}\n")
        if name == "limits":
            parts.append(
                "A class (`instrument`, `operator`, `motif`), and any of its limits: what stands here is its "
                "ceiling. The limits are those of [a workflow](#a-workflow-limits).\n"
            )
        else:
            parts.append(_table(schema, schema["$defs"]))
        for part, own in schema["$defs"].items():
            if "properties" in own and part not in seen:
                seen.add(part)
                parts.append(
                    f"### {title.split(' (')[0]}: {PARTS[part]}\n\n{_table(own, schema['$defs'])}"
                )
    return "\n".join(parts)


def _table(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    """The keys of one mapping; `parts` are those that it refers to."""
    needed = schema.get("required", ())
    lines = ["| key | holds | default | what it means |", "|---|---|---|---|"]
    for key, field in schema["properties"].items():
        default = field.get("default")
        shown = "needed" if key in needed else ""
        first = default[0] if isinstance(default, list) and default else default
        if default not in (None, "", []) and not isinstance(first, dict):
            shown = f"`{json.dumps(default)}`".replace('"', "")
        meaning = field.get("description", "").replace("|", "\\|")
        shown = "by class" if BY_CLASS in meaning else shown
        lines.append(f"| `{key}` | {_kind(field, parts)} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}


def _kind(field: dict[str, Any], parts: dict[str, Any]) -> str:
    """In a few words what a value is."""
    match field:
        case {"anyOf": list() as kinds}:
            found = dict.fromkeys(_kind(one, parts) for one in kinds if one.get("type") != "null")
            return " or ".join(found)
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return ", ".join(f"`{one}`" for one in values)
        case {"$ref": str() as ref}:
            part = ref.rpartition("/")[2]
            return PARTS[part].split(":")[0] if part in PARTS else _kind(parts[part], parts)
        case {"type": "object"}:
            inner = next(iter(field.get("patternProperties", {}).values()), None)
            inner = field.get("additionalProperties") if inner is None else inner
            return "name: " + (_kind(inner, parts) if isinstance(inner, dict) else "anything")
        case {"type": "array", "prefixItems": _} | {"type": "array", "items": False}:
            return "list"
        case {"type": "array"}:
            return f"list of {_kind(field.get('items', {}), parts)}"
        case {"type": str() as kind}:
            return KINDS.get(kind, kind) + _bounds(field)
        case _:
            return "anything"


def _bounds(field: dict[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    told_ = [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]
    return f", {', '.join(told_)}" if told_ else ""


def pages() -> dict[Path, str]:
    """Page or schema -> its text as it should be."""
    files = {
        FOLDER / f"{name}.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in all_schemas().items()
    }
    return {DOCS / "commands.md": commands_page(), DOCS / "files.md": files_page(), **files}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
