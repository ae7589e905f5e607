"""The command ``queuevisor``: one module per command. Short, because commands only call :mod:`pipeline.api`.

Exit codes: 0 done (rejected lines alone are no failure, they are reported); 1 some inputs or notebooks failed and
were reported, the rest was done; 2 nothing could be done: the call is wrong or no input is usable.
"""

from pipeline.cli.app import main

__all__ = ["main"]
