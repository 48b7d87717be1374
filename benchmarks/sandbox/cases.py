"""The table of attacks: what each needs enforced, and how it may end to count as contained."""

from __future__ import annotations

from typing import Any

from sandbox.case import Case

MEMORY = 512_000_000
SHORT = {"wall_s": 1.0}
KEPT = {"calls_per_worker": 1000}
"""The next call is made in the same worker."""
OWNER = {"write_paths": ("/nowhere",)}
"""As root it stays root, though in name alone: whose files lie outside is no wall then."""
FULL_DISK = ("OUT_OF_RESOURCES",)


def _end(source: str, extension: str, *limits: str, **more: Any) -> Case:
    """It is ended by one of these limits."""
    return Case(f"{source}/{extension}", source, extension, limits=limits, **more)


def _probe(source: str, extension: str, *needs: str, **more: Any) -> Case:
    """It answers, and has managed nothing."""
    return Case(f"{source}/{extension}", source, extension, needs=needs, probe=True, **more)


def _error(source: str, extension: str, *codes: str, **more: Any) -> Case:
    """It ends in an error with one of these codes."""
    return Case(f"{source}/{extension}", source, extension, codes=codes, **more)


def _allowed(source: str, extension: str, count: int, **more: Any) -> Case:
    """It answers a count of at most this."""
    return Case(f"{source}/{extension}", source, extension, at_most=count, **more)


def _waiting(extension: str) -> Case:
    return _end("timing", extension, "wall_s", needs=("wall_s",), settings=SHORT)


TIMING = [
    *(_end("timing", name, "cpu_s", needs=("cpu_s",), settings={"cpu_s": 1.0}) for name in (
        "busy", "busy_ignoring_signals", "busy_in_c", "busy_threads",
    )),
    _end(
        "timing", "short_children", "cpu_s", "wall_s",
        needs=("cpu_s",), settings={"cpu_s": 1.0, "wall_s": 3.0},
    ),
    *map(_waiting, (
        "sleeping", "stopped", "pausing", "selecting", "waiting_for_child", "hanging_exit",
    )),
    _allowed("timing", "cores", 1, needs=("cpu_cores",), settings={"cpu_cores": 1}),
    _probe("timing", "raise_limits", "open_files", "conductor_safety"),
    _probe("timing", "raise_priority", "conductor_safety"),
]  # fmt: skip

PROCESSES = [
    _end("processes", "daemon_and_hang", "wall_s", settings=SHORT),
    _end("processes", "daemon_and_hang", "wall_s", settings=SHORT, parameters={"count": 25}).named(
        "processes/many_daemons"
    ),
    _error("processes", "daemon_and_exit", "EXIT_3"),
    _allowed("processes", "daemon_and_answer", 1),
    _end("processes", "fork_bomb", "tasks", at_most=64, needs=("tasks",)),
    _end("processes", "fork_tree", "tasks", "wall_s", needs=("tasks",), settings=SHORT),
    _end("processes", "thread_bomb", "tasks", at_most=64, needs=("tasks",)),
    _end("processes", "zombies", "tasks", at_most=64, needs=("tasks",)),
    _allowed("processes", "one_after_the_other", 1),
    _end(
        "processes", "hopper", "wall_s", "cpu_s", "tasks", settings={"wall_s": 1.0, "cpu_s": None}
    ),
    _end("processes", "become_another", "wall_s", codes=("PROTOCOL_CLOSED",), settings=SHORT),
    _end(
        "processes",
        "stop_the_keeper",
        "wall_s",
        probe=True,
        needs=("conductor_safety",),
        settings=SHORT,
    ),
]

MEMORY_CASES = [
    *(_end("memory", name, "memory_bytes", needs=("memory_bytes",)) for name in (
        "one_process", "six_children", "shared_map",
    )),
    *(_end("memory", name, "memory_bytes", probe=True, needs=("memory_bytes", "conductor_safety"))
      for name in ("memfds", "secret_memory")),
    _allowed("memory", "pipes", 1),
    _probe("memory", "shared_memory_left", "conductor_safety"),
    _end(
        "memory", "fill_dev_shm", "written_bytes", "memory_bytes",
        at_most=64_000_000, needs=("written_bytes", "filesystem"),
    ),
    _allowed("memory", "huge_reservation", 0),
    _allowed("memory", "many_maps", 0),
    _allowed("memory", "forks_share", 0),
]  # fmt: skip

FILES = [
    *(_end("files", name, "file_bytes", "written_bytes", categories=FULL_DISK, needs=("file_bytes",))
      for name in ("one_big_file", "sparse_file", "allocated_file")),
    *(_end("files", name, "written_bytes", "memory_bytes", categories=FULL_DISK, needs=("written_bytes",))
      for name in ("many_big_files", "deleted_file")),
    _end("files", "many_files", "scratch_files", categories=FULL_DISK, needs=("scratch_files",)),
    _end("files", "open_files", "open_files", at_most=256, needs=("open_files",)),
    _allowed(
        "files", "deep_folders", 0, limits=("scratch_files",), settings={"scratch_files": 10_000}
    ),
    *(_allowed("files", name, 0) for name in ("closed_folder", "odd_names")),
    _allowed("files", "swapped_for_a_link", 0, needs=("filesystem",)),
    *(_probe("files", name, "filesystem") for name in ("write_outside", "tamper", "devices", "host_root")),
    _probe("files", "modes", "filesystem", settings=OWNER),
    _probe("files", "set_user_id", "conductor_safety"),
    _probe("files", "leave_behind", "filesystem", again={"second": True}),
]  # fmt: skip

NETWORK = [
    *(_probe("network", name, "network") for name in (
        "tcp", "udp", "mptcp", "vsock", "abstract", "path", "datagram_pair", "listen", "raw",
    )),
    _allowed(
        "network", "flood_the_way_out", 64, needs=("destinations",), parameters={"enough": 64},
        settings={"network": ("127.0.0.1:9",)},
    ),
    _probe(
        "network", "names_with_another_end", "destinations",
        settings={"network": ("*.example.org:9",)},
    ),
    _probe("network", "other_numbers", "network", codes=("SIGNAL_SIGSYS",)),
]  # fmt: skip

PRIVACY = [
    _probe("privacy", "inherited_files"),
    _probe("privacy", "secret_file", "filesystem"),
    _probe("privacy", "siblings", "filesystem"),
    _probe("privacy", "planted_python", "filesystem", planted=True, settings=OWNER),
    _probe("privacy", "granted_link", "filesystem", codes=("GRANT_LEADS_AWAY",), linked=True, settings=OWNER),
    *(_probe("privacy", name, "conductor_safety") for name in (
        "environments", "memory_of_others", "trace_others", "kill_bystander", "kill_conductor",
        "user_namespace", "mount", "kernel", "capabilities", "terminal", "host_names",
    )),
    _end("privacy", "kill_parents", "wall_s", needs=("conductor_safety",), settings=SHORT),
    _end("privacy", "kill_everybody", "wall_s", needs=("conductor_safety",), settings=SHORT, deadly=True),
]  # fmt: skip

BODIES = (
    "random empty bare_number unknown_type call ready extra_beside unknown_outcome extra_field "
    "wrong_field_type quality_of_7 infinite_cost nan infinity deep_lists deep_maps announced_list "
    "announced_map announced_bytes announced_text a_million_lists surrogate not_utf8 number_as_key timestamp "
    "extension_type unused_code cut_short two_bodies pickle json"
)
PROTOCOL = [
    *(_error("protocol", "body", "ANSWER", parameters={"body": name}).named(f"protocol/{name}")
      for name in BODIES.split()),
    _error("protocol", "body", categories=("CRASHED",), parameters={"body": "long_cause"})
    .named("protocol/long_cause"),
    _error("protocol", "duplicate_keys", "ANSWER", at_most=0),
    _error("protocol", "garbage", "PROTOCOL_WRONG_ID"),
    _end("protocol", "huge_length", "reply_bytes"),
    *(_end("protocol", name, "wall_s", settings=SHORT)
      for name in ("half_header", "half_body", "drip", "deaf")),
    _error("protocol", "wrong_id", "PROTOCOL_WRONG_ID"),
    *(_error("protocol", name, "PROTOCOL_UNSOLICITED")
      for name in ("twice", "next_answer")),
    _error("protocol", "flooding_channel", "PROTOCOL_UNSOLICITED", at_most=0),
    _error("protocol", "late", "PROTOCOL_WRONG_ID", at_most=0, again={"next": True}, settings=KEPT),
    _allowed("protocol", "deaf_later", 0, settings=KEPT),
    _end("protocol", "two_parts", "reply_bytes"),
    _error("protocol", "exit_before", "EXIT_0"),
    _error("protocol", "exit_inside", "EXIT_0", "PROTOCOL_CLOSED"),
    _error("protocol", "close_channel", "PROTOCOL_CLOSED"),
    _end("protocol", "pass_files", "wall_s", codes=("ANSWER",), settings=SHORT),
]  # fmt: skip

SIGNALS = {
    "SIGKILL": 9, "SIGTERM": 15, "SIGILL": 4, "SIGBUS": 7, "SIGFPE": 8, "SIGHUP": 1, "SIGSYS": 31,
    "SIGUSR1": 10,
}  # fmt: skip
CRASHES = [
    _error("crashes", "segfault", "SIGNAL_SIGSEGV"),
    _end("crashes", "overflow_in_c", "memory_bytes", "cpu_s", codes=("SIGNAL_SIGSEGV", "SIGNAL_SIGABRT")),
    _error("crashes", "recursion", "RAISED"),
    _error("crashes", "abort", "SIGNAL_SIGABRT"),
    *(_error("crashes", "die_by_signal", f"SIGNAL_{name}", parameters={"signal": number})
      .named(f"crashes/{name}") for name, number in SIGNALS.items()),
    *(_error("crashes", "leave", f"EXIT_{code}", parameters={"code": code})
      .named(f"crashes/exit_{code}") for code in (0, 9)),
    _error("crashes", "system_exit", "RAISED"),
    _end("crashes", "flood", "log_bytes", needs=("log_bytes",)),
    _end("crashes", "flood", "log_bytes", needs=("log_bytes",), parameters={"fd": 2})
    .named("crashes/flood_of_errors"),
    _error("crashes", "odd_log", "EXIT_9"),
    _allowed("crashes", "flood_after_answer", 0, settings=KEPT),
    _end("crashes", "close_everything", "wall_s", codes=("PROTOCOL_CLOSED",), settings=SHORT),
    *(_error("crashes", name, "RAISED") for name in ("nasty_exception", "huge_exception")),
    *(_error("crashes", "no_outcome", "ANSWER", parameters={"answer": name}).named(f"crashes/{name}_answer")
      for name in ("object", "loop", "nan", "none", "keys", "integer", "surrogate", "generator", "function")),
    _end("crashes", "no_outcome", "reply_bytes", parameters={"answer": "huge"}).named("crashes/huge_answer"),
    Case("crashes/lying_answer", "crashes", "lying_struct", categories=("CRASHED", "INVALID_OUTPUT")),
    _error("crashes", "patched_sdk", "ANSWER", settings=KEPT),
]  # fmt: skip


def _manifest(what: str, source: str, extension: str, asks: str) -> Case:
    """Its manifest asks for what it needs, and nobody said the same."""
    return _probe(source, extension, codes=("MANIFEST",), asks=asks).named(f"manifest/{what}")


MANIFESTS = [
    _manifest("read_paths", "privacy", "secret_file", '[extension.limits]\nread_paths = ["{secret}"]'),
    _manifest("write_paths", "files", "tamper", '[extension.limits]\nwrite_paths = ["{folder}"]'),
    _manifest("devices", "files", "devices", '[extension.limits]\ndevices = ["/dev/mem", "/dev/kmsg"]'),
    _manifest("network", "network", "tcp", "[runtime.resources]\nnetwork_required = true"),
    _manifest("environment", "privacy", "environments",
              '[runtime.environment]\nrequired_env_vars = ["{variable}"]'),
]  # fmt: skip


def _load(what: str, *limits: str, **more: Any) -> Case:
    environment = (("ATTACK", what), ("MEMORY_BYTES", str(MEMORY)))
    settings = {"start_wall_s": 2.0} if "start_wall_s" in limits else {}
    return Case(
        f"loading/{what}", "loading", "loaded", limits=limits, loads=True,
        environment=environment, settings=settings, **more,
    )  # fmt: skip


LOADING = [
    _load("hang", "start_wall_s"),
    _load("spin", "start_wall_s"),
    _load("exit", codes=("EXIT_0",)),
    _load("memory", "memory_bytes", needs=("memory_bytes",)),
    _load("daemon", codes=("RAISED",)),
    _load("flood", "log_bytes", needs=("log_bytes",)),
    _load("hooks", codes=("EXIT_5",)),
]

CONDUCTOR_KILLED = "processes/conductor_killed"
"""The one case that is judged from outside (suite.py): the conductor is killed while this one hangs."""
KILLED = Case(
    CONDUCTOR_KILLED,
    "processes",
    "daemon_and_hang",
    needs=("after_the_conductor",),
    parameters={"count": 25},
    settings={"wall_s": 60.0},
)

CASES = {
    case.name: case
    for case in (
        *TIMING, *PROCESSES, *MEMORY_CASES, *FILES, *NETWORK, *PRIVACY, *PROTOCOL, *CRASHES, *MANIFESTS,
        *LOADING, KILLED,
    )
}  # fmt: skip
"""By name, in the order in which they run."""
