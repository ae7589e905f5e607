"""What a recording has cost on its machine: CPU time, memory, size of its logs."""

import os
import re
import resource

import machine_facts


def measure_disk_bytes(folder):
    """Size of the logs on the disk, compressed segments as they are."""
    names = [n for n in os.listdir(folder) if ".log" in n]
    return sum(os.stat(n, dir_fd=folder).st_size for n in names)


def measure_cost(recording):
    """`collector_cost` of facts.json, from getrusage and wait4."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    own_s = own.ru_utime + own.ru_stime
    compressors = [] if recording.rotation is None else [recording.rotation.compressor]
    children = [child.usage for child in [*recording.tools, *compressors]]
    cost = {
        "cpu_s": round(own_s + sum(usage[0] for usage in children), 3),
        "peak_rss_bytes": max([own.ru_maxrss * 1024] + [usage[1] for usage in children]),
        "sampler": {"cpu_s": round(own_s, 3), "peak_rss_bytes": own.ru_maxrss * 1024},
        "ticks": recording.tick,
        "missed_ticks": recording.missed_ticks,
        "log_bytes": sum(log.finished_bytes + log.size for log in recording.logs),
        "disk_bytes": measure_disk_bytes(recording.space.folder),
        "lost_snapshots": sum(log.lost_snapshots for log in recording.logs),
    }
    text = machine_facts.read_text("/proc/self/smaps_rollup") or ""
    m = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
    if m:
        cost["sampler"]["pss_bytes"] = int(m.group(1)) * 1024
    for compressor in compressors:
        cost["packing"] = {"cpu_s": round(compressor.usage[0], 3)}
    for tool in recording.tools:
        cost[tool.name] = {
            "cpu_s": round(tool.usage[0], 3),
            "peak_rss_bytes": tool.usage[1],
            "starts": tool.starts,
        }
    return cost
