"""Where the command `conductor` begins: it loads the rest for a second, and Ctrl-C ends that cleanly."""

from __future__ import annotations

from conductor_agent.interrupts import hear_sigterm_as_ctrl_c, leaving_at_once


def main() -> None:
    """Entry point of `conductor`."""
    with leaving_at_once("conductor"):
        from conductor_agent.cli import main as run
    hear_sigterm_as_ctrl_c()
    run()


if __name__ == "__main__":
    main()
