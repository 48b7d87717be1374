"""How often what goes wrong: the frequencies of the game in one place, each with its source.

`PUBLISHED` is the one prior that beliefs start from. A `Mix` says what is really drawn: `published` draws
from that prior, so that the posterior is exact; the others are shifted, so that it is not, as in life.

Sources: [D] failure data of published incidents and production traces (durations of 476 incidents: 2% ended
within 5 minutes, 44% within an hour; errors by kind); [M] measured here: it widens what there is to decide;
[J] judgement, and what is not marked.
"""

from __future__ import annotations

from dataclasses import dataclass

from fqg_env.outcome import Category


@dataclass(frozen=True)
class Window:
    """A span in which a provider fails, as shares of the time budget."""

    from_share: float
    until_share: float
    limit: bool = False
    """A rate limit, which mostly says when it ends; else an outage, which mostly does not."""


NEVER = Window(2.0, 2.0)
WINDOWS = (
    NEVER,
    Window(0.0, 0.06),
    Window(0.0, 0.15),
    Window(0.0, 0.4),
    Window(0.0, 2.0),
    Window(0.2, 2.0),
    Window(0.0, 0.04, limit=True),
    Window(0.0, 0.12, limit=True),
)


@dataclass(frozen=True)
class Frequencies:
    """The published prior. Chances, unless said otherwise."""

    windows: tuple[float, ...] = (0.60, 0.04, 0.04, 0.05, 0.13, 0.04, 0.05, 0.05)
    """Of each of `WINDOWS`. Most outages outlast a run [D]; two of five providers are not well, since
    without outages that functions share there is little to decide [M]."""
    flaky: float = 0.16
    """Of what is wrong with a function that is not well, as are the next ones [D, J]: fails now and then."""
    very_flaky: float = 0.07
    broken: float = 0.13
    over_limit: float = 0.09
    """Every variant but the lightest is over a limit of time or memory."""
    silent: float = 0.08
    """Answers with something bad: 3% of typed, 15% of model-backed successes [D]."""
    quota_1: float = 0.03
    """Works once."""
    quota_3: float = 0.03
    """Works three times."""
    wrong: float = 0.41
    """One variant alone works, or (`wrong_is_silent`) answers well. Without variants that differ in
    whether they work there is little to decide [M]."""
    wrong_is_silent: float = 0.55

    reputation: float = 0.65
    """Chance that a function of unknown reputation is well [J]."""
    reputation_strength: float = 4.0
    """Outcomes that this counts for beside a known reputation."""
    fidelity: float = 0.6
    """Chance that a reporter of unknown fidelity says the clear category of a cause, not a confused one."""

    flaky_fails: float = 0.35
    very_flaky_fails: float = 0.7
    hit: float = 0.95
    """An attempt begun while its provider is down is hit."""
    taint: float = 0.75
    """A bad input is noticed [M: where inference began to pay]."""
    clash: float = 0.05
    """A function cannot read what this one maker of its input makes [D: schema mismatch is the largest
    single cause between tools]."""
    defect: float = 0.35
    """A given artifact that something can repair is bad at the start [M: scanned pages]."""
    stale: float = 0.25
    """A version of an artifact that ages goes bad at half its time to live [J]."""
    gate_catch: float = 0.85
    gate_false: float = 0.02
    verify_wrong: float = 0.07
    """Either way [M: where inference began to pay]."""
    false_blame: float = 0.1
    hinted_error: float = 0.5
    hinted_inspect: float = 0.8
    not_examined: float = 0.15
    """An inspection says that it did not look at a function that it could have looked at."""
    announced_limit: float = 0.7
    """A rate limit says when it ends."""
    announced_outage: float = 0.1
    announced_flake: float = 0.1
    """A passing failure of a function says when to come back: after `flake_passes`, a share of the budget."""
    flake_passes: float = 0.015
    recovers: tuple[float, float, float] = (0.5, 0.0, 1.0)
    """An extension tries once more by itself after a passing failure: hybrid, conductor, community."""
    recovers_in_vain: float = 0.05
    """... after a lasting one, as a share of that."""
    recovery_share: float = 0.3
    """What such a second try takes, as a share of the first."""
    signalled: float = 0.3
    """The outage of a provider is announced from outside, some time after it began."""
    false_news: float = 0.016
    """An outage of a provider that is well is announced: about one announcement in thirteen."""
    news_lag: float = 0.02
    """Until the news comes, as a share of the time budget."""
    lost: float = 0.005
    """The answer of an attempt is lost to a crash of the conductor."""
    tail: float = 5.0
    """One attempt in 16 takes this many times as long as usual [D: p95/p50 of 5.7 over servers]."""
    undeclared_latency: tuple[float, float] = (0.115, 1.25)
    """What a call takes that does not declare it, as a share of the budget: the median and the standard
    deviation of the logarithm [M: of generated levels of tiers 6 to 20]."""
    undeclared_cost: tuple[float, float] = (0.1, 1.0)
    """The same of its cost."""
    still: float = 0.8
    """What was wrong with a function in recent runs still is, rather than drawn anew [D: incidents last]."""
    recent_up: float = 0.8
    """Its provider was up in a recent attempt."""

    @property
    def faults(self) -> tuple[float, ...]:
        """Of what is wrong with a function, in the order of `Mix.faults`."""
        lasting = (self.broken, self.over_limit, self.silent, self.quota_1, self.quota_3)
        return self.flaky, self.very_flaky, *lasting, self.wrong


PUBLISHED = Frequencies()


@dataclass(frozen=True)
class Mix:
    """What is really drawn, where that is not the published prior."""

    name: str
    windows: tuple[float, ...]
    faults: tuple[float, ...]
    """flaky, very_flaky, broken, over_limit, silent, quota_1, quota_3, wrong: of what is wrong."""
    well: tuple[float, float] | None = None
    """Range of the chance that a function is well; its reputation says it truly. None: as published."""
    spread: float = 1.0
    """In each level every window and fault is up to so many times more or less likely."""
    miscoded: float = 0.0
    """Share of the clear categories that are confused after all; with a spread at most that, by level."""
    false_hints: float = 0.0
    """The same of hints: the share of the true ones that point anywhere."""
    dialects: bool = False
    """Every provider has another code for each code, always the same one within a level."""


MIXES = (
    Mix("published", PUBLISHED.windows, PUBLISHED.faults),
    Mix(
        "production",
        (0.93, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01),
        PUBLISHED.faults,
        (0.90, 0.98),
    ),
    Mix("stress", (0.50, 0.05, 0.05, 0.06, 0.17, 0.05, 0.06, 0.06), PUBLISHED.faults, (0.50, 0.80)),
    Mix(
        "shifted",
        (0.45, 0.02, 0.02, 0.05, 0.30, 0.10, 0.03, 0.03),
        (0.06, 0.04, 0.22, 0.05, 0.25, 0.08, 0.08, 0.22),
        (0.30, 0.85),
    ),
    Mix("varied", PUBLISHED.windows, PUBLISHED.faults, spread=3.0, miscoded=0.4, false_hints=0.4),
    Mix("garbled", PUBLISHED.windows, PUBLISHED.faults, spread=3.0, miscoded=1.0, false_hints=0.4),
    Mix("silent", PUBLISHED.windows, (0.10, 0.05, 0.08, 0.06, 0.35, 0.02, 0.02, 0.32)),
    Mix("lasting", PUBLISHED.windows, (0.02, 0.02, 0.42, 0.16, 0.05, 0.03, 0.03, 0.27)),
    Mix("outage", (0.30, 0.05, 0.06, 0.09, 0.28, 0.10, 0.06, 0.06), PUBLISHED.faults),
    Mix("miscoded", PUBLISHED.windows, PUBLISHED.faults, miscoded=0.8),
    Mix("false_hints", PUBLISHED.windows, PUBLISHED.faults, false_hints=0.8),
    Mix("dialects", PUBLISHED.windows, PUBLISHED.faults, dialects=True),
)
"""`production`: 2 to 10% of functions fail; `stress`: 20 to 50% [D: the range of agent benchmarks];
`shifted`: more of what is silent, lasting and used up than anything that was trained on; `varied`: every
level leans its own way, to train on; `garbled`: the same, and its codes are worth anything from all to
nothing; the others shift one thing each, far, to judge on."""

CLEAR: dict[str, dict[Category, float]] = {
    "OUTAGE": {Category.UNAVAILABLE: 0.65, Category.TIMEOUT: 0.3, Category.RATE_LIMITED: 0.05},
    "LIMIT": {Category.RATE_LIMITED: 0.9, Category.UNAVAILABLE: 0.1},
    "FLAKY": {
        Category.UNAVAILABLE: 0.25,
        Category.TIMEOUT: 0.25,
        Category.RATE_LIMITED: 0.2,
        Category.CRASHED: 0.2,
        Category.CONFLICT: 0.1,
    },
    "BROKEN": {
        Category.UNSUPPORTED: 0.25,
        Category.CRASHED: 0.3,
        Category.UNABLE: 0.2,
        Category.UNAUTHORIZED: 0.1,
        Category.FORBIDDEN: 0.1,
        Category.REFUSED: 0.05,
    },
    "OVER_LIMIT": {
        Category.POLICY_VIOLATION: 0.4,
        Category.OUT_OF_RESOURCES: 0.3,
        Category.TIMEOUT: 0.2,
        Category.INPUT_TOO_LARGE: 0.1,
    },
    "QUOTA": {
        Category.RATE_LIMITED: 0.4,
        Category.OUT_OF_RESOURCES: 0.4,
        Category.FORBIDDEN: 0.2,
    },
    "WRONG_PARAMETERS": {
        Category.INVALID_INPUT: 0.5,
        Category.UNSUPPORTED: 0.2,
        Category.INVALID_OUTPUT: 0.15,
        Category.UNABLE: 0.15,
    },
    "CLASH": {
        Category.INVALID_INPUT: 0.5,
        Category.DEPENDENCY_FAILED: 0.3,
        Category.UNSUPPORTED: 0.2,
    },
    "BAD_INPUT": {
        Category.DEPENDENCY_FAILED: 0.45,
        Category.INVALID_INPUT: 0.3,
        Category.LOW_QUALITY: 0.25,
    },
    "GATE": {Category.LOW_QUALITY: 0.7, Category.INVALID_OUTPUT: 0.3},
}
"""What a cause shows as, clearly reported. One category has several causes, or the task would be a table."""
CONFUSED: dict[Category, float] = {
    Category.UNKNOWN: 0.25,
    Category.CRASHED: 0.18,
    Category.TIMEOUT: 0.15,
    Category.UNAVAILABLE: 0.12,
    Category.INVALID_OUTPUT: 0.08,
    Category.UNABLE: 0.08,
}
"""What any cause shows as otherwise; what is left goes to the other categories alike, since the live world
may say anything."""
