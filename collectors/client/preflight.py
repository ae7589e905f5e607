"""What is checked before a recording: a plan that names something that is not there never records.

Each check has a name (`web.server_processes`), a state and a text. A problem of the kinds in
ACCEPTABLE becomes a note where the plan's `accept` has its name; all other problems end the experiment
before anything is started or created.
"""

import glob
import os
import re
import shutil
import subprocess

import load_command
import redact
import texts
from check_table import NOTE, OK, PROBLEM
from load_generators import read_secret, read_tool_version

CLIENT_LOG = re.compile(r"(httperf|sysbench)(-.*)?\.log\Z")  # that the pipeline reads
SERVER_LOGS = {
    "HTTP request": "access.log",
    "transaction": "general.log",
}  # by a workload's request
STATE_FILE = "state.json"
"""In a recording's hidden folder: what `--recover` needs."""


def check_client(plan, out, checks):
    """Check what can be checked on the client: the run's folder, the load generators, the workloads."""
    checks.add("plan", OK, texts.PLAN_OF % (plan["study"], plan["server"], plan["run"]))
    check_output(out, checks)
    for name, load in plan["loads"].items():
        check_load(name, load, plan, checks)
    load_s, is_known = load_command.total_duration_s(plan)
    needed_s = plan["before_s"] + load_s + plan["after_s"]
    if plan["loads"] and is_known and needed_s > plan["at_most_s"]:
        checks.add("at_most_s", PROBLEM, texts.AT_MOST_TOO_SHORT % (plan["at_most_s"], needed_s))
    if not plan["loads"]:
        checks.add("loads", PROBLEM, texts.NO_LOADS)
    for name, server in plan["virtual_servers"].items():
        check_keys(name, server, plan, checks)


def check_output(out, checks):
    """The run's folder must not exist, and it must be possible to create it."""
    out = os.path.abspath(out)
    if os.path.lexists(out):
        checks.add("output", PROBLEM, texts.OUT_EXISTS % out)
        return
    abandoned = list_abandoned(out)
    if abandoned:
        checks.add("output", PROBLEM, texts.OUT_ABANDONED % (abandoned[0], out))
        return
    parent = os.path.dirname(out)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        checks.add("output", PROBLEM, texts.FILE_ERROR % (parent, texts.NOT_A_FOLDER))
    elif not os.access(parent, os.W_OK | os.X_OK):
        checks.add("output", PROBLEM, texts.FILE_ERROR % (parent, texts.NOT_WRITABLE))
    else:
        checks.add("output", OK, out)


def list_abandoned(out):
    """Hidden folders of recorders of the same run that have not ended in good order."""
    folder, name = os.path.split(os.path.abspath(out))
    pattern = os.path.join(glob.escape(folder), ".%s.*" % glob.escape(name), STATE_FILE)
    return [os.path.dirname(path) for path in sorted(glob.glob(pattern))]


def check_load(name, load, plan, checks):
    """A load's programs must be installed, and do what the virtual server's workload says."""
    key = "load." + name
    programs = list(
        dict.fromkeys([(plan["load_prefix"] or load["command"])[0], load["command"][0]])
    )
    missing = [program for program in programs if shutil.which(program) is None]
    for program in missing:
        checks.add(key, PROBLEM, texts.NO_PROGRAM % (program, os.path.basename(program)))
    if missing:
        return
    check_secrets(name, load, plan, checks)
    prefix_problem = try_prefix(plan["load_prefix"])
    if prefix_problem:
        checks.add(key, PROBLEM, texts.BAD_PREFIX % (" ".join(plan["load_prefix"]), prefix_problem))
        return
    program = load["command"][0]
    checks.add(key, OK, "%s, %s" % (read_tool_version(program) or program, shutil.which(program)))
    workload = plan["virtual_servers"][name]["workload"]
    command = load_command.read_command(load["command"])
    key = name + ".workload"
    if command.kind is None and not command.problem:
        checks.add(key, NOTE, texts.NOT_COMPARED)
    for difference in load_command.compare(workload, command):
        checks.add(key, PROBLEM, difference)
    if checks.rows[-1][0] != key:
        checks.add(key, OK, describe_workload(workload))
    if command.duration_s is not None and command.duration_s > load["timeout_s"]:
        checks.add(
            "load." + name,
            PROBLEM,
            texts.TIMEOUT_TOO_SHORT % (load["timeout_s"], command.duration_s),
        )
    if not CLIENT_LOG.match(load["log"]):
        checks.add("load." + name, NOTE, texts.UNKNOWN_CLIENT_LOG % load["log"])


def check_secrets(name, load, plan, checks):
    """The secrets of a load can be read, and its command holds none."""
    key = "load.%s.env" % name
    for variable, source in load["env"].items():
        try:
            read_secret(source)
            checks.add(key, OK, variable)
        except ValueError as e:
            checks.add(key, PROBLEM, str(e))
            continue
        path = source.get("file")
        if path and os.stat(path).st_mode & 0o077:
            checks.add(key, NOTE, texts.SECRET_IS_READABLE % path)
    words = [word for word in plan["load_prefix"] + load["command"] if "${" not in word]
    if redact.redact_argv(words) != words:
        checks.add("load." + name, NOTE, texts.SECRET_IN_COMMAND)


def try_prefix(prefix):
    """What goes wrong with the prefix of the loads' commands, by running `true` with it; None if nothing."""
    if not prefix:
        return None
    try:
        p = subprocess.run(
            [*prefix, "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    output = p.stdout.decode("utf-8", "replace").strip()
    return (output or texts.EXIT_CODE % p.returncode) if p.returncode else None


def describe_workload(workload):
    """A workload in a few words."""
    if workload["kind"] == "open":
        arrivals = workload.get("arrivals")
        rate = texts.OPEN_LOAD % workload["rate_per_s"]
        return rate + (", " + arrivals if arrivals else "")
    think_time_s = workload.get("think_time_s", 0)
    return texts.CLOSED_LOAD % (workload["population"], think_time_s)


def check_keys(name, server, plan, checks):
    """What a virtual server's entry lacks for some of the numbers."""
    if name not in plan["loads"]:
        checks.add(name, NOTE, texts.IDLE_SERVER)
    for key, consequence in texts.MISSING_KEYS.items():
        if key == "qemu_process" or key == "host_disk":
            if "host" not in plan["roles"]:
                continue
        if not server.get(key):
            checks.add("%s.%s" % (name, key), NOTE, consequence)
    log = SERVER_LOGS.get((server.get("workload") or {}).get("request"))
    if name in plan["loads"] and log and log not in plan["roles"][server["role"]]["logs"]:
        checks.add("%s.logs" % name, NOTE, texts.NO_SERVER_LOG % (server["role"], log))
