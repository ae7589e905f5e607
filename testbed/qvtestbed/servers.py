"""The servers of the testbed and their resources, as servers.json defines them."""

from __future__ import annotations

from pathlib import Path

from . import TestbedError
from .guests import GUESTS
from .paths import SERVERS, read_json

RESOURCES = ("cpus", "cpu_quota", "cpu_period_us", "memory_bytes", "disk")
"""The keys that study.json takes over, under its key `envelope`."""


def read_servers(path: Path = SERVERS) -> dict:
    """Read and check the resources of all servers, by name."""
    servers = read_json(path).get("servers", {})
    for name, resources in servers.items():
        for key in ("title", *RESOURCES):
            if key not in resources:
                raise TestbedError(f"{path}: server {name!r}: key {key!r} is missing")
        if not 0 < resources["cpu_quota"] <= len(resources["cpus"]):
            raise TestbedError(
                f"{path}: server {name!r}: cpu_quota must be above 0 and at most the number of "
                f"cpus ({len(resources['cpus'])}), not {resources['cpu_quota']}"
            )
        if set(resources["memory_bytes"]) != set(GUESTS):
            raise TestbedError(
                f"{path}: server {name!r}: memory_bytes must have the keys {', '.join(GUESTS)}"
            )
    if not servers:
        raise TestbedError(f"{path}: no servers")
    return servers


def read_server(name: str, path: Path = SERVERS) -> dict:
    """Read and check the resources of one server."""
    servers = read_servers(path)
    if name not in servers:
        raise TestbedError(f"unknown server {name!r}; choose from {', '.join(servers)}")
    return servers[name]
