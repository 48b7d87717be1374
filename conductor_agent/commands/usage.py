"""Mistakes on a command line as one sentence, with the name that was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fqg_env.errors import near

NO_COMMAND = re.compile(r"No such command '([^']*)'")


def usage_sentence(problem: Any) -> str:
    """What is wrong with a command line, from the parser's error."""
    context = getattr(problem, "ctx", None)
    if option := getattr(problem, "option_name", None):
        return f"there is no option {option}.{_meant(option, _options(context), context)}"
    text = " ".join(str(problem.format_message()).split())
    if unknown := NO_COMMAND.match(text):
        names = context.command.list_commands(context) if context else ()
        return f"there is no command {unknown[1]!r}.{_meant(unknown[1], names, context)}"
    return text


def _options(context: Any) -> list[str]:
    if context is None:
        return []
    return [
        name
        for one in context.command.params
        for name in (*one.opts, *one.secondary_opts)
        if name[0] == "-"
    ]


def _meant(name: str, known: Iterable[str], context: Any) -> str:
    """` Did you mean X?`, else where to look."""
    where = f" See: {context.command_path} --help" if context else ""
    return near(name, known) or where
