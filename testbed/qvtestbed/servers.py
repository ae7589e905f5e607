"""The servers of the testbed and their resources, as servers.json defines them."""

from __future__ import annotations

from pathlib import Path

from . import TestbedError
from .guests import GUESTS
from .paths import SERVERS, read_json
from .qemu import Hardware

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
    return select_server(name, read_servers(path))


def select_server(name: str, all_resources: dict) -> dict:
    """Return the resources of one server; the error for an unknown one lists the servers."""
    if name not in all_resources:
        raise TestbedError(f"unknown server {name!r}; choose from {', '.join(all_resources)}")
    return all_resources[name]


def list_hardware(resources: dict) -> dict[str, Hardware]:
    """Return the hardware of each guest on a server of servers.json."""
    return {
        guest: Hardware(memory_bytes=memory_bytes)
        for guest, memory_bytes in resources["memory_bytes"].items()
    }
