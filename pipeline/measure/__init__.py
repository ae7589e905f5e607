"""Tables → what equations (1) to (10) need: windows, differences of counters, which process is which server.

``window``   which snapshots enclose an experiment
``processes`` CPU time of the server's processes; which pid and tid is whose
``disks``    growth of a disk's counters; bytes that tasks moved
``clients``  how many requests there were, and what the client measured
"""
