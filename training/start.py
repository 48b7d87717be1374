"""Where the command `fqg` begins: it loads the rest for a second, and Ctrl-C ends that cleanly."""

from __future__ import annotations

from conductor_agent.interrupts import hear_sigterm_as_ctrl_c, leaving_at_once


def main() -> None:
    """Entry point of `fqg`."""
    with leaving_at_once("fqg"):
        from training.cli import main as run
    hear_sigterm_as_ctrl_c()
    run()


if __name__ == "__main__":
    main()
