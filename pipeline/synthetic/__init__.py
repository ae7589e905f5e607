"""A virtual host with known service demands, simulated, with its logs written in the format of the real tools.

:mod:`plan` defines the demands and loads, :mod:`demands_file` reads them from a file, :mod:`random_plans` draws them.
:mod:`host` sends a load through the queues of :mod:`event_engine` with the times of :mod:`random_times`;
:mod:`event_history` holds the result. :mod:`kernel_counters` converts it to what a kernel counts;
:mod:`process_table` and :mod:`process_state` give the processes and their CPU time, :mod:`clocks` the snapshot times.
:mod:`log_writers` prints them as top, iotop, /sys/block, tasks.log, httperf, sysbench, Apache and MariaDB do;
:mod:`run_manifest` and :mod:`raw_run_text` complete a raw run, :mod:`ground_truth` gives the true values, and
:mod:`study` writes everything as a recorded study. :mod:`texts` has the titles and notes.

The same plan and seed give the same bytes. docs/background/ground-truth.md describes the model and its limits. Short,
because each module is imported by its own name.
"""
