"""Service demands: of one run with intervals, over many runs, and over the time of a run.

:mod:`bootstrap`      moving-block bootstrap of a time series
:mod:`service_demand` service demands of one run, by the Service Demand Law
:mod:`host_cpu`       CPU time of the host per request, by role of QEMU's threads
:mod:`load_curve`     load-dependent demand fitted to runs, with random effects of batches
:mod:`regression`     demands by non-negative least squares over runs
:mod:`kalman`         a time-varying demand by a Kalman filter
:mod:`texts`          flags, warnings and reasons for a missing value

Short, because each module is imported by its own name.
"""
