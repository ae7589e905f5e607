"""The folder of a raw run: the machines' logs, run.json, and the study's study.json.

The format: docs/reference/raw-run.md.
"""

import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import files
import redact
import texts
from experiment_plan import ExperimentError
from load_generators import read_tool_version

VERSION = "queuevisor-record 0.2.0"
AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
LOG_STEMS = ("top", "iotop", "block", "tasks")
MAX_TAIL_BYTES = 1 << 20  # read of a log to find its last line
MAX_BYTES_OF_HIGH_LEVEL = 4 << 20  # of a log; level 19 takes about 2 s for 1 MB
MAX_FACTS_BYTES = 1 << 20
MAX_STUDY_BYTES = 1 << 24
MAX_FACT_CHARACTERS = 256  # of a machine's own texts in run.json
MAX_FACT_ENTRIES = 64


def compress_log(path):
    """Replace FILE.log by FILE.log.zst (or .gz)."""
    if shutil.which("zstd"):
        level = "-19" if os.path.getsize(path) <= MAX_BYTES_OF_HIGH_LEVEL else "-6"
        subprocess.run(
            ["nice", "zstd", "-q", level, "--rm", "-f", path], check=True, stdin=subprocess.DEVNULL
        )
    else:
        with open(path, "rb") as f, os.fdopen(files.create_file(path + ".gz"), "wb") as raw:
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as g:
                shutil.copyfileobj(f, g)
        os.unlink(path)


def compress_logs(folder):
    """Compress the logs of a machine's folder; the problems, as a list. A log that cannot be is kept as it is."""
    problems = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".log"):
            continue
        path = os.path.join(folder, name)
        try:
            compress_log(path)
        except (OSError, subprocess.SubprocessError) as e:
            for part in (path + ".zst", path + ".gz"):
                if os.path.exists(path) and os.path.lexists(part):
                    os.unlink(part)
            problems.append(texts.NOT_COMPRESSED % (os.path.basename(folder), name, e))
    return problems


def best_offset(clock):
    """The (offset, uncertainty) with the smallest uncertainty."""
    return min(clock.values(), key=lambda c: c[1])


def sanitize(value, max_depth=3):
    """A value of a machine's facts as run.json may hold it: limited in size; None for other types."""
    if isinstance(value, dict) and max_depth:
        items = list(value.items())[:MAX_FACT_ENTRIES]
        return {sanitize(key): sanitize(item, max_depth - 1) for key, item in items}
    if isinstance(value, str):
        return value[:MAX_FACT_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    is_number = isinstance(value, (int, float)) and abs(value) < 1 << 63  # no NaN, no infinity
    return value if is_number else None


def role_entry(facts, clock):
    """A role's part of run.json."""
    offset, uncertainty = best_offset(clock)
    return {
        "hostname": sanitize(facts.get("hostname")),
        "boot_id": sanitize(facts.get("boot_id")),
        "clock_offset_ns": offset,
        "clock_uncertainty_ns": uncertainty,
        "time_zone": sanitize(facts.get("time_zone")),
        "tools": sanitize(facts.get("tools")) or {},
        "collector_cost": sanitize(facts.get("collector_cost")),
        "clock": {
            when: {"offset_ns": c[0], "uncertainty_ns": c[1]} for when, c in sorted(clock.items())
        },
    }


def read_facts(folder):
    """A role's facts.json; {} if there is none that can be read."""
    try:
        return files.read_json(os.path.join(folder, "facts.json"), MAX_FACTS_BYTES)
    except (OSError, ValueError):
        return {}


def fetch_logs(machine, folder):
    """Fetch a machine's logs into a new folder; the problems, as a list. Logs fetched in part are kept."""
    problems = []
    if machine.is_lost:
        os.makedirs(folder, files.PRIVATE_FOLDER_MODE)
    else:
        try:
            problems.extend(machine.fetch(folder))
        except (ExperimentError, OSError, subprocess.SubprocessError) as e:
            if getattr(e, "errno", None) in FULL_DISK:  # the machine still has its recording
                raise
            problem = texts.LOGS_INCOMPLETE % e
            problems.append(texts.MACHINE_PROBLEM % (machine.name, problem))
    names = os.listdir(folder)
    for stem in LOG_STEMS:
        segments = [n for n in names if re.match(r"%s(\.\d{5,})?\.log(\.zst|\.gz)?$" % stem, n)]
        if not segments:
            problems.append(texts.NO_LOG % (machine.name, stem))
            continue
        last = max(segments, key=lambda n: (len(n.split(".log")[0]), n))
        if last.endswith(".log"):
            problem = mark_truncated_log(os.path.join(folder, last))
            if problem:
                problems.append(texts.LOG_PROBLEM % (machine.name, last, problem))
    return problems


def mark_truncated_log(path):
    """Append a `#GAP` line to a log without `#END`, whose collector died; its text, None if not needed.

    A last line without its end may have lost digits: it is removed, and the `#GAP` line says so.
    """
    with open(path, "r+b") as f:
        size = f.seek(0, 2)
        f.seek(max(0, size - MAX_TAIL_BYTES))
        tail = f.read()
        end = tail.rfind(b"\n") + 1
        if tail[tail.rfind(b"\n", 0, max(0, end - 1)) + 1 :].startswith(b"#END "):
            return None
        removed_bytes = len(tail) - end
        text = texts.GAP_COLLECTOR_DIED
        if removed_bytes:
            text += texts.GAP_LINE_REMOVED % removed_bytes
        f.truncate(size - removed_bytes)
        f.seek(size - removed_bytes)
        f.write(b"#GAP " + text.encode("ascii") + b"\n")
    return text


def collect_client_facts(plan, loads):
    """facts.json of the client, with the load generators' versions."""
    argv = [sys.executable, "-B", os.path.join(AGENT, "machine_facts.py"), "--role", "client"]
    if plan.get("client", {}).get("hostname"):
        argv += ["--hostname", plan["client"]["hostname"]]
    facts = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode())
    for load in loads:
        program = load.command[0]
        facts["tools"][os.path.basename(program)] = read_tool_version(program)
        facts["commands"][load.name] = redact.redact_argv(load.argv)
    return facts


def virtual_server_entries(plan, loads):
    """`virtual_servers` of run.json: the plan's, with the load generators' logs and times."""
    loads = {load.name: load for load in loads}
    entries = {}
    for name, server in plan["virtual_servers"].items():
        entry = dict(server)
        workload = entry.pop("workload", None)
        if name in loads and loads[name].start_ns is not None:
            load = loads[name]
            entry["workload"] = dict(
                workload,
                log="client/" + load.log,
                start_ns=load.start_ns,
                end_ns=load.end_ns,
                exit_code=load.exit_code,
            )
        entries[name] = entry
    return entries


def file_checksums(folder):
    """`sha256` of run.json: that of every log and facts.json of the run, as they are stored."""
    checksums = {}
    for role in sorted(os.listdir(folder)):
        if not os.path.isdir(os.path.join(folder, role)):
            continue
        for name in sorted(os.listdir(os.path.join(folder, role))):
            if name != "facts.json" and not re.search(r"\.log(\.zst|\.gz)?$", name):
                continue
            digest = hashlib.sha256()
            try:
                with os.fdopen(files.open_regular(os.path.join(folder, role, name)), "rb") as f:
                    for block in iter(lambda f=f: f.read(1 << 20), b""):
                        digest.update(block)
            except (
                OSError
            ):  # the recording is kept; a log without a checksum is a problem of the run
                continue
            checksums[role + "/" + name] = digest.hexdigest()
    return checksums


def write_study(plan, out):
    """Write the smallest study.json where the run's study has none; where it has one, how the run does not fit.

    Returns (path of a file that was written or None, the misfits as a list).
    """
    path = os.path.join(os.path.dirname(os.path.dirname(out)), "study.json")
    study = {
        "format": "queuevisor-study/1",
        "study": plan["study"],
        "title": plan["study"],
        "recorded": time.strftime("%Y-%m-%d", time.gmtime()),
        "servers": {plan["server"]: {"title": plan["server"]}},
        "virtual_servers": {name: {} for name in plan["virtual_servers"]},
        "case_study": dict.fromkeys(plan["loads"], plan["run"]),
    }
    if plan.get("keep_sql"):
        study["keep_sql"] = True
    if not os.path.lexists(path):
        files.write_json(path, study)
        return path, []
    try:
        existing = files.read_json(path, MAX_STUDY_BYTES)
    except (OSError, ValueError) as e:
        return None, [texts.FILE_ERROR % (path, e)]
    misfits = []
    if existing.get("study") != plan["study"]:
        misfits.append(texts.STUDY_NAME % (path, existing.get("study"), plan["study"]))
    if plan.get("keep_sql") and existing.get("keep_sql") is not True:
        misfits.append(texts.STUDY_DROPS_SQL % path)
    for key in ("servers", "virtual_servers"):
        listed = existing.get(key)
        for name in study[key]:
            if not isinstance(listed, dict) or name not in listed:
                misfits.append(texts.STUDY_LACKS % (path, key, json.dumps(name)))
    return None, misfits
