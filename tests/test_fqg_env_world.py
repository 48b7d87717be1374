"""The hidden faults, one by one, on small levels: what happens, and what a player may conclude."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hand_drawn import SMALL, Game, level, maker, one_move, preset, probe

from fqg_env.arrays import SIZES, Effect, Mode
from fqg_env.faults import CLASH, DEFECT, STALE, clashes, truly_bad
from fqg_env.fields import Call, Doubt
from fqg_env.frequencies import PUBLISHED
from fqg_env.lanes import Lanes
from fqg_env.level import Artifact, CallKind, Goal, Responsibility, Shield
from fqg_env.puzzle import Faults, Puzzle
from fqg_env.render import artifact_row
from fqg_env.shapes import Family
from fqg_env.splits import Source, level_key
from policies.recovery.index import Index

PAGE = {"page": Artifact(given=True)}
CHAIN = {**PAGE, "draft": Artifact(), "text": Artifact(goal=Goal())}
SEEDS = range(60)


def games(drawn: object, **hidden: object) -> list[Game]:
    """The same level and faults under the luck of many keys, no news from outside."""
    out = [Game(drawn, seed, belief=True, **hidden) for seed in SEEDS]  # type: ignore[arg-type]
    for game in out:
        game.lanes.truths["news_s"] = np.inf
    return out


def kept(game: Game) -> bool:
    """No answer was lost on the way."""
    return not game.board["lost"].any()


@pytest.mark.parametrize(("fault", "times"), [("quota_1", 1), ("quota_3", 3)])
def test_a_quota_lets_it_work_so_many_times(fault: str, times: int) -> None:
    for game in games(one_move(), functions={"read": fault}):
        said = []
        for _ in range(times + 1):
            game.act("read")
            said.append(game.last("read"))
        if kept(game) and not game.board["stopped"]:
            assert said[:-1] == ["SUCCESS"] * times and said[-1] != "SUCCESS"


def test_functions_that_clash_cannot_be_put_together() -> None:
    drawn = level(
        {
            "draw": maker("draft"),
            "copy": maker("draft"),
            "read": maker("text", inputs=("draft",)),
        },
        CHAIN,
    )
    suspected = 0
    for game in games(drawn, clashes={"read": "draw"}):
        game.act("draw", "read")
        if kept(game):
            assert game.held("draft") and not game.held("text")
            assert game.last("read") != "SUCCESS"
        suspected += game.lanes.beliefs["clash"][0, 2, 0] > 1.0
        game.act("copy", "read")
        if kept(game):
            assert game.held("text") and game.lanes.beliefs["clash"][0, 2, 1] < 1.0
    assert suspected > len(SEEDS) / 2


def test_pairs_clash_as_often_as_the_prior_says() -> None:
    lanes = Lanes(1, SMALL, belief=False)
    Puzzle(level=one_move()).load(lanes)
    found = []
    for i in range(4000):
        lanes.levels["key"] = level_key("train", i)
        found.append(clashes(lanes.levels[0], lanes.hidden[0], 1, 2))
        assert not clashes(lanes.levels[0], lanes.hidden[0], 1, 1)
    assert np.mean(found) == pytest.approx(CLASH, abs=4 * np.sqrt(CLASH / 4000))


MENDABLE = level(
    {
        "mend": maker("page", kind=CallKind.REPAIR),
        "look": probe(CallKind.VERIFY, "page"),
        "read": maker("text"),
    }
)


def test_what_is_given_may_be_bad_and_can_be_repaired() -> None:
    noticed = 0
    for game in games(MENDABLE, defects=["page"]):
        assert game.lanes.observations["doubt"][0, 0, Doubt.BAD] == pytest.approx(DEFECT)
        game.act("read")
        if game.last("read") == "SUCCESS":
            assert truly_bad(game.lanes.levels[0], game.board, game.lanes.truths[0], 1)
        else:
            noticed += kept(game)
            assert game.lanes.observations["doubt"][0, 0, Doubt.BAD] > DEFECT or not kept(game)
        game.act("mend", "read")
        if kept(game):
            assert game.held("text") and not game.lanes.truths["bad"][0, 1]
    assert noticed > len(SEEDS) / 2


def test_a_defect_is_drawn_only_where_something_can_repair_it() -> None:
    for drawn, share in ((MENDABLE, DEFECT), (one_move(), 0.0)):
        lanes, found = Lanes(1, SMALL, belief=False), []
        for i in range(600):
            Puzzle(level=drawn).load(lanes, i)
            lanes.begin()
            found.append(int(lanes.truths["bad"][0, 0]))
        assert np.mean(found) == pytest.approx(share, abs=0.08)


AGEING = level(
    {"draw": maker("draft"), "read": maker("text", inputs=("draft",))},
    {**CHAIN, "draft": Artifact(time_to_live_s=100.0)},
)


def test_what_ages_may_go_off_before_its_time_and_is_gone_after_it() -> None:
    stale = []
    for game in games(AGEING):
        game.act("draw")
        made_at = float(game.board["made_at_s"][1])
        while game.board["at_s"] - made_at <= 50.0:
            assert not truly_bad(game.lanes.levels[0], game.board, game.lanes.truths[0], 1)
            game.act("WAIT")
        if game.held("draft") and game.board["at_s"] - made_at <= 100.0:
            stale.append(truly_bad(game.lanes.levels[0], game.board, game.lanes.truths[0], 1))
            doubt = game.lanes.observations["doubt"][0, 1, Doubt.BAD]
            assert doubt == pytest.approx(game.lanes.beliefs["bad"][0, 1]) and doubt >= STALE
            assert "read" in game.legal
        while game.board["at_s"] - made_at <= 100.0:
            game.act("WAIT")
        assert "read" not in game.legal and "draw" in game.legal
        if game.held("draft"):
            assert artifact_row(game.drawn, game.board, 1)[1:] == (
                "expired",
                "keeps for 1 min 40 s",
            )
    assert np.mean(stale) == pytest.approx(STALE, abs=0.17) and len(stale) > 40


def test_a_rate_limit_says_when_it_ends_and_a_wait_lasts_until_then() -> None:
    """Window 7 is a limit until 12% of the time: 38.4 of 320 s."""
    announced = 0
    for game in games(one_move(), providers={"local": 7}):
        game.act("read")
        until = float(game.board["retry_at_s"][0])
        if until == 0.0 or game.last("read") == "SUCCESS":
            continue
        if until > 30.0:
            announced += 1
            assert until == pytest.approx(38.4)
            while game.board["at_s"] < until - 1e-6:
                game.act("WAIT")
            assert float(game.board["at_s"]) == pytest.approx(until)
            assert game.lanes.beliefs["provider"][0, 0, 7] > 0.5
            game.act("read")
            assert game.held("text") or not kept(game)
    assert announced > len(SEEDS) / 3


@pytest.mark.parametrize("mode", list(Responsibility))
def test_who_owns_failures_decides_who_tries_again(mode: Responsibility) -> None:
    drawn = one_move(responsibility=mode)
    fails = again = 0
    for game in games(drawn, functions={"read": "very_flaky"}):
        game.act("read")
        fails += not game.held("text")
        again += int(game.board["own_recovery"][0])
    n = len(SEEDS)
    p, tries = PUBLISHED.very_flaky_fails, PUBLISHED.recovers[Mode[mode.name]]
    assert fails / n == pytest.approx(p * (1 - tries * (1 - p)), abs=0.17)
    assert again / n == pytest.approx(p * tries, abs=0.17)
    assert (again == 0) == (mode is Responsibility.CONDUCTOR)


def test_an_outage_is_announced_and_ends_a_wait() -> None:
    """Window 3 is down until 40% of the time; the news comes at 2%."""
    told = 0
    for seed in SEEDS:
        game = Game(one_move(), seed, belief=True, providers={"local": 3})
        if not np.isfinite(game.lanes.truths["news_s"][0, 0]):
            continue
        told += 1
        game.act("WAIT")
        assert float(game.board["at_s"]) == pytest.approx(0.02 * 320.0)
        assert float(game.board["down_until_s"][0]) == pytest.approx(0.4 * 320.0)
        assert game.lanes.observations["calls"][0, 0, Call.PROVIDER_DOWN] > 0.3
        assert game.lanes.beliefs["provider"][0, 0, 0] < 0.4
        for _ in range(40):
            if game.board["down_until_s"][0] == 0.0:
                break
            game.act("WAIT")
        assert game.board["down_until_s"][0] == 0.0
        assert float(game.board["at_s"]) == pytest.approx(0.4 * 320.0, abs=0.01)
    assert told / len(SEEDS) == pytest.approx(PUBLISHED.signalled, abs=0.17)


def test_a_lost_answer_makes_nothing_and_costs_nothing() -> None:
    lost = [seed for seed in range(2000) if game_lost(seed)]
    assert len(lost) / 2000 == pytest.approx(PUBLISHED.lost, abs=0.005) and lost
    game = Game(one_move(), lost[0])
    game.act("read")
    assert game.board["lost"][0] == 1 and game.last("read") == "never" and not game.held("text")
    assert game.board["cost"] == 0.0 and game.board["at_s"] > 0.0 and "read" in game.legal


def game_lost(seed: int) -> bool:
    """The first answer of this seed is lost."""
    game = Game(one_move(max_in_flight=2), seed)
    game.act("read")
    return bool(game.lanes.truths["flight_lost"][0, 0])


def test_what_is_consumed_has_to_be_made_again() -> None:
    drawn = level(
        {"draw": maker("draft"), "read": maker("text", inputs=("draft",), consumes=("draft",))},
        CHAIN,
    )
    game = Game(drawn, 1, functions={"read": "broken"})
    game.act("draw", "read")
    assert not game.held("draft") and "read" not in game.legal
    game.act("draw")
    assert "read" in game.legal


def test_variants_of_what_may_not_act_twice_share_their_effect() -> None:
    two = {"post": preset(), "wire": preset()}
    for allowed, flights in ((False, 1), (True, 1), (False, 2), (True, 2)):
        drawn = level(
            {"pay": maker("text", idempotent=False, variants=two)},
            shield=Shield(unsafe_repeats="allowed" if allowed else "forbidden"),
            max_in_flight=flights,
        )
        game = Game(drawn, 3)
        game.act("pay/post")
        if flights == 1:
            assert game.board["effect"][0] == Effect.COMMITTED
        assert ("pay/wire" in game.legal) == allowed
        if allowed:
            game.act("pay/wire")
            assert game.board["unsafe_repeats"] == 1


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("mix", ["published", "production", "stress", "shifted"])
def test_levels_come_in_every_mode_and_mix(mode: Mode, mix: str) -> None:
    lanes = Lanes(100, SMALL, source=Source(mix=mix, mode=mode.name.lower()))
    lanes.deal("train")
    assert (lanes.levels["mode"] == mode).all()
    ill = (lanes.hidden["fault"] > 0).sum() / lanes.levels["functions"].sum()
    assert (ill < 0.15) == (mix == "production")


def test_what_a_file_says_of_defects_and_clashes_is_played() -> None:
    hidden = Faults(defects=("page",), clashes={"read": "mend"})
    lanes = Lanes(1, SMALL, belief=False)
    Puzzle(level=MENDABLE, faults=hidden).load(lanes)
    lanes.begin()
    assert lanes.truths["bad"][0, 0] == 1
    assert clashes(lanes.levels[0], lanes.hidden[0], 2, 0)
    assert not clashes(lanes.levels[0], lanes.hidden[0], 1, 0)


def test_what_was_used_up_or_has_grown_old_is_made_again_by_the_index() -> None:
    drawn = level(
        {"draw": maker("draft"), "read": maker("text", inputs=("draft",), consumes=("draft",))},
        CHAIN,
    )
    policy, again = Index(), 0
    for game in games(drawn, functions={"read": "very_flaky"}):
        while not game.board["stopped"]:
            seen = {n: game.lanes.observations[n] for n in game.lanes.observations.dtype.names}
            game.lanes.step(policy.actions(seen, game.lanes.masks))
        again += int(game.board["tries"][0]) > 1
    assert again > len(SEEDS) / 3
    for game in games(AGEING):
        game.act("draw")
        if game.held("draft"):
            assert game.lanes.observations["calls"][0, 0, Call.REPEATS] == 1.0
            game.act("WAIT", "WAIT", "WAIT")
            assert game.lanes.observations["calls"][0, 0, Call.REPEATS] == 0.0


def test_the_plan_fits_the_attempts_in_every_family_and_size() -> None:
    for size, family in itertools.product(SIZES.values(), Family):
        lanes = Lanes(60, size, belief=False, source=Source(families=(family,)))
        lanes.deal("train")
        planned = (lanes.levels["plan"] >= 0).sum(1)
        assert (lanes.levels["attempt_budget"] >= planned + 2).all()


def test_an_attempt_that_takes_far_too_long_costs_twice_and_no_more() -> None:
    """A success takes at most 1.3 times as long as is typical, or five times that; this reads 10 s and 1."""
    met = set()
    for seed in range(200):
        game = Game(one_move(sealed=True), seed)
        game.act("read")
        met.add((round(float(game.board["at_s"]), 6), round(float(game.board["cost"]), 6)))
    assert met == {(7.0, 0.7), (9.0, 0.9), (10.0, 1.0), (13.0, 1.3), (65.0, 2.0)}


def test_all_that_could_only_make_the_same_is_cancelled() -> None:
    speeds = {"fast": 1.0, "slow": 30.0, "slower": 40.0}
    makers = {name: maker("text", variants={"default": preset(s)}) for name, s in speeds.items()}
    game = Game(level(makers, max_in_flight=3, sealed=True))
    game.act("fast", "slow", "slower")
    assert game.held("text") and game.board["in_flight"] == 0
    assert [game.last(name) for name in speeds] == ["SUCCESS", "CANCELLED", "CANCELLED"]


def test_each_unsafe_repeat_costs_a_quarter_of_its_weight_up_to_four() -> None:
    drawn = level(
        {"pay": maker("text", idempotent=False)},
        shield=Shield(unsafe_repeats="allowed", retries_per_function=10),
        sealed=True,
    )
    game = Game(drawn)
    for repeats in range(7):
        game.act("pay")
        paid = 0.15 * game.board["cost"] / 100.0 + 0.15 * game.board["at_s"] / 320.0
        assert game.board["unsafe_repeats"] == repeats and not game.board["stopped"]
        assert -game.total == pytest.approx(paid + 0.025 * min(repeats, 4), abs=1e-9)
