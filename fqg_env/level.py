"""Level: everything public before the first move, as a typed model.

`Level.record(size)` is the same level as arrays (arrays.level_dtype); `level_file.read_level` reads a file.
Bad input is answered with one sentence that says what is wrong, where, and what to do (`level_checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fqg_env import arrays
from fqg_env.arrays import SIZES, Size
from fqg_env.errors import LevelError

SCHEMA: Final = "function-quest/1"


def no_flag(value: Any) -> Any:
    """A number as it is given.

    Raises:
        ValueError: it is true or false, which would count as 1 or 0.
    """
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no number; write one")  # noqa: TRY004 (pydantic asks for it)
    return value


Whole = Annotated[int, BeforeValidator(no_flag)]
Number = Annotated[float, BeforeValidator(no_flag)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Part(BaseModel):
    """Base of all parts of a level: immutable, and a wrong key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Responsibility(str, Enum):
    """Who owns failures. HYBRID: extensions handle technical ones, the conductor orchestration ones.
    CONDUCTOR: extensions do not recover internally. COMMUNITY: only extensions recover.
    """

    HYBRID = "hybrid"
    CONDUCTOR = "conductor"
    COMMUNITY = "community"


class GoalKind(str, Enum):
    """How much a goal matters: success is every Essential goal, delivered and good."""

    ESSENTIAL = "essential"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"


class CallKind(str, Enum):
    """What a function is for: work and repair make artifacts, verify and inspect look at them."""

    WORK = "work"
    REPAIR = "repair"
    VERIFY = "verify"
    INSPECT = "inspect"


class Goal(Part):
    """An artifact that counts at the end."""

    kind: GoalKind = GoalKind.ESSENTIAL
    weight: Annotated[Number, Field(gt=0, le=1)] = 1.0


class Artifact(Part):
    """A slot that holds one current version of something."""

    description: str = ""
    given: bool = False
    gate: bool = False
    time_to_live_s: Positive | None = None
    goal: Goal | None = None


class Variant(Part):
    """A named preset of parameters, with what it is declared to take (None: not known)."""

    parameters: dict[str, Any] = {}
    latency_s: Positive | None = None
    p95_s: Positive | None = None
    cost: NotNegative | None = None
    memory_bytes: Positive | None = None
    quality: Share | None = None
    inputs: tuple[Name, ...] | None = None
    """Replaces the inputs of the function for this variant."""


class Reputation(Part):
    """Long-run share of good outcomes, and the number of outcomes it rests on."""

    mean: Share
    strength: NotNegative = 10.0


class Function(Part):
    """Something that can be called: it answers once and never retries."""

    description: str = ""
    provider: Name | None = None
    """Whose outages it shares; None: it stands by itself."""
    kind: CallKind = CallKind.WORK
    inputs: tuple[Name, ...] = ()
    outputs: tuple[Name, ...] = ()
    consumes: tuple[Name, ...] = ()
    probes: tuple[Name, ...] = ()
    idempotent: bool = True
    reputation: Reputation | None = None
    fidelity: Share | None = None
    variants: dict[Name, Variant] = Field(default_factory=lambda: {"default": Variant()})


class Budget(Part):
    """What a run may use. Cost is in a unit of the level's own."""

    time_s: Positive
    cost: Positive
    attempts: Annotated[Whole, Field(ge=1, le=arrays.MAX_ATTEMPTS)] = 24


class Shield(Part):
    """Hard rules on recovery, part of the level so that training and production mask alike."""

    retries_per_function: Annotated[Whole, Field(ge=0, le=arrays.MAX_ATTEMPTS)] = 5
    retry_share: Share = 0.8
    """Retries allowed in all, as a share of the attempt budget."""
    unsafe_repeats: Literal["forbidden", "allowed"] = "forbidden"
    final_repeats: Literal["forbidden", "allowed"] = "allowed"
    """Attempts of a call whose last failure says that a repeat is in vain, while it would read the same.
    Forbidden in a real workflow that does not say otherwise.
    """


class Scoring(Part):
    """Weights of the return. With the defaults a return lies in [-1, 1] and STOP at once is exactly 0."""

    wrong: Share = 0.6
    """A goal delivered although it is bad loses this share of its weight."""
    cost: Share = 0.15
    time: Share = 0.15
    unsafe: Share = 0.1


class Recent(Part):
    """Decayed outcome counts of one call over the last runs of the same workflow."""

    success: NotNegative = 0.0
    failure: NotNegative = 0.0


class Call(Part):
    """One function with one variant: the unit of choice."""

    name: str
    function: str
    variant: str


def calls_of(functions: Mapping[str, Function]) -> tuple[Call, ...]:
    """All calls of these functions, in the order of their indices."""
    found = []
    for name, function in functions.items():
        alone = len(function.variants) == 1
        for variant in function.variants:
            label = name if alone else f"{name}/{variant}"
            found.append(Call(name=label, function=name, variant=variant))
    return tuple(found)


def call_names(functions: Mapping[str, Function]) -> tuple[str, ...]:
    """Names of all calls: `function` where it has one variant, else `function/variant`."""
    return tuple(call.name for call in calls_of(functions))


class Level(Part):
    """Everything public before the first move.

    Raises:
        pydantic.ValidationError: on construction from bad data; `read_level` turns it into a `LevelError`.
    """

    level: Literal["function-quest/1"] = SCHEMA
    name: str
    story: str = ""
    artifacts: Annotated[dict[Name, Artifact], Field(min_length=1)]
    functions: Annotated[dict[Name, Function], Field(min_length=1)]
    budget: Budget
    plan: tuple[str, ...] = ()
    """Default order of calls, which community mode follows; empty: first maker first."""
    shield: Shield = Shield()
    scoring: Scoring = Scoring()
    responsibility: Responsibility = Responsibility.HYBRID
    max_in_flight: Annotated[Whole, Field(ge=1, le=arrays.FLIGHTS)] = 1
    memory_limit_bytes: Positive = 2e9
    wait_base: Annotated[Number, Field(ge=1 / 64, le=0.5)] = 1 / 32
    """First quantum of WAIT, as a share of the time budget."""
    recent: dict[str, Recent] = {}
    sealed: bool = False
    """Nothing comes from outside: no news of providers, no answer is lost."""
    key: Annotated[Whole, Field(ge=0, lt=2**64)] = 0
    """Seeds the draws of this level."""

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All calls, in the order of their indices."""
        return calls_of(self.functions)

    @cached_property
    def call_names(self) -> tuple[str, ...]:
        """Names of all calls: `function` where it has one variant, else `function/variant`."""
        return call_names(self.functions)

    @cached_property
    def artifact_names(self) -> tuple[str, ...]:
        """Names of all artifacts, in the order of their indices."""
        return tuple(self.artifacts)

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """Names of all providers, in the order of their indices."""
        return tuple(dict.fromkeys(map(self.provider_of, self.functions)))

    def provider_of(self, function: str) -> str:
        """The provider of a function: its own name where none is given."""
        return self.functions[function].provider or function

    @cached_property
    def goals(self) -> dict[str, Goal]:
        """The artifacts that count at the end."""
        return {name: a.goal for name, a in self.artifacts.items() if a.goal is not None}

    def inputs_of(self, call: Call) -> tuple[str, ...]:
        """What a call reads, its variant considered."""
        function = self.functions[call.function]
        own = function.variants[call.variant].inputs
        return function.inputs if own is None else own

    def calls_named(self, name: str) -> list[int]:
        """Indices of the calls that `function` or `function/variant` names; empty where none."""
        return [
            i
            for i, call in enumerate(self.calls)
            if name in (call.name, call.function, f"{call.function}/{call.variant}")
        ]

    @cached_property
    def default_plan(self) -> tuple[int, ...]:
        """Indices of calls: `plan` as written, else the first maker of everything that the goals need."""
        if self.plan:
            return tuple(self.calls_named(name)[0] for name in self.plan)
        have = {name for name, a in self.artifacts.items() if a.given}
        order: list[int] = []

        def add(artifact: str, below: frozenset[str]) -> bool:
            if artifact in have:
                return True
            for i, call in enumerate(self.calls):
                if artifact not in self.functions[call.function].outputs or artifact in below:
                    continue
                length, held = len(order), set(have)
                if all(add(need, below | {artifact}) for need in self.inputs_of(call)):
                    order.append(i)
                    have.update(self.functions[call.function].outputs)
                    return True
                del order[length:]
                have.intersection_update(held)
            return False

        for goal in self.goals:
            add(goal, frozenset())
        return tuple(order)

    @cached_property
    def size(self) -> Size:
        """The smallest size that holds this level."""
        for size in SIZES.values():
            if (
                len(self.calls) <= size.calls
                and len(self.artifacts) <= size.artifacts
                and len(self.providers) <= size.providers
            ):
                return size
        raise LevelError(
            f"the level {self.name!r} has {len(self.calls)} calls, {len(self.artifacts)} artifacts and "
            f"{len(self.providers)} providers; at most 64, 32 and 64 fit: split it"
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Level:
        """A changed copy, checked anew: a plain one would keep what was worked out for the old one."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})

    @model_validator(mode="after")
    def _check(self) -> Level:
        from fqg_env.level_checks import check  # it knows the parts of a level, above

        check(self)
        return self

    def record(self, size: Size | None = None) -> np.ndarray:
        """The level as one record (shape [1]) of `arrays.level_dtype`, padded to a size.

        Raises:
            LevelError: it does not fit the size.
        """
        from fqg_env.level_record import write_artifacts, write_calls, write_run

        size = size or self.size
        if self.size.calls > size.calls:
            raise LevelError(
                f"the level {self.name!r} needs size {self.size.name!r}, not {size.name!r}"
            )
        out = arrays.new(arrays.level_dtype(size), 1)
        write_run(self, out)
        write_calls(self, out[0])
        write_artifacts(self, out[0])
        return out
