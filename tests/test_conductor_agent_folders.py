"""A folder where a file is wanted is answered with what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_agent.authoring.new_extension import write_extension
from conductor_agent.authoring.new_workflow import write_workflow
from conductor_agent.cli import main
from conductor_agent.record.journal import Journal
from policies.resource.limits import ExtensionClass


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """What a command says that is given something in the current folder: one sentence, exit code 2."""
    monkeypatch.chdir(tmp_path)

    def tell(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        said = capsys.readouterr()
        assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1)
        return said.err.removeprefix("conductor: ").rstrip("\n")

    return tell


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_folder_is_no_workflow_and_the_one_in_it_is_named(told, more):
    nothing = told("run", ".", *more)
    assert nothing == (
        ".: it is a folder, and no workflow lies in it; name a workflow file, or write one with "
        "`conductor new NAME`"
    )
    write_workflow(Path("till"))
    Path("till/limits.yaml").write_text("motif: {wall_s: 2}\n")
    one = told("run", "till", *more)
    assert one == "till: it is a folder; name the workflow in it: till/workflow.yaml"
    Path("till/other.yml").write_text("# mine\nworkflow: conductor-workflow/1\n")
    both = told("run", "till/", *more)
    assert both.endswith("name one of its workflows: till/other.yml, till/workflow.yaml")


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_folder_without_a_manifest_names_the_extension_in_it(told, command):
    assert told("extension", command, ".").startswith(
        ".: there is no extension.toml in this folder; name"
    )
    write_extension(Path("count"), ExtensionClass.MOTIF, command=False)
    assert told("extension", command, ".").endswith("name the extension in it: count")
    write_extension(Path("sum_up"), ExtensionClass.MOTIF, command=False)
    assert told("extension", command, ".").endswith(
        "name one of the extensions in it: count, sum_up"
    )


@pytest.mark.parametrize("words", [("explain",), ("runs",), ("resume",), ("extension", "list")])
def test_a_folder_is_no_journal_and_the_one_in_it_is_named(told, words):
    Path("kept").mkdir()
    assert told(*words, "--journal", "kept").endswith("name one, such as kept/conductor.sqlite")
    Journal.create("kept/mine.sqlite").close()
    assert told(*words, "--journal", "kept") == (
        "kept: it is a folder; name the journal in it: kept/mine.sqlite"
    )
