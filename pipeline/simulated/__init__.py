"""A host whose demands are known, simulated, and its logs written as the tools would write them.

:mod:`plan` says what is to be known (demands, loads), :mod:`files` reads it from a file, :mod:`engine` has the
queues, :mod:`host` runs a load through them, :mod:`history` holds what happened, :mod:`counters` turns it into what
a kernel counts, :mod:`machine` says who runs on which machine, :mod:`instruments` print it as top, iotop,
/sys/block, tasks.log, httperf, sysbench, Apache and MariaDB do, :mod:`truth` says what was true, and
:mod:`study` writes it all as a recorded study.

The same plan and seed give the same bytes. docs/background/ground-truth.md says what the model is and is not.
"""
