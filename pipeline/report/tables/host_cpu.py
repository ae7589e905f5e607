"""CPU time of the host per request, by role of QEMU's threads, and the wait for a CPU."""

from __future__ import annotations

import math

import polars as pl

from pipeline.api import HostCpu
from pipeline.report import texts as page_texts


def df_host_cpu(host: HostCpu) -> pl.DataFrame:
    """CPU time of the host per request, background subtracted, one row per station.

    Columns: ``station`` (its title), ``seconds`` (of the load), ``per_request_ms``, ``low_ms``, ``high_ms``,
    ``share`` (of all of QEMU), ``missing`` (reason for a null). No rows where nothing was measured.
    """
    return host.frame.with_columns(pl.col("station").replace(page_texts.CPU_STATIONS))


def host_cpu_text(host: HostCpu) -> list[str]:
    """Warnings, CPU use of the guests, and how long a request would wait for a CPU, a sentence each."""
    sentences = [f"{flag[:1].upper()}{flag[1:]}." for flag in host.flags]
    if host.demand_s is None:
        return sentences
    text = page_texts.guest_cpu_use(host.cpus, host.used_cpus, host.demand_s)
    if host.wait_s is not None:
        is_unstable = math.isinf(host.wait_s)
        text += page_texts.UNSTABLE_CPU_QUEUE if is_unstable else page_texts.cpu_wait(host.wait_s)
    return [*sentences, text]
