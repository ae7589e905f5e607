"""Where the host's CPU time goes, for a run's page: QEMU's threads per request, and the wait for a processor."""

from __future__ import annotations

import math

import polars as pl

from pipeline.api import HostCpu
from pipeline.units import format_short

CPU_STATION_TITLES = {
    "qemu": "QEMU and vhost, all threads",
    "vcpu_threads": "vCPU threads",
    "vcpu": "of these: guest mode, R_vcpu",
    "kvm": "of these: KVM and the rest, R_kvm",
    "emulator": "main loop and helpers",
    "iothread": "I/O threads",
    "worker": "workers",
    "vhost": "vhost threads",
    "ended": "threads that ended between two snapshots",
    "guest_steal": "steal, as the guest counts it",
    "host_steal": "steal, as the host counts it",
}
"""Stations of ``demands.host_cpu`` in words."""


def df_host_cpu(host: HostCpu) -> pl.DataFrame:
    """CPU time of the host per request, background removed, in the order of the stations.

    Columns: ``station`` (in words), ``seconds`` (of the load), ``per_request_ms``, ``low_ms``, ``high_ms``,
    ``share`` (of all of QEMU), ``missing`` (why there is no number). No rows where nothing could be measured.
    """
    return host.frame.with_columns(pl.col("station").replace(CPU_STATION_TITLES))


def host_cpu_text(host: HostCpu) -> list[str]:
    """Sentences: warnings, what the guests use of the host's CPUs, and how long a request would wait for one."""
    sentences = [f"{_capital(flag)}." for flag in host.flags]
    if host.demand_s is None:
        return sentences
    text = (
        f"The guests may use {_cpus(host.cpus)} together and used {format_short(host.used_cpus)} on the average; "
        f"this one took {format_short(host.demand_s * 1e3)} ms for a request."
    )
    if host.wait_s is not None:
        wait = f"one would wait {format_short(host.wait_s * 1e3)} ms for a CPU"
        if math.isinf(host.wait_s):
            wait = "the queue for the CPU would grow without end"
        text += f" If requests came as a Poisson stream, {wait} (M/M/m)."
    return [*sentences, text]


def _cpus(count: float) -> str:
    return f"{format_short(count)} CPU" + ("s" if count > 1 else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
