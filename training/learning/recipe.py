"""Recipe: everything that decides what a training run makes, besides its seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fqg_env.arrays import SIZES
from fqg_env.errors import LevelError, suggest
from fqg_env.level_file import explain, read_yaml
from fqg_env.shapes import TIERS
from fqg_env.splits import ALL_TIERS, Source, source_of
from policies.recovery.policy_file import HEADS
from policies.resource.outsized import outsized
from policies.resource.wrong_key import wrong_key

FOLDER = Path(__file__).parent.parent / "recipes"
LARGEST_ROLLOUT = 2**20
"""Decisions over all lanes between two updates: more do not fit a usual memory."""
TOLD, ABSENT = 3, "none"
"""Differences between two recipes that a sentence names, and what stands there for no value."""
Whole = Annotated[int, Field(strict=True, ge=1, le=10**12)]
LaneCount = Annotated[int, Field(strict=True, ge=1, le=16_384)]
Width = Annotated[int, Field(strict=True, ge=2, le=1024)]
Tier = Annotated[int, Field(strict=True)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Rate = Annotated[float, Field(strict=True, gt=0, le=0.1)]
USUAL_TIERS = (6, TIERS)
NetworkName = Literal["set", "sequence"]
Part = Literal["belief", "choice", "thoughts", "memory", "counts", "history"]
"""Of what a network reads: the posterior; the index rule's choice, which it begins with, and what else the
rule thinks; reputations and recent runs, as they are (the posterior begins from them too); the attempts, as
counts per call, and raw.
"""


class Draws(BaseModel):
    """Levels to train on, and their share of the lanes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    share: Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    """How many of the lanes, beside the shares of the others."""
    size: str = "small"
    """`small`, `standard` or `large`."""
    split: Literal["train", "exact_train"] = "train"
    """Drawn levels, or the templates for training."""
    tiers: tuple[Tier, Tier] = USUAL_TIERS
    """The first and the last. Templates have none; a recipe that was saved names the usual ones for them."""
    mix: str = ""
    """Of faults; empty: the split's own."""
    mode: str = "hybrid"
    """Who owns failures."""

    @model_validator(mode="after")
    def _check(self) -> Draws:
        if self.size not in SIZES:
            raise ValueError(f"size: there is no {self.size!r}." + suggest(self.size, SIZES))
        if self.split == "exact_train" and self.tiers != USUAL_TIERS:
            raise ValueError("tiers: the templates of 'exact_train' have none; leave them out")
        try:
            self.source()
        except LevelError as problem:
            raise ValueError(str(problem)) from None
        return self

    def source(self) -> Source:
        """What the lanes draw from."""
        tiers = ALL_TIERS if self.split == "exact_train" else self.tiers
        return source_of(self.split, tiers, self.mix, self.mode)


class Teaching(BaseModel):
    """Settings of the teacher, which comes before PPO."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    labels: Whole = 655_360
    """Decisions that are labelled and learned from, in all."""
    expert: str = ""
    """A policy whose choices are the labels, by name or folder; none: rollouts say what actions gain."""
    worlds: Annotated[int, Field(strict=True, ge=1, le=1024)] = 1
    """Imagined worlds that an action is played in."""
    tries: Whole = 4
    """Actions tried at a decision, besides the rule's choice, drawn from the network."""
    steps: Whole = 16
    """Decisions in every lane between two rounds of learning."""
    temperature: Annotated[float, Field(strict=True, ge=1e-4, le=10)] = 0.025
    """The gain in return that makes an action e times as likely."""
    sharpen: Annotated[float, Field(strict=True, ge=1, le=100)] = 4.0
    """What the logits are multiplied by where the network plays, and at last where PPO goes on."""
    learning_rate: Rate = 3e-3
    """Of Adam; falls linearly to zero over the labels."""
    batch: Whole = 1024
    """Labels of one step of learning."""
    epochs: Whole = 2
    """Passes over the labels of a round."""


class Recipe(BaseModel):
    """Settings of PPO from the index rule, by default those of `quick`.

    Steps are decisions over all lanes together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
    """What people call it."""
    draws: Annotated[tuple[Draws, ...], Field(min_length=1)] = (Draws(),)
    """What is trained on, a share of the lanes for each."""
    lanes: LaneCount = 512
    """Levels played side by side."""
    steps: Annotated[int, Field(strict=True, ge=0, le=10**12)] = 983_040
    """Decisions of PPO, over all lanes together; 0: no PPO."""
    teacher: Teaching | None = None
    """Comes before PPO; none: PPO goes on from the index rule."""
    network: NetworkName = "set"
    """Counts of attempts over sets of calls and artifacts, or a transformer over the attempts themselves."""
    hidden: Width = 32
    """Width of a token of the network that decides."""
    value_hidden: Width = 32
    """The same of the critic of PPO, which is a network of its own."""
    rounds: Annotated[int, Field(strict=True, ge=0, le=4)] = 1
    """Of messages between calls and artifacts; layers of attention in a sequence, 2 where nothing is said: in
    the first attempts hear each other, in the second the calls hear what they heard."""
    trust: Annotated[float, Field(strict=True, ge=0, le=100)] = 3.0
    """What the index rule's choice adds to its logit at the start."""
    without: tuple[Part, ...] = ()
    """Parts of the inputs that the network does not see, to find out what they are worth."""
    learning_rate: Rate = 1e-3
    """Of PPO; falls linearly to zero over the steps."""
    rollout: Whole = 32
    """Decisions in every lane between two updates of PPO."""
    batch: Whole = 2048
    """Decisions of one step of learning."""
    epochs: Whole = 2
    """Passes over a rollout."""
    clip: Share = 0.2
    """How far PPO lets the ratio of probabilities go from 1."""
    gae_lambda: Share = 0.95
    """Of generalised advantage estimation; the discount is 1, always."""
    entropy: Share = 0.0005
    """Weight of the entropy bonus."""
    success_episodes: LaneCount = 2048
    """Episodes that the success head is fitted on when the policy is done."""

    @property
    def decisions(self) -> int:
        """Decisions of a whole training, the teacher's labels among them."""
        return self.steps + (self.teacher.labels if self.teacher else 0)

    @model_validator(mode="before")
    @classmethod
    def _layers(cls, data: Any) -> Any:
        """A sequence of one layer would hear attempts one by one."""
        if isinstance(data, dict) and data.get("network") == "sequence":
            return {"rounds": 2, **data}
        return data

    @model_validator(mode="after")
    def _check_heads(self) -> Recipe:
        """Every head of attention gets the same share of a token."""
        if self.network == "sequence" and self.hidden % HEADS:
            raise ValueError(
                f"hidden: {self.hidden} is no multiple of {HEADS}, the number of heads of a sequence"
            )
        return self

    @model_validator(mode="after")
    def _check_batches(self) -> Recipe:
        """Advantages are normalised within a batch, which takes two decisions; every source gets lanes."""
        decisions = self.lanes * self.rollout
        told = f"lanes * rollout is {decisions:,}"
        if not 2 <= decisions <= LARGEST_ROLLOUT:
            raise ValueError(f"rollout: {told}; make it 2 to {LARGEST_ROLLOUT:,}")
        if not 2 <= self.batch <= decisions:
            raise ValueError(f"batch: {self.batch:,}, and {told}; make it 2 to {decisions:,}")
        whole = sum(one.share for one in self.draws)
        for number, one in enumerate(self.draws):
            if one.share / whole * min(self.lanes, self.success_episodes) < 2:
                raise ValueError(
                    f"draws.{number}: a share of {one.share:g} in {whole:g} leaves it less than two lanes; "
                    "make it larger, or `lanes` and `success_episodes`"
                )
        if decisions % self.batch == 1:
            raise ValueError(
                f"batch: {self.batch:,}, and {told}; that leaves a batch of one, so name another"
            )
        return self


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Every value in a recipe by its dotted name, as in `draws.0.tiers`."""
    match value:
        case BaseModel():
            parts: Any = list(value)
        case [BaseModel(), *_]:
            parts = enumerate(value)
        case None:
            return {name: ABSENT}
        case _:
            return {name: value}
    prefix = f"{name}." if name else ""
    return {k: v for key, part in parts for k, v in flat(part, f"{prefix}{key}").items()}


def differences(then: Recipe, now: Recipe) -> list[str]:
    """What two recipes do not share, with both values; of many the first few, and how many more."""
    one, other = flat(then), flat(now)
    pairs = {name: (one.get(name, ABSENT), other.get(name, ABSENT)) for name in {**one, **other}}
    told = [f"{name}: {old} then, {new} now" for name, (old, new) in pairs.items() if old != new]
    more = len(told) - TOLD
    return told if more <= 0 else [*told[:TOLD], f"and {more} more"]


def file_of(name_or_file: str) -> Path | None:
    """The file of a recipe, by its name or its path; None where there is none."""
    for path in (FOLDER / f"{name_or_file}.yaml", Path(name_or_file)):
        try:
            if path.exists():
                return path
        except OSError:  # no name of a file, such as one too long
            continue
    return None


def read_recipe(name_or_file: str) -> Recipe:
    """A recipe by name or from a file.

    Raises:
        LevelError: one sentence says what is wrong, where, and what to do.
    """
    path = file_of(name_or_file)
    if path is None:
        if len(Path(name_or_file).parts) > 1 or name_or_file.endswith((".yaml", ".yml")):
            raise LevelError(f"{name_or_file}: there is no such file; check the path of the recipe")
        raise LevelError(
            f"there is no recipe {name_or_file!r}." + suggest(name_or_file, recipe_names())
        )
    data = read_yaml(path)
    if huge := outsized(data):
        raise LevelError(f"{path}: {huge}")
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        wrong = wrong_key(data, Recipe)
        raise LevelError(f"{path}: {wrong}" if wrong else explain(error, str(path))) from None
