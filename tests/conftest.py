"""Ctrl-C is heard here: tests press it, and what is started in the background of a shell does not hear it."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
