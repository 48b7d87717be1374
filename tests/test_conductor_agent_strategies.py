"""Labels: what a choice amounts to, on hand-drawn boards."""

import pytest

from conductor_agent.deciding.strategies import strategy_of
from conductor_agent.record.events import Finished, Lost, Started
from conductor_agent.record.fold import Fold
from fqg_env.level import Level
from fqg_env.outcome import BlamedInput, Category, Hint, Success, error
from fqg_env.row import Made, Strategy

LEVEL = Level.model_validate(
    {
        "name": "page",
        "max_in_flight": 2,
        "artifacts": {
            "page": {"given": True},
            "clean": {},
            "text": {"goal": {"weight": 0.5}},
            "keywords": {"goal": {"weight": 0.3, "kind": "recommended"}},
            "vector": {"goal": {"weight": 0.2, "kind": "optional"}},
        },
        "functions": {
            "clean": {
                "inputs": ["page"],
                "outputs": ["clean"],
                "variants": {
                    "heavy": {"memory_bytes": 9e6},
                    "light": {"memory_bytes": 1e6},
                    "odd": {},
                },
            },
            "sharpen": {"kind": "repair", "inputs": ["page"], "outputs": ["clean"]},
            "read": {"inputs": ["clean"], "outputs": ["text"]},
            "guess": {"inputs": ["page"], "outputs": ["text"]},
            "judge": {"kind": "verify", "probes": ["text"]},
            "look": {"kind": "inspect", "probes": ["page"]},
            "list": {"inputs": ["text"], "outputs": ["keywords"]},
            "embed": {"inputs": ["text"], "outputs": ["vector"]},
        },
        "budget": {"time_s": 100, "cost": 100},
    }
)


class Board:
    """A board drawn by what has happened."""

    def __init__(self):
        self.fold, self.attempt, self.at_s = Fold(LEVEL), -1, 0.0

    def begin(self, call):
        self.attempt, self.at_s = self.attempt + 1, self.at_s + 1
        self.fold.apply(Started(at_s=self.at_s, attempt=self.attempt, call=call, key=""))
        return self

    def end(self, call, outcome, *made):
        event = Finished(
            at_s=self.at_s + 1, attempt=self.attempt, call=call, outcome=outcome, elapsed_s=1.0,
            made={name: Made() for name in made},
        )  # fmt: skip
        self.fold.apply(event)
        return self

    def made(self, call, *made):
        return self.begin(call).end(call, Success(), *made)

    def failed(self, call, **more):
        return self.begin(call).end(call, error(Category.UNABLE, "no", **more))

    def lost(self, call):
        self.begin(call).fold.apply(Lost(at_s=self.at_s, attempt=self.attempt))
        return self


def board():
    """Nothing has happened yet."""
    return Board()


BLAMED = {"blamed_inputs": (BlamedInput("clean"),)}
CASES = [
    (board(), "clean/heavy", Strategy.FIRST_TRY),
    (board(), "look", Strategy.INSPECT),
    (board().failed("clean/heavy"), "clean/heavy", Strategy.RETRY),
    (board().lost("clean/heavy"), "clean/heavy", Strategy.RETRY),
    (board().failed("clean/heavy"), "clean/light", Strategy.LIGHTER_VARIANT),
    (board().failed("clean/light"), "clean/heavy", Strategy.OTHER_PARAMETERS),
    (board().failed("clean/heavy"), "clean/odd", Strategy.OTHER_PARAMETERS),
    (board().failed("clean/heavy"), "sharpen", Strategy.REPAIR),
    (
        board().made("clean/odd", "clean").failed("read", **BLAMED),
        "sharpen",
        Strategy.REVERSE_RECONSTRUCT,
    ),
    (
        board().made("clean/odd", "clean").failed("read", **BLAMED),
        "clean/odd",
        Strategy.REBUILD_UPSTREAM,
    ),
    (board().made("clean/odd", "clean").failed("read"), "guess", Strategy.FALLBACK),
    (board().failed("read", hints=(Hint(0.9, call="guess"),)), "guess", Strategy.FOLLOW_HINT),
    (board().begin("guess"), "read", Strategy.HEDGE),
    (board().made("guess", "text"), "judge", Strategy.VERIFY),
    (board().begin("guess"), "WAIT", Strategy.AWAIT),
    (board(), "WAIT", Strategy.AWAIT),
    (board().failed("guess"), "WAIT", Strategy.BACK_OFF),
    (board(), "STOP", Strategy.GIVE_UP),
    (board().made("guess", "text"), "STOP", Strategy.DEGRADE),
    (board().made("guess", "text").made("list", "keywords"), "STOP", Strategy.SKIP),
    (
        board().made("guess", "text").made("list", "keywords").made("embed", "vector"),
        "STOP",
        Strategy.DELIVER,
    ),
]


@pytest.mark.parametrize(
    ("drawn", "action", "label"), CASES, ids=[f"{c[1]}-{c[2].value}" for c in CASES]
)
def test_what_a_choice_amounts_to(drawn, action, label):
    assert strategy_of(drawn.fold, drawn.fold.action(action)) is label


def test_every_strategy_but_none_is_seen_here():
    assert {label for _, _, label in CASES} == set(Strategy)
