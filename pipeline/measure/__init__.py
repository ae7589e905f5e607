"""Tables → measured quantities: the only package that subtracts counters.

``window``         the snapshots that bracket an experiment; the window of a workload
``run_tables``     the stored tables of one run, each loaded once
``counters``       a counter and its increase: bounds, wraps, resets
``processes``      processes and threads of a virtual server; CPU time of processes and machines
``disks``          a disk's counters, and the bytes of tasks
``clients``        the client's report, and numbers of requests
``arrivals``       arrival traces, and counts of arrivals per second
``load``           the load as run.json states it
``cpu_limit``      the CPU that a host's virtual servers share
``virtual_server`` all counters of one virtual server, over its load and its idle baseline
``time_series``    the same in windows of about a second
"""
