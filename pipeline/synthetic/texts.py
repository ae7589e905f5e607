"""Sentences of a synthetic study that a user reads: titles in study.json, notes in run.json.

Short, because errors about a plan are raised where they are found.
"""

from __future__ import annotations

PLAN_TITLE = "A simulated host with known demands"
RANDOM_HOST_TITLE = "A random host"
VIRTUAL_SERVER_TITLES = {"open": "Web server", "closed": "Database server"}
SIMULATED = "Simulated, not measured. The study's truth.json has the true values."


def random_hosts_title(hosts: int) -> str:
    """The title of a study of random hosts."""
    return f"{hosts} random hosts"


def arrivals_note(name: str, scv: float) -> str:
    """Arrivals that httperf cannot generate."""
    return f"Arrivals at {name} have c² = {scv:g}. httperf has no option for them: its command gives the rate only."


def think_time_note(name: str, think_time_s: float) -> str:
    """Think times that sysbench cannot generate."""
    return f"Clients of {name} have a mean think time of {think_time_s:g} s, for which sysbench has no option."
