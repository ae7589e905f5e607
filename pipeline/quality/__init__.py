"""Quality checks of one run: cross-checks of redundant sources, operational laws, the load, clocks and logs.

:mod:`agreement`        whether two sources of one quantity agree within their resolution
:mod:`cpu`              cross-checks of CPU time
:mod:`disk`             cross-checks of disks
:mod:`cross_check`      all cross-checks of a run
:mod:`check`            one quality check: result, number, dependent quantities
:mod:`recording`        checks of clocks, logs and manifests
:mod:`workload`         checks of the load against the plan
:mod:`stationarity`     steady state, by Welch's t test on the halves of a load
:mod:`operational_laws` flow balance, U = X D, N = X (R + Z), U ≤ 1
:mod:`environment`      steal, CPU quotas, halt polling, nesting, memory pressure, the load generator
:mod:`assess`           all quality checks of a run, and the flags of dependent numbers
:mod:`texts`            names, rules and messages of the checks; of the environment in ``environment_texts``

Short, because each module is imported by its own name.
"""
