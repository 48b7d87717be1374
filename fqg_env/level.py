"""Level: everything public before the first move, as a typed model with a YAML form.

`Level.record(size)` is the same level as arrays (arrays.level_dtype); `read_level` reads a file and answers
bad input with one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fqg_env import arrays
from fqg_env.arrays import SIZES, VARIANTS, Size

SCHEMA: Final = "function-quest/1"
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class LevelError(ValueError):
    """A level that cannot be played; the message is one sentence for the person who wrote it."""


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
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0


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
    attempts: Annotated[int, Field(ge=1, le=arrays.MAX_ATTEMPTS)] = 24


class Shield(Part):
    """Hard rules on recovery, part of the level so that training and production mask alike."""

    retries_per_function: Annotated[int, Field(ge=0, le=arrays.MAX_ATTEMPTS)] = 5
    retry_share: Share = 0.8
    """Retries allowed in all, as a share of the attempt budget."""
    unsafe_repeats: Literal["forbidden", "allowed"] = "forbidden"


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


def near(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' where a known name is near, else nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


MOST_KNOWN = 12


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' where a known name is near, else the known ones, and how many more there are."""
    options = sorted(known)
    more = len(options) - MOST_KNOWN
    told = ", ".join(options[:MOST_KNOWN]) + (f" and {more} more" if more > 0 else "")
    return near(name, options) or (f" Known are {told}." if options else "")


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
    max_in_flight: Annotated[int, Field(ge=1, le=arrays.FLIGHTS)] = 1
    memory_limit_bytes: Positive = 2e9
    wait_base: Annotated[float, Field(ge=1 / 64, le=0.5)] = 1 / 32
    """First quantum of WAIT, as a share of the time budget."""
    recent: dict[str, Recent] = {}
    sealed: bool = False
    """Nothing comes from outside: no news of providers, no answer is lost."""
    key: Annotated[int, Field(ge=0, lt=2**64)] = 0
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
        check_names(self)
        check_plan(self)
        check_goals(self)
        check_budget(self)
        return self

    def record(self, size: Size | None = None) -> np.ndarray:
        """The level as one record (shape [1]) of `arrays.level_dtype`, padded to a size.

        Raises:
            LevelError: it does not fit the size.
        """
        size = size or self.size
        if SIZES[self.size.name].calls > size.calls:
            raise LevelError(
                f"the level {self.name!r} needs size {self.size.name!r}, not {size.name!r}"
            )
        out = arrays.new(arrays.level_dtype(size), 1)
        write_run(self, out)
        write_calls(self, out[0])
        write_artifacts(self, out[0])
        return out


def check_names(level: Level) -> None:
    """Every name that is used is declared."""
    for name, function in level.functions.items():
        where = f"functions.{name}"
        if len(function.variants) > VARIANTS or not function.variants:
            raise ValueError(
                f"{where}.variants: {len(function.variants)} variants; 1 to {VARIANTS} can be played"
            )
        for field in ("inputs", "outputs", "consumes", "probes"):
            for artifact in getattr(function, field):
                if artifact not in level.artifacts:
                    raise ValueError(
                        f"{where}.{field}: {artifact!r} is no artifact of this level."
                        + suggest(artifact, level.artifacts)
                    )
        for variant, preset in function.variants.items():
            for artifact in preset.inputs or ():
                if artifact not in level.artifacts:
                    raise ValueError(
                        f"{where}.variants.{variant}.inputs: {artifact!r} is no artifact of this level."
                        + suggest(artifact, level.artifacts)
                    )
        check_reads(level, name, function)
        probing = function.kind in (CallKind.VERIFY, CallKind.INSPECT)
        if probing and (function.outputs or not function.probes):
            raise ValueError(
                f"{where}: a {function.kind.value} makes nothing and needs `probes`; drop its outputs"
            )
        if not probing and not function.outputs:
            raise ValueError(f"{where}.outputs: a {function.kind.value} has to make something")
    _ = level.size  # it fits one


def check_reads(level: Level, name: str, function: Function) -> None:
    """What a function consumes it also reads, and only a probe probes."""
    where = f"functions.{name}"
    if function.probes and function.kind not in (CallKind.VERIFY, CallKind.INSPECT):
        raise ValueError(f"{where}.probes: only a verify or an inspect probes; list it as an input")
    read = {need for call in level.calls if call.function == name for need in level.inputs_of(call)}
    for artifact in function.consumes:
        if artifact not in read:
            raise ValueError(
                f"{where}.consumes: {artifact!r} is no input of it; add it to `inputs` or drop it here"
            )


def check_plan(level: Level) -> None:
    """What `plan` and `recent` name are calls, and the plan has each once."""
    for field, names in (("plan", level.plan), ("recent", tuple(level.recent))):
        for name in names:
            if not level.calls_named(name):
                raise ValueError(
                    f"{field}: {name!r} is no call of this level." + suggest(name, level.call_names)
                )
    plan = level.default_plan
    for place, call in enumerate(plan):
        if call in plan[:place]:
            raise ValueError(f"plan: {level.call_names[call]!r} stands in it twice; once is enough")


def check_goals(level: Level) -> None:
    """There is a goal, none is given at the start, and each can be made."""
    if not level.goals:
        raise ValueError("artifacts: none has a `goal`; mark what has to be delivered")
    for name in level.goals:
        if level.artifacts[name].given:
            raise ValueError(f"artifacts.{name}: a goal cannot be given at the start")
    if all(goal.kind is not GoalKind.ESSENTIAL for goal in level.goals.values()):
        raise ValueError("artifacts: no goal is essential; without one a run cannot succeed")
    total = math.fsum(goal.weight for goal in level.goals.values())
    if abs(total - 1.0) > 1e-6:
        raise ValueError(f"artifacts: the goal weights sum to {total:g}; they have to sum to 1")
    have = {name for name, artifact in level.artifacts.items() if artifact.given}
    while True:
        new = {
            output
            for call in level.calls
            if set(level.inputs_of(call)) <= have
            for output in level.functions[call.function].outputs
        } - have
        if not new:
            break
        have |= new
    for name in level.goals:
        if name not in have:
            raise ValueError(
                f"artifacts.{name}: the goal cannot be reached: no order of calls makes it from what is given"
            )


def check_budget(level: Level) -> None:
    """The default plan fits the budget."""
    plan = level.default_plan
    if len(plan) > level.budget.attempts:
        raise ValueError(
            f"budget.attempts: {level.budget.attempts} attempts, and the plan alone takes {len(plan)}"
        )
    presets = [
        level.functions[level.calls[i].function].variants[level.calls[i].variant] for i in plan
    ]
    least_cost = cheapest(level, "cost")
    if least_cost > level.budget.cost:
        raise ValueError(
            f"budget.cost: {level.budget.cost:g}, and the cheapest way to the goals costs {least_cost:g}"
        )
    least_s = cheapest(level, "latency_s")
    if level.max_in_flight == 1 and least_s > level.budget.time_s:
        raise ValueError(
            f"budget.time_s: {level.budget.time_s:g} s, and the fastest way to the goals takes {least_s:g} s"
        )
    for call, preset in zip((level.calls[i] for i in plan), presets, strict=True):
        if preset.memory_bytes is not None and preset.memory_bytes > level.memory_limit_bytes * 64:
            raise ValueError(f"functions.{call.function}: memory_bytes is over 64 times the limit")


def cheapest(level: Level, field: str) -> float:
    """A lower bound on what the dearest goal takes: the sum along its cheapest longest chain."""
    best = {name: 0.0 if a.given else math.inf for name, a in level.artifacts.items()}
    for _ in level.artifacts:
        for call in level.calls:
            preset = level.functions[call.function].variants[call.variant]
            own = getattr(preset, field) or 0.0
            total = own + max((best[need] for need in level.inputs_of(call)), default=0.0)
            for output in level.functions[call.function].outputs:
                best[output] = min(best[output], total)
    return max(best[goal] for goal in level.goals)


def number(value: float | None) -> float:
    """NaN for what is not known."""
    return math.nan if value is None else float(value)


def write_run(level: Level, out: Any) -> None:
    """Write budgets, shield and scoring."""
    out["key"] = level.key
    out["calls"], out["artifacts"] = len(level.calls), len(level.artifacts)
    out["functions"], out["providers"] = len(level.functions), len(level.providers)
    out["mode"] = list(Responsibility).index(level.responsibility)
    out["max_in_flight"] = level.max_in_flight
    out["time_budget_s"], out["cost_budget"] = level.budget.time_s, level.budget.cost
    out["attempt_budget"] = level.budget.attempts
    out["memory_limit_bytes"] = level.memory_limit_bytes
    out["wait_base"] = level.wait_base
    out["shield_retries"] = level.shield.retries_per_function
    out["shield_retry_share"] = level.shield.retry_share
    out["unsafe_repeats_allowed"] = level.shield.unsafe_repeats == "allowed"
    out["sealed"] = level.sealed
    out["wrong_weight"], out["cost_weight"] = level.scoring.wrong, level.scoring.cost
    out["time_weight"], out["unsafe_weight"] = level.scoring.time, level.scoring.unsafe


def write_calls(level: Level, out: Any) -> None:
    """Write calls, functions and the plan."""
    artifact = {name: a for a, name in enumerate(level.artifacts)}
    function_index = {name: f for f, name in enumerate(level.functions)}
    provider_index = {name: p for p, name in enumerate(level.providers)}
    for c, call in enumerate(level.calls):
        function = level.functions[call.function]
        preset = function.variants[call.variant]
        out["function"][c] = function_index[call.function]
        out["provider"][c] = provider_index[level.provider_of(call.function)]
        out["variant"][c] = list(function.variants).index(call.variant)
        out["kind"][c] = list(CallKind).index(function.kind)
        for field in ("latency_s", "cost", "memory_bytes", "quality"):
            out[field][c] = number(getattr(preset, field))
        out["p95_s"][c] = number(
            preset.p95_s or (preset.latency_s and preset.latency_s * arrays.P95_OF_TYPICAL)
        )
        out["idempotent"][c] = function.idempotent
        reputation = function.reputation
        out["reputation_mean"][c] = number(reputation.mean if reputation else None)
        out["reputation_strength"][c] = reputation.strength if reputation else 0.0
        out["fidelity"][c] = number(function.fidelity)
        recent = level.recent.get(call.name, Recent())
        out["recent_success"][c], out["recent_failure"][c] = recent.success, recent.failure
        for need in level.inputs_of(call):
            out["needs"][c, artifact[need]] = 1
        for field, names in (
            ("makes", function.outputs),
            ("consumes", set(function.consumes) & set(level.inputs_of(call))),
            ("probes", function.probes),
        ):
            for name in names:
                out[field][c, artifact[name]] = 1
    for f, function in enumerate(level.functions.values()):
        out["variants"][f] = len(function.variants)
    out["plan"][:] = -1
    out["plan"][: len(level.default_plan)] = level.default_plan


def write_artifacts(level: Level, out: Any) -> None:
    """Write artifacts and goals."""
    classes = {GoalKind.ESSENTIAL: 3, GoalKind.RECOMMENDED: 2, GoalKind.OPTIONAL: 1}
    out["time_to_live_s"][:] = math.inf
    for a, artifact in enumerate(level.artifacts.values()):
        out["given"][a] = artifact.given
        out["gate"][a] = artifact.gate
        out["time_to_live_s"][a] = artifact.time_to_live_s or math.inf
        if artifact.goal:
            out["goal_class"][a] = classes[artifact.goal.kind]
            out["goal_weight"][a] = artifact.goal.weight


def explain(error: ValidationError, source: str) -> str:
    """The first fault of a file as one sentence: where, what, and what was given."""
    first = error.errors()[0]
    where = ".".join(
        str(part) for part in first["loc"] if part != "function-after[_check(), Level]"
    )
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "there is no such key here; check its spelling or remove it"
    elif first["type"] == "missing":
        what = "is missing; add it"
    return f"{source}: {where}: {what}" if where else f"{source}: {what}"


ALIASED = 100_000
"""Values that the aliases of a file may add: a few lines of aliases of aliases can stand for billions."""


class OnceLoader(yaml.SafeLoader):
    """YAML in which a key may stand once: of two with one name the first would silently be lost. Its aliases
    may not multiply without end.
    """

    def get_single_node(self) -> yaml.Node | None:
        """The document, before values are made of it.

        Raises:
            yaml.YAMLError: not YAML, or its aliases stand for too much or for what they stand in.
        """
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            sizes: dict[int, int] = {}
            if _expanded(node, sizes) - len(sizes) > ALIASED:
                raise _aliases("its aliases stand for too many values", node)
        return node


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node stands for; `sizes` holds those of the nodes seen so far."""
    if id(node) not in sizes:
        sizes[id(node)] = 0  # until it is known
        size = 1
        for part in node.value if isinstance(node, yaml.CollectionNode) else ():
            for child in part if isinstance(part, tuple) else (part,):
                size += _expanded(child, sizes)
        sizes[id(node)] = size
    elif sizes[id(node)] == 0:
        raise _aliases("an alias stands inside of what it names", node)
    return sizes[id(node)]


def _aliases(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _mapping(loader: OnceLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for i, key in enumerate(keys):
        if key != "<<" and key in keys[:i]:
            raise yaml.constructor.ConstructorError(
                problem=f"the key {key!r} stands there twice",
                problem_mark=node.value[i][0].start_mark,
            )
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


OnceLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        LevelError: it cannot be read, is not YAML, or is not a mapping.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), OnceLoader)  # noqa: S506  (a SafeLoader)
    except FileNotFoundError:
        raise LevelError(f"{path}: there is no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LevelError(f"{path}: it cannot be read ({error})") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, LevelError):
            raise
        raise LevelError(f"{path}: a value in it cannot be read; mend it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise LevelError(f"{path}: it is not valid YAML{line}: {problem}; mend it there") from None
    if not isinstance(data, dict):
        raise LevelError(
            f"{path}: it holds no mapping of names to values; begin with a key and `:`"
        )
    return data


def parse_level(data: dict[str, Any], source: str) -> Level:
    """A level from plain data.

    Raises:
        LevelError: with one sentence that names the source and the path inside it.
    """
    version = data.get("level", SCHEMA)
    if version != SCHEMA:
        raise LevelError(
            f"{source}: level: version {str(version)[:40]!r} is not known; this reads {SCHEMA!r}"
        )
    try:
        return Level.model_validate(data)
    except ValidationError as error:
        raise LevelError(explain(error, source)) from None


def read_level(path: str | Path) -> Level:
    """Read and check a level file; keys that only a puzzle or a workflow has are left to those.

    Raises:
        LevelError: with one sentence that says what is wrong, where, and what to do.
    """
    return parse_level(read_yaml(Path(path)), str(path))
