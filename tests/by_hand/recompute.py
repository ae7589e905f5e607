"""Equations (1) to (10) of one virtual server, from the raw text of one run, as one would do it by hand.

Nothing of the pipeline is used here, on purpose: no import of it, no shared helper, plain Python over
lines of text. It knows the forms that the recorded study has (procps 4 top, either iotop, grep -H of
/sys/block, httperf 0.9, sysbench 1.0) and no other, and where the pipeline refuses, it would crash.
"""

import gzip
import io
import json
import re
from pathlib import Path

import zstandard

NS = 1e9


def text_of(folder: Path, name: str) -> list[str]:
    """The lines of a log, whatever it is compressed with."""
    for suffix in ("", ".gz", ".zst"):
        path = folder / (name + suffix)
        if path.exists():
            raw = path.read_bytes()
            if suffix == ".gz":
                raw = gzip.decompress(raw)
            if suffix == ".zst":
                raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
            return raw.decode().split("\n")
    raise FileNotFoundError(folder / name)


def snapshots(lines: list[str], offset_ns: int) -> list[tuple[int, list[str]]]:
    """(time on the client's clock in ns, lines) for each snapshot."""
    found: list[tuple[int, list[str]]] = []
    for line in lines:
        if line.startswith("#T "):
            found.append((int(line.split()[1]) - offset_ns, []))
        elif found and not line.startswith("#"):
            found[-1][1].append(line)
    return found


def around(times: list[int], start: int, end: int) -> tuple[int, int]:
    """Last snapshot at or before the start, first at or after the end."""
    return (
        max(i for i, t in enumerate(times) if t <= start),
        min(i for i, t in enumerate(times) if t >= end),
    )


def between(times: list[int], start: int, end: int) -> tuple[int, int]:
    """First and last snapshot inside."""
    inside = [i for i, t in enumerate(times) if start <= t <= end]
    return inside[0], inside[-1]


def time_plus(text: str) -> float:
    """TIME+ as minutes:seconds.hundredths."""
    minutes, seconds = text.split(":")
    return int(minutes) * 60 + float(seconds)


# -- what each log says between two snapshots -------------------------------------------------------


def cpu_of_processes(snaps, first, last, name) -> dict[str, float]:
    """pid → growth of TIME+; a pid whose TIME+ fell is a new process ("pid generation 2")."""
    seen: dict[tuple[int, int], list[tuple[int, float]]] = {}
    generation: dict[int, int] = {}
    for i, (_, lines) in enumerate(snaps):
        for line in lines:
            words = line.split()
            if len(words) < 12 or not words[0].isdigit():
                continue
            command = line.split(None, 11)[11].rstrip()
            if not re.search(name, command):
                continue
            pid, used = int(words[0]), time_plus(words[10])
            history = seen.get((pid, generation.get(pid, 0)))
            if history and used < history[-1][1]:
                generation[pid] = generation.get(pid, 0) + 1
            seen.setdefault((pid, generation.get(pid, 0)), []).append((i, used))
    found = {}
    for (pid, number), history in seen.items():
        upto = [(i, used) for i, used in history if i <= last]
        if not upto or upto[-1][0] < first:
            continue
        before = [used for i, used in upto if i <= first]
        label = f"pid {pid}" + (f" generation {number + 1}" if number else "")
        found[label] = upto[-1][1] - (before[-1] if before else 0.0)
    return found


def pids_named(snaps, name) -> set[int]:
    return {
        int(line.split()[0])
        for _, lines in snaps
        for line in lines
        if line[:1].isspace() or line[:1].isdigit()
        if len(line.split()) >= 12 and line.split()[0].isdigit()
        if re.search(name, line.split(None, 11)[11].rstrip())
    }


def disk(snaps, index, device) -> list[int]:
    """The fields of /sys/block/DEVICE/stat in one snapshot."""
    for line in snaps[index][1]:
        if line.startswith(f"/sys/block/{device}/stat:"):
            return [int(word) for word in line.split(":", 1)[1].split()]
    raise LookupError(device)


IOTOP = re.compile(
    r"^\s*(?P<id>\d+)\s+\S+\s+\S+\s+(?P<read>[\d.]+) (?P<ru>[BKMGT])/s\s+(?P<write>[\d.]+) (?P<wu>[BKMGT])/s"
    r"\s+(?:[\d.]+ %|\?unavailable\?)(?:\s+[\d.]+ %)?\s+(?P<command>.*)$"
)
UNIT = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def bytes_of_tasks(snaps, first, last, mine) -> dict[str, float]:
    """task → bytes read and written: each rate times the time since the snapshot before."""
    found: dict[str, float] = {}
    for i in range(first + 1, last + 1):
        seconds = (snaps[i][0] - snaps[i - 1][0]) / NS
        for line in snaps[i][1]:
            match = IOTOP.match(line)
            if match and mine(int(match["id"]), match["command"]):
                rate = (
                    float(match["read"]) * UNIT[match["ru"]]
                    + float(match["write"]) * UNIT[match["wu"]]
                )
                task = f"task {match['id']}"
                found[task] = found.get(task, 0.0) + rate * seconds
    return found


def requests_of_client(lines: list[str]) -> int:
    """Replies (httperf) or transactions (sysbench)."""
    text = "\n".join(lines)
    httperf = re.search(r"^Total: connections \d+ requests \d+ replies (\d+)", text, re.M)
    sysbench = re.search(r"^\s+transactions:\s+(\d+)", text, re.M)
    return int((httperf or sysbench)[1])


# -- the equations ----------------------------------------------------------------------------------


def divide(a: float, b: float) -> float | None:
    return a / b if b else None


def queue(demand: float | None, utilization: float) -> float | None:
    if demand is None:
        return None
    return demand / (1 - utilization) if utilization < 1 else None


def recompute(run: Path, name: str) -> dict[tuple[str, str | None, str | None], float | None]:
    """(quantity, choices, subject) → value, for every row of equations (1) to (10)."""
    about = json.loads((run / "run.json").read_text())
    server = about["virtual_servers"][name]
    load, role = server["workload"], server["role"]
    start, end = load["start_ns"], load["end_ns"]
    idle_start, idle_end = about["before"]["start_ns"], about["before"]["end_ns"]
    window, idle_window = (end - start) / NS, (idle_end - idle_start) / NS
    guest_clock = about["roles"][role]["clock_offset_ns"]
    host_clock = about["roles"]["host"]["clock_offset_ns"]
    out: dict[tuple[str, str | None, str | None], float | None] = {}

    requests = requests_of_client(text_of(run, load["log"]))
    rate = requests / window
    out["lambda_total", None, None] = requests
    out["T", None, None] = window
    out["X_req", None, None] = rate

    # (1), (2)
    top = snapshots(text_of(run / role, "top.log"), guest_clock)
    times = [t for t, _ in top]
    first, last = around(times, start, end)
    processes = cpu_of_processes(top, first, last, server["server_processes"])
    for label, used in processes.items():
        out["T_cpu_process", None, label] = used
    cpu = sum(processes.values())
    i, j = between(times, idle_start, idle_end)
    idle = sum(cpu_of_processes(top, i, j, server["server_processes"]).values())
    idle *= idle_window / ((times[j] - times[i]) / NS)
    cpu_off = max(cpu - idle / idle_window * window, 0.0)
    out["T_cpu", "background kept", None] = cpu
    out["T_cpu_idle", None, None] = idle
    out["T_cpu", "background off", None] = cpu_off
    r_cpu = {"background kept": cpu / requests, "background off": cpu_off / requests}
    for background, value in r_cpu.items():
        out["R_cpu", background, None] = value

    # (3) to (10)
    own_ids = pids_named(top, server["server_processes"])
    # threads by the task counters: iotop calls one that ended {no such process}
    for line in text_of(run / role, "tasks.log"):
        words = line.split()
        if words[:1] == ["t"] and int(words[1]) in own_ids:
            own_ids.add(int(words[2]))

    def in_guest(task, command):
        program = command.split()[0].rsplit("/", 1)[-1] if command.split() else ""
        return task in own_ids or re.search(server["server_processes"], program) is not None

    def on_host(_, command):
        return re.search(server["qemu_process"], command) is not None

    places = {
        "vdisk": (run / role, guest_clock, server["virtual_disk"], in_guest),
        "disk": (run / "host", host_clock, server["host_disk"], on_host),
    }
    residence = {}
    for d, (folder, clock, device, mine) in places.items():
        block = snapshots(text_of(folder, "block.log"), clock)
        iotop = snapshots(text_of(folder, "iotop.log"), clock)

        def used(i, j, device=device, block=block):
            a, b = disk(block, i, device), disk(block, j, device)
            return {
                "busy": (b[9] - a[9]) / 1000,
                "read": (b[2] - a[2]) * 512.0,
                "write": (b[6] - a[6]) * 512.0,
                "ops": float(b[0] + b[4] - a[0] - a[4]),
            }

        times = [t for t, _ in block]
        loaded = used(*around(times, start, end))
        i, j = between(times, idle_start, idle_end)
        stretch = idle_window / ((times[j] - times[i]) / NS)
        resting = {key: value * stretch for key, value in used(i, j).items()}
        times = [t for t, _ in iotop]
        tasks = bytes_of_tasks(iotop, *around(times, start, end), mine)
        i, j = between(times, idle_start, idle_end)
        resting["own"] = sum(bytes_of_tasks(iotop, i, j, mine).values())
        resting["own"] *= idle_window / ((times[j] - times[i]) / NS)
        loaded["own"] = sum(tasks.values())
        for label, moved in tasks.items():
            out[f"IO_{d}_task", None, label] = moved

        all_of_it = loaded["busy"] / window
        for background in ("background kept", "background off"):
            n = dict(loaded)
            if background == "background off":
                n = {k: max(v - resting[k] / idle_window * window, 0.0) for k, v in loaded.items()}
            total = n["busy"] / window
            moved = n["read"] + n["write"]
            share = 0.0 if n["own"] == moved == 0 else divide(n["own"], moved)
            out[f"T_{d}", background, None] = n["busy"]
            out[f"U_{d}_total", background, None] = total
            out[f"Read_{d}_total", background, None] = n["read"]
            out[f"Write_{d}_total", background, None] = n["write"]
            out[f"IO_{d}_total", background, None] = moved
            out[f"IO_{d}_req", background, None] = n["own"]
            out[f"share_{d}", f"as-printed / {background}", None] = share
            bounded = 1.0 if share is None else min(share, 1.0)
            own = bounded * total
            ops = n["ops"] / window
            # decision 8: on a disk that no other virtual server uses, all of its time is the server's
            shared = d == "disk" and any(
                other["host_disk"] == device
                for one, other in about["virtual_servers"].items()
                if one != name
            )
            applied = bounded if shared else 1.0
            mine_ = {"service-demand": applied * total, "as-printed": own, "per-operation": own}
            out[f"share_{d}", f"service-demand / {background}", None] = share if shared else 1.0
            out[f"U_{d}_req", f"service-demand / {background}", None] = mine_["service-demand"]
            out[f"U_{d}_req", f"as-printed / {background}", None] = own
            out[f"X_{d}_total", background, None] = ops
            demands = {
                "service-demand": mine_["service-demand"] / rate,
                "as-printed": divide(own, ops),
                "per-operation": divide(own, bounded * ops),
            }
            for reading, demand in demands.items():
                out[f"D_{d}_req", f"{reading} / {background}", None] = demand
                for denominator, u in (("own", mine_[reading]), ("total", all_of_it)):
                    value = queue(demand, u)
                    residence[d, reading, denominator, background] = value
                    out[f"R_{d}", f"{reading} / {denominator} / {background}", None] = value

    # R_req, section IV
    for d, reading, denominator, background in list(residence):
        if d == "disk":
            virtual = residence["vdisk", reading, denominator, background]
            physical = residence["disk", reading, denominator, background]
            known = virtual is not None and physical is not None
            label = f"{reading} / {denominator} / {background}"
            out["R_req", f"{label} / sum", None] = (
                r_cpu[background] + virtual + physical if known else None
            )
            out["R_req", f"{label} / nested", None] = (
                r_cpu[background] + max(virtual, physical) if known else None
            )
    return out
