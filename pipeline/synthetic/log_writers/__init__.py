"""Logs of a simulated run in the format of the real tools, one module per tool: functions from counters to text."""
