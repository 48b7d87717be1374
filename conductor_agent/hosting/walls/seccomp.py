"""Which system calls foreign code may make: a filter, compiled by libseccomp.

Everything is allowed but what reaches around the other walls: other programs' memory, mounts and
namespaces, kernel interfaces that no model needs, memory that no watch sees, sockets.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

LIBRARY = "libseccomp.so.2"

OTHER_PROCESSES = (
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd "
    "move_pages migrate_pages"
)
MOUNTS = (
    "mount umount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree move_mount "
    "mount_setattr quotactl quotactl_fd swapon swapoff"
)
NAMESPACES = "unshare setns"
KERNEL = (
    "bpf perf_event_open userfaultfd init_module finit_module delete_module kexec_load "
    "kexec_file_load reboot syslog acct settimeofday stime clock_settime clock_settime64 "
    "clock_adjtime clock_adjtime64 adjtimex sethostname setdomainname iopl ioperm vhangup "
    "nfsservctl lookup_dcookie open_by_handle_at name_to_handle_at fanotify_init "
    "add_key keyctl request_key personality modify_ldt vm86 vm86old uselib"
)
SHARED_WITH_OTHERS = (
    "shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semctl semtimedop "
    "semtimedop_time64 mq_open mq_unlink ipc"
)
AROUND_THE_FILTER = "io_uring_setup io_uring_enter io_uring_register"
UNSEEN_MEMORY = "memfd_create memfd_secret"
OF_OTHERS = (
    "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr"  # first argument
)
"""Allowed for oneself, that is for process 0, alone."""
DROPPED = "chmod fchmod fchmodat fchmodat2"
TIMES = {"utime": 1, "utimes": 1, "futimesat": 2, "utimensat": 2}
"""Calls and the argument that holds times; without any, a call is the first half of a touch and must fail."""
DENIED_ON_FILES = (
    "chown fchown lchown fchownat chown32 fchown32 lchown32 setxattr lsetxattr fsetxattr removexattr "
    "lremovexattr fremovexattr setxattrat removexattrat"
)
"""Landlock does not look at modes, owners, times and attributes. Programs copy modes and times without need,
so those calls succeed and do nothing."""
MODES = {
    "chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "open": 2, "openat": 3,
    "mknod": 1, "mknodat": 2,
}  # fmt: skip
"""Calls and the argument that holds a mode: none may make a program that runs as its owner."""
NEWER = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "openat2": 437,
    "memfd_secret": 447, "process_mrelease": 448, "fchmodat2": 452, "setxattrat": 463,
    "removexattrat": 466,
}  # fmt: skip
"""Numbers, the same on every architecture, of calls that an older library than the kernel may not know."""

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
FAMILIES = 64
"""The kernel knows fewer."""
CLONE_NAMESPACES = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NE, _EQ, _MASKED_EQ = 1, 4, 7
_SET_DUMPABLE = 4
_DATAGRAM, _RAW, _KIND = 2, 3, 0xF
_PRIO_USER, _IOPRIO_WHO_USER = 2, 3
_INT = 0xFFFFFFFF
"""The kernel takes an int where the filter sees 64 bits."""


class _Compare(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


class _Filter:
    """A filter that is being made."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = [ctypes.c_uint32]
        library.seccomp_release.argtypes = [ctypes.c_void_p]
        library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.seccomp_rule_add_array.argtypes = [
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
            ctypes.POINTER(_Compare),
        ]  # fmt: skip
        library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
        self.context = library.seccomp_init(_ALLOW)

    def deny(self, name: str, *compare: _Compare, code: int = errno.EPERM) -> None:
        """Answer this call with an error, where all comparisons hold."""
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            number = NEWER.get(name, -1)
        if number == -1:
            return  # a call of another architecture or time
        array = (_Compare * len(compare))(*compare)
        done = self.library.seccomp_rule_add_array(
            self.context, _ERRNO | code, number, len(compare), array
        )
        if done not in (0, -errno.EEXIST, -errno.EDOM):  # EDOM: not on this architecture
            raise OSError(-done, f"the filter cannot deny {name}")

    def program(self) -> bytes:
        """The filter as the kernel takes it."""
        read, write = os.pipe()
        try:
            os.set_blocking(write, False)
            if self.library.seccomp_export_bpf(self.context, write) != 0:
                raise OSError(errno.EINVAL, "the filter cannot be compiled")
            return os.read(read, 65_536)
        finally:
            os.close(read)
            os.close(write)
            self.library.seccomp_release(self.context)


def available() -> bool:
    """Whether the library is installed and this kernel takes filters."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return os.path.exists("/proc/sys/kernel/seccomp")  # noqa: PTH110


@cache
def program(
    sockets: tuple[int, ...],
    *,
    count_memfd: bool,
    keep_files: bool = False,
    keep_cores: bool = False,
) -> bytes:
    """The filter, as the kernel takes it.

    Args:
        sockets: families of sockets that may be made; pairs of connected ones always may.
        count_memfd: something counts memory behind file descriptors; otherwise there is none.
        keep_files: modes, owners, times and attributes of files stay as they are.
        keep_cores: the cores that it may run on stay as they are.

    Raises:
        OSError: the library is not installed, or cannot do it.
    """
    made = _Filter(ctypes.CDLL(LIBRARY, use_errno=True))
    words = (
        OTHER_PROCESSES, MOUNTS, NAMESPACES, KERNEL, SHARED_WITH_OTHERS, AROUND_THE_FILTER,
        "" if count_memfd else UNSEEN_MEMORY,
    )  # fmt: skip
    for name in " ".join(words).split():
        made.deny(name)
    for name in OF_OTHERS.split():
        made.deny(name, _Compare(0, _NE, 0, 0))
    _deny_ranks_of_others(made)
    if keep_cores:
        made.deny("sched_setaffinity")
    if keep_files:
        for name in DROPPED.split():
            made.deny(name, code=0)
        for name, argument in TIMES.items():
            made.deny(name, _Compare(argument, _NE, 0, 0), code=0)
            made.deny(name, _Compare(argument, _EQ, 0, 0))
        for name in DENIED_ON_FILES.split():
            made.deny(name)
    made.deny("clone3", code=errno.ENOSYS)  # its flags lie in memory; libraries fall back to clone
    for flag in CLONE_NAMESPACES:
        made.deny("clone", _Compare(0, _MASKED_EQ, flag, flag))
    _deny_sockets(made, sockets)
    for name, argument in MODES.items():
        for bit in (0o4000, 0o2000):
            made.deny(name, _Compare(argument, _MASKED_EQ, bit, bit))
    made.deny("prctl", _Compare(0, _MASKED_EQ, _INT, _SET_DUMPABLE))  # its open files stay in sight
    made.deny("openat2", code=errno.ENOSYS)  # its mode lies in memory
    return made.program()


def _deny_ranks_of_others(made: _Filter) -> None:
    """A process may rank itself, and nobody else."""
    for name, every_process in (("setpriority", _PRIO_USER), ("ioprio_set", _IOPRIO_WHO_USER)):
        made.deny(name, _Compare(1, _NE, 0, 0))
        made.deny(name, _Compare(0, _MASKED_EQ, _INT, every_process))


def _deny_sockets(made: _Filter, sockets: tuple[int, ...]) -> None:
    """Every family but these."""
    for family in range(FAMILIES):
        if family not in sockets:
            made.deny("socket", _Compare(0, _MASKED_EQ, _INT, family), code=errno.EACCES)
            if family != AF_UNIX:
                made.deny("socketpair", _Compare(0, _MASKED_EQ, _INT, family), code=errno.EACCES)
    if AF_UNIX not in sockets:
        for kind in (_DATAGRAM, _RAW):  # connected as they are, these still send to any name
            made.deny("socketpair", _Compare(1, _MASKED_EQ, _KIND, kind), code=errno.EACCES)
