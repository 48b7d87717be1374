"""Granted paths: a link on the way is followed by nobody, neither when a workflow is read nor later."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hosted import ACTS, fails, succeeds

from conductor_agent.files.bindings import limits_of
from conductor_agent.files.manifest import FILE, ManifestError, read_manifest
from conductor_agent.files.workflow import WorkflowError, read_workflow
from conductor_agent.hosting.contract import CallRequest, ExtensionSource, Reply
from conductor_agent.hosting.supervisor import Supervisor
from conductor_agent.hosting.walls.bubblewrap import covers
from conductor_agent.hosting.walls.grants import LedAwayError, places
from conductor_agent.hosting.walls.place import Place
from conductor_agent.hosting.walls.self_test import why_not
from conductor_agent.hosting.workers import launch
from fqg_env.outcome import Category
from policies.resource.limits import LimitError, ResourceLimits

WORKFLOW = """
workflow: conductor-workflow/1
name: One
artifacts: {{told: {{goal: {{weight: 1}}}}}}
functions: {{act: {{inputs: [], outputs: [told], variants: {{default: {{}}}}}}}}
budget: {{time_s: 60, cost: 10}}
extensions: {{act: {{source: own/act.py, class: motif, limits: {{read_paths: [{part}]}}}}}}
"""
WALLED = ["full", "jail", "lock"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that one extension writes, in it a part that another is granted; beside it a secret."""
    tmp_path.chmod(0o755)
    for name in ("own", "data", "data/part", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / "own" / "act.py").write_text(ACTS)
    (tmp_path / "others" / "secret").write_text("a secret")
    return tmp_path / "data"


def act(data: Path, profile: str, limits: ResourceLimits, *steps: tuple[str, Any, Any]) -> Reply:
    source = ExtensionSource(str(data.parent / "own" / "act.py"))
    request = CallRequest({"steps": [[str(one) for one in step] for step in steps]})

    async def run() -> Reply:
        async with Supervisor(profile=profile) as host:
            return await host.call(source, request, limits)

    return asyncio.run(run())


@pytest.mark.parametrize("profile", WALLED)
@pytest.mark.parametrize("field", ["read_paths", "write_paths"])
def test_a_link_that_one_extension_made_leads_no_other_astray(
    data: Path, profile: str, field: str
) -> None:
    if why_not(profile):
        pytest.skip(why_not(profile))
    part, others = data / "part", data.parent / "others"
    one, other = ({"write_paths": (str(data),)}, {field: (str(part),)})
    moved = ("rename", part, data / "moved"), ("symlink", others, part)
    told = succeeds(act(data, profile, ResourceLimits(**one), *moved))["told"]  # type: ignore[arg-type]
    assert told == [None, None]
    limits = ResourceLimits(**other)  # type: ignore[arg-type]
    failure = fails(
        act(data, profile, limits, ("", part / "secret", "")), Category.POLICY_VIOLATION
    )
    assert failure.code == "GRANT_LEADS_AWAY"
    assert failure.policy is not None
    assert failure.policy.name == field
    assert failure.policy.evidence == f"{part} -> {others}"
    assert f"{str(part)!r} leads to {str(others)!r}" in failure.message


@pytest.mark.parametrize("profile", WALLED)
@pytest.mark.parametrize("field", ["read_paths", "write_paths"])
def test_what_is_replaced_between_the_look_and_the_walls_starts_nothing(
    data: Path, profile: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why_not(profile):
        pytest.skip(why_not(profile))
    part, others = data / "part", data.parent / "others"

    def then_replaced(field: str, paths: Iterable[str]) -> dict[str, Place | None]:
        found = places(field, paths)
        if found:
            part.rename(data / "moved")
            part.symlink_to(others)
        return found

    monkeypatch.setattr(launch, "places", then_replaced)
    limits = ResourceLimits(**{field: (str(part),)})  # type: ignore[arg-type]
    reply = act(data, profile, limits, ("", part / "secret", ""))
    failure = fails(reply, Category.UNSUPPORTED)
    assert "replaced meanwhile" in failure.detail
    assert str(part) in failure.detail


@pytest.mark.parametrize("profile", WALLED)
def test_a_part_of_what_another_writes_may_be_granted(data: Path, profile: str) -> None:
    if why_not(profile):
        pytest.skip(why_not(profile))
    part = data / "part"
    (part / "result").write_text("made")
    # What is not there, and what the jail has of its own, is not looked for behind the walls.
    nowhere = str(data.parent / "nowhere")
    limits = ResourceLimits(read_paths=(str(part), nowhere, "/tmp", "/proc/cpuinfo", "/dev/shm"))
    told = succeeds(act(data, profile, limits, ("", part / "result", "")))["told"]
    assert told == ["made"]


def test_at_no_path_there_is_nothing() -> None:
    assert places("read_paths", ["", "."]) == {"": None, ".": None}


def test_a_workflow_grants_no_path_that_leads_elsewhere(data: Path) -> None:
    file = data.parent / "flow.yaml"
    file.write_text(WORKFLOW.format(part=data / "part"))
    assert read_workflow(file).extensions["act"].limits.read_paths == (str(data / "part"),)
    (data / "part").rmdir()
    (data / "part").symlink_to(data.parent / "others")
    with pytest.raises(
        WorkflowError, match=r"extensions\.act\.limits: Limit read_paths: .* by a link"
    ):
        read_workflow(file)


def test_neither_does_an_operator_or_a_workflow_of_manifests(data: Path) -> None:
    link = data / "link"
    link.symlink_to(data.parent / "others")
    file = data.parent / "own" / FILE
    asks = f'[extension.limits]\nwrite_paths = ["{link}"]\n'
    file.write_text(f'[extension]\nclass = "motif"\nsource = "act.py"\n{asks}')
    grant = {"write_paths": [str(link)]}
    with pytest.raises(ManifestError, match="Limit write_paths: .* by a link"):
        limits_of(read_manifest(file), file, None, {"motif": grant})
    file.write_text('[extension]\nclass = "motif"\nsource = "act.py"\n')
    with pytest.raises(LimitError, match="Limit write_paths: .* by a link"):
        limits_of(read_manifest(file), file, grant)


def test_a_link_is_found_wherever_on_the_way_it_is(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "part").mkdir(parents=True)
    (real / "file").write_text("")
    (tmp_path / "link").symlink_to(real)
    (real / "loop").symlink_to(real / "loop")
    os.mkfifo(real / "pipe")
    for path in (tmp_path / "link", tmp_path / "link" / "part", real / "loop"):
        with pytest.raises(LedAwayError, match="by a link"):
            places("read_paths", [str(path)])
    straight = [str(real / name) for name in ("", "part", "part/", "file", "pipe")] + ["/"]
    assert places("read_paths", straight) == {
        path: (os.stat(path).st_dev, os.stat(path).st_ino) for path in straight
    }
    gone = [str(real / "file" / "below"), str(real / "nothing"), str(real / ("n" * 300))]
    assert places("read_paths", gone) == dict.fromkeys(gone)


def test_the_jail_covers_what_it_has_of_its_own() -> None:
    assert all(map(covers, ("/", "/tmp", "/dev", "/dev/shm/x", "/proc/cpuinfo")))
    assert not any(map(covers, ("/tmp/x", "/device", "/srv")))
