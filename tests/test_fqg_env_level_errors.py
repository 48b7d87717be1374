"""One sentence for everything that can be wrong in a level file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hand_drawn import SMALL

from fqg_env.errors import LevelError
from fqg_env.level_file import read_level
from fqg_env.puzzle import read_puzzle

GOOD: dict[str, Any] = {
    "level": "function-quest/1",
    "name": "two steps",
    "artifacts": {"page": {"given": True}, "draft": {}, "text": {"goal": {"weight": 1}}},
    "functions": {
        "draw": {
            "inputs": ["page"],
            "outputs": ["draft"],
            "variants": {"default": {"latency_s": 2, "cost": 3}},
        },
        "read": {
            "inputs": ["draft"],
            "outputs": ["text"],
            "variants": {"default": {"latency_s": 4, "cost": 5}},
        },
    },
    "budget": {"time_s": 60, "cost": 20, "attempts": 10},
}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """GOOD with one value replaced; `to` None removes it."""
    data = yaml.safe_load(yaml.safe_dump(GOOD))
    inner = data
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return data


NEEDLESS = changed("functions", "skip", to={"inputs": ["page"], "outputs": ["text"]})


CONSUMING = {
    **GOOD["functions"],
    "read": {**GOOD["functions"]["read"], "consumes": ["draft"]},
    "again": {"inputs": ["draft"], "outputs": ["text"]},
}


BAD = {
    "unknown artifact": (
        changed("functions", "read", "inputs", to=["draff"]),
        "functions.read.inputs: 'draff' is no artifact of this level. Did you mean 'draft'?",
    ),
    "unknown artifact of a variant": (
        changed("functions", "read", "variants", "default", "inputs", to=["pages"]),
        "functions.read.variants.default.inputs: 'pages' is no artifact",
    ),
    "unreachable goal": (
        changed("functions", "draw", "inputs", to=["text"]),
        "artifacts.text: the goal cannot be reached",
    ),
    "no goal": (changed("artifacts", "text", to={}), "none has a `goal`"),
    "given goal": (changed("artifacts", "text", "given", to=True), "a goal cannot be given"),
    "weights": (changed("artifacts", "draft", "goal", to={"weight": 0.5}), "weights sum to 1.5"),
    "few attempts": (changed("budget", "attempts", to=1), "budget.attempts: 1 attempts, and the shortest way to the goals takes 2"),
    "few attempts for a plan": (
        {**changed("budget", "attempts", to=1), "plan": ["draw", "read"]},
        "budget.attempts: 1 attempts, and the plan alone takes 2",
    ),
    "few attempts for a plan that is all that may be called": (
        {**NEEDLESS, "budget": {**GOOD["budget"], "attempts": 1}, "responsibility": "community"},
        "budget.attempts: 1 attempts, and the plan alone takes 2",
    ),
    "little money": (changed("budget", "cost", to=7.5), "budget.cost: 7.5, and the cheapest way to the goals costs 8"),
    "little time": (changed("budget", "time_s", to=5), "budget.time_s: 5 s, and the fastest way"),
    "little time side by side": ({**changed("budget", "time_s", to=5), "max_in_flight": 2}, "budget.time_s: 5 s, and"),
    "heavy scoring": (changed("scoring", to={"cost": 0.5}), "scoring: the weights sum to 1.35; they may sum to 1 at"),
    "no budget": (changed("budget", to=None), "budget: is missing"),
    "version": (changed("level", to="function-quest/9"), "level: version 'function-quest/9' is not known"),
    "wrong key": (changed("functions", "read", "input", to=["draft"]), "functions.read.input: there is no such key"),
    "wrong type": (changed("budget", "time_s", to="long"), "budget.time_s: Input should be a valid number, unable to parse string as a number; change 'long'"),
    "negative": (changed("budget", "cost", to=-1), "budget.cost: Input should be greater than 0; change -1"),
    "a list": (changed("budget", "cost", to=[1] * 50), "budget.cost: Input should be a valid number; change what is given"),
    "plan": (changed("plan", to=["draw", "raed"]), "plan: 'raed' is no call of this level. Did you mean 'read'?"),
    "plan twice": (changed("plan", to=["draw", "draw"]), "plan: 'draw' stands in it twice"),
    "plan out of order": (changed("plan", to=["read", "draw"]), "plan: 'read' reads 'draft', which is not there by then; put"),
    "plan that probes too early": (
        {**changed("functions", "look", to={"kind": "verify", "probes": ["draft"]}), "plan": ["look", "draw", "read"]},
        "plan: 'look' reads 'draft', which is not there by then",
    ),
    "plan without the goal": (changed("plan", to=["draw"]), "plan: the essential goal 'text' is not there at its end; add"),
    "recent twice": (
        changed("recent", to={"read": {"success": 1}, "read/default": {"failure": 1}}),
        "recent: 'read' and 'read/default' are one call; once is enough",
    ),
    "recent of several": (
        {**changed("functions", "read", "variants", to={"a": {}, "b": {}}), "recent": {"read": {"success": 1}}},
        "recent: 'read' has 2 variants; name one, as 'read/a'",
    ),
    "key that is true": (changed("key", to=True), "key: true is no number; write one"),
    "cost that is false": (changed("functions", "read", "variants", "default", "cost", to=False), "cost: false is no number"),
    "quick 95th percentile": (
        changed("functions", "read", "variants", "default", "p95_s", to=1),
        "functions.read.variants.default.p95_s: 1 s, and typically it takes latency_s, 4 s; raise it",
    ),
    "escape in the name": (changed("name", to="a\x1b[31m"), "name: it holds the control character '\\x1b'; remove it"),
    "line in the name": (changed("name", to="a\nb"), "name: it holds the control character '\\n'"),
    "escape in the story": (changed("story", to="one\n\ttwo \x9b2J"), "story: it holds the control character '\\x9b'"),
    "escape of an artifact": (changed("artifacts", "draft", "description", to="\x07"), "artifacts.draft.description: it holds the"),
    "turned text of a function": (changed("functions", "read", "description", to="\u202e"), "functions.read.description: it holds"),
    "half a letter": (changed("says", to={"read!": "\ud800"}), "says.read!: it holds the control character"),
    "escape in what is said": (changed("says", to={"read!": "\x1b[2J"}), "says.read!: it holds the control character '\\x1b'"),
    "escape in a key": (changed("\x1b[2J", to=1), "'\\x1b[2J': there is no such key here"),
    "recent": (changed("recent", to={"rad": {"success": 1}}), "recent: 'rad' is no call"),
    "makes nothing": (changed("functions", "read", "outputs", to=[]), "functions.read.outputs: a work has to make"),
    "probe that makes": (changed("functions", "read", "kind", to="verify"), "functions.read: a verify makes nothing"),
    "work that probes": (changed("functions", "read", "probes", to=["draft"]), "functions.read.probes: only a verify"),
    "consumes unread": (changed("functions", "read", "consumes", to=["page"]), "functions.read.consumes: 'page' is no"),
    "too many variants": (
        changed("functions", "read", "variants", to={f"v{i}": {} for i in range(7)}),
        "functions.read.variants: 7 variants; 1 to 6",
    ),
    "name": (changed("artifacts", "no good name", to={}), "artifacts.no good name"),
    "too large": (
        changed("functions", to={f"read{i}": {"inputs": ["page"], "outputs": ["text"]} for i in range(65)}),
        "has 65 calls",
    ),
    "fault of what is not there": (changed("faults", to={"functions": {"raed": "ok"}}), "faults.functions: the level has no 'raed'. Did you mean 'read'?"),
    "kind of fault": (changed("faults", to={"functions": {"read": "brokn"}}), "'brokn' is no kind of fault. Did you mean 'broken'?"),
    "fault of a variant": (changed("faults", to={"functions": {"read": "wrong:slow"}}), "faults.functions.read: the level has no 'slow'"),
    "provider": (changed("faults", to={"providers": {"locale": 1}}), "faults.providers: the level has no 'locale'"),
    "window": (changed("faults", to={"providers": {"read": 9}}), "faults.providers.read: there is no window 9"),
    "window that is true": (changed("faults", to={"providers": {"read": True}}), "faults.providers.read: true is no number"),
    "defect of what is made": (changed("faults", to={"defects": ["draft"]}), "faults.defects: 'draft' is not given, so it is not there"),
    "defect for good": (changed("faults", to={"defects": ["page"]}), "faults.defects: nothing repairs 'page'; add a repair"),
    "clash with itself": (changed("faults", to={"clashes": {"read": "read"}}), "faults.clashes.read: a function can read what it makes"),
    "says": (changed("says", to={"reed!": "Hm."}), "says: the level has no 'reed'. Did you mean 'read'?"),
    "says too loud": (changed("says", to={"read!!": "Hm."}), "says: the level has no 'read!'. Did you mean 'read'?"),
    "says of a variant that is alone": (changed("says", to={"read/default": "Hm."}), "says: the level has no 'read/default'."),
    "points": (changed("points", to={"reed": 1}), "points: the level has no 'reed'. Did you mean 'read'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_with_the_file_and_the_place(case: str, tmp_path: Path) -> None:
    data, expected = BAD[case]
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(LevelError) as caught:
        read_puzzle(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and expected in message
    assert message.isprintable() and "pydantic" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: [unclosed", "is not valid YAML at line"),
        ("- a\n- b\n", "it holds no mapping"),
        ("", "it holds no mapping"),
        ("name: a\nname: b\n", "line 2: the key 'name' stands there twice"),
        ("? [a, b]\n: c\n", "line 1: found unhashable key"),
        ("\x00", "is not valid YAML"),
        ("a: 1\nname: !!bool x\n", "line 2: a value in it cannot be read as 'bool'; mend it there"),
        ("name: !!timestamp x\n", "line 1: a value in it cannot be read as 'timestamp'"),
        ("name: [!!int '']\n", "line 1: a value in it cannot be read as 'int'"),
        ("name: !!float\n", "line 1: a value in it cannot be read as 'float'"),
        ("name: 2024-99-99\n", "line 1: a value in it cannot be read as 'timestamp'"),
        ("name: !!python/object:os.x y\n", "line 1: could not determine a constructor"),
    ],
)
def test_what_is_no_level_file(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(LevelError) as caught:
        read_puzzle(path)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(LevelError, match=r"nowhere.yaml: there is no such file"):
        read_puzzle(tmp_path / "nowhere.yaml")
    with pytest.raises(LevelError, match="it cannot be read"):
        read_puzzle(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: Ä".encode("latin-1"))
    with pytest.raises(LevelError, match="it cannot be read"):
        read_puzzle(tmp_path / "latin.yaml")


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    good = read_level(path)
    assert good.call_names == ("draw", "read") and good.default_plan == (0, 1)
    assert good.size == SMALL


def test_what_is_unusual_and_good(tmp_path: Path) -> None:
    """A defect that can be repaired, a story in lines, and attempts for a way that is shorter than the plan."""
    mend = {"kind": "repair", "inputs": ["page"], "outputs": ["page"]}
    path = tmp_path / "good.yaml"
    for data in (
        {**changed("functions", "mend", to=mend), "faults": {"defects": ["page"]}},
        {**GOOD, "story": "One.\n\tTwo.\n", "says": {"read": "No.", "read!": "Yes."}},
        {**NEEDLESS, "budget": {**GOOD["budget"], "attempts": 1}},
    ):
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        read_puzzle(path)


def test_a_plan_may_need_again_what_it_uses_up(tmp_path: Path) -> None:
    """Drawn levels have such plans; whoever follows one makes it again."""
    path = tmp_path / "level.yaml"
    plan = ["draw", "read", "again"]
    path.write_text(yaml.safe_dump({**GOOD, "functions": CONSUMING, "plan": plan}))
    assert list(read_level(path).plan) == plan
