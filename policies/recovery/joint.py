"""The exact posterior of a template: everything hidden, enumerated, in tables that factor.

A template has providers with outage windows, functions with one fault each, and in two stages pairs that may
clash. What couples functions are the windows and whether each first-stage maker is silently bad. Given both,
functions are independent, so that the chance of all that was seen is

    sum over s of  product over providers p of  sum over w of  prior(w) * product over f at p of mass[f, s, w]

with one unnormalised table per function. Dimensions, besides those of fqg_env/arrays.py:

    S which first-stage makers are silently bad, a bit each   X which of them a reader clashes with, likewise
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fqg_env import faults
from fqg_env.chance import GOLDEN
from fqg_env.compiled import kernel
from fqg_env.faults import CLASH, WINDOW_PRIOR, WINDOWS, silent
from fqg_env.prior import prior

SHIFT = np.uint64(29)
ROUND = 1e9
"""Beliefs whose chances agree to this many parts are one."""


class Tables(NamedTuple):
    """The posterior, and what of the level it is folded with."""

    chance: Any
    """[F, S, W, K, X] unnormalised; changed in place."""
    mass: Any
    """[F, S, W] its sums over faults and clashes."""
    digest: Any
    """[F] u8 of what each table says, however it is scaled."""
    provider: Any
    """[F] of each function."""
    first: Any
    """[F] its first call."""
    source: Any
    """[F] the bit number of a first-stage maker whose output is read, or -1."""
    faults: Any
    """[F] how many faults it can have."""
    providers: int


@kernel
def sum_up(t: Any, f: int) -> None:
    """Refresh the sums of a function's table."""
    table = t.chance[f]
    for s in range(table.shape[0]):
        for w in range(WINDOWS):
            mass = 0.0
            for k in range(t.faults[f]):
                for x in range(table.shape[3]):
                    mass += table[s, w, k, x]
            t.mass[f, s, w] = mass


@kernel
def fold_in(digest: np.uint64, number: np.uint64) -> np.uint64:
    """A digest with one more number in it."""
    digest = (digest ^ number) * GOLDEN
    return digest ^ (digest >> SHIFT)


@kernel
def name_table(t: Any, f: int) -> None:
    """Refresh the digest of a function's table; -1: there is none."""
    if f < 0:
        return
    table = t.chance[f]
    digest = np.uint64(f + 1)
    for s in range(table.shape[0]):
        for w in range(WINDOWS):
            mass = t.mass[f, s, w]
            scale = ROUND / mass if mass > 0.0 else 0.0
            for k in range(t.faults[f]):
                for x in range(table.shape[3]):
                    digest = fold_in(digest, np.uint64(table[s, w, k, x] * scale + 0.5))
    t.digest[f] = digest


@kernel
def window_mass(t: Any, s: int, p: int, w: int, but: int) -> float:
    """The joint chance of a window of a provider and of what its functions have shown, given s.

    `but`: a function that is left out, or -1.
    """
    mass = WINDOW_PRIOR[w]
    for f in range(t.mass.shape[0]):
        if t.provider[f] == p and f != but:
            mass *= t.mass[f, s, w]
    return mass


@kernel
def provider_mass(t: Any, s: int, p: int) -> float:
    """The joint chance of all that the functions of a provider have shown, given s."""
    mass = 0.0
    for w in range(WINDOWS):
        mass += window_mass(t, s, p, w, -1)
    return mass


@kernel
def total(t: Any) -> float:
    """The joint chance of all that the tables hold."""
    out = 0.0
    for s in range(t.mass.shape[1]):
        product = 1.0
        for p in range(t.providers):
            product *= provider_mass(t, s, p)
        out += product
    return out


@kernel
def digest_of(t: Any) -> np.uint64:
    """A digest of the whole posterior: the functions' tables, and the chances of windows and of S."""
    digest = GOLDEN
    for f in range(len(t.digest)):
        digest = fold_in(digest, t.digest[f])
    whole = ROUND / total(t)
    for s in range(t.mass.shape[1]):
        product = 1.0
        for p in range(t.providers):
            mass = provider_mass(t, s, p)
            scale = ROUND / mass if mass > 0.0 else 0.0
            for w in range(WINDOWS):
                digest = fold_in(digest, np.uint64(window_mass(t, s, p, w, -1) * scale + 0.5))
            product *= mass
        digest = fold_in(digest, np.uint64(product * whole + 0.5))
    return digest


@kernel
def share_bad(level: Any, t: Any, maker: int, source: int) -> float:
    """The joint chance of all that was seen, and that what call `maker` made from `source` is bad."""
    f, v = level.function[maker], level.variant[maker]
    p, table, out = t.provider[f], t.chance[f], 0.0
    for s in range(table.shape[0]):
        spoiled = source >= 0 and ((s >> source) & 1) == 1
        rest, mine = 1.0, 0.0
        for q in range(t.providers):
            if q != p:
                rest *= provider_mass(t, s, q)
        for w in range(WINDOWS):
            bad = 0.0
            for k in range(t.faults[f]):
                if spoiled or silent(k, v):
                    for x in range(table.shape[3]):
                        bad += table[s, w, k, x]
            mine += window_mass(t, s, p, w, f) * bad
        out += rest * mine
    return out


@kernel
def fill_prior(level: Any, t: Any, shares: Any) -> None:
    """Fill the tables with the prior; `shares` [K] is working space."""
    xs = t.chance.shape[4]
    for f in range(t.chance.shape[0]):
        c = t.first[f]
        prior(level, c, 0, shares)
        for s in range(t.chance.shape[1]):
            for k in range(t.faults[f]):
                p = shares[k]
                if t.source[f] >= 0 and silent(k, 0) != (((s >> t.source[f]) & 1) == 1):
                    p = 0.0
                for x in range(xs):
                    pairs = 1.0
                    bits = xs
                    i = 0
                    while bits > 1:
                        pairs *= CLASH if (x >> i) & 1 else 1.0 - CLASH
                        bits //= 2
                        i += 1
                    for w in range(WINDOWS):
                        t.chance[f, s, w, k, x] = p * pairs
        sum_up(t, f)
        name_table(t, f)


def tables_of(level: Any) -> Tables:
    """The prior of one level record, which has to be that of a template (see `fqg_env.exact`)."""
    calls, functions = int(level["calls"]), int(level["functions"])
    first = np.array([int(np.argmax(level["function"][:calls] == f)) for f in range(functions)])
    made, read = level["makes"][:calls].any(0), level["needs"][:calls].any(0)
    between = made & read
    source = np.full(functions, -1)
    feeds = [f for f in range(functions) if (level["makes"][first[f]] & between).any()]
    source[feeds] = np.arange(len(feeds))
    known = np.array([faults.faults_of(level, int(c)) for c in first])
    states = 2 ** len(feeds)
    shape = (functions, states, WINDOWS, int(known.max()), states)
    tables = Tables(
        chance=np.zeros(shape),
        mass=np.zeros(shape[:3]),
        digest=np.zeros(functions, np.uint64),
        provider=level["provider"][first].astype(np.int64),
        first=first,
        source=source,
        faults=known,
        providers=int(level["providers"]),
    )
    fill_prior(level, tables, np.empty(faults.FAULTS))
    return tables
