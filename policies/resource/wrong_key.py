"""A key of a file that its model does not have, and the one that was perhaps meant; else a wrong value.

A model says first what is missing; who has misspelt `budget` wants to hear of `budjet`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from fqg_env.errors import suggest
from fqg_env.level_file import printable
from policies.resource.wrong_value import wrong_value


def wrong_key(data: Any, model: Any) -> str | None:
    """The first key in plain data that its model does not have, as a sentence without a file; else what
    `wrong_value` says, which is None where its model says it best.

    Args:
        data: as it was read: mappings, lists and values.
        model: a pydantic model, or a type that holds some.
    """
    for place, known in _wrong(data, model):
        return no_such_key(place, known)
    return wrong_value(data, model)


def no_such_key(place: tuple[object, ...], known: Iterable[str]) -> str:
    """The sentence, for the path of a wrong key and the keys that are known there."""
    where = ".".join(map(printable, place))
    said = f"{where}: there is no such key here; check its spelling or remove it."
    return said + suggest(place[-1], known)


def _wrong(data: Any, kind: Any) -> Iterator[tuple[tuple[object, ...], list[str]]]:
    """(path of a wrong key, the keys that are known there)."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if isinstance(data, Mapping):
            yield from _in_model(data, kind)
        return
    inner = get_args(kind)
    if _is_union(kind):
        for one in inner:
            yield from _wrong(data, one)
    elif get_origin(kind) is dict and isinstance(data, Mapping):
        for key, value in data.items():
            yield from _below(key, value, inner[1])
    elif get_origin(kind) in (list, tuple) and isinstance(data, list):
        for number, value in enumerate(data):
            yield from _below(number, value, inner[0])
    elif hasattr(kind, "__metadata__"):
        yield from _wrong(data, inner[0])


def _in_model(
    data: Mapping[Any, Any], model: type[BaseModel]
) -> Iterator[tuple[tuple[object, ...], list[str]]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key in data:
        if key not in fields and key not in model.model_fields:
            yield (key,), [*fields]
    for key, field in fields.items():
        if key in data:
            yield from _below(key, data[key], field.annotation)


def _below(key: object, value: Any, kind: Any) -> Iterator[tuple[tuple[object, ...], list[str]]]:
    for place, known in _wrong(value, kind):
        yield (key, *place), known


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)
