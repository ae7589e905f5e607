"""What parsers raise, and nothing else: each names the file and, where there is one, the line."""

from __future__ import annotations

from pipeline.errors import Error


class ParseError(Error):
    """A log that cannot be used, with the file and, where there is one, the line."""

    def __init__(self, file: str, message: str, line: int | None = None):
        self.file = file
        self.line = line
        self.message = message
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}")


class UnreadableError(ParseError):
    """The file cannot be opened or is no text at all."""


class UnknownFormatError(ParseError):
    """The file is text, but in no form (or language) that the parser knows."""


class ClockError(ParseError):
    """The date or time zone that was given does not exist."""


class AccountingError(ParseError):
    """A parser lost or counted a line twice: a fault of ours, never of the log."""


class BrokenParserError(AccountingError):
    """A parser failed in a way that was not foreseen: a fault of ours, never of the log."""
