"""Manifests: what they may say, what comes of it, and how a workflow uses them."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from conductor_agent import cli
from conductor_agent.files import bindings
from conductor_agent.files.bindings import limits_of, source_of
from conductor_agent.files.manifest import FILE, Manifest, ManifestError, read_manifest
from conductor_agent.files.workflow import WorkflowError, read_workflow
from policies.resource.limits import LimitError, limits_for

CODE = """
from conductor_agent.hosting.extension import extension

@extension(output="words")
def count(text: str) -> int:
    return len(text.split())
"""
OURS = '[extension]\nsource = "count.py"\nclass = "operator"\ninputs = {text = "text"}\noutputs = {words = "number"}\n'
WORKFLOW = """
workflow: conductor-workflow/1
name: Count
artifacts:
  text: {}
  words: {goal: {weight: 1}, check: {type: number}}
functions:
  count: {inputs: [text], outputs: [words]}
budget: {time_s: 30, cost: 5}
extensions:
  count: {manifest: count/extension.toml}
inputs:
  text: {text: so it is}
"""
SYMPHONY = """
[package]
name = "counter"
version = "1.0.0"
[extension_type]
type = "operator"
[function_quest]
trainable = true
function_signature = "count(text) -> words"
test_scenarios = ["scenarios/short.json"]
difficulty_level = "beginner"
[function_quest.gameplay]
function_name = "count"
input_types = ["text"]
output_types = ["number"]
side_effects = []
deterministic = true
[failure_policies]
max_retries = 2
timeout_seconds = 4
graceful_degradation = true
required_exceptions = ["OperatorTimeoutError"]
[reliability_contract]
expected_success_rate = 0.97
failure_escalation = "conductor"
supports_fallback = true
[runtime]
execution_type = "native"
[runtime.resources]
memory_limit = 64
cpu_limit = 50
execution_timeout = 8
network_required = false
gpu_acceleration = false
[policies.execution]
anything = "is kept"
[conductor.orchestration_hints]
failure_critical = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "count"
    place.mkdir()
    (place / "count.py").write_text(CODE)
    (place / FILE).write_text(OURS)
    return place


def written(folder: Path, text: str) -> Manifest:
    (folder / FILE).write_text(text)
    return read_manifest(folder)


def test_the_documented_tables_are_read(folder: Path):
    manifest = written(folder, OURS + SYMPHONY)
    assert manifest.name == "counter"
    assert manifest.function_quest.gameplay.deterministic
    assert manifest.failure_policies.max_retries == 2
    assert manifest.reliability_contract.expected_success_rate == 0.97
    assert manifest.policies == {"execution": {"anything": "is kept"}}
    limits = limits_of(manifest, folder / FILE)
    assert (limits.wall_s, limits.memory_bytes, limits.cpu_s) == (4, 64 * 1024 * 1024, 2.0)


def test_every_key_of_the_documented_tables_is_known():
    tables = tomllib.loads(SYMPHONY)
    for name, table in tables.items():
        assert Manifest.model_validate({"extension": tomllib.loads(OURS)["extension"], name: table})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "extension: is missing"),
        ("x =", "it cannot be read as TOML"),
        (OURS + "sorce = 1", "extension.sorce: there is no such key here; check its spelling or remove it. Did you mean 'source'?"),
        (OURS + "[runtime.resources]\nmemory_limt = 64", "Did you mean 'memory_limit'?"),
        (OURS + "[failure_policy]\nmax_retries = 1", "Did you mean 'failure_policies'?"),
        (OURS + "[extension.variants.fast]\nparameter = 1", "extension.variants.fast.parameter: there is no such key here; check its spelling or remove it. Did you mean 'parameters'?"),
        (OURS + "[runtime.resources]\nmemory_limit = -1", "runtime.resources.memory_limit: it has to be greater than 0; change -1"),
        (OURS + "[runtime.resources]\nmemory_limit = nan", "runtime.resources.memory_limit"),
        (OURS + "[reliability_contract]\nexpected_success_rate = 97", "expected_success_rate: it has to be at most 1; change 97"),
        (OURS.replace('"operator"', '"addon"'), "extension.class: 'addon' is not known. Known are instrument, motif, operator."),
        (OURS.replace('"text"}', '"txt"}'), "extension.inputs.text.type"),
        (OURS + 'command = ["ls"]', "give exactly one of `source` and `command`"),
        ('[extension]\ncommand = ["ls"]\nclass = "motif"\npython = "python3"', "go with `source`"),
        (OURS + "variants = {}", "name at least one"),
        (OURS + 'idempotent = "yes"', "extension.idempotent: Input should be a valid boolean; change 'yes'"),
        (OURS + "[runtime.resources]\nnetwork_required = 1", "network_required: Input should be a valid boolean"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_its_place(folder: Path, text: str, says: str):
    with pytest.raises(ManifestError) as caught:
        written(folder, text)
    assert says in str(caught.value) and str(folder / FILE) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_said(folder: Path):
    with pytest.raises(ManifestError, match="conductor extension new"):
        read_manifest(folder / "elsewhere")
    cases = [
        (OURS.replace("count.py", "cuont.py"), "there is no file 'cuont.py' in its folder"),
        (OURS + 'python = "no-such-python"', "'no-such-python' is no program"),
        ('[extension]\ncommand = ["./run.sh"]\nclass = "motif"', "'./run.sh' is no program"),
        (OURS + 'environment = {"A=B" = "1"}', "`=` in a variable's name"),
        (OURS + 'python = "a\\u0000b"', "NUL character"),
        ('[extension]\ncommand = ["ls", "a\\u0000b"]\nclass = "motif"', "NUL character"),
        (OURS + 'environment = {"" = "1"}', "environment: a variable has no name"),
        (
            OURS + f'environment = {{A = "{"a" * 130_000}"}}',
            "environment.A: 130,002 bytes are more than",
        ),
        (
            OURS
            + "environment = {"
            + ", ".join(f'A{i} = "{"a" * 99_999}"' for i in range(11))
            + "}",
            "of variables",
        ),
        (f'[extension]\ncommand = ["ls", "{"a" * 20_000}"]\nclass = "motif"', "of words"),
    ]
    for text, says in cases:
        with pytest.raises(ManifestError, match=says):
            source_of(written(folder, text), folder / FILE)


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000, "1" + "0" * 20, "1e308"])
@pytest.mark.parametrize(
    "table", ["extension.limits]\nwall_s", "runtime.resources]\nmemory_limit", "extension.environment]\nA"]
)  # fmt: skip
def test_a_number_that_fits_nowhere_is_said(folder: Path, table: str, number: str):
    """Python reads a longer one than it can say, and says a longer one than a float can hold."""
    with pytest.raises(ManifestError) as caught:
        limits_of(written(folder, f"{OURS}[{table} = {number}"), folder / FILE)
    assert str(folder / FILE) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_sources(folder: Path):
    source = source_of(written(folder, OURS + 'function = "count"'), folder / FILE)
    assert (source.source, source.name) == (str(folder / "count.py"), "count")
    module = source_of(written(folder, OURS.replace("count.py", "count")), folder / FILE)
    assert (module.source, module.import_paths) == ("count", (str(folder),))
    command = source_of(
        written(folder, '[extension]\ncommand = ["python3", "./count.py"]\nclass = "motif"'), folder / FILE
    )  # fmt: skip
    assert command.command == ("python3", str(folder / "count.py"))


def test_the_ceiling_stands_above_the_manifest_and_the_manifest_above_the_workflow(folder: Path):
    file = folder / FILE
    with pytest.raises(ManifestError, match=r"memory_bytes of class operator: asked for .*ceiling"):
        limits_of(written(folder, OURS + "[runtime.resources]\nmemory_limit = 512"), file)
    with pytest.raises(ManifestError, match="wall_s"):
        limits_of(written(folder, OURS + "[failure_policies]\ntimeout_seconds = 7200"), file)
    manifest = written(
        folder, OURS + "[runtime.resources]\nmemory_limit = 128\nexecution_timeout = 8"
    )
    assert limits_of(manifest, file, {"wall_s": 2}).wall_s == 2
    assert limits_of(manifest, file, {"cpu_s": 2}).cpu_s == 2
    with pytest.raises(
        LimitError, match=r"wall_s: the workflow asks for 9.0, the manifest for 8.0"
    ):
        limits_of(manifest, file, {"wall_s": 9})
    with pytest.raises(LimitError, match="ceiling"):
        limits_of(manifest, file, {"wall_s": 31})
    with pytest.raises(ManifestError, match="wall_s"):
        limits_of(manifest, file, {}, {"operator": {"wall_s": 5}})
    assert limits_of(written(folder, OURS), file) == limits_for("operator")


@pytest.mark.parametrize("link", [False, True], ids=["named", "led to"])
def test_a_program_elsewhere_is_no_way_to_read_there(folder: Path, tmp_path: Path, link: bool):
    """Its path would be shown inside: what is not the author's has to be granted like any other path."""
    elsewhere = tmp_path / "private" / "tool"
    elsewhere.parent.mkdir()
    elsewhere.write_text("#!/bin/sh\n")
    elsewhere.chmod(0o755)
    (folder / "tool").symlink_to(elsewhere)
    named = "./tool" if link else str(elsewhere)
    ours = f'[extension]\ncommand = ["{named}"]\nclass = "motif"\n'
    with pytest.raises(ManifestError, match=r"extension.command: .*private/tool' lies where"):
        limits_of(written(folder, ours), folder / FILE)
    asked = {"read_paths": [str(elsewhere.parent)]}
    asking = written(folder, f'{ours}limits = {{read_paths = ["{elsewhere.parent}"]}}\n')
    assert limits_of(asking, folder / FILE, asked).read_paths == (str(elsewhere.parent),)
    for named in ("python3", sys.executable, "/bin/sh"):
        limits_of(written(folder, f'{OURS}python = "{named}"\n'), folder / FILE)


def test_its_own_repeats_are_a_limit_under_the_ceiling_of_its_class(folder: Path):
    file, table = folder / FILE, OURS + "[failure_policies]\nmax_retries = "
    assert limits_of(written(folder, table + "0"), file).own_retries == 0
    assert limits_of(written(folder, OURS), file).own_retries == 3
    with pytest.raises(
        ManifestError, match=r"own_retries of class operator: asked for 9, the ceiling"
    ):
        limits_of(written(folder, table + "9"), file)
    with pytest.raises(LimitError, match="the workflow asks for 3, the manifest for 2"):
        limits_of(written(folder, table + "2"), file, {"own_retries": 3})


def test_a_gpu_is_the_device_files_that_this_machine_has(folder: Path, tmp_path, monkeypatch):
    file = folder / FILE
    manifest = written(folder, OURS + "[runtime.resources]\ngpu_acceleration = true")
    monkeypatch.setattr(bindings, "DEV", tmp_path / "none")
    assert limits_of(manifest, file).devices == ()  # without one it works without
    monkeypatch.setattr(bindings, "DEV", tmp_path)
    (tmp_path / "dri").mkdir()
    for name in ("nvidia0", "nvidiactl", "dri/renderD128", "sda"):
        (tmp_path / name).touch()
    devices = tuple(str(tmp_path / name) for name in ("dri/renderD128", "nvidia0", "nvidiactl"))
    with pytest.raises(ManifestError, match="it asks for devices"):
        limits_of(manifest, file)
    assert limits_of(manifest, file, {"devices": devices}).devices == devices
    with pytest.raises(LimitError, match="devices"):
        limits_of(manifest, file, {"devices": (str(tmp_path / "sda"),)})


def test_a_workflow_runs_an_extension_by_its_manifest(folder: Path, capsys, monkeypatch):
    (folder.parent / "count.yaml").write_text(WORKFLOW)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "count.yaml", "--out", "delivered", "--json"])
    assert end.value.code == 0 and json.loads(capsys.readouterr().out)["attempts"] == 1
    assert json.loads(Path("delivered/words.json").read_text()) == 3


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{manifest: count, limits: {wall_s: 1}}", None),
        ("{manifest: count, limits: {wall_s: 25}}", "extensions.count.limits: Limit wall_s: the workflow asks for 25.0"),
        ("{manifest: nowhere}", "extensions.count.manifest: "),
        ("{manifest: count, source: a.py}", "beside `manifest` only `limits` and `requires` may stand"),
        ("{class: motif}", "extensions.count: source: is missing"),
    ],
)  # fmt: skip
def test_a_workflow_may_tighten_and_nothing_else(folder: Path, entry: str, says: str | None):
    path = folder.parent / "count.yaml"
    path.write_text(WORKFLOW.replace("{manifest: count/extension.toml}", entry))
    if says is None:
        assert read_workflow(path).extensions["count"].limits.wall_s == 1
        return
    with pytest.raises(WorkflowError) as caught:
        read_workflow(path)
    assert says in str(caught.value)


def test_a_function_that_does_not_fit_the_manifest_is_told_before_anything_starts(folder: Path):
    path = folder.parent / "count.yaml"
    path.write_text(WORKFLOW)
    for old, new, says in [
        ('text = "text"', 'txt = "text"', "the manifest has no input 'text'. Did you mean 'txt'?"),
        ('words = "number"', 'word = "number"', "the manifest has no output 'words'. Did you mean"),
        ('{text = "text"}', '{text = "text", mask = "bytes"}', "lacks the input 'mask'"),
    ]:
        (folder / FILE).write_text(OURS.replace(old, new))
        with pytest.raises(WorkflowError, match=r"extensions.count.manifest: ") as caught:
            read_workflow(path)
        assert says in str(caught.value)


def test_an_output_of_another_type_than_declared_is_none_wherever_it_comes_from(
    folder: Path, capsys, monkeypatch
):
    """The workflow itself checks nothing here: what binds is the manifest."""
    (folder / "count.py").write_text(
        CODE.replace("int:", "str:").replace("return len(text.split())", "return 'three'")
    )
    (folder.parent / "count.yaml").write_text(WORKFLOW.replace(", check: {type: number}", ""))
    monkeypatch.chdir(folder.parent)
    says = "The output words is not usable: it is text, its manifest declares number."

    def told(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main([*words])
        assert end.value.code == 4
        return capsys.readouterr().out

    assert f"count: INVALID_OUTPUT {says}" in told("run", "count.yaml")
    outcome = json.loads(told("extension", "run", "count", "--input", "text=a b c", "--json"))
    assert outcome["outcome"]["category"] == "INVALID_OUTPUT"
    assert outcome["outcome"]["message"] == says
    works = json.loads(told("extension", "check", "count", "--json"))["findings"][0]
    assert (works["score"], says in works["advice"]) == (0.0, True)
