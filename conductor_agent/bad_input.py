"""The error of a command that was given what it cannot use, where no file or run names a closer one."""


class BadInput(ValueError):
    """Something the user gave cannot be used; the message is one sentence."""
