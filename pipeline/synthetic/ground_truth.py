"""The true values of a simulated run: expected and realised demands, background, response time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.synthetic.event_history import GuestHistory, RunHistory
from pipeline.synthetic.process_table import FIRST_WORKER

TRUTH_FORMAT = "queuevisor-truth/1"
STATIONS = ("cpu", "vdisk", "disk")
"""The guest's CPU (before and after the reply), its disk (the layer and the host's disk), the host's disk."""


def ground_truth(history: RunHistory) -> dict[str, Any]:
    """True values of each virtual server with a load: demands, background, client's response time. Times in seconds.

    ``demand_s`` is the expectation of the distribution that the requests were drawn from, ``realised_s`` the mean of
    those drawn. They differ by sampling error, which no estimate from the logs can remove.
    """
    return {
        "seed": history.seed,
        "virtual_servers": {
            name: _server_truth(history, number, guest)
            for number, (name, guest) in enumerate(history.guests.items())
            if guest.load is not None
        },
    }


def _server_truth(history: RunHistory, number: int, guest: GuestHistory) -> dict[str, Any]:
    server, load = guest.server, guest.load
    requests = len(guest.reply_s)
    length_s = guest.load_end_s - guest.load_start_s
    is_request = guest.disk.owner >= FIRST_WORKER
    # The host disk completes a guest's operations in the guest's own order.
    host_operations = history.disks[server.host_disk]
    host_service_s = host_operations.service_s[host_operations.owner == number][: len(is_request)]
    realised = {
        "cpu": guest.cpu.total_s(FIRST_WORKER) / requests,
        "vdisk": guest.disk.service_s[is_request].sum() / requests,
        "disk": host_service_s[is_request].sum() / requests,
    }
    wake_up_s = server.wake_up_s * guest.wake_ups / requests
    expected = {
        "cpu": server.cpu_s + server.cpu_after_reply_s + wake_up_s,
        "vdisk": server.disk_operations * server.vdisk_s,
        "disk": server.disk_operations * server.disk_s,
    }
    stations = {
        station: {
            "demand_s": float(expected[station]),
            "realised_s": float(realised[station]),
            "utilization": float(requests / length_s * realised[station]),
        }
        for station in STATIONS
    }
    background = server.background
    guest_per_s = background.server_operations_per_s + background.other_operations_per_s
    cpu_total_s = expected["cpu"]
    return {
        "kind": server.kind,
        "requests": requests,
        "load_s": length_s,
        "throughput_per_s": requests / length_s,
        "response_time_s": float(guest.response_s.mean()),
        "rate_per_s": load.rate_per_s,
        "arrivals_scv": load.arrivals_scv if server.kind == "open" else None,
        "population": load.threads,
        "think_time_s": load.think_time_s if server.kind == "closed" else None,
        "scheduling": server.scheduling,
        "network_s": server.network_s,
        "stations": stations,
        "cpu_before_reply_s": server.cpu_s,
        "cpu_after_reply_s": server.cpu_after_reply_s,
        "wake_up_s_per_request": wake_up_s,
        "layer_s": server.disk_operations * server.layer_s,
        "vcpu_s": (1 - server.exit_share) * cpu_total_s,
        "kvm_s": server.exit_share * cpu_total_s,
        "iothread_s": server.disk_operations * server.iothread_s,
        "disk_operations": server.disk_operations,
        "bytes": server.disk_operations * server.operation_bytes,
        "background": {
            **asdict(background),
            "vdisk_busy": guest_per_s * server.vdisk_s,
            "disk_busy": (guest_per_s + background.host_operations_per_s) * server.disk_s,
        },
    }
