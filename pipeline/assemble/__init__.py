"""Runs made of logs that were recorded by hand, with the plain tools (docs/how-to/from-old-logs.md).

An own package because it reads logs as ``ingest`` does and writes what ``ingest`` reads.

The user's files are copied as they are; what has to be known beside their text is inferred, shown, and written to
run.json (docs/reference/raw-run.md, decision 14).

:mod:`sources`   recognize files, parse them
:mod:`signals`   a growing quantity, and where a load is in it
:mod:`processes` the server's processes and QEMU
:mod:`disks`     the guest's disk and the host's
:mod:`cpus`      number of CPUs
:mod:`load`      the client's report
:mod:`clocks`    dates, zones, snapshots without times
:mod:`zones`     day and time zones
:mod:`timing`    the window and the clocks
:mod:`blocks`    counters of block devices
:mod:`iotop_times` times of iotop's snapshots
:mod:`iterations` lengths of iotop's iterations
:mod:`plan`      choices of a user, and the result
:mod:`guests`    what is proposed about each guest
:mod:`proposal`  all of it together
:mod:`folder`    write the run
:mod:`texts`     sentences
"""

from pipeline.assemble.folder import run_names, write_plan
from pipeline.assemble.plan import Choices, Inference, Plan, Question
from pipeline.assemble.proposal import propose
from pipeline.assemble.sources import AssembleError, Source, read_sources

__all__ = [
    "AssembleError",
    "Choices",
    "Inference",
    "Plan",
    "Question",
    "Source",
    "propose",
    "read_sources",
    "run_names",
    "write_plan",
]
