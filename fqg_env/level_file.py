"""Reading level files: YAML in which nothing is lost, and errors in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fqg_env.errors import LevelError
from fqg_env.level import SCHEMA, Level

MOST_GIVEN = 40
"""Characters of what was given, for an error to repeat it."""


def printable(part: object) -> str:
    """A key of a file as it can be shown: nothing in it moves the cursor of a terminal."""
    text = str(part)
    return text if text.isprintable() else repr(text)


def explain(error: ValidationError, source: str) -> str:
    """The first fault of a file as one sentence: where, what, and what was given."""
    first = error.errors()[0]
    where = ".".join(
        printable(part) for part in first["loc"] if not str(part).startswith("function-after")
    )
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "there is no such key here; check its spelling or remove it"
    elif first["type"] == "missing":
        what = "is missing; add it"
    elif first["type"] != "value_error":
        given = repr(first["input"])
        what += f"; change {given if len(given) <= MOST_GIVEN else 'what is given'}"
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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node.

        Raises:
            yaml.YAMLError: it is not what its tag, or its look, says.
        """
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"a value in it cannot be read as {kind!r}", problem_mark=node.start_mark
            ) from None


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
