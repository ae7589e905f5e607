r"""Lines that only one kind of log has, as regular expressions.

Two uses: the prefix of a logger is the text in front of such a line (:mod:`pipeline.parse.prefixes`), and a
file that has many of them is probably of that kind.

A shape describes the beginning of a line, with its own indentation (``[ \t]*``), as far as is needed to tell it from
the lines of other kinds. It has no ``^``, no named group and no look-around, so that Polars understands it too.
It begins where the line of the tool begins: iotop's own time of day belongs to the shape, a logger's does not.

Example:
    >>> import re
    >>> [kind for kind in SHAPES if re.match(shape_of(kind), "cpu0 120 0 80 5000 9 0 1 0 0 0")]
    ['tasks']
"""

from __future__ import annotations

from functools import cache

from pipeline.parse.access_fields import IPV6
from pipeline.parse.top_languages import CPU_WORDS, TASK_WORDS, THREAD_WORDS

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_SIZE = rf"{_NUMBER}[kmgtpeKMGTPE]?"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_BLANK = r"[ \t]*"

_IOTOP_OWN = rf"(?:b['\"])?(?:{_CLOCK} )?{_BLANK}"
_IOTOP_SIZE = rf"{_NUMBER} ?[BKMGTPE](?:/s)?"

_ISO_TIME = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}(?:[.][0-9]+)?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?"
)
_SHORT_TIME = r"[0-9]{6} [ 0-9]?[0-9]:[0-9]{2}:[0-9]{2}"
_COMMAND = (
    r"(?:Query|Quit|Connect|Execute|Prepare|Init DB|Close stmt|Reset stmt|Field List|Statistics|Ping"
    r"|Change user|Processlist|Binlog Dump|Register \w+|Kill|Refresh|Shutdown|Daemon|Long Data|Fetch)\b"
)


_NAME = r'[^\s"\[-][^\s"\[]*'
_CLIENT = rf"(?:{IPV6}|unix:|[0-9A-Za-z](?:[0-9A-Za-z_.-]*[0-9A-Za-z])?)"


def _labels(names: list[str]) -> str:
    return "|".join(name.replace("(", r"\(").replace(")", r"\)") for name in names)


SHAPES = {
    "top": (
        rf"(?:top|[1-4]:\S{{1,4}}) - {_CLOCK} up\s",
        rf"{_BLANK}(?:[1-4] )?(?:PID|TID|进程号|进程)\s[^0-9]*%\S*\s",
        rf"{_BLANK}(?:{_labels([*TASK_WORDS, *THREAD_WORDS])}) *: *[0-9]+ ",
        rf"{_BLANK}(?:{_labels(CPU_WORDS)})[0-9 ]*: *{_NUMBER}%? ?[^0-9\s,]",
        rf"{_BLANK}(?:[KMGTPE]i?[Bo] )?(?:Mem|Swap) *: *{_NUMBER}[kKM+]? ?[a-z]",
        r"Load average: [0-9.]+ [0-9.]+ [0-9.]+ [0-9]+/[0-9]+ ",
        rf"{_BLANK}[0-9]+ +\S+ +(?:-?[0-9]+|rt|RT) +-?[0-9]+ +{_SIZE} +{_SIZE} +{_SIZE} +[A-Za-z?]"
        rf" +{_NUMBER} +{_NUMBER} +[0-9]",
    ),
    "iotop": (
        rf"{_IOTOP_OWN}(?:Total|Actual|Current) DISK READ *:",
        rf"{_IOTOP_OWN}(?:TIME +)?(?:TID|PID) +PRIO +USER ",
        rf"{_IOTOP_OWN}[0-9]+ +(?:(?:be|rt|idle|none)(?:/[0-9])?|\?\S*) +\S+ +{_IOTOP_SIZE} +{_IOTOP_SIZE} ",
    ),
    "block": (
        rf"{_BLANK}[0-9]+ +[0-9]+ +[A-Za-z][^\s:]*(?: +[0-9]+){{11}}",
        r"(?:/\S*/)?(?:stat|diskstats): *[0-9]+(?: +[0-9]+){10}",
        r"[A-Za-z][A-Za-z0-9!-]*[: ] *[0-9]+(?: +[0-9]+){10,}\s*$",
        rf"{_BLANK}[0-9]+(?: +[0-9]+){{10,}}\s*$",
    ),
    "tasks": (
        r"cpu[0-9]* +[0-9]+(?: [0-9-]+){7}",
        r"p [0-9]+ [0-9]+ [0-9]+ [A-Za-z-] [0-9-]+ ",
        r"i [0-9]+ [0-9]+(?: [0-9-]+){6}",
        r"t [0-9]+ [0-9]+ [0-9]+ [A-Za-z-] [0-9-]+ ",
        r"[cx] [0-9]+ [0-9]+ \S",
    ),
    "httperf": (
        r"httperf\s+--?[a-z]",
        r"Maximum connect burst length: [0-9]",
        r"Total: connections [0-9]+ requests [0-9]",
        r"(?:Connection|Request|Reply|Session) (?:rate|time|length|size|status|lifetime)\b[^:]*: \S",
        r"CPU time \[s\]: user [0-9]",
        r"Net I/O: [0-9.,]+ KB/s",
        r"Errors: (?:total|fd-unavail) [0-9]",
        r"reply-rate\s+= [0-9]",
    ),
    "sysbench": (
        r"sysbench [0-9]+[.][0-9]",
        r"\[ *[0-9.]+s ?\] *(?:thds|threads|reads|queue length|[0-9.]+ M)",
        r"(?:SQL|OLTP test|General) statistics:",
        r"Number of threads: [0-9]",
        r"Threads started!",
        r" {2,}(?:transactions|queries|deadlocks|read/write requests|ignored errors|reconnects): +[0-9]",
        r" {2,}(?:total time|total number of events|events \(avg/stddev\)):? +[0-9]",
        r" {2,}(?:min|avg|max|approx[.] +[0-9]+ percentile|[0-9]+th percentile|sum): +[0-9.,]+",
    ),
    "access": (
        rf'{_CLIENT} (?:[^\s"]+ (?:[^\s"\[]+|"[^"]*")|- {_NAME}(?: {_NAME})+) \['
        rf'[0-9]{{1,2}}/[A-Z][a-z]{{2}}/[0-9]{{4}}:[0-9:]{{8}}(?:[.][0-9]+)? [+-][0-9]{{4}}\] ',
        r'\{ ?"[^{}]{0,2000}?(?:"request": ?\{[^{}]{0,2000}|)"'
        r'(?:status|stream|DownstreamStatus|remote_addr|remote_ip|request|uri)" ?: ?["{0-9]',
    ),
    "general": (
        rf"{_ISO_TIME}(?:\t *| {{1,12}})[0-9]+ {_COMMAND}",
        rf"{_SHORT_TIME}(?:\t *| {{1,12}})[0-9]+ {_COMMAND}",
        rf"[ \t]*[0-9]+ {_COMMAND}[ \t]",
        r"\S+, Version: .+ started with:",
        r"Time +Id +Command +Argument",
        r"(?:Tcp|TCP) [Pp]ort: [0-9]+ ",
    ),
}  # fmt: skip
"""Shapes of the lines of each kind of log, for ``re`` or Polars, to be anchored at the start of a line."""


@cache
def shape_of(kind: str) -> str:
    """All shapes of a kind as one regular expression.

    Parameters
    ----------
    kind : str
        A key of ``SHAPES``; any other kind has no shape.

    Returns
    -------
    str
        Empty if the kind has none.
    """
    return "|".join(f"(?:{shape})" for shape in SHAPES.get(kind, ()))
