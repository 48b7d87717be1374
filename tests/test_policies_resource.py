"""Limits tighten and never loosen in silence; every refusal is one sentence that says what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conductor_agent.files.workflow import WorkflowError, read_workflow
from fqg_env.errors import LevelError
from fqg_env.level_file import read_level
from fqg_env.outcome import Category
from policies.resource.freedoms import FREEDOMS, allows
from policies.resource.limits import (
    ExtensionClass,
    LimitError,
    ResourceLimits,
    ceiling_for,
    classes,
    limits_for,
    load_ceiling,
)
from policies.resource.violations import BREACHES, Limit, evidence, violation

MIB = 2**20
RANGES = {
    "instrument": ((30, 300), (512 * MIB, 2048 * MIB)),
    "operator": ((5, 30), (64 * MIB, 256 * MIB)),
    "motif": ((1, 10), (32 * MIB, 128 * MIB)),
}


@pytest.mark.parametrize(("name", "ranges"), RANGES.items())
def test_classes_keep_their_documented_ranges(name: str, ranges: Any) -> None:
    (wall_low, wall_high), (memory_low, memory_high) = ranges
    limits, ceiling = limits_for(name), ceiling_for(name)
    assert wall_low <= limits.wall_s <= wall_high == ceiling["wall_s"]
    assert memory_low <= limits.memory_bytes <= memory_high == ceiling["memory_bytes"]
    assert limits.total_retry_s == 300
    assert limits.request_bytes <= 16 * MIB >= limits.reply_bytes


NUMBERS = set(ResourceLimits.model_fields) - set(FREEDOMS)


def test_classes_are_complete_and_every_default_is_under_its_ceiling() -> None:
    assert set(classes()) == {member.value for member in ExtensionClass}
    for name, table in classes().items():
        assert set(table["default"]) == set(NUMBERS) - {"cpu_s", "cpu_cores"}
        assert set(table["ceiling"]) == set(table["default"]) | {"network", "environment"}
        limits_for(name, table["default"])
        limits_for(name.upper(), table["ceiling"])


def test_bare_limits_are_those_of_an_operator() -> None:
    assert ResourceLimits() == limits_for("operator")


def test_a_workflow_moves_inside_its_ceiling() -> None:
    limits = limits_for("Motif", {"wall_s": 0.5, "cpu_s": 1})
    assert (limits.wall_s, limits.cpu_s) == (0.5, 1)
    assert limits_for("motif", {"wall_s": 10}).wall_s == 10


@given(
    st.sampled_from(sorted(RANGES)),
    st.sampled_from(sorted(classes()["motif"]["default"])),
    st.integers(1, 10**6),
)
def test_over_the_ceiling_is_always_refused(name: str, field: str, above: int) -> None:
    ceiling = ceiling_for(name)[field]
    with pytest.raises(LimitError, match=f"{field} of class {name}.*asked for.*ceiling is"):
        limits_for(name, {field: ceiling + above})


def test_the_operator_raises_and_lowers() -> None:
    operator = {"motif": {"wall_s": 2, "memory_bytes": 512 * MIB, "cpu_s": 1.0}}
    limits = limits_for("motif", {"memory_bytes": 400 * MIB}, operator)
    assert limits.wall_s == 2, "a lowered ceiling lowers the default"
    assert limits.memory_bytes == 400 * MIB
    assert limits.cpu_s == 1.0
    with pytest.raises(LimitError, match="wall_s .* asked for 3, the ceiling is 2"):
        limits_for("motif", {"wall_s": 3}, operator)
    with pytest.raises(LimitError, match="cpu_s .* asked for no limit, the ceiling is 1"):
        limits_for("motif", {"cpu_s": None}, operator)
    assert limits_for("operator", None, operator) == limits_for("operator")


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("symphony", {}, "Unknown class 'symphony'"),
        ("operater", {}, "Did you mean 'operator'"),
        (
            "operator",
            {"network": ["api.example.com:443", "b.org:80"]},
            r"asked for 'api.example.com:443', 'b.org:80', which .* \(--limits\)",
        ),
        ("motif", {"wall": 3}, "wall: there is no such key here.*Did you mean .wall_s"),
        ("motif", {"wall_s": "soon"}, "wall_s: .*soon"),
        ("motif", {"wall_s": 0}, "wall_s: .*greater than 0"),
        ("motif", {"wall_s": float("nan")}, "wall_s"),
        ("motif", {"tasks": 1.5}, "tasks"),
    ],
)
def test_unusable_limits_say_which(name: str, overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(LimitError, match=says) as caught:
        limits_for(name, overrides)
    assert "\n" not in str(caught.value)


def test_limits_are_frozen_and_hashable() -> None:
    limits = ResourceLimits()
    assert hash(limits) == hash(ResourceLimits())
    with pytest.raises(ValidationError):
        limits.wall_s = 3


@pytest.mark.parametrize(
    ("name", "text"),
    [("l.yaml", "Motif: {wall_s: 3}\n"), ("l.toml", "[motif]\nwall_s = 3\n")],
)
def test_an_operators_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert load_ceiling(tmp_path / name) == {"motif": {"wall_s": 3}}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "motif: {wall: 3}", "wall: there is no such key here.*Did you mean .wall_s"),
        ("a.yaml", "motif:\n\twall_s: 3", "line 2.*; use spaces where the tab is"),
        ("a.yaml", "motif: 3", "needs a table"),
        ("a.yaml", "- motif", "expected class names"),
        ("a.yaml", "motif: {", "not readable as .yaml"),
        ("a.toml", "motif = {", "not readable as .toml"),
        ("a.yaml", "opera: {}", "Unknown class 'opera'"),
        ("a.yaml", "motif: {wall_s: 3}\nmotif: {wall_s: 4}", "stands there twice"),
        ("a.yaml", "motif: {wall_s: 2024-99-99}", "a value in it cannot be read"),
        ("a.yaml", "[" * 5000, "cannot be read"),
        ("a.toml", "a = " + "[" * 5000, "cannot be read"),
        ("a.yaml", "a: &a [*a]", "inside of what it names"),
        ("a.yaml", "motif: " + "x" * 5000, r"found 'x+\.\.\.x+'\.$"),
    ],
)
def test_an_unusable_file_says_why(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(LimitError, match=says) as caught:
        load_ceiling(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_that_yaml_reads_as_text_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "l.yaml"
    path.write_text('motif: {wall_s: "3e0", tasks: "10"}\n')
    limits = limits_for("motif", {}, load_ceiling(path))
    assert (limits.wall_s, limits.tasks) == (3.0, 10)


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
)
"""Nine lines that stand for 400 million values."""


def test_a_file_of_aliases_of_aliases_is_refused_before_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "l.yaml"
    path.write_text(f"{BOMB}\nmotif: *a8\n")
    with pytest.raises(LimitError, match="too many values") as caught:
        load_ceiling(path)
    assert len(str(caught.value)) < 300
    path.write_text(f"{BOMB}\nworkflow: *a8\n")
    with pytest.raises(WorkflowError, match="too many values") as found:
        read_workflow(path)
    assert len(str(found.value)) < 300
    with pytest.raises(LevelError, match="too many values"):
        read_level(path)
    path.write_text("\n".join(BOMB.splitlines()[:4]) + "\nworkflow: *a3\n")
    with pytest.raises(WorkflowError, match="workflow: version") as found:
        read_workflow(path)
    assert len(str(found.value)) < 300


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match="No such file"):
        load_ceiling(tmp_path / "no.yaml")


def test_every_limit_has_its_breach() -> None:
    assert set(BREACHES) == set(Limit)
    # nothing breaks those, or nobody but the extension can see it
    fields = set(NUMBERS) - {"calls_per_worker", "idle_s", "cpu_cores", "own_retries"}
    assert {limit.value for limit in Limit} == fields | {"deadline_s", "network"}
    special = {Limit.WALL, Limit.START_WALL, Limit.DEADLINE, Limit.REQUEST}
    for limit, breach in BREACHES.items():
        assert (breach.category is Category.POLICY_VIOLATION) is (limit not in special)


def test_a_violation_carries_its_proof() -> None:
    proof = evidence(Limit.MEMORY, 100, 130, enforcer="watchdog", signal="SIGKILL", log="tail")
    failure = violation(Limit.MEMORY, proof, attempt=2)
    assert failure.policy == proof
    assert failure.detail == "memory_bytes: 130 bytes seen, 100 bytes allowed"
    assert (failure.code, failure.attempt, failure.retryable) == ("LIMIT_MEMORY", 2, False)


@pytest.mark.parametrize(
    ("asked", "operator", "told"),
    [
        ({"network": "host"}, {}, "network .* asked for 'host'"),
        ({"network": ["a.b:443"]}, {}, "network"),
        ({"network": ["a.b:443", "c.d:1"]}, {"network": ["*.b:443"]}, "'c.d:1'"),
        ({"network": "host"}, {"network": ["*.b:443"]}, "'host'"),
        ({"network": ["no port"]}, {"network": "host"}, "no destination"),
        ({"network": ["a.b:99999"]}, {"network": "host"}, "no destination"),
        ({"network": 5}, {}, "it is none, host, or a list"),
        ({"read_paths": ["/etc"]}, {"read_paths": ["/opt"]}, "'/etc'"),
        ({"read_paths": ["opt"]}, {}, "no absolute path"),
        ({"read_paths": ["/opt/../etc"]}, {"read_paths": ["/opt"]}, "no absolute path"),
        ({"environment": ["KEY"]}, {}, "'KEY'"),
        ({"devices": ["/dev/kvm"]}, {"devices": []}, "'/dev/kvm'"),
    ],
)
def test_what_may_be_reached_is_the_operators_to_widen(asked, operator, told) -> None:
    with pytest.raises(LimitError, match=told):
        limits_for("operator", asked, {"operator": operator})


@pytest.mark.parametrize(
    ("asked", "operator"),
    [
        ({"network": ["a.b:443"]}, {"network": ["*.b:443"]}),
        ({"network": ["*.a.b:443"]}, {"network": ["*.b:443"]}),
        ({"network": []}, {}),
        ({"network": "host"}, {"network": "host"}),
        ({"read_paths": ["/opt/models"]}, {"read_paths": ["/opt"]}),
        ({"read_paths": ["/opt/models"]}, {}),
        ({"environment": ["KEY"]}, {"environment": ["KEY", "OTHER"]}),
    ],
)
def test_what_the_operator_allows_may_be_reached(asked, operator) -> None:
    limits_for("operator", asked, {"operator": operator})


def test_a_wider_ceiling_gives_nothing_by_itself() -> None:
    limits = limits_for("operator", {}, {"operator": {"network": "host", "environment": ["KEY"]}})
    assert (limits.network, limits.environment) == ("none", ())


def test_destinations() -> None:
    assert allows("host", "anything", 1)
    assert not allows("none", "a.b", 443)
    assert allows(("*.b:443",), "A.B", 443)
    assert not allows(("*.b:443",), "ab", 443)
    assert not allows(("*.b:443",), "a.b", 80)
    assert not allows(("a.b:443",), "x.a.b", 443)
