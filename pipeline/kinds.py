"""The kinds of logs that are read.

Short, because the command line lists the kinds before it imports a parser.
"""

KINDS = {
    "top": "top",
    "iotop": "iotop",
    "block": "block",
    "tasks": "tasks",
    "httperf": "httperf",
    "sysbench": "sysbench",
    "access": "access_log",
    "general": "general_log",
}
"""Kinds of logs and the module of :mod:`pipeline.parse` that reads each."""

AUTO = "auto"
"""Stands for the kind that a file is recognized as."""
