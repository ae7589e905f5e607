"""The base class of every error that the package raises; a module of its own because every package imports it."""

import os

DEBUG = "QUEUEVISOR_DEBUG"
"""Environment variable: with 1, the traceback of an internal error is shown."""


class Error(Exception):
    """An input that cannot be used, or a request that cannot be answered.

    The text names the file, and the line or key where there is one, and says what to do. Errors of Python
    itself (``TypeError``, ``KeyError``) are faults of the program.
    """


def is_debugging() -> bool:
    """Whether the user wants the traceback of an internal error."""
    return os.environ.get(DEBUG, "") not in ("", "0")
