"""The command ``queuevisor``: one module per command.

:mod:`app`      shared options, the list of commands, exit codes of errors
:mod:`doctor`   programs and packages that are missing on this machine
:mod:`parse`    one log into tidy tables
:mod:`runs`     recorded runs and the problems of their files
:mod:`ingest`   raw runs into tidy tables
:mod:`ledger`   every number of the equations
:mod:`report`   notebooks as pages
:mod:`solve`    solution of a queueing network model
:mod:`factors`  designed experiments
:mod:`simulate` a synthetic study with known demands
:mod:`options`  options that commands share
:mod:`tabulate` a frame as text or file
:mod:`console`  standard output and standard error, ``bar``

A command imports what it computes with when it is called, so that help is shown at once.

Exit codes: 0 done (rejected lines alone are no failure, they are reported); 1 some inputs or notebooks failed and
were reported, the rest was done; 2 nothing could be done: the call is wrong or no input is usable. Short, because
commands only call :mod:`pipeline.api`.
"""

from pipeline.cli.app import main

__all__ = ["main"]
