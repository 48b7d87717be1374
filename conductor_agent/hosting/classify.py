"""The one converter from what goes wrong to `StandardError`: exception, exit, signal, protocol.

Breached limits have their own table (`policies.resource.violations`). First matching row wins;
`CRASHED` is what is left. Standard library and msgspec alone, because workers import this file.
"""

from __future__ import annotations

import errno
import resource
import signal as signals
import sys
from collections.abc import Mapping
from enum import Enum
from types import TracebackType
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from conductor_agent.hosting.raised import (
    MAX_MESSAGE,
    MODELS,
    cause_of,
    in_brackets,
    in_words,
    miswritten,
    of_this_package,
)
from fqg_env.outcome import (
    Blame,
    BlamedInput,
    Category,
    Cause,
    Hint,
    Outcome,
    OwnRecovery,
    Partial,
    Phase,
    SideEffects,
    StandardError,
    error,
)
from policies.resource.enforcers import RLIMIT
from policies.resource.violations import Limit, evidence, violation

DOMAIN = "hosting"
"""Domain of every error that is made here, not by an author."""
TOLD = "told: "
"""Begins the enforcer in evidence that comes from an extension's process; ours never does."""
EXIT_NO_WALLS = 71
"""Exit code of a worker whose walls could not be put up (EX_OSERR); nothing foreign has run."""
EXIT_NO_MSGSPEC = 69
"""Exit code of a worker whose Python lacks msgspec (EX_UNAVAILABLE)."""


class InvalidInput(Exception):
    """Raised by an extension whose inputs or parameters cannot be used.

    Naming the artifact lets the conductor rebuild it upstream instead of repeating the call.
    """

    def __init__(self, message: str, *, artifact: str | None = None, field: str | None = None):
        super().__init__(message)
        self.artifact = artifact
        self.field = field


class Unable(Exception):
    """Raised by an extension that works but cannot do this one, its own recovery included."""

    def __init__(
        self,
        message: str,
        *,
        hints: tuple[Hint, ...] = (),
        not_examined: tuple[str, ...] = (),
        own_recovery: OwnRecovery | None = None,
        partial: Partial | None = None,
        side_effects: SideEffects = SideEffects.NONE,
    ):
        super().__init__(message)
        self.hints = hints
        self.not_examined = not_examined
        self.own_recovery = own_recovery or OwnRecovery()
        self.partial = partial
        self.side_effects = side_effects


class Row(NamedTuple):
    """How one kind of failure appears."""

    category: Category
    blame: Blame
    message: str


Told = TypeVar("Told", bound=Outcome)
_X = Blame.EXTENSION

EXCEPTIONS: tuple[tuple[type[BaseException], Row], ...] = (
    (MemoryError, Row(Category.OUT_OF_RESOURCES, _X, "The extension ran out of memory.")),
    (TimeoutError, Row(Category.TIMEOUT, _X, "Something the extension waited for took too long.")),
    (ConnectionError, Row(Category.UNAVAILABLE, _X, "A service of the extension is unreachable.")),
    (PermissionError, Row(Category.FORBIDDEN, Blame.PLATFORM, "The extension lacks a permission.")),
    (ImportError, Row(Category.UNSUPPORTED, Blame.PLATFORM, "Something cannot be imported.")),
    (NotImplementedError, Row(Category.UNSUPPORTED, _X, "The extension does not support this.")),
)
"""By type. A ValueError, TypeError or KeyError stays CRASHED: inside an extension it is a bug
unless the author says otherwise with `InvalidInput`."""

NAMED: dict[str, Row] = {
    "OutOfMemoryError": Row(Category.OUT_OF_RESOURCES, _X, "The device ran out of memory."),
    "gaierror": Row(Category.UNAVAILABLE, _X, "A host name could not be resolved."),
    "URLError": Row(Category.UNAVAILABLE, _X, "A service of the extension is unreachable."),
    "ConnectError": Row(Category.UNAVAILABLE, _X, "A service of the extension is unreachable."),
    "ConnectTimeout": Row(Category.TIMEOUT, _X, "A service of the extension did not answer."),
    "ReadTimeout": Row(Category.TIMEOUT, _X, "A service of the extension did not answer."),
    "CancelledError": Row(Category.CANCELLED, _X, "The extension cancelled its own work."),
}
"""By name, for libraries that need not be importable here."""

ERRNO: dict[int, Row] = {
    errno.ENOSPC: Row(Category.OUT_OF_RESOURCES, Blame.PLATFORM, "The disk is full."),
    errno.ENOMEM: Row(Category.OUT_OF_RESOURCES, Blame.PLATFORM, "The system is out of memory."),
}

ERRNO_LIMITS: dict[int, tuple[Limit, int]] = {
    errno.EFBIG: (Limit.FILE, resource.RLIMIT_FSIZE),
    errno.EMFILE: (Limit.OPEN_FILES, resource.RLIMIT_NOFILE),
}
"""The kernel enforces these two; the exception is how an extension meets them."""

SIGNAL_LIMITS: dict[int, Limit] = {signals.SIGXCPU: Limit.CPU, signals.SIGXFSZ: Limit.FILE}

_SCARCE = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}

_CRASH = Row(Category.CRASHED, _X, "The extension crashed.")

# Nobody here sends these to a worker without recording a breach first: the machine did.
SIGNALS: dict[int, Row] = {
    signals.SIGKILL: Row(
        Category.CRASHED, Blame.UNKNOWN, "The extension was killed, perhaps for lack of memory."
    ),
    signals.SIGTERM: Row(Category.CRASHED, Blame.PLATFORM, "The extension was told to end."),
    signals.SIGHUP: Row(Category.CRASHED, Blame.PLATFORM, "The extension was told to end."),
    signals.SIGINT: Row(Category.CRASHED, Blame.PLATFORM, "The extension was told to end."),
}
"""By signal; every other one is a crash of the extension's own."""


class Fault(str, Enum):
    """Ways in which a worker breaks the protocol."""

    MALFORMED = "malformed"
    """Bytes that are no frame, or a frame that is no answer."""
    WRONG_ID = "wrong_id"
    """An answer to a call nobody made."""
    UNSOLICITED = "unsolicited"
    """Bytes although no call was open, a second answer included."""
    CLOSED = "closed"
    """The channel was closed and the process stayed."""
    VERSION = "version"
    """Another version of the protocol."""


FAULTS: dict[Fault, str] = {
    Fault.MALFORMED: "The answer could not be read.",
    Fault.WRONG_ID: "The answer belongs to another call.",
    Fault.UNSOLICITED: "The extension answered without being asked.",
    Fault.CLOSED: "The extension closed its channel.",
    Fault.VERSION: "The extension speaks another version of the protocol.",
}


def from_exception(problem: BaseException, phase: Phase = Phase.EXECUTE) -> StandardError:
    """An exception that left an extension, or kept it from starting (phase ADMISSION)."""
    cause = cause_of(problem)
    match problem:
        case InvalidInput():
            return _invalid_input(problem, cause)
        case Unable():
            return _unable(problem, cause)
        case RuntimeError() | BlockingIOError() if _no_more_tasks(problem):
            return _kernel_limit(Limit.TASKS, resource.RLIMIT_NPROC, cause)
        case OSError() if problem.errno in ERRNO_LIMITS:
            return _kernel_limit(*ERRNO_LIMITS[problem.errno], cause)
        case OSError() if problem.errno in ERRNO:
            row = _with_its_words(ERRNO[problem.errno], problem, phase)
        case FileNotFoundError() | PermissionError() if _started_program(problem.__traceback__):
            # An unreadable directory on the path turns "not found" into "not permitted".
            text = f"The program {problem.filename} is not installed."
            row = Row(Category.UNSUPPORTED, Blame.PLATFORM, text)
        case ModuleNotFoundError() if problem.name:
            row = Row(Category.UNSUPPORTED, Blame.PLATFORM, _missing(problem))
        case _:
            row = _with_its_words(_row_by_type(problem), problem, phase)
    failure = _error(row, phase, "RAISED", f"{cause.type}: {cause.message}")
    in_vain = phase is Phase.ADMISSION and miswritten(problem)
    return replace(failure, cause=cause, retryable=False if in_vain else failure.retryable)


def from_exit(
    status: int,
    *,
    log: str = "",
    starting: bool = False,
    allowed: Mapping[Limit, float] | None = None,
) -> StandardError:
    """A worker that ended without an answer.

    Args:
        status: exit code, or the negative number of the signal that ended it.
        log: the last of its standard output and error.
        starting: whether it ended before it was ready.
        allowed: values of the limits that the kernel signals, for the evidence.
    """
    phase = Phase.ADMISSION if starting else Phase.EXECUTE
    if status < 0 and -status in SIGNAL_LIMITS:
        limit = SIGNAL_LIMITS[-status]
        value = (allowed or {}).get(limit, 0.0)
        proof = evidence(limit, value, value, enforcer=RLIMIT, signal=signal_name(-status), log=log)
        return violation(limit, proof)
    if status < 0:
        return _from_signal(-status, log, phase)
    if starting and status == EXIT_NO_MSGSPEC:
        text = "The Python package msgspec is missing: install it for the extension."
        row = Row(Category.UNSUPPORTED, Blame.PLATFORM, text)
    elif starting and (status == EXIT_NO_WALLS or log.startswith("bwrap:")):
        text = "The extension's walls could not be put up, so it was not started."
        row = Row(Category.UNSUPPORTED, Blame.PLATFORM, text)
    else:
        text = f"The extension ended without an answer (exit code {status})."
        row = Row(Category.CRASHED, _X, text)
    return _error(row, phase, f"EXIT_{status}", log)


def from_spawn(problem: OSError, python: str) -> StandardError:
    """A worker whose Python could not be started."""
    if problem.errno in _SCARCE:
        category, text = Category.OUT_OF_RESOURCES, "The system could not start another process."
    else:
        category, text = Category.UNSUPPORTED, f"The extension's Python {python} does not start."
    row = Row(category, Blame.PLATFORM, text)
    return _error(row, Phase.ADMISSION, "SPAWN", str(problem))


def from_protocol(fault: Fault, detail: str = "", *, starting: bool = False) -> StandardError:
    """A worker that broke the protocol."""
    row = Row(Category.INVALID_OUTPUT, _X, FAULTS[fault])
    phase = Phase.ADMISSION if starting else Phase.TRANSPORT
    return _error(row, phase, f"PROTOCOL_{fault.name}", detail)


def from_answer(detail: str) -> StandardError:
    """An answer that is not an outcome of plain data."""
    row = Row(Category.INVALID_OUTPUT, _X, "The extension's answer is not usable.")
    return _error(row, Phase.OUTPUT, "ANSWER", detail)


def from_request(detail: str) -> StandardError:
    """Inputs or parameters that are not plain data."""
    row = Row(Category.INVALID_INPUT, Blame.CALLER, "The inputs cannot be sent.")
    return _error(row, Phase.INPUT, "REQUEST", detail)


def from_enforcement(text: str) -> StandardError:
    """What is required and cannot be enforced on this machine, in a sentence."""
    row = Row(Category.POLICY_VIOLATION, Blame.POLICY, text)
    return _error(row, Phase.ADMISSION, "ENFORCEMENT_UNAVAILABLE", "")


def as_told(outcome: Told) -> Told:
    """What came out of an extension's process: its own word, whoever it names in it. The converter runs
    in there too, beside code that can write anything, so that neither `domain` nor a signature would
    prove where an error was made. Evidence of a broken limit is marked as told, and nobody in there
    speaks for the policy, whose failures are nobody's fault.
    """
    if not isinstance(outcome, StandardError):
        return outcome
    policy, blame = outcome.policy, outcome.blame
    if policy is not None:
        policy = replace(policy, enforcer=f"{TOLD}{policy.enforcer}"[:MAX_MESSAGE])
    return replace(outcome, policy=policy, blame=_X if blame is Blame.POLICY else blame)


def from_cancel(reason: str = "") -> StandardError:
    """A call whose answer nobody wants any more."""
    row = Row(Category.CANCELLED, Blame.POLICY, "The call was cancelled.")
    return _error(row, Phase.EXECUTE, "CANCELLED", reason)


def _error(row: Row, phase: Phase, code: str, detail: str) -> StandardError:
    return error(
        row.category,
        row.message,
        blame=row.blame,
        phase=phase,
        code=code,
        domain=DOMAIN,
        detail=detail,
    )


def _invalid_input(problem: InvalidInput, cause: Cause) -> StandardError:
    blamed: tuple[BlamedInput, ...] = ()
    if problem.artifact is not None:
        blamed = (BlamedInput(problem.artifact, cause.message, problem.field),)
    return error(
        Category.INVALID_INPUT,
        cause.message,
        blame=Blame.UPSTREAM if blamed else Blame.CALLER,
        phase=Phase.INPUT,
        blamed_inputs=blamed,
        cause=cause,
    )


def _unable(problem: Unable, cause: Cause) -> StandardError:
    return error(
        Category.UNABLE,
        cause.message,
        blame=Blame.EXTENSION,
        hints=tuple(problem.hints),
        not_examined=tuple(problem.not_examined),
        own_recovery=problem.own_recovery,
        partial=problem.partial,
        side_effects=problem.side_effects,
        cause=cause,
    )


def _no_more_tasks(problem: BaseException) -> bool:
    """Whether the kernel refused to start a thread or a process, and a limit of ours is why."""
    if resource.getrlimit(resource.RLIMIT_NPROC)[0] == resource.RLIM_INFINITY:
        return False
    if isinstance(problem, RuntimeError):
        return "can't start new thread" in str(problem)
    return _raised_in(problem.__traceback__, ("fork", "_fork_exec", "_execute_child", "_launch"))


def _kernel_limit(limit: Limit, rlimit: int, cause: Cause) -> StandardError:
    allowed = resource.getrlimit(rlimit)[0]
    # The kernel refuses what would go beyond; how much was wanted it does not say.
    proof = evidence(limit, allowed, allowed, enforcer=RLIMIT, action="refused")
    return violation(limit, proof, cause=cause)


def _row_by_type(problem: BaseException) -> Row:
    for kind, row in EXCEPTIONS:
        if isinstance(problem, kind):
            return row
    for base in type(problem).__mro__:
        if base.__name__ in NAMED:
            return NAMED[base.__name__]
    return _CRASH


def _with_its_words(row: Row, problem: BaseException, phase: Phase) -> Row:
    """The row with what was raised and where, so that its author finds it."""
    what = row.message.rstrip(".")
    if row is _CRASH and phase is Phase.ADMISSION:
        what = "The extension does not load"
    return row._replace(message=f"{what}: {in_words(problem).rstrip('.')}.")


def _missing(problem: ModuleNotFoundError) -> str:
    """Which package is missing, and what brings it: ours are an extra, others go beside the author's."""
    where = in_brackets(problem)
    if of_this_package(problem):
        return f"The Python package {problem.name} is missing: {MODELS} brings it{where}."
    return (
        f"The Python package {problem.name} is missing in {sys.prefix}: install it there, for the "
        f"extension{where}."
    )


def _from_signal(number: int, log: str, phase: Phase) -> StandardError:
    name = signal_name(number)
    fallback = Row(Category.CRASHED, _X, f"The extension crashed with {name}.")
    return _error(SIGNALS.get(number, fallback), phase, f"SIGNAL_{name}", log)


def signal_name(number: int) -> str:
    """Name of a signal, such as SIGSEGV; real-time ones get their number."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _started_program(trace: TracebackType | None) -> bool:
    """Whether the exception came out of starting a program, not out of opening a file."""
    return _raised_in(trace, ("_execute_child",))


def _raised_in(trace: TracebackType | None, functions: tuple[str, ...]) -> bool:
    """Whether the innermost Python frame of an exception is one of these functions."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_name in functions
