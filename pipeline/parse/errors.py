"""Exceptions of the parsers, each with the file and, if known, the line. Short, because only their names differ."""

from __future__ import annotations

from pipeline.errors import Error


class ParseError(Error):
    """A log that cannot be used.

    Parameters
    ----------
    file : str
        Name of the log.
    message : str
        What is wrong with it.
    line : int, optional
        Line number, from 1, if known.
    """

    def __init__(self, file: str, message: str, line: int | None = None):
        self.file = file
        self.line = line
        self.message = message
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}")


class UnreadableError(ParseError):
    """The file cannot be opened or decompressed."""


class LimitError(UnreadableError):
    """The log is larger than what may be read, or fits into the memory.

    Attributes
    ----------
    text_bytes : int
        It may be read when more than this is allowed (``limits.Budget.text_bytes``).
    """

    def __init__(self, file: str, message: str, text_bytes: int):
        super().__init__(file, message)
        self.text_bytes = text_bytes

    def __reduce__(self):
        return type(self), (self.file, self.message, self.text_bytes)


class UnknownFormatError(ParseError):
    """The file is in an unknown format or language."""


class ClockError(ParseError):
    """A given date or time zone does not exist."""


class AccountingError(ParseError):
    """A parser dropped a line or counted it twice: a fault of the parser, not of the log."""


class BrokenParserError(AccountingError):
    """A parser raised an unexpected exception: a fault of the parser, not of the log."""
