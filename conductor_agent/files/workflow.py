"""A real workflow: the keys of a level, and what its functions and artifacts are bound to.

    workflow: conductor-workflow/1
    name: Read a page
    artifacts:
      page: {}
      text: {goal: {weight: 1}, check: {type: text, schema: {minLength: 10}}}
    functions:
      read: {inputs: [page], outputs: [text], variants: {fast: {}, careful: {}}}
    budget: {time_s: 60, cost: 10}
    extensions:
      read: {source: reader.py, class: instrument, limits: {wall_s: 20}}   # or {manifest: FILE}
    inputs:
      page: {file: page.png}
    require: {memory_bytes: WATCHED}      # optional: how hard a limit has to be enforced here, or no run

Paths are relative to the file. Everything is checked before anything starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from conductor_agent.files.checks import Check, Measure, check_schema, measure_named
from conductor_agent.files.circle import UNREACHED, circle_in
from conductor_agent.files.folders import no_workflow
from conductor_agent.files.workflow_binding import bind, bind_manifest
from conductor_agent.files.workflow_inputs import check_entries, read_inputs
from conductor_agent.files.workflow_parts import (
    FOR_REAL,
    ExtensionEntry,
    GiveUp,
    Workflow,
    WorkflowError,
    part_of,
)
from conductor_agent.hosting.values import NotPlainError, check_plain
from conductor_agent.hosting.walls.enforcement import Enforced, enforcement, reaches
from conductor_agent.hosting.walls.self_test import strongest, what_would
from fqg_env.errors import LevelError, suggest
from fqg_env.level import Level
from fqg_env.level_file import OnceLoader, parse_level
from policies.resource.limits import Settings, of_a_tab, short
from policies.resource.outsized import outsized
from policies.resource.wrong_key import no_such_key, wrong_key

SCHEMA = "conductor-workflow/1"
__all__ = ["Workflow", "WorkflowError", "parse_workflow", "read_workflow", "restore_workflow"]
KEYS = ("workflow", "extensions", "inputs", "require", "give_up")


def read_workflow(
    path: str | Path,
    *,
    inputs: Mapping[str, Path] | None = None,
    ceiling: Settings | None = None,
    has_program: Callable[[str], object] = shutil.which,
) -> Workflow:
    """Read and check a workflow file.

    Args:
        path: of the YAML file.
        inputs: given artifact -> file that replaces what the workflow says.
        ceiling: the operator's limits, by class.
        has_program: whether a program is installed.

    Raises:
        WorkflowError: with one sentence that says what is wrong, where, and what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise WorkflowError(no_workflow(path))
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WorkflowError(f"{path}: there is no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise WorkflowError(f"{path}: it cannot be read ({problem})") from None
    data = _mapping(text, path)
    workflow = parse_workflow(data, text, path, ceiling=ceiling, has_program=has_program)
    given = read_inputs(data.get("inputs"), workflow, inputs or {})
    return replace(workflow, inputs=given)


def restore_workflow(
    text: str, path: Path, level: Level, inputs: dict[str, Any], ceiling: Settings
) -> Workflow:
    """A workflow as it was when its run began, to go on with it.

    Raises:
        WorkflowError: what it names is not there any more.
    """
    workflow = parse_workflow(
        _mapping(text, path), text, path, ceiling=ceiling, has_program=lambda _: True
    )
    return replace(workflow, level=level, inputs=inputs)


def parse_workflow(
    data: Mapping[str, Any],
    text: str,
    path: Path,
    *,
    ceiling: Settings | None,
    has_program: Callable[[str], object],
) -> Workflow:
    """A workflow from plain data, its inputs not yet read.

    Raises:
        WorkflowError: with one sentence that names the file and the path inside it.
    """
    _check_keys(data, path)
    rest = {key: value for key, value in data.items() if key not in KEYS}
    given = data.get("inputs")
    check_entries(given, rest.get("artifacts"), path)
    rest["artifacts"], checks = _checks(rest.get("artifacts"), given, path)
    entries = _entries(data.get("extensions"), rest.get("functions"), path)
    rest, notes = _without_missing(rest, entries, has_program)
    level = _level(rest, notes, path)
    measures = _measures(checks, path)
    bound = {
        name: bind(name, entries[name], path, ceiling)
        if entries[name].manifest is None
        else bind_manifest(name, function, entries[name], path, ceiling)
        for name, function in level.functions.items()
    }
    give_up = _give_up(data.get("give_up", "tried"), path)
    return Workflow(path, text, level, bound, checks, measures, {}, give_up, tuple(notes))


def _check_keys(data: Mapping[str, Any], path: Path) -> None:
    """It is a workflow of this version, and has no key that nobody reads."""
    if data.get("workflow") != SCHEMA:
        raise WorkflowError(
            f"{path}: workflow: version {short(data.get('workflow'))} is not known; "
            f"begin with `workflow: {SCHEMA}`"
        )
    if not isinstance(data.get("level", ""), str):
        raise WorkflowError(f"{path}: level: it is no text; remove it")
    for key in data:
        if key not in (known := (*KEYS, *Level.model_fields)):
            raise WorkflowError(f"{path}: {no_such_key((key,), known)}")
    _require(data.get("require") or {}, path)


def _level(data: dict[str, Any], left_out: list[str], path: Path) -> Level:
    """The level that a workflow holds, with the shield of real workflows where it says nothing else."""
    shield = data.get("shield", {})
    data = data | ({"shield": FOR_REAL | shield} if isinstance(shield, dict) else {})
    try:
        level = parse_level(data, str(path))
        _ = level.size
    except LevelError as problem:
        wrong = wrong_key(data, Level)
        text = f"{path}: {wrong}" if wrong else str(problem)
        text = text if text.startswith(str(path)) else f"{path}: {text}"
        if UNREACHED in text and (circle := circle_in(data)):
            text += f"; {circle}"
        hint = f" (left out: {'; '.join(left_out)})" if left_out else ""
        raise WorkflowError(text + hint) from None
    _check_parameters(level, path)
    return level


def _check_parameters(level: Level, path: Path) -> None:
    """They can be handed to an extension."""
    for name, function in level.functions.items():
        for variant, preset in function.variants.items():
            try:
                check_plain(preset.parameters, "parameters")
            except NotPlainError as problem:
                where = f"functions.{name}.variants.{variant}"
                raise WorkflowError(f"{path}: {where}: {problem}") from None


def _measures(checks: Mapping[str, Check], path: Path) -> dict[str, Measure]:
    """Artifact -> the function that measures its quality, loaded."""
    found = {}
    for name, check in checks.items():
        if check.quality is not None:
            try:
                found[name] = measure_named(check.quality, path.parent)
            except ValueError as problem:
                raise WorkflowError(f"{path}: artifacts.{name}.check.quality: {problem}") from None
    return found


def _give_up(value: Any, path: Path) -> GiveUp:
    """When an essential goal may be given up.

    Raises:
        WorkflowError: it is no such word.
    """
    if value not in get_args(GiveUp):
        known = " or ".join(get_args(GiveUp))
        raise WorkflowError(f"{path}: give_up: write {known}, not {short(value)}")
    return cast("GiveUp", value)


def _require(wanted: Any, path: Path) -> None:
    """Every limit that has to be enforced is, here.

    Raises:
        WorkflowError: one is not, or not hard enough; what is found here.
    """
    where = f"{path}: require"
    if not isinstance(wanted, dict):
        raise WorkflowError(
            f"{where}: it holds no mapping; name limits and how hard they have to be"
        )
    if not wanted:
        return  # nothing has to be tried out
    profile = strongest().name
    found = enforcement(profile)
    for limit, level in wanted.items():
        if limit not in found:
            raise WorkflowError(
                f"{where}.{limit}: there is no such limit." + suggest(str(limit), found)
            )
        if str(level) not in Enforced.__members__:
            raise WorkflowError(
                f"{where}.{limit}: {level!r} is no level."
                + suggest(str(level), Enforced.__members__)
            )
        here = found[limit]
        if not reaches(Enforced(here["level"]), Enforced(level)):
            mend = what_would(limit, Enforced(level))
            raise WorkflowError(
                f"{where}.{limit}: {level} is wanted, profile {profile} here gives {here['level']} "
                f"({here['mechanism']})" + (f"; {mend}" if mend else "")
            )


def _mapping(text: str, path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(text, OnceLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        what = (getattr(problem, "problem", None) or "it cannot be parsed") + of_a_tab(problem)
        raise WorkflowError(f"{path}: it is not valid YAML{line}: {what}; mend it there") from None
    except (ValueError, RecursionError):
        raise WorkflowError(f"{path}: a value in it cannot be read; mend it") from None
    if wrong := outsized(data):
        raise WorkflowError(f"{path}: {wrong}")
    if not isinstance(data, dict):
        raise WorkflowError(f"{path}: it holds no mapping; begin with `workflow: {SCHEMA}`")
    return data


def _checks(artifacts: Any, given: Any, path: Path) -> tuple[Any, dict[str, Check]]:
    """The artifacts as a level has them, and what is declared of them."""
    if not isinstance(artifacts, dict):
        return artifacts, {}  # the level says what is wrong with it
    plain, checks = {}, {}
    for name, entry in artifacts.items():
        where = f"{path}: artifacts.{name}"
        entry = {} if entry is None else entry
        plain[name] = entry
        if not isinstance(entry, dict):
            continue
        fields = {key: value for key, value in entry.items() if key != "check"}
        if isinstance(given, dict) and name in given:
            fields["given"] = True
        if "check" in entry:
            check: Check = part_of(Check, entry["check"], f"{where}.check")
            if check.rules is not None:
                try:
                    check_schema(check.rules, f"{where}.check.schema")
                except ValueError as problem:
                    raise WorkflowError(str(problem)) from None
            checks[name] = check
        gated = name in checks and checks[name].quality is not None
        if fields.get("gate") and not gated:
            raise WorkflowError(
                f"{where}.gate: a gate needs `check.quality`, the function that measures"
            )
        if gated:
            fields["gate"] = True
        plain[name] = fields
    return plain, checks


def _entries(extensions: Any, functions: Any, path: Path) -> dict[str, ExtensionEntry]:
    """What each function is bound to: each has to be, and nothing else is."""
    where = f"{path}: extensions"
    if not isinstance(extensions, dict):
        raise WorkflowError(f"{where}: is missing; bind each function to a `source`")
    if not isinstance(functions, dict):
        raise WorkflowError(f"{path}: functions: is missing; name what can be called")
    for name in extensions:
        if name not in functions:
            raise WorkflowError(
                f"{where}.{name}: the workflow has no such function."
                + suggest(str(name), map(str, functions))
            )
    for name in functions:
        if name not in extensions:
            raise WorkflowError(f"{where}: the function {name!r} is not bound; give it a `source`")
    return {
        name: part_of(ExtensionEntry, entry, f"{where}.{name}")
        for name, entry in extensions.items()
    }


def _without_missing(
    data: dict[str, Any],
    entries: Mapping[str, ExtensionEntry],
    has_program: Callable[[str], object],
) -> tuple[dict[str, Any], list[str]]:
    """The level without the functions whose program is not installed, and a note on each."""
    gone, notes = set(), []
    for name, entry in entries.items():
        if entry.requires is not None and not has_program(entry.requires.program):
            gone.add(name)
            notes.append(f"{name}: the program {entry.requires.program} is not installed")
    if not gone:
        return data, notes

    def stays(name: object) -> bool:
        return str(name).split("/")[0] not in gone

    rest = dict(data)
    rest["functions"] = {k: v for k, v in data["functions"].items() if stays(k)}
    if isinstance(data.get("plan"), list) and not all(map(stays, data["plan"])):
        rest["plan"] = []  # what is left of it may lead nowhere: the default one is made anew
    if isinstance(data.get("recent"), dict):
        rest["recent"] = {k: v for k, v in data["recent"].items() if stays(k)}
    return rest, notes
