"""Policies by name: somebody's own class, and folders that are none or are written anew."""

import hashlib
import sys
from pathlib import Path

import pytest

from fqg_env.fields import OBSERVATION_VERSION
from policies.recovery.policy_file import PolicyFileError, read_policy_file, write_policy_file
from policies.recovery.registry import PolicyError, policy_named


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module of somebody's own into the current folder; the policy of its class `Mine`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    monkeypatch.setattr("sys.meta_path", [*sys.meta_path])

    def make(text):
        name = f"own_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        Path(f"{name}.py").write_text(text)
        return policy_named(f"{name}:Mine")

    return make


def test_a_class_in_the_current_folder_is_found(own):
    policy = own("class Mine:\n    def decide(self, observation, mask):\n        pass\n")
    assert policy.name == "Mine"


def test_its_folder_is_none_that_everything_is_imported_from(own, tmp_path):
    """Extensions in the conductor's own Python are shown what `sys.path` names."""
    Path("own_neighbour.py").write_text("NAME = 'from beside'\n")
    policy = own(
        "class Mine:\n    def decide(self, observation, mask):\n"
        "        import own_neighbour\n        return own_neighbour.NAME\n"
    )
    assert policy.decide(None, None) == "from beside"
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import sys\nsys.exit(0)\n", "cannot be imported"),
        ("class Mine:\n    def __init__(self):\n        raise SystemExit(0)\n", "cannot be made"),
        (
            "class Mine:\n    decide = 1\n    @property\n    def name(self):\n        raise SystemExit(0)\n",
            "cannot be made",
        ),
        ("Mine = 3\n", "has no method"),
        ("import no_such_thing\n", "cannot be imported"),
    ],
)
def test_somebody_elses_code_that_does_not_come_to_a_policy_is_one_sentence(own, text, says):
    with pytest.raises(PolicyError, match=says) as caught:
        own(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own_kinds:Cheepest", "own_kinds has no 'Cheepest'. Did you mean 'Cheapest'?"),
        ("own_kinds:Boldness", "own_kinds has no 'Boldness'. Known are Cheapest, Fastest."),
        ("own_kinds:", "own_kinds has no ''. Known are Cheapest, Fastest."),
        ("own_knds:Cheapest", "what is installed in {python}. Did you mean 'own_kinds'?"),
        ("own_nothing.at.all:Cheapest", "there is no module 'own_nothing' in the current folder {here}, nor"),
        ("own_kinds.deep:Cheapest", "there is no module 'own_kinds.deep' in the current folder"),
        (":Cheapest", "cannot be imported: ValueError: Empty module name"),
    ],
)  # fmt: skip
def test_a_misspelt_module_or_class_is_told_what_was_meant_and_where_it_was_looked_for(
    tmp_path, monkeypatch, name, says
):
    monkeypatch.chdir(tmp_path)
    decides = "    def decide(self, observation, mask):\n        pass\n"
    text = f"from math import ceil\nclass Cheapest:\n{decides}class Fastest:\n{decides}"
    Path("own_kinds.py").write_text(text)
    with pytest.raises(PolicyError) as caught:
        policy_named(name)
    assert says.format(here=tmp_path, python=sys.prefix) in str(caught.value)


def test_a_module_with_a_fault_of_its_own_is_not_said_to_be_missing(own):
    with pytest.raises(PolicyError, match=r"No module named 'no_such_thing' \(own_.*line 1"):
        own("import no_such_thing\n")


# --- folders ------------------------------------------------------------------------------------------

MANIFEST = {"name": "p", "observation_version": OBSERVATION_VERSION, "inputs": ("index",)}


def test_the_folder_above_is_recognised(tmp_path):
    write_policy_file(tmp_path / "tiny" / "policy", b"model", MANIFEST)
    with pytest.raises(PolicyFileError, match="did you mean .*tiny/policy?"):
        read_policy_file(tmp_path / "tiny")


def test_a_full_disk_leaves_the_old_policy_whole(tmp_path, monkeypatch):
    folder = tmp_path / "policy"
    write_policy_file(folder, b"old", MANIFEST)
    (folder / "notes.txt").write_text("mine")
    whole = Path.write_bytes

    def full(path, data):
        whole(path, data[:1])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            write_policy_file(folder, b"new and larger", MANIFEST)
    assert read_policy_file(folder)[1] == b"old"
    assert {path.name for path in folder.iterdir()} == {"policy.onnx", "manifest.json", "notes.txt"}
    write_policy_file(folder, b"new and larger", MANIFEST)
    assert read_policy_file(folder)[1] == b"new and larger"
    assert (folder / "notes.txt").read_text() == "mine"
