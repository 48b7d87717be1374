"""Workflow files: what is read, and that every mistake is one sentence with its place."""

import copy
from pathlib import Path

import pytest
import yaml

from conductor_agent.files.checks import check_schema, fault
from conductor_agent.files.workflow import WorkflowError, read_workflow

FOLDER = Path(__file__).parent / "workflows"
PAGE = FOLDER / "page.yaml"


def written(tmp_path, change=None, text=None):
    """A copy of the example beside copies of its sources, changed."""
    for name in ("small.py", "gates.py"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    data = yaml.safe_load(PAGE.read_text())
    if change:
        change(data)
    path = tmp_path / "page.yaml"
    path.write_text(text if text is not None else yaml.safe_dump(data, sort_keys=False))
    return path


def test_a_workflow_is_a_level_with_extensions():
    workflow = read_workflow(PAGE)
    assert workflow.level.call_names == ("crash", "short", "echo")
    assert workflow.level.artifacts["text"].gate
    assert workflow.level.artifacts["page"].given
    assert workflow.inputs == {"page": "the quick brown fox"}
    assert workflow.extensions["short"].source.name == "fixed"
    assert workflow.extensions["echo"].limits.wall_s == 10


def test_an_input_comes_from_a_file_in_the_form_that_is_declared(tmp_path):
    other = tmp_path / "other"
    other.write_text("[1, 2]")
    assert read_workflow(PAGE, inputs={"page": other}).inputs["page"] == "[1, 2]"

    def as_json(data):
        data["inputs"]["page"] = {"json": {"a": 1}}

    path = written(tmp_path, as_json)
    assert read_workflow(path).inputs["page"] == {"a": 1}
    assert read_workflow(path, inputs={"page": other}).inputs["page"] == [1, 2]

    def as_file(data):
        data["inputs"]["page"] = {"file": "other"}

    assert read_workflow(written(tmp_path, as_file)).inputs["page"] == b"[1, 2]"


def test_a_misspelt_input_is_said_before_the_goal_it_leaves_out_of_reach(tmp_path):
    def misspelt(data):
        data["inputs"]["pge"] = data["inputs"].pop("page")

    says = r"inputs\.pge: there is no such artifact\. Did you mean 'page'\?"
    with pytest.raises(WorkflowError, match=says):
        read_workflow(written(tmp_path, misspelt))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000])
def test_an_input_that_is_no_json_is_said(tmp_path, text):
    def as_json(data):
        data["inputs"]["page"] = {"json": {"a": 1}}

    (tmp_path / "other").write_text(text)
    with pytest.raises(WorkflowError, match="cannot be read as json"):
        read_workflow(written(tmp_path, as_json), inputs={"page": tmp_path / "other"})


def test_a_function_whose_program_is_missing_is_left_out_with_a_note(tmp_path):
    def requires(data):
        data["extensions"]["crash"]["requires"] = {"program": "no-such-program"}

    workflow = read_workflow(written(tmp_path, requires))
    assert workflow.level.call_names == ("short", "echo")
    assert workflow.level.plan == ()
    assert workflow.notes == ("crash: the program no-such-program is not installed",)


def test_a_plan_that_lacks_what_is_left_out_is_made_anew(tmp_path):
    def requires(data):
        data["plan"] = ["echo", "crash"]
        data["extensions"]["crash"]["requires"] = {"program": "no-such-program"}

    level = read_workflow(written(tmp_path, requires)).level
    assert [level.call_names[c] for c in level.default_plan] == ["short"]


def put(path, value):
    """A change of one key, by its path."""

    def change(data):
        *above, last = path.split("/")
        for key in above:
            data = data[key]
        if value is None:
            del data[last]
        else:
            data[last] = value

    return change


def renamed(key, wrong):
    """A change of the name of a key."""

    def change(data):
        data[wrong] = data.pop(key)

    return change


MISTAKES = [
    (put("workflow", "conductor-workflow/9"), "workflow: version"),
    (put("functons", {}), "functons: there is no such key"),
    (put("input", {}), "input: there is no such key here; check its spelling or remove it. Did you mean 'inputs'?"),
    (renamed("functions", "function"), "Did you mean 'functions'?"),
    (renamed("extensions", "extension"), "Did you mean 'extensions'?"),
    (put("extensions", None), "extensions: is missing"),
    (put("extensions/crash", None), "extensions: the function 'crash' is not bound"),
    (put("extensions/chrash", {"source": "small.py", "class": "motif"}), "Did you mean 'crash'?"),
    (put("extensions/echo/class", "tool"), "extensions.echo.class: Unknown class 'tool'"),
    (put("extensions/echo/class", None), "extensions.echo: class: is missing"),
    (put("extensions/echo/limit", {}), "remove it. Did you mean 'limits'?"),
    (put("extensions/echo/limits", {"wall_s": 9999}), "the ceiling is 30"),
    (put("extensions/echo/limits", {"wal_s": 1}), "wal_s"),
    (put("extensions/echo/source", "smal.py"), "extensions.echo.source: there is no file 'smal.py'"),
    (put("extensions/echo/source", "no.such.module"), "there is no module 'no.such.module'"),
    (put("inputs/page", {"text": "a", "json": 1}), "inputs.page: give exactly one"),
    (put("inputs/page", {"file": "nowhere.png"}), "inputs.page.file: there is no file"),
    (put("inputs/page", {}), "inputs.page: give exactly one"),
    (put("inputs/pge", {"text": "a"}), "inputs.pge: there is no such artifact. Did you mean 'page'?"),
    (put("inputs/text", {"text": "a"}), "a goal cannot be given"),
    (put("artifacts/extra", {"given": True}), "inputs.extra: is missing"),
    (put("artifacts/text/gate", True) , None),
    (put("artifacts/page", {"gate": True}), "artifacts.page.gate: a gate needs `check.quality`"),
    (put("artifacts/text/check/type", "txt"), "artifacts.text.check: type"),
    (put("artifacts/text/check/schema", {"minLenght": 1}), "Did you mean 'minLength'?"),
    (put("artifacts/text/check/schema", {"pattern": "("}), "check.schema.pattern: not a pattern"),
    (put("artifacts/text/check/quality", "gates.py:lenght"), "Did you mean 'length'?"),
    (put("artifacts/text/check/quality", "no.such:thing"), "cannot be imported"),
    (put("artifacts/text/check/quality", "length"), "write `module:function`"),
    (put("artifacts/text/check/minimum", 2), "artifacts.text.check: minimum"),
    (put("artifacts/page", {"check": {"type": "bytes"}}), "inputs.page: it is text, not bytes"),
    (put("require", {"memory_bytes": "NONE", "wall_s": "WATCHED"}), None),
    (put("require", {"open_files": "KERNEL_TREE"}), "require.open_files: KERNEL_TREE is wanted, profile "),
    (put("require", {"memory": "WATCHED"}), "Did you mean 'memory_bytes'?"),
    (put("require", {"memory_bytes": "WACHED"}), "Did you mean 'WATCHED'?"),
    (put("require", ["memory_bytes"]), "require: it holds no mapping"),
    (put("budget/cost", 0.1), "budget.cost"),
    (put("plan", ["crush"]), "Did you mean 'crash'?"),
    (put("extensions/echo/python", "no-such-python"), "extensions.echo.python: 'no-such-python' is no program"),
    (put("extensions/echo/environment", {"A": "b\0"}), "extensions.echo: no process can be given a NUL"),
    (put("extensions/echo/environment", {"A": "b\ud800"}), "extensions.echo: no process can be given half of a"),
    (put("extensions/echo/environment", {"": "b"}), "extensions.echo: environment: a variable has no name"),
    (put("budget/attempts", 1 << 64), "budget.attempts: a whole number of more than 64 bits fits nowhere"),
    (put("functions/echo/variants", {"default": {"parameters": {"a": float("nan")}}}), "parameters.a is nan"),
    (put("artifacts/text/goal", {"weight": 1, "kind": "optional"}), "no goal is essential"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), MISTAKES)
def test_every_mistake_is_one_sentence_with_its_place(tmp_path, change, says):
    path = written(tmp_path, change)
    if says is None:
        read_workflow(path)
        return
    with pytest.raises(WorkflowError) as caught:
        read_workflow(path)
    text = str(caught.value)
    assert says in text
    assert text.startswith((str(path), "--input"))
    assert text.count(str(path)) == 1
    assert "\n" not in text


JUNK = [None, -1, float("nan"), True, "", [], {}, {1: 2}, {"a": {"b": None}}, 10**30, b"\0"]


def places(data, above=()):
    """The path of every value in plain data."""
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


def test_junk_anywhere_is_a_workflow_or_one_sentence(tmp_path):
    path = written(tmp_path)
    whole = yaml.safe_load(path.read_text())
    whole |= {"recent": {"echo": {"success": 1}}, "require": {"wall_s": "WATCHED"}}
    whole["extensions"]["crash"]["requires"] = {"program": "sh"}
    for *above, last in list(places(whole)):
        for junk in JUNK:
            data = copy.deepcopy(whole)
            part = data
            for key in above:
                part = part[key]
            part[last] = junk
            path.write_text(yaml.safe_dump(data))
            try:
                read_workflow(path)
            except WorkflowError as problem:
                assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it holds no mapping"),
        ("- a", "it holds no mapping"),
        ("a: [", "not valid YAML at line"),
        (
            "workflow: a\nbudget:\n\ttime_s: 3",
            "at line 3: .*; use spaces where the tab is; mend it there",
        ),
        ("workflow: conductor-workflow/1", "extensions: is missing"),
    ],
)
def test_files_that_are_no_workflow(tmp_path, text, says):
    with pytest.raises(WorkflowError, match=says):
        read_workflow(written(tmp_path, text=text))
    with pytest.raises(WorkflowError, match="there is no such file"):
        read_workflow(tmp_path / "nowhere.yaml")


def test_a_goal_that_needs_a_missing_program_is_an_error_that_says_so(tmp_path):
    def requires(data):
        for entry in data["extensions"].values():
            entry["requires"] = {"program": "no-such-program"}

    with pytest.raises(WorkflowError, match="no-such-program is not installed"):
        read_workflow(written(tmp_path, requires))


@pytest.mark.parametrize(
    ("value", "schema", "says"),
    [
        ({"title": "x"}, {"required": ["title"]}, None),
        ({}, {"required": ["title"]}, "it lacks 'title'"),
        ({"a": [1, "x"]}, {"properties": {"a": {"items": {"type": "integer"}}}}, "it.a[1] is text"),
        ("ab", {"minLength": 3}, "length 2"),
        ([1], {"minItems": 2}, "items 1"),
        (True, {"type": "number"}, "a yes or no"),
        (5, {"maximum": 4}, "the value 5"),
        ("x", {"enum": ["y"]}, "not one of"),
        ("x", {"pattern": "^y"}, "does not match"),
        (None, {"type": "null"}, None),
    ],
)
def test_the_small_schema(value, schema, says):
    check_schema(schema, "schema")
    found = fault(value, schema, "it")
    assert (says is None and found is None) or says in found
