"""The walls around extensions, attacked: a part of `benchmarks/sandbox_suite.py`, and that its judge can say no."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import sandbox_suite  # noqa: E402
from sandbox import own_attack, report  # noqa: E402
from sandbox.case import ATTACKS, LIMITS, Case  # noqa: E402
from sandbox.cases import CASES  # noqa: E402
from sandbox.judge import GROWTH_BYTES, Seen, judge  # noqa: E402
from sandbox.suite import Result  # noqa: E402

from fqg_env.outcome import Category, Outcome, StandardError, Success, error  # noqa: E402
from policies.resource.violations import Limit, evidence, violation  # noqa: E402

PROFILES = ("full", "jail", "lock", "group")
REPRESENTATIVE = (
    "timing/sleeping", "timing/short_children", "processes/daemon_and_hang", "processes/fork_bomb",
    "processes/conductor_killed", "memory/six_children", "memory/memfds", "files/many_files", "files/tamper",
    "network/mptcp", "network/vsock", "network/abstract", "privacy/secret_file", "privacy/inherited_files",
    "privacy/siblings", "privacy/kill_conductor", "protocol/garbage", "protocol/deep_lists",
    "crashes/segfault", "loading/exit", "timing/cores", "files/modes",
    "network/datagram_pair", "network/flood_the_way_out", "privacy/planted_python", "manifest/read_paths",
)  # fmt: skip


def suite(*words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object and what was said to people."""
    line = [sys.executable, str(BENCHMARKS / "sandbox_suite.py"), "--json", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_what_a_profile_claims_it_contains(profile: str) -> None:
    code, result, said = suite("--profile", profile, "--quick", "--only", ",".join(REPRESENTATIVE))
    if code == 2 and "does not hold here" in said:
        pytest.skip(said.strip())
    told = {name: case["why"] for name, case in result["cases"].items() if not case["contained"]}
    assert (code, told) == (0, {}), said
    assert result["profile"] == profile
    assert set(result["cases"]) | set(result["not_claimed"]) == set(REPRESENTATIVE)
    assert "timing/sleeping" in result["cases"]
    assert result["cases"]["timing/sleeping"]["category"] == "TIMEOUT"
    assert 0 < result["gone_ms_p99"] < 2000
    if profile != "group":
        assert set(result["not_claimed"]) <= {"network/flood_the_way_out"}  # lock has no way out


def test_what_is_not_contained_is_said_so() -> None:
    """Nothing stands between these and the host in the profile *group*."""
    attacks = {
        "network/tcp": "it reached the tcp listener",
        "network/udp": "it reached the UDP listener",
        "network/abstract": "it reached the abstract listener",
        "network/listen": "it listens on",
        "privacy/secret_file": "it told the secret",
        "privacy/kill_bystander": "it killed a bystander",
        "privacy/kill_conductor": "the conductor ended by SIGKILL",
        "files/tamper": "it changed the file 'kept'",
        "files/write_outside": "is new",
        "files/leave_behind": "it managed",
        "files/modes": "it changed the mode of the file 'kept'",
        "files/set_user_id": "it managed open: '0o104755'",
        "network/datagram_pair": "it reached the datagram file listener",
        "privacy/planted_python": "it told the secret",
        "timing/cores": f"it got {os.cpu_count()} of 1",
    }
    if os.cpu_count() == 1:
        del attacks["timing/cores"]
    if os.getuid() != 0:
        del attacks["privacy/kill_conductor"]  # its bystanders would be ours
    for _ in range(2):  # on a busy machine its time may end an attack before it has done its harm
        code, result, said = suite(
            "--profile", "group", "--quick", "--every", "--only", ",".join(attacks)
        )
        assert code == 4 or all(case["contained"] for case in result["cases"].values()), said
        told = {name: " ".join(case["why"]) for name, case in result["cases"].items()}
        attacks = {name: why for name, why in attacks.items() if why not in told[name]}
        if not attacks:
            break
    assert not attacks, told


def test_an_attack_of_ones_own_as_an_extension(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import os\n"
        "from conductor_agent.hosting.extension import extension\n"
        "@extension\n"
        "def thief(inputs, parameters, context):\n"
        "    return {'found': open(os.environ['BAIT_SECRET']).read()}\n"
        "@extension(name='quiet')\n"
        "def other(inputs, parameters, context):\n"
        "    return {}\n"
    )
    code, result, said = suite("--profile", "group", "--attack", str(tmp_path / "own.py"))
    assert code == 4, said
    assert result["cases"]["attack/thief"]["why"] == ["it told the secret"]
    assert result["cases"]["attack/quiet"]["contained"]


@pytest.mark.parametrize(
    "source",
    [
        (
            "from conductor_agent.hosting.extension import extension\n"
            "@extension\ndef clumsy(inputs, parameters, context):\n    return 1 / 0\n"
        ),
        "print('so far')\n1 / 0\n",
    ],
)
def test_an_attack_of_ones_own_that_raises_says_what(tmp_path: Path, source: str) -> None:
    (tmp_path / "own.py").write_text(source)
    _, result, said = suite("--profile", "group", "--attack", str(tmp_path / "own.py"))
    (case,) = result["cases"].values()
    assert report._ending(case).endswith("ZeroDivisionError: division by zero"), (case, said)


def test_an_attack_of_ones_own_as_a_program(tmp_path: Path) -> None:
    """It is run as if started by hand, detaches a process, and is ended for its processor time."""
    (tmp_path / "own.py").write_text(
        "import os, time\n"
        "if __name__ == '__main__':\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(30)\n"
        "    while True: pass\n"
    )
    code, result, said = suite("--profile", "group", "--attack", str(tmp_path / "own.py"))
    (case,) = result["cases"].values()
    assert (code, case["contained"], case["survivors"]) == (0, True, 0), (case, said)
    limit = case["policy"]["limit"]  # a busy machine gives it less than a second of processor time
    assert limit in {"cpu_s", "wall_s"}
    assert case["policy"]["observed"] >= case["policy"]["allowed"] == getattr(LIMITS, limit)
    assert case["gone_ms"] < 2000


def test_a_campaign_leaves_nothing_behind() -> None:
    code, result, said = suite("--profile", "group", "--calls", "60")
    campaign = result["cases"]["campaign"]
    assert (code, campaign["why"]) == (0, []), said
    assert (campaign["calls"], campaign["violations"]) == (60, 3)


def test_a_wrong_word_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "poem.py").write_text("roses are red")
    for word, sentence in (
        ("no_such.py", "No such file"),
        (str(tmp_path / "poem.py"), "not Python"),
    ):
        with pytest.raises(sandbox_suite.UsageError, match=sentence):
            sandbox_suite._check(Path(word))
    with pytest.raises(
        sandbox_suite.UsageError, match="There is no attack 'tim'; themes are timing"
    ):
        sandbox_suite.names_of("processes,tim")
    assert sandbox_suite.names_of("loading,timing/busy")[:2] == ["timing/busy", "loading/hang"]


# The judge


def case(**more: Any) -> Case:
    return Case("theme/name", "source", "extension", **more)


def broken(limit: Limit) -> StandardError:
    return violation(limit, evidence(limit, 1, 2, enforcer="watchdog"))


def refused(**ways: str) -> Success:
    return Success(outputs={"managed": {}, "refused": ways})


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        (case(limits=("wall_s",)), broken(Limit.WALL)),
        (case(limits=("cpu_s", "wall_s")), broken(Limit.WALL)),
        (case(codes=("EXIT_3",)), error(Category.CRASHED, "x", code="EXIT_3")),
        (case(categories=("CRASHED",)), error(Category.CRASHED, "x")),
        (case(at_most=64), Success(outputs={"count": 64})),
        (case(probe=True), refused(tcp="EACCES")),
        (case(probe=True), Success(outputs={"managed": {}, "refused": {}, "tried": ["/tmp"]})),
    ],
)
def test_the_ends_that_a_case_names_are_contained(case: Case, outcome: Outcome) -> None:
    assert judge(case, Seen(outcome)) == []


@pytest.mark.parametrize(
    ("case", "outcome", "sentence"),
    [
        (case(limits=("wall_s",)), broken(Limit.CPU), "it ended in POLICY_VIOLATION (LIMIT_CPU)"),
        (case(limits=("wall_s",)), Success(), "it answered instead of being ended"),
        (case(limits=("wall_s",)), refused(a="b"), "it answered instead of being ended"),
        (case(codes=("EXIT_3",)), error(Category.CRASHED, "x", code="EXIT_4"), "EXIT_4"),
        (case(at_most=64), Success(outputs={"count": 65}), "it got 65 of 64"),
        (case(at_most=64), Success(outputs={}), "it answered instead of being ended"),
        (case(probe=True), Success(outputs={"managed": {"tcp": "in"}}), "it managed tcp: in"),
        (case(probe=True), refused(), "it tried nothing"),
        (case(probe=True), error(Category.CRASHED, "x", code="RAISED"), "CRASHED (RAISED)"),
    ],
)
def test_any_other_end_is_not(case: Case, outcome: Outcome, sentence: str) -> None:
    (why,) = judge(case, Seen(outcome))
    assert sentence in why


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ({"harm": ("it killed a bystander",)}, "it killed a bystander"),
        ({"survivors": 2}, "2 of its processes lived on"),
        ({"works_again": False}, "the next call did not work"),
        ({"grown_bytes": GROWTH_BYTES + (1 << 20)}, "the conductor grew by 17 MiB"),
        ({"leaked": ("secret",)}, "it told the secret"),
    ],
)
def test_harm_to_the_host_counts_however_well_it_ended(seen: dict[str, Any], sentence: str) -> None:
    assert judge(case(probe=True), Seen(refused(tcp="EACCES"), **seen)) == [sentence]


def test_a_case_is_claimed_only_where_something_stops_it() -> None:
    wanted = case(needs=("network", "tasks"))
    assert wanted.unclaimed({"network": {"level": "NONE"}}) == ("network", "NONE")
    assert wanted.unclaimed({"network": {"level": "KERNEL_TREE"}}) == ("tasks", "NONE")
    report = {"network": {"level": "KERNEL_TREE"}, "tasks": {"level": "COUNTED"}}
    assert wanted.unclaimed(report) == ("tasks", "COUNTED")
    report["tasks"] = {"level": "WATCHED"}
    assert wanted.unclaimed(report) is None


def test_a_case_is_as_good_as_its_worst_run() -> None:
    result = Result("group")
    told = {"name": "a", "why": [], "category": "TIMEOUT"}
    result.add({**told, "contained": True, "gone_ms": 1.0})
    result.add({**told, "contained": False, "gone_ms": 9.0, "why": ["no"]})
    result.add({**told, "contained": True, "gone_ms": 5.0})
    assert not result.contained
    assert result.cases["a"]["why"] == ["no"]
    assert result.as_json()["cases"]["a"]["gone_ms"] == 9.0
    assert result.gone_ms_p99 == pytest.approx(8.92)


def test_every_case_has_an_attack_and_an_end() -> None:
    attacks = {path.stem: _attacks(path) for path in ATTACKS.glob("*.py")}
    for one in CASES.values():
        assert one.extension in attacks[one.source], one.name
        ends = (one.limits, one.codes, one.categories, one.at_most is not None, one.probe)
        assert any(ends) or one.name == "processes/conductor_killed"
    used = {(one.source, one.extension) for one in CASES.values()}
    written = {(stem, name) for stem, names in attacks.items() for name in names}
    assert written == used, "an attack that no case runs"


def test_the_documentation_counts_the_attacks_that_there_are() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (.+?) \| (\d+ \|.*) \|$", page, re.MULTILINE))
    themes = Counter(name.partition("/")[0] for name in CASES)
    assert {theme: rows[words].split(" | ")[0] for theme, words in report.THEMES.items()} == {
        theme: str(tried) for theme, tried in themes.items()
    }
    for words in report.THEMES.values():
        tried, *cells = rows[words].split(" | ")
        for cell in cells:  # `10 (2 not claimed)`
            assert sum(map(int, re.findall(r"\d+", cell))) == int(tried), words
    unclaimed = sum(
        int(found)
        for words in report.THEMES.values()
        for found in re.findall(r"\((\d+)", rows[words].split(" | ")[PROFILES.index("lock") + 1])
    )
    said = f"*jail* contains all {len(CASES)} too, and *lock* the {len(CASES) - unclaimed} that it"
    assert said in page
    assert f"a suite of {len(CASES)} attacks" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def _attacks(path: Path) -> set[str]:
    found = set()
    for part in ast.walk(ast.parse(path.read_text())):
        marks = part.decorator_list if isinstance(part, ast.FunctionDef) else []
        if any(isinstance(mark, ast.Name) and mark.id == "attack" for mark in marks):
            found.add(part.name)  # type: ignore[attr-defined]
    return found


def test_extensions_are_found_as_a_source_names_them() -> None:
    source = (
        "@extension\ndef a(): ...\n@sdk.extension(name='b')\nasync def c(): ...\ndef d(): ...\n"
    )
    assert own_attack.extensions_in(source) == ["a", "b"]
    assert own_attack.extensions_in("print('extension')") == []
