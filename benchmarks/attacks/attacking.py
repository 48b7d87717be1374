"""What attacks share: asked for peace they answer at once, and a probe says what it managed to do."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from collections.abc import Callable
from typing import Any

from conductor_agent.hosting.extension import Context, Extension, extension

Values = dict[str, Any]
_NUMBERS = {
    "x86_64": {
        "init_module": 175, "kexec_load": 246, "add_key": 248, "keyctl": 250,
        "perf_event_open": 298, "process_vm_readv": 310, "memfd_create": 319, "bpf": 321,
        "userfaultfd": 323, "reboot": 169, "swapon": 167, "acct": 163,
    },
    "aarch64": {
        "init_module": 105, "kexec_load": 104, "add_key": 217, "keyctl": 219,
        "perf_event_open": 241, "process_vm_readv": 270, "memfd_create": 279, "bpf": 280,
        "userfaultfd": 282, "reboot": 142, "swapon": 224, "acct": 89,
    },
}  # fmt: skip
SYSCALLS = {
    **_NUMBERS.get(platform.machine(), {}),
    "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438, "memfd_secret": 447,
}  # fmt: skip
"""Numbers of system calls that Python does not offer; the last ones are the same everywhere."""
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.shmat.restype = ctypes.c_void_p


def attack(function: Callable[[Values, Context], Any]) -> Extension:
    """Decorator: an extension that attacks, unless its parameters ask for peace."""

    def peaceful(inputs: Values, parameters: Values, context: Context) -> Any:
        return {"peace": True} if parameters.get("peace") else function(parameters, context)

    return extension(name=function.__name__)(peaceful)


class Tries:
    """Ways to do what is forbidden: which of them worked, which were refused and how."""

    def __init__(self) -> None:
        self.managed: dict[str, str] = {}
        self.refused: dict[str, str] = {}

    def way(self, name: str, act: Callable[[], Any]) -> None:
        """Try one way; an act that answers None was refused without an error."""
        try:
            result = act()
        except OSError as problem:
            self.refused[name] = errno.errorcode.get(problem.errno or 0, type(problem).__name__)
        except Exception as problem:
            self.refused[name] = type(problem).__name__
        else:
            if result is None:
                self.refused[name] = "nothing there"
            else:
                self.managed[name] = repr(result)[:300]

    def answer(self) -> Values:
        """What the suite judges."""
        return {"managed": self.managed, "refused": self.refused}


def system_call(name: str, *arguments: Any) -> int:
    """Make a system call by its name.

    Raises:
        OSError: the kernel refuses it, or it has no number here.
    """
    if name not in SYSCALLS:
        raise OSError(errno.ENOSYS, name)
    return checked(LIBC.syscall(ctypes.c_long(SYSCALLS[name]), *arguments))


def checked(result: int) -> int:
    """The result of a call of the C library.

    Raises:
        OSError: it is an error.
    """
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def in_child(act: Callable[[], Any]) -> str | None:
    """Do it in a process of its own, which it may ruin; None: it was refused.

    Raises:
        OSError: with the child's error number, or there may be no child.
    """
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except OSError as problem:
            os._exit(problem.errno or 255)
        except BaseException:
            os._exit(255)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0:
        return "done"
    if 0 < code < 255:
        raise OSError(code, os.strerror(code))
    return None
