"""Tables → measured quantities: the only package that subtracts counters.

:mod:`window`         the snapshots that bracket an experiment; the window of a load
:mod:`snapshots`      times of snapshots, and what a log of them lacks in a window
:mod:`run_tables`     the stored tables of one run, each loaded once
:mod:`load`           the load as run.json states it
:mod:`arrivals`       arrival traces, and counts of arrivals per second
:mod:`counters`       a counter and its increase: bounds, wraps, resets
:mod:`processes`      processes and threads of a virtual server; CPU time of processes and machines
:mod:`disks`          a disk's counters, and the bytes that tasks transferred
:mod:`clients`        the client's report, and numbers of requests
:mod:`logged_times`   response times in a server's own log
:mod:`cpu_limit`      the CPU that a host's virtual servers share
:mod:`virtual_server` all counters of one virtual server, over its load and the idle baseline
:mod:`time_series`    the same in windows of about a second
:mod:`texts`          reasons for a missing value, and flags

Short, because each module is imported by its own name.
"""
