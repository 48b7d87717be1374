"""JSON Schemas: every file that is read passes, a wrong key does not, and the package has them as made."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from test_docs_reference import reference

from conductor_agent.authoring.new_extension import write_extension
from conductor_agent.authoring.new_workflow import write_workflow
from conductor_agent.cli import main
from conductor_agent.files.field_words import models_in, words_of
from conductor_agent.files.manifest import Manifest
from conductor_agent.files.schema import level_file, workflow_file
from conductor_agent.files.schema_files import FOLDER, schema_names, schema_text
from conductor_agent.files.workflow import WorkflowError, read_workflow
from fqg_env.errors import LevelError
from fqg_env.puzzle import read_puzzle
from policies.resource.limits import ExtensionClass, LimitError, ResourceLimits, load_ceiling

ROOT = Path(__file__).resolve().parents[1]
LEVELS = sorted((ROOT / "fqg_env/library").glob("*.yaml"))
FLOWS = sorted(
    path
    for folder in ("conductor_agent", "tests")
    for path in (ROOT / folder).rglob("*.yaml")
    if path.read_text("utf-8").lstrip("# \n").find("workflow: conductor-workflow/1") >= 0
)
RECIPES = sorted((ROOT / "training/recipes").glob("*.yaml"))


def validator(name: str) -> Draft202012Validator:
    schema = json.loads(schema_text(name))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(name: str, data: Any) -> list[str]:
    return [fault.message for fault in validator(name).iter_errors(data)]


def plain(path: Path) -> Any:
    text = path.read_text("utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both `new` write."""
    folder = tmp_path_factory.mktemp("written")
    write_workflow(folder / "my_flow")
    for kind in ExtensionClass:
        write_extension(folder / kind.value, kind, command=kind is ExtensionClass.MOTIF)
    return folder


def test_there_are_files_to_try():
    assert len(LEVELS) >= 9 and len(FLOWS) >= 4 and len(RECIPES) >= 2


@pytest.mark.parametrize("path", LEVELS, ids=lambda p: p.stem)
def test_every_level_passes(path: Path):
    assert faults("level", plain(path)) == []


@pytest.mark.parametrize("path", FLOWS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_workflow_passes(path: Path):
    assert faults("workflow", plain(path)) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_passes(path: Path):
    assert faults("recipe", plain(path)) == []


def test_what_new_writes_passes_and_names_its_schema(written: Path):
    flows, manifests = [*written.rglob("workflow.yaml")], [*written.rglob("extension.toml")]
    assert (len(flows), len(manifests)) == (4, 3)
    for path in flows:
        assert faults("workflow", plain(path)) == []
        named = (
            path.read_text("utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        )
        assert (path.parent / named).read_text("utf-8") == schema_text("workflow")
    for path in manifests:
        assert faults("manifest", plain(path)) == []
        named = path.read_text("utf-8").splitlines()[0].removeprefix("#:schema ")
        assert (path.parent / named).read_text("utf-8") == schema_text("manifest")


FLOW: dict[str, Any] = yaml.safe_load("""
workflow: conductor-workflow/1
name: w
artifacts:
  page: {}
  text: {goal: {weight: 1}, check: {type: text, schema: {minLength: 1}}}
functions:
  read: {inputs: [page], outputs: [text], variants: {a: {cost: 1}, b: {cost: 2, inputs: []}}}
budget: {time_s: 30, cost: 5}
extensions:
  read: {source: note.py, class: motif, limits: {wall_s: 3, network: ["a:1"]}}
inputs: {page: {text: hi}}
require: {wall_s: WATCHED}
""")
MANIFEST: dict[str, Any] = tomllib.loads("""
[extension]
source = "a.py"
class = "motif"
inputs = {text = "text", page = {type = "bytes", optional = true}}
limits = {wall_s = 2}
[extension.variants.long]
parameters = {n = 1}
[failure_policies]
max_retries = 1
""")
LEVEL: dict[str, Any] = plain(ROOT / "fqg_env/library/escape_the_room.yaml")
LIMITS: dict[str, Any] = {"operator": {"network": ["api.example.com:443"], "wall_s": 5}}
WHOLE = {"workflow": FLOW, "manifest": MANIFEST, "level": LEVEL, "limits": LIMITS}


def test_the_files_to_be_spoilt_are_good():
    for name, data in WHOLE.items():
        assert faults(name, data) == []


WRONG: list[tuple[str, str, Any]] = [
    ("workflow", "budjet", {}),
    ("workflow", "workflow", "conductor-workflow/9"),
    ("workflow", "artifacts.text.chekc", {}),
    ("workflow", "artifacts.text.check.qualty", "a:b"),
    ("workflow", "artifacts.text.goal.kind", "vital"),
    ("workflow", "functions.read.input", []),
    ("workflow", "functions.read.variants.a.latency", 1),
    ("workflow", "functions.read.variants.a.cost", -1),
    ("workflow", "functions.2nd", {}),
    ("workflow", "extensions.read.clas", "motif"),
    ("workflow", "extensions.read.limits.wall", 1),
    ("workflow", "extensions.read", {"source": "a.py"}),
    ("workflow", "inputs.page.file", "b"),
    ("workflow", "require.wall_s", "HARD"),
    ("workflow", "require.wall", "WATCHED"),
    ("workflow", "max_in_flight", True),
    ("manifest", "extension.souce", "a.py"),
    ("manifest", "extension.command", ["a"]),
    ("manifest", "extension.class", "tool"),
    ("manifest", "extension.inputs.text", "txt"),
    ("manifest", "extension.limits.wall", 1),
    ("manifest", "extension.variants.long.costs", 1),
    ("manifest", "failure_policies.max_retry", 1),
    ("manifest", "runtime.resources", {"memory_limit": 0}),
    ("manifest", "securty", {}),
    ("level", "budget.tim_s", 1),
    ("level", "faults", {"function": {}}),
    ("level", "key", -1),
    ("limits", "tool", {}),
    ("limits", "operator.wal_s", 1),
    ("limits", "operator.wall_s", 0),
]  # fmt: skip


OF_THE_CLASS = "extension.limits.wall"
"""What a model of a manifest does not know: its limits are read when the ceiling of the class is put over them."""


@pytest.mark.parametrize(("name", "path", "value"), WRONG, ids=[f"{n} {p}" for n, p, _ in WRONG])
def test_a_wrong_key_or_value_is_refused_by_the_schema_and_by_the_reader(
    tmp_path: Path, name: str, path: str, value: Any
):
    data = copy.deepcopy(WHOLE[name])
    *parents, key = path.split(".")
    place = data
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = value
    assert faults(name, data)
    if name == "manifest":
        if path != OF_THE_CLASS:
            with pytest.raises(ValueError, match="validation error"):
                Manifest.model_validate(data)
        return
    (tmp_path / "note.py").write_text("def read(): pass")
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    reader = {"workflow": read_workflow, "level": read_puzzle, "limits": load_ceiling}[name]
    with pytest.raises((WorkflowError, LevelError, LimitError)):
        reader(file)


def test_the_files_of_the_package_are_those_that_the_models_give():
    made = {path: text for path, text in reference().items() if path.parent == FOLDER}
    assert sorted(path.stem for path in made) == schema_names() == [
        "level", "limits", "manifest", "recipe", "workflow",
    ]  # fmt: skip
    for path, text in made.items():
        assert path.read_text("utf-8") == text, "run: python docs/make_reference.py"


@pytest.mark.parametrize("whole", [level_file(), workflow_file(), Manifest, ResourceLimits])
def test_every_field_has_its_meaning(whole: type[Any]):
    for name, model in models_in(whole).items():
        keys = {field.alias or key for key, field in model.model_fields.items()}
        assert keys - words_of(model).keys() == set(), name


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["schema", *arguments])
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


def test_the_command_prints_names_paths_and_schemas(capsys: pytest.CaptureFixture[str]):
    assert ran(capsys)[1].split() == schema_names()
    code, out, _ = ran(capsys, "workflow", "--path")
    assert code == 0 and Path(out.strip()) == FOLDER / "workflow.json"
    assert ran(capsys, "workflow")[1] == schema_text("workflow")
    assert json.loads(ran(capsys, "workflow", "--json")[1]) == json.loads(schema_text("workflow"))
    assert json.loads(ran(capsys, "--json")[1])["schemas"].keys() == set(schema_names())
    code, out, err = ran(capsys, "workflw")
    assert (code, out) == (2, "") and "Did you mean 'workflow'?" in err
