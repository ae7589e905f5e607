"""Logs of a simulated run in the format of the real tools, one module per tool: functions from counters to text.

:mod:`top`         top.log of procps-ng 4.0.2
:mod:`iotop`       iotop.log of iotop 0.6
:mod:`block`       block.log of /sys/block/*/stat
:mod:`tasks`       tasks.log of the collector
:mod:`httperf`     report of httperf 0.9.0
:mod:`sysbench`    report of sysbench 1.0.20
:mod:`server_logs` access.log of Apache and general.log of MariaDB

Short, because each module is imported by its own name.
"""
