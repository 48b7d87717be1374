"""What an extension is shown: its own folder, if that is its own, and what it cannot make lead elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosted import ACTS, succeeds

from conductor_agent.files.bindings import limits_of, source_of
from conductor_agent.files.manifest import FILE, ManifestError, read_manifest
from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.readable import code_of, common, open_to_all
from conductor_agent.hosting.walls.self_test import why_not
from policies.resource.limits import ResourceLimits


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a program and a module in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    (folder / "act.py").write_text(ACTS)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    return folder


def bound(folder: Path, what: str) -> ExtensionSource:
    file = folder / FILE
    file.write_text(f'[extension]\nclass = "motif"\n{what}\n')
    manifest = read_manifest(file)
    source = source_of(manifest, file)
    limits_of(manifest, file)
    return source


def test_a_file_in_a_home_is_shown_alone(home: Path) -> None:
    shown = code_of(bound(home, 'source = "act.py"'), "python3")
    assert str(home / "act.py") in shown
    assert str(home) not in shown


def test_a_home_that_python_imports_from_is_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "packages").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{home}:{home / 'packages'}")
    shown = code_of(ExtensionSource("json"), sys.executable)
    assert str(home / "packages") in shown
    assert str(home) not in shown


@pytest.mark.parametrize("what", ['source = "act"', 'command = ["./run"]'])
def test_a_home_is_no_folder_of_an_extension(home: Path, what: str) -> None:
    with pytest.raises(ManifestError, match="a folder of its own"):
        bound(home, what)
    own = home / "own"
    own.mkdir()
    for name in ("act.py", "run"):
        (home / name).rename(own / name)
    assert str(own) in code_of(bound(own, what), "python3")


def test_a_python_beside_a_file_in_a_home_is_somebody_elses(home: Path) -> None:
    environment = home / "other" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").symlink_to("/bin/sh")
    with pytest.raises(ManifestError, match="may not read"):
        bound(home, f'source = "act.py"\npython = "{environment}/python"')


@pytest.mark.parametrize("ends", ["where it is named", "where it leads"])
def test_both_ends_of_a_link_have_to_be_readable(tmp_path: Path, ends: str) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "real").write_text("#!/bin/sh\n")
        (folder / "real").chmod(0o755)
    (own / "run").symlink_to(other / "real")
    (other / "run").symlink_to(own / "real")
    program = other / "run" if ends == "where it is named" else own / "run"
    with pytest.raises(ManifestError, match="may not read"):
        bound(own, f'command = ["{program}"]')
    bound(own, f'command = ["{own / "real"}"]')


def test_a_program_may_be_named_by_a_link_in_what_is_granted(tmp_path: Path) -> None:
    for name in ("own", "granted", "granted/real"):
        (tmp_path / name).mkdir()
    granted = tmp_path / "granted"
    (granted / "link").symlink_to(granted / "real")
    (granted / "real" / "run").write_text("#!/bin/sh\n")
    (granted / "real" / "run").chmod(0o755)
    grant = {"read_paths": [str(granted)]}
    asks = f'[extension.limits]\nread_paths = ["{granted}"]'
    for at in (granted / "link", granted / "real"):
        file = tmp_path / "own" / FILE
        file.write_text(f'[extension]\nclass = "motif"\ncommand = ["{at}/run"]\n{asks}\n')
        manifest = read_manifest(file)
        assert limits_of(manifest, file, grant, {"motif": grant}).read_paths == (str(granted),)


@pytest.mark.parametrize("key", ["command", "python"])
def test_a_workflow_that_tightens_grants_no_reading(tmp_path: Path, key: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "act.py").write_text(ACTS)
    (tmp_path / "other").symlink_to("/bin/sh")
    named = f'"{tmp_path / "other"}"'
    what = f"command = [{named}]" if key == "command" else f'source = "act.py"\npython = {named}'
    file = tmp_path / "own" / FILE
    file.write_text(f'[extension]\nclass = "motif"\n{what}\n')
    for tightened in ({}, {"wall_s": 1.0}):
        with pytest.raises(ManifestError, match=rf"extension\.{key}: .* may not read"):
            limits_of(read_manifest(file), file, tightened)


def test_a_relative_program_is_one_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own/bin", "work/bin"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run").symlink_to("/bin/sh")
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ManifestError, match="may not read"):
        bound(tmp_path / "own", 'command = ["bin/run"]')
    monkeypatch.chdir(tmp_path / "own")
    bound(tmp_path / "own", 'command = ["bin/run"]')


def test_of_an_environment_only_what_lies_in_it_and_its_interpreter_is_shown(
    tmp_path: Path,
) -> None:
    environment, other = tmp_path / "environment", tmp_path / "other"
    for folder in (environment, other):
        (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        (folder / "bin").mkdir()
    python = environment / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    (environment / "pyvenv.cfg").write_text(f"home = {other / 'bin'}\n")
    for link in ("lib/python3", "lib/libpython3.so", "bin/python-docs"):
        (environment / link).symlink_to(other)
    shown = code_of(ExtensionSource("json"), str(python))
    assert {str(python), str(environment / "lib" / "python3.11")} <= set(shown)
    assert not [path for path in shown if str(other) in (path, str(Path(path).resolve()))]


def test_what_not_everybody_may_read_or_reach_is_not_open_to_all(tmp_path: Path) -> None:
    file = tmp_path / "closed" / "file"
    file.parent.mkdir()
    file.write_text("")
    for mode, folder_mode, above, beneath in (
        (0o644, 0o755, True, True),
        (0o640, 0o755, False, False),
        (0o644, 0o750, False, True),
    ):
        file.chmod(mode)
        file.parent.chmod(folder_mode)
        assert open_to_all([str(file)], above=False) is beneath
        reached = all(one.stat().st_mode & 0o1 for one in (tmp_path, *tmp_path.parents))
        assert open_to_all([str(file)], above=True) is (above and reached)
    assert open_to_all([str(tmp_path / "not there")], above=True)


def test_a_bare_name_is_what_the_path_finds_and_nothing_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own", "work", "work/sort", "programs"):
        (tmp_path / name).mkdir()
    program = tmp_path / "programs" / "sort"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.chdir(tmp_path / "work")
    shown = code_of(bound(tmp_path / "own", 'command = ["sort", "./run"]'), "python3")
    assert str(tmp_path / "work" / "sort") not in shown
    assert str(program) in shown


def test_homes_and_what_is_everybodys_are_common(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(map(common, (home, home.parent, Path("/"), Path("/tmp"), Path("/var/tmp"))))
    assert not common(home / "own")

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert not common(home)
    assert common(Path("/tmp"))


@pytest.mark.parametrize("profile", ["full", "jail", "lock"])
@pytest.mark.parametrize("grants", ["read", "write"])
def test_a_grant_below_another_does_not_follow_what_the_extension_put_there(
    tmp_path: Path, profile: str, grants: str
) -> None:
    if why_not(profile):
        pytest.skip(why_not(profile))
    tmp_path.chmod(0o755)
    for name in ("own", "data", "data/part", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "act.py").write_text(ACTS)
    (tmp_path / "others" / "secret").write_text("a secret")
    data, part, others = (str(tmp_path / name) for name in ("data", "data/part", "others"))
    write = (data, part) if grants == "write" else (data,)
    limits = ResourceLimits(write_paths=write, read_paths=(part,), wall_s=10)
    source = ExtensionSource(str(tmp_path / "own" / "act.py"))

    def each(steps: list[Any]) -> Callable[[], Any]:
        async def run() -> Any:
            async with Supervisor(profile=profile) as host:
                return succeeds(await host.call(source, CallRequest({"steps": steps}), limits))

        return lambda: asyncio.run(run())["told"]

    moved = each([["rename", part, f"{data}/moved"], ["symlink", others, part]])
    assert moved() == [None, None]
    seen = each([["", f"{others}/secret", ""], ["", f"{part}/secret", ""]])
    assert "a secret" not in seen()


def test_a_source_that_its_extension_may_write_shows_no_other_folder(tmp_path: Path) -> None:
    """Its file could be a link by the time the next worker starts."""
    for name in ("data", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / "others" / "act.py").write_text(ACTS)
    (tmp_path / "data" / "act.py").symlink_to(tmp_path / "others" / "act.py")
    (tmp_path / "data" / "beside").mkdir()
    beside = str(tmp_path / "data" / "beside")
    source = ExtensionSource(str(tmp_path / "data" / "act.py"), import_paths=(beside,))
    assert {str(tmp_path / "others"), beside} <= set(code_of(source, "python3"))
    shown = code_of(source, "python3", write=[str(tmp_path / "data")])
    assert not [path for path in shown if path.startswith(str(tmp_path))]
