"""Policies by name: the rules, the bounds, a file, or somebody's own `module:Class`."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from fqg_env.errors import near, suggest
from policies.said import one_line


class PolicyError(ValueError):
    """A policy that cannot be had; the message is one sentence: what, where, what to do."""


def tunable(name: str, numbers: Any = None) -> Any:
    """A rule with the numbers of tuned.toml, or with others."""
    module, _, kind = TUNABLE[name].partition(":")
    rule = getattr(importlib.import_module(f"policies.recovery.{module}"), kind)
    return rule(numbers)


def _random() -> Any:
    from policies.recovery.rules import RandomPolicy

    return RandomPolicy()


def _oracle() -> Any:
    from policies.recovery.oracle import Oracle

    return Oracle()


PRETRAINED = Path(__file__).parent / "pretrained"
"""The policies that come with the package, each made by the recipe of its name."""
TUNABLE = {
    "retry": "rules:Retry",
    "retry_fallback": "rules:RetryFallback",
    "cascade": "rules:Cascade",
    "code_aware": "rules:CodeAware",
    "lookup": "lookup:Lookup",
    "circuit_breaker": "breaker:CircuitBreaker",
    "router": "router:Router",
    "spfr": "spfr:Spfr",
    "thompson": "thompson:Thompson",
    "index": "index:Index",
}
"""Rules that `fqg tune` tunes: where each class is, under policies.recovery."""
BY_POSTERIOR = ("thompson", "index")
"""Those that are told the true posterior: bounds for what is measured, not rules as people run them."""
HAND_RULES = tuple(name for name in TUNABLE if name not in BY_POSTERIOR)


def _bayes() -> Any:
    from policies.recovery.bayes import Bayes

    return Bayes()


def _search() -> Any:
    from policies.recovery.search import Search

    return Search()


def from_file(path: str | Path) -> Any:
    """The policy in a folder.

    Raises:
        PolicyError: it cannot be loaded.
    """
    from policies.recovery.network import load
    from policies.recovery.policy_file import PolicyFileError

    try:
        return load(path)
    except PolicyFileError as error:
        raise PolicyError(str(error)) from None


BUILT_IN: dict[str, Callable[[], Any]] = {
    "random": _random,
    **{name: partial(tunable, name) for name in TUNABLE},
    "oracle": _oracle,
    "bayes": _bayes,
    "search": _search,
    **{name: partial(from_file, PRETRAINED / name) for name in ("shipped", "sequence")},
}


def place_in(module: str, error: BaseException) -> str:
    """The innermost place of an exception in the file of a module, as in `mine.py, line 7`; empty: none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == module:
            place = f"{Path(frame.f_code.co_filename).name}, line {line}"
    return place


def one_line_with_place(error: BaseException, module: str) -> str:
    """`ValueError: no page (mine.py, line 7)`; without a place where none is in the file of the module."""
    place = place_in(module, error)
    return one_line(error) + (f" ({place})" if place else "")


def _own_class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    found = _class_in(_imported(module, name), attribute, name)
    try:
        policy = found() if isinstance(found, type) else found
        answers = _answers(policy)
        named = isinstance(getattr(policy, "name", None), str)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (somebody else's code)
        told = one_line_with_place(error, module)
        raise PolicyError(f"the policy {name!r} cannot be made: {told}") from None
    if not answers:
        raise PolicyError(f"the policy {name!r} has no method `decide(observation, mask)`")
    if not named:
        try:
            policy.name = attribute
        except AttributeError:
            raise PolicyError(f"the policy {name!r} needs a `name` that is text") from None
    return policy


class _Folder:
    """Finds in a folder what is not installed, now and later; not by `sys.path`, whose folders extensions are
    shown.
    """

    def __init__(self, folder: str):
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As `sys.meta_path` asks for it; packages look for their own parts by themselves."""
        return PathFinder.find_spec(name, [self.folder], target) if path is None else None


def _imported(module: str, name: str) -> Any:
    """The module of somebody's own policy: what is installed comes first, then the current folder."""
    here = str(Path.cwd())
    if all(getattr(finder, "folder", None) != here for finder in sys.meta_path):
        sys.meta_path.append(_Folder(here))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (somebody else's code)
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module}.".startswith(f"{missing}."):
            raise PolicyError(
                f"the policy {name!r}: there is no module {missing!r} in the current folder {here}, nor "
                f"among what is installed in {sys.prefix}.{_module_meant(missing, here)}"
            ) from None
        told = one_line_with_place(error, module)
        raise PolicyError(f"the policy {name!r} cannot be imported: {told}") from None


def _module_meant(missing: str, here: str) -> str:
    return near(missing, [path.stem for path in Path(here).glob("*.py")])


def _class_in(module: Any, attribute: str, name: str) -> Any:
    """What the module calls so; else what may have been meant: a policy of it, or anything public."""
    try:
        return getattr(module, attribute)
    except Exception:  # noqa: BLE001 (a module may answer for itself)
        public = {key: value for key, value in vars(module).items() if key[0] != "_"}
        kinds = {key: value for key, value in public.items() if isinstance(value, type)}
        policies = [key for key, value in kinds.items() if _answers(value)]
        meant = suggest(attribute, policies or public)
        raise PolicyError(
            f"the policy {name!r}: {module.__name__} has no {attribute!r}.{meant}"
        ) from None


def _answers(found: Any) -> bool:
    return hasattr(found, "decide") or hasattr(found, "plan")


PLANNERS = ("oracle", "bayes", "search")
"""Built in, and handed the level and the board of the game: a real run has no use for them."""


def policy_named(name: str, known: Iterable[str] = BUILT_IN) -> Any:
    """The policy of a name, a folder with an artifact, or `module:Class`.

    Args:
        name: which.
        known: the names that are suggested where there is none of this one.

    Raises:
        PolicyError: there is none, or it cannot be loaded; a near name is suggested.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    if Path(name).exists() or "/" in name or "\\" in name:
        return from_file(name)
    if ":" in name:
        return _own_class(name)
    raise PolicyError(
        f"there is no policy {name!r}."
        + suggest(name, known)
        + " A folder or module:Class will do too."
    )


def deciding(name: str) -> Any:
    """A policy by its name that answers to an observation alone, as a real run needs it.

    Raises:
        PolicyError: it cannot be had, or plans.
    """
    policy = policy_named(name, [known for known in BUILT_IN if known not in PLANNERS])
    if not hasattr(policy, "decide"):
        raise PolicyError(
            f"the policy {name!r} plans in the game alone; a real run needs one that decides"
        )
    return policy
