"""Tables → measured quantities: the only package that subtracts counters.

``window``         which snapshots enclose an experiment; the window of a workload
``run_tables``     the stored tables of one run, each loaded once
``counters``       a counter and its increase: bounds, wraps, resets
``processes``      which pid and thread is whose; CPU time of processes and machines
``disks``          a disk's counters, and the bytes that tasks moved
``clients``        how many requests there were, and what the client measured
``virtual_server`` everything that was counted for one virtual server, over its load and before it
``time_series``    the same on common windows
"""
