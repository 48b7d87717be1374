"""Who holds a call to its limits, by the names that stand in evidence and in the ledger."""

from __future__ import annotations

RLIMIT = "rlimit"
CONTROL_GROUP = "control group"
TMPFS = "tmpfs"
WATCHDOG = "watchdog"
EGRESS = "egress proxy"
SUPERVISOR = "supervisor"
FRAME_HEADER = "frame header"
LOG_PIPE = "log pipe"
WORKER = "worker"
ADAPTER = "adapter"
CONDUCTOR = "conductor"
