"""Logs of a simulated run in the format of the real tools. Short, because each module is imported by its own name.

:mod:`top`, :mod:`iotop`, :mod:`block`, :mod:`tasks`: snapshots of the counters of a machine;
:mod:`httperf`, :mod:`sysbench`: reports of the load generators; :mod:`server_logs`: logs of Apache and MariaDB.
"""
