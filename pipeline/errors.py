"""The base class of every error that the package raises; a module of its own because every package imports it."""


class Error(Exception):
    """An input that cannot be used, or a request that cannot be answered.

    The text names the file, and the line or key where there is one, and says what to do. Errors of Python
    itself (``TypeError``, ``KeyError``) are faults of the program.
    """
