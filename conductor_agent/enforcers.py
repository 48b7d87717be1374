"""Who held a call to its limit, in words for people."""

from __future__ import annotations

from conductor_agent.hosting.classify import TOLD
from policies.resource.enforcers import (
    ADAPTER,
    CONDUCTOR,
    CONTROL_GROUP,
    EGRESS,
    FRAME_HEADER,
    LOG_PIPE,
    RLIMIT,
    SUPERVISOR,
    TMPFS,
    WATCHDOG,
    WORKER,
)

WORDS = {
    RLIMIT: "the kernel, which holds each process to it (rlimit)",
    CONTROL_GROUP: "the kernel, which holds all its processes to it (control group)",
    WATCHDOG: "the watch over its processes",
    EGRESS: "the way out to the network",
    SUPERVISOR: "its supervisor",
    FRAME_HEADER: "its supervisor, before the answer was read",
    LOG_PIPE: "its supervisor, which reads its log",
    TMPFS: "the kernel, whose space for it was full (tmpfs)",
    WORKER: "its worker, before the answer was sent",
    ADAPTER: "the adapter that runs its program",
    CONDUCTOR: "the conductor",
}


def in_words(enforcer: str) -> str:
    """The enforcer of a piece of evidence; that the extension says so itself, where it does."""
    who = enforcer.removeprefix(TOLD)
    words = WORDS.get(who, who)
    return f"{words}, as the extension itself says" if enforcer.startswith(TOLD) else words
