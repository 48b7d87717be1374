"""Who held a call to its limit, in words for people."""

from __future__ import annotations

from conductor_agent.hosting.classify import TOLD
from conductor_agent.hosting.walls.egress import ENFORCER as EGRESS
from conductor_agent.hosting.watch.watchdog import CONTROL_GROUP, WATCHDOG

WORDS = {
    "rlimit": "the kernel, which holds each process to it (rlimit)",
    CONTROL_GROUP: "the kernel, which holds all its processes to it (control group)",
    WATCHDOG: "the watch over its processes",
    EGRESS: "the way out to the network",
    "supervisor": "its supervisor",
    "frame header": "its supervisor, before the answer was read",
    "log pipe": "its supervisor, which reads its log",
    "tmpfs": "the kernel, whose space for it was full (tmpfs)",
    "worker": "its worker, before the answer was sent",
    "adapter": "the adapter that runs its program",
    "conductor": "the conductor",
}


def in_words(enforcer: str) -> str:
    """The enforcer of a piece of evidence; that the extension says so itself, where it does."""
    who = enforcer.removeprefix(TOLD)
    words = WORDS.get(who, who)
    return f"{words}, as the extension itself says" if enforcer.startswith(TOLD) else words
