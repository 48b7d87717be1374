"""The wheel holds all that is used and nothing else, and works with nothing of the repository on the path.

Installed alone, with everything compiled anew, it is tried by `.ci/wheel`.
"""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STACK = ("fqg_env", "policies", "conductor_agent", "training")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BESIDE = ("pyproject.toml", "README.md", *PROJECT["license-files"])
FQG, CONDUCTOR = (
    f"import sys; sys.argv[1:] = {{}}; from {module} import main; main()"
    for module in ("training.cli", "conductor_agent.cli")
)


def of_the_packages() -> set[str]:
    """Every file of the packages that git keeps or would keep."""
    asked = ("ls-files", "--cached", "--others", "--exclude-standard", *STACK)
    kept = subprocess.run(["git", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    if kept.returncode:
        pytest.skip("not a git checkout")
    return {name for name in kept.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution, and the wheel that was made from it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in {*of_the_packages(), *BESIDE}:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


@pytest.fixture(scope="module")
def alone(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked."""
    folder = tmp_path_factory.mktemp("alone")
    wheel.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: zipfile.ZipFile):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == of_the_packages()


def test_the_source_holds_what_the_wheel_does(built: Path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as source:
        held = {name.partition("/")[2] for name in source.getnames()}
    assert of_the_packages() | set(BESIDE) <= held


def test_it_says_what_it_is_and_under_which_licence(metadata: Message, wheel: zipfile.ZipFile):
    assert metadata["Name"] == "fqg-conductor" and metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == PROJECT["license-files"]
    for name in PROJECT["license-files"]:
        held = [wheel.read(each) for each in wheel.namelist() if each.endswith(f"licenses/{name}")]
        assert held == [(ROOT / name).read_bytes()]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# fqg-conductor" in metadata.get_payload()
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])


def environment(alone: Path) -> dict[str, str]:
    """The unpacked wheel comes before whatever else is installed."""
    return {**os.environ, "PYTHONPATH": str(alone)}


def test_every_module_is_imported_from_the_wheel_without_a_trainer(alone: Path, tmp_path: Path):
    script = tmp_path / "no_torch.py"  # elsewhere, so that not even the tests are on its path
    shutil.copy(ROOT / "tests/no_torch.py", script)
    told = "import atexit, sys; atexit.register(lambda: print(*{m.__file__ for n, m in "
    told += f"sys.modules.items() if n.partition('.')[0] in {STACK!r}}}, sep='\\n')); "
    told += f"sys.argv.append('--modules'); import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    command = [sys.executable, "-c", told]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(alone), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    counted, *files = done.stdout.splitlines()
    assert int(counted.split()[0]) > 150 and len(files) > 150
    assert [file for file in files if not Path(file).is_relative_to(alone)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (FQG.format(["levels", "list"]), "escape_the_room"),
        (CONDUCTOR.format(["schema", "workflow"]), "conductor-workflow/1"),
        (
            "from training.learning.recipe import *; print(*(read_recipe(n).name for n in recipe_names()))",
            "quick sequence sequence_taught shipped",
        ),
        (
            "from policies.recovery.registry import *; print(policy_named('sequence').has_attention)",
            "True",
        ),
        (
            "from policies.resource.limits import *; print(limits_for('motif').wall_s)",
            "5.0",
        ),
    ],
)
def test_data_files_are_found(alone: Path, tmp_path: Path, code: str, expected: str):
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(alone), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_the_commands_are_its_entry_points(wheel: zipfile.ZipFile):
    name = next(name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    lines = wheel.read(name).decode().split()
    assert {f"{command}={place}" for command, place in PROJECT["scripts"].items()} <= {
        "".join(lines[i : i + 3]) for i in range(len(lines))
    }
