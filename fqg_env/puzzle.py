"""Puzzle: a level, what is really wrong in it, and what its functions say. The form of the library's files.

    faults:
      functions: {use_key: "wrong:complete_key", pick_lock: flaky}
      providers: {workshop: 4}        # number of a window, see frequencies.WINDOWS
      defects: [page]                 # given, and bad from the start
      clashes: {use_key: find_key}    # use_key cannot read what find_key makes
    says: {use_key/rusty_key: Nothing happens.}

What `faults` does not name is drawn from the prior, or is sound where the puzzle is `fixed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fqg_env.arrays import Clash
from fqg_env.errors import LevelError, suggest
from fqg_env.faults import FAULTS, WINDOWS, Fault, faults_of
from fqg_env.hide import draw_hidden
from fqg_env.level import SCHEMA, CallKind, Level, NotNegative, Positive, Share, Whole
from fqg_env.level_checks import check_text
from fqg_env.level_file import explain, parse_level, read_yaml
from fqg_env.prior import MIX_FALSE_HINTS, MIX_MISCODED, PRIOR_SHARES

if TYPE_CHECKING:
    from fqg_env.lanes import Lanes

PLAIN = {fault.name.lower(): int(fault) for fault in Fault if fault < Fault.WRONG}
KEYS = ("faults", "says", "points")
TAKES = ("latency_s", "cost")
MISTOLD = {"miscoded": float(MIX_MISCODED[0]), "false_hints": float(MIX_FALSE_HINTS[0])}
"""What is told wrongly, with its usual share."""


class Faults(BaseModel):
    """What is really wrong, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    functions: dict[str, str] = {}
    """`ok`, `flaky`, `very_flaky`, `broken`, `over_limit`, `silent`, `quota_1`, `quota_3`, `wrong:VARIANT` or
    `silent:VARIANT`."""
    providers: dict[str, Whole] = {}
    defects: tuple[str, ...] = ()
    clashes: dict[str, str] = {}
    """Reader -> the one maker that it cannot read."""
    latency_s: dict[str, Positive] = {}
    """What a call really takes, typically, where that differs from what it declares."""
    cost: dict[str, NotNegative] = {}
    miscoded: Share | None = None
    """Share of the errors that come under a code that says nothing; none: the usual one."""
    false_hints: Share | None = None
    """Share of the hints that mislead; none: the usual one."""
    dialects: bool = False
    """Every provider has its own codes."""
    fixed: bool = True
    """What is not named is sound; False: it is drawn from the prior."""


class Puzzle(BaseModel):
    """A level with its hidden side."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    level: Level
    faults: Faults | None = None
    says: dict[str, str] = {}
    """Text of an outcome: by call or function for failures, with `!` behind for successes."""
    points: dict[str, Whole] = {}
    """What a function is worth the first time that it works, for levels that are scored in points."""

    def load(self, lanes: Lanes, key: int | None = None) -> None:
        """Put the level and its faults into lane 0 (the episode has still to begin).

        Raises:
            LevelError: it does not fit the lanes, or the faults name what the level does not have.
        """
        levels, hidden = self.level.record(lanes.size), lanes.hidden[:1].copy()
        if key is not None:
            levels["key"] = key
        draw_hidden(levels[0], hidden[0], 0, np.empty(FAULTS))
        if self.faults is not None:
            self.hide(self.faults, hidden[0])
        lanes.levels[:1], lanes.hidden[:1] = levels, hidden

    def hide(self, faults: Faults, record: Any) -> None:
        """Write what the faults name into a hidden record.

        Raises:
            LevelError: they name what the level does not have.
        """
        if faults.fixed:
            record["window"][:] = 0
            record["fault"][:] = 0
            record["defect"][:] = 0
            record["clash"][:] = Clash.FITS
        for name, kind in faults.functions.items():
            f = position(name, self.level.functions, "faults.functions")
            record["fault"][f] = fault_number(self.level, name, kind)
        for name in faults.defects:
            record["defect"][position(name, self.level.artifact_names, "faults.defects")] = 1
        for reader, maker in faults.clashes.items():
            f = position(reader, self.level.functions, "faults.clashes")
            g = position(maker, self.level.functions, f"faults.clashes.{reader}")
            record["clash"][f, g] = Clash.CLASHES
        for field in MISTOLD:
            if (share := getattr(faults, field)) is not None:
                record[field] = share
        record["dialects"] |= faults.dialects
        for name, window in faults.providers.items():
            record["window"][provider_position(self.level, name, window)] = window
        for field in TAKES:
            for name, value in getattr(faults, field).items():
                record[field][position(name, self.level.call_names, f"faults.{field}")] = value


def provider_position(level: Level, name: str, window: int) -> int:
    """The index of a provider whose outage window is named.

    Raises:
        LevelError: there is no such provider or window.
    """
    p = position(name, level.providers, "faults.providers")
    if not 0 <= window < WINDOWS:
        raise LevelError(
            f"faults.providers.{name}: there is no window {window}; they are 0 to {WINDOWS - 1}"
        )
    return p


def position(name: str, names: Any, where: str) -> int:
    """The index of a name among names.

    Raises:
        LevelError: it is not among them.
    """
    known: list[str] = list(names)
    if name not in known:
        raise LevelError(f"{where}: the level has no {name!r}." + suggest(name, known))
    return known.index(name)


def fault_number(level: Level, function: str, kind: str) -> int:
    """The number of a fault as it is written in a file.

    Raises:
        LevelError: there is no such kind or variant.
    """
    stem, _, variant = kind.partition(":")
    if variant and stem in ("wrong", "silent"):
        where = f"faults.functions.{function}"
        v = position(variant, level.functions[function].variants, where)
        return int(Fault.WRONG) + 2 * v + (1 if stem == "silent" else 0)
    if kind not in PLAIN:
        raise LevelError(
            f"faults.functions.{function}: {kind!r} is no kind of fault." + suggest(kind, PLAIN)
        )
    return PLAIN[kind]


def read_puzzle(path: str | Path) -> Puzzle:
    """Read a level file with or without its hidden side.

    Raises:
        LevelError: with one sentence that says what is wrong, where, and what to do.
    """
    data = read_yaml(Path(path))
    extra = {key: data.pop(key) for key in KEYS if key in data}
    level = parse_level(data, str(path))
    try:
        puzzle = Puzzle(level=level, **extra)
    except ValidationError as error:
        raise LevelError(explain(error, str(path))) from None
    try:
        check_says(level, puzzle.says)
        for name in puzzle.points:
            position(name, level.functions, "points")
        check_faults(level, puzzle.faults or Faults())
    except ValueError as error:
        raise LevelError(f"{path}: {error}") from None
    return puzzle


def check_says(level: Level, says: Mapping[str, str]) -> None:
    """Every text is of a function or a call, as they are looked up, and can be shown.

    Raises:
        ValueError: one is not.
    """
    for name, text in says.items():
        position(name.removesuffix("!"), (*level.call_names, *level.functions), "says")
        check_text(f"says.{name}", text)


def check_faults(level: Level, faults: Faults) -> None:
    """Every name in the hidden side is one of the level.

    Raises:
        LevelError: one is not.
    """
    record = level.record()[0]
    for name, kind in faults.functions.items():
        f = position(name, level.functions, "faults.functions")
        call = int(np.flatnonzero(record["function"][: len(level.calls)] == f)[0])
        number = fault_number(level, name, kind)
        known = PRIOR_SHARES[0, len(level.functions[name].variants) - 1, number] > 0.0
        if number and (number >= faults_of(record, call) or not known):
            raise LevelError(
                f"faults.functions.{name}: such a function cannot be {kind!r}; name another"
            )
        memory = [variant.memory_bytes for variant in level.functions[name].variants.values()]
        if number == Fault.OVER_LIMIT and None in memory:
            raise LevelError(
                f"faults.functions.{name}: over_limit spares the lightest variant; declare all memory_bytes"
            )
    for name, window in faults.providers.items():
        provider_position(level, name, window)
    for name in faults.defects:
        check_defect(level, name)
    for reader, maker in faults.clashes.items():
        position(reader, level.functions, "faults.clashes")
        position(maker, level.functions, f"faults.clashes.{reader}")
        if reader == maker:
            raise LevelError(
                f"faults.clashes.{reader}: a function can read what it makes; name another maker"
            )
    for field in TAKES:
        for name in getattr(faults, field):
            position(name, level.call_names, f"faults.{field}")


def check_defect(level: Level, name: str) -> None:
    """An artifact that may be bad from the start: it is given, and something can repair it.

    Raises:
        LevelError: it is not, or there is no such artifact.
    """
    position(name, level.artifact_names, "faults.defects")
    if not level.artifacts[name].given:
        raise LevelError(
            f"faults.defects: {name!r} is not given, so it is not there to be bad; drop it"
        )
    makers = [f for f in level.functions.values() if name in f.outputs]
    if not any(function.kind is CallKind.REPAIR for function in makers):
        raise LevelError(f"faults.defects: nothing repairs {name!r}; add a repair of it or drop it")


def fault_text(level: Level, function: str, number: int) -> str:
    """A fault as it is written in a file: the inverse of `fault_number`."""
    if number < Fault.WRONG:
        return Fault(number).name.lower()
    v, silent = divmod(number - Fault.WRONG, 2)
    return f"{'silent' if silent else 'wrong'}:{list(level.functions[function].variants)[v]}"


def describe_faults(level: Level, record: Any) -> Faults:
    """A hidden record (arrays.hidden_dtype) by name, for a file.

    Clashes are left out: they are in the level's key, so `fixed` is off.
    """
    declared = level.record()[0]
    faults = {name: int(record["fault"][f]) for f, name in enumerate(level.functions)}
    windows = {name: int(record["window"][p]) for p, name in enumerate(level.providers)}
    takes: dict[str, Any] = {
        field: {
            name: float(record[field][c])
            for c, name in enumerate(level.call_names)
            if record[field][c] != declared[field][c]
        }
        for field in TAKES
    }
    takes |= {name: float(record[name]) for name, usual in MISTOLD.items() if record[name] != usual}
    return Faults(
        functions={name: fault_text(level, name, k) for name, k in faults.items()},
        providers=windows,
        defects=tuple(n for a, n in enumerate(level.artifact_names) if record["defect"][a]),
        dialects=bool(record["dialects"]),
        fixed=False,
        **takes,
    )


def write_puzzle(puzzle: Puzzle, path: str | Path) -> None:
    """Write a level with its hidden side so that `read_puzzle` gives it back."""
    data = {"level": SCHEMA, **puzzle.level.model_dump(mode="json", exclude_defaults=True)}
    if puzzle.faults is not None:
        data["faults"] = puzzle.faults.model_dump(mode="json", exclude_defaults=True)
    if puzzle.says:
        data["says"] = dict(puzzle.says)
    if puzzle.points:
        data["points"] = dict(puzzle.points)
    Path(path).write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), "utf-8")
