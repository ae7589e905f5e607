"""The plan of an experiment: read and checked as a whole before anything is started."""

import os
import re

import files
import regex_check
import texts
from load_command import read_command
from load_generators import SECRET_SOURCES

SAFE_NAME = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
DISK_OR_PATH = r"^([A-Za-z0-9_-][A-Za-z0-9._!-]*|/[^\0]*)\Z"
PLAN_KEYS = {
    "study", "server", "run", "accelerator", "interval_s", "before_s", "after_s", "at_most_s",
    "reach_s", "most_mb", "load_prefix", "roles", "virtual_servers", "loads", "client", "notes", "accept",
    "keep_sql",
}  # fmt: skip
ROLE_KEYS = {
    "via", "destination", "ssh_options", "remote_dir", "hostname", "only", "tasks", "devices",
    "iotop", "rotate", "interval_s", "prefix", "logs",
}  # fmt: skip
ROLE_TEXTS = ("destination", "remote_dir", "hostname", "only", "tasks", "devices", "rotate")
SERVER_KEYS = {
    "role", "workload", "server_processes", "qemu_process", "virtual_disk", "host_disk",
}  # fmt: skip
WORKLOAD_KEYS = {"kind", "rate_per_s", "arrivals", "population", "think_time_s", "request"}
LOAD_KEYS = {"command", "log", "timeout_s", "env"}
CLIENT_KEYS = {"hostname"}
IOTOP_CHOICES = ("auto", "py", "c", "proc", "none")
MAX_PLAN_BYTES = 1 << 24
MAX_RATE_PER_S = 1e7  # as the pipeline reads it
MAX_POPULATION = 1 << 31
MAX_THINK_TIME_S = 86400.0
NUMBERS = (
    # key, default
    ("interval_s", 1),
    ("before_s", 30),
    ("after_s", 3),
    ("at_most_s", 14400),
    ("reach_s", 60),
    ("most_mb", 16000),
)
POSITIVE = ("interval_s", "most_mb")
COLLECTOR_LOGS = ("top.log", "iotop.log", "block.log", "tasks.log")


class ExperimentError(Exception):
    """The experiment cannot be recorded; the message says why."""


def require(condition, message, *values):
    """Raise ExperimentError with the message, completed by the values, unless the condition is true."""
    if not condition:
        raise ExperimentError(message % values if values else message)


def read_plan(path):
    """The plan as it is in the file, not checked yet; ExperimentError where it is not a JSON object."""
    try:
        plan = files.read_json(os.path.realpath(path), MAX_PLAN_BYTES)  # it may be a link
    except OSError as e:
        raise ExperimentError(texts.FILE_ERROR % (path, e.strerror)) from None
    except ValueError as e:
        raise ExperimentError(texts.NOT_JSON % (path, e)) from None
    check_texts(plan)
    return plan


def check_texts(value, key="plan"):
    """ExperimentError for a text, or a key, that no command can get: with a NUL or half a character."""
    if isinstance(value, str):
        is_text = "\0" not in value and not re.search("[\ud800-\udfff]", value)
        require(is_text, texts.NOT_TEXT, key, value)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_texts(name, key)
            check_texts(item, "%s: %s" % (key, name))
    elif isinstance(value, list):
        for item in value:
            check_texts(item, key)


def is_string_list(value):
    """True for a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_log_name(value):
    """True for a file name that is safe and ends in .log."""
    return isinstance(value, str) and bool(SAFE_NAME.match(value)) and value.endswith(".log")


def is_number(value, high, is_positive=False):
    """True for a number of 0 (above 0 where it must be positive) to `high`."""
    is_type = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_type and 0 <= value <= high and not (is_positive and value == 0)


def check_pattern(pattern, failure, *values, may_be_empty=True):
    """ExperimentError, which begins with `failure`, unless it is a regular expression for both engines."""
    require(isinstance(pattern, str), failure, *values, texts.NOT_A_REGEX % ascii(pattern))
    problem = regex_check.find_problem(pattern)
    if problem is None and not may_be_empty and regex_check.is_empty_match(pattern):
        problem = texts.EMPTY_MATCH
    require(problem is None, failure, *values, problem)


def check_plan(plan, out):
    """The plan with its defaults filled in; ExperimentError for the first error in it.

    `out` is the folder of the run, STUDY/SERVER/RUN: it gives the names that the plan does not.
    """
    for key in plan:
        require(key in PLAN_KEYS, texts.UNKNOWN_KEY, key)
    folders = ["", "", "", *os.path.abspath(out).split(os.sep)][-3:]
    for at, key in enumerate(("study", "server", "run")):
        folder = folders[at]
        value = plan.setdefault(key, folder)
        require(isinstance(value, str) and SAFE_NAME.match(value), texts.UNSAFE_NAME, key, value)
        require(value == folder, texts.NAME_IS_NOT_FOLDER, key, value, folder, key, key)
    accelerator = plan.get("accelerator")
    require(accelerator in (None, "kvm", "tcg"), texts.ACCELERATOR, accelerator)
    for key, default in NUMBERS:
        value = plan.setdefault(key, default)
        require(
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and 0 <= value < 1e6
            and (value > 0 or key not in POSITIVE),
            texts.NUMBER,
            key,
            value,
        )
    for key in ("load_prefix", "notes", "accept"):
        require(is_string_list(plan.setdefault(key, [])), texts.STRING_LIST, key)
    keep_sql = plan.setdefault("keep_sql", False)
    require(isinstance(keep_sql, bool), texts.BOOLEAN, "keep_sql", keep_sql)
    check_roles(plan)
    check_loads(plan)
    check_virtual_servers(plan)
    client = plan.setdefault("client", {})
    require(isinstance(client, dict), texts.OBJECT, "client")
    for key in client:
        require(key in CLIENT_KEYS, texts.UNKNOWN_KEY_IN, "client", key)
    hostname = client.get("hostname", "client")
    require(
        isinstance(hostname, str) and SAFE_NAME.match(hostname), texts.CLIENT_HOSTNAME, hostname
    )
    return plan


def check_roles(plan):
    """Check `roles` and fill in its defaults."""
    require(isinstance(plan.get("roles"), dict) and plan["roles"], texts.NO_ROLES)
    for name, role in plan["roles"].items():
        require(SAFE_NAME.match(name) and name != "client", texts.ROLE_NAME, name)
        require(isinstance(role, dict), texts.ROLE_OBJECT, name)
        for key in role:
            require(key in ROLE_KEYS, texts.ROLE_UNKNOWN_KEY, name, key)
        via = role.setdefault("via", "ssh" if role.get("destination") else "local")
        require(via in ("ssh", "local"), texts.ROLE_VIA, name, via)
        require(via == "local" or role.get("destination"), texts.ROLE_NO_DESTINATION, name)
        for key in ROLE_TEXTS:
            require(isinstance(role.get(key, ""), str), texts.ROLE_STRING, name, key)
        interval_s = role.get("interval_s", 1)
        require(is_number(interval_s, 1e6, True), texts.ROLE_NUMBER, name, "interval_s", interval_s)
        destination = role.get("destination", "")
        require(not destination.startswith("-"), texts.ROLE_DESTINATION, name)
        for key in ("ssh_options", "prefix"):
            require(is_string_list(role.setdefault(key, [])), texts.ROLE_STRING_LIST, name, key)
        for key in ("only", "tasks", "devices"):
            check_pattern(role.get(key) or "", texts.ROLE_REGEX, name, key)
        iotop = role.get("iotop", "auto")
        require(iotop in IOTOP_CHOICES, texts.ROLE_IOTOP, name, ", ".join(IOTOP_CHOICES), iotop)
        require(isinstance(role.setdefault("logs", {}), dict), texts.ROLE_LOGS, name)
        for log in role["logs"]:
            is_free = is_log_name(log) and log not in COLLECTOR_LOGS
            require(is_free, texts.ROLE_LOG_NAME, name, log)
            path = role["logs"][log]
            require(
                isinstance(path, str) and path.startswith("/"), texts.ROLE_LOG_PATH, name, log, path
            )


def check_loads(plan):
    """Check `loads` and fill in its defaults."""
    loads = plan.setdefault("loads", {})
    require(isinstance(loads, dict), texts.OBJECT, "loads")
    log_names = set()
    for name, load in loads.items():
        require(SAFE_NAME.match(name), texts.LOAD_NAME, name)
        command = load.get("command") if isinstance(load, dict) else None
        require(is_string_list(command) and command, texts.LOAD_COMMAND, name)
        for key in load:
            require(key in LOAD_KEYS, texts.UNKNOWN_KEY_IN, "load " + name, key)
        check_env(name, load.setdefault("env", {}))
        timeout_s = load.setdefault("timeout_s", plan["at_most_s"])
        require(is_number(timeout_s, 1e6, True), texts.LOAD_TIMEOUT, name, timeout_s)
        log = load.setdefault("log", (read_command(command).program or name) + ".log")
        require(is_log_name(log) and log not in log_names, texts.LOAD_LOG_NAME, name, log)
        log_names.add(log)


def check_env(name, env):
    """Check a load's `env`: each variable is read from a file or from the recorder's own environment."""
    require(isinstance(env, dict), texts.OBJECT, "load %s: env" % name)
    for variable, source in env.items():
        is_source = (
            re.match(r"[A-Za-z_]\w*\Z", variable)
            and isinstance(source, dict)
            and len(source) == 1
            and set(source) <= set(SECRET_SOURCES)
            and all(
                isinstance(value, str) and value and "\0" not in value for value in source.values()
            )
        )
        require(is_source, texts.LOAD_ENV, name, variable)


def check_virtual_servers(plan):
    """Check `virtual_servers`, and that each load has one."""
    loads = plan["loads"]
    servers = plan.setdefault("virtual_servers", {})
    require(isinstance(servers, dict), texts.OBJECT, "virtual_servers")
    for name, server in servers.items():
        require(SAFE_NAME.match(name) and isinstance(server, dict), texts.SERVER, name)
        for key in server:
            require(key in SERVER_KEYS, texts.UNKNOWN_KEY_IN, "virtual server " + name, key)
        role = server.get("role")
        is_role = isinstance(role, str) and role in plan["roles"]
        require(is_role, texts.SERVER_ROLE, name, role)
        for key in ("server_processes", "qemu_process"):
            if server.get(key) is not None:
                check_pattern(server[key], texts.SERVER_REGEX, name, key, may_be_empty=False)
        for key in ("virtual_disk", "host_disk"):
            disk = server.get(key)
            is_name = disk is None or (isinstance(disk, str) and re.match(DISK_OR_PATH, disk))
            require(is_name, texts.SERVER_DISK, name, key, disk)
        for key in ("qemu_process", "host_disk"):
            require(not server.get(key) or "host" in plan["roles"], texts.SERVER_NO_HOST, name, key)
        has_accelerator = plan.get("accelerator") or not server.get("qemu_process")
        require(has_accelerator, texts.NO_ACCELERATOR, name)
        if "workload" in server:
            check_workload(name, server["workload"])
        require(name not in loads or "workload" in server, texts.SERVER_WORKLOAD, name)
    for name in loads:
        require(name in servers, texts.LOAD_SERVER, name)


def check_workload(name, workload):
    """Check a virtual server's `workload`: its kind, and the numbers that belong to the kind."""
    where = "virtual server %s: workload" % name
    require(isinstance(workload, dict), texts.OBJECT, where)
    for key in workload:
        require(key in WORKLOAD_KEYS, texts.UNKNOWN_KEY_IN, where, key)
    kind = workload.get("kind")
    require(kind in ("open", "closed"), texts.WORKLOAD_KIND, where, kind)
    needed = {"open": "rate_per_s", "closed": "population"}[kind]
    others = ("population", "think_time_s") if kind == "open" else ("rate_per_s", "arrivals")
    require(needed in workload, texts.WORKLOAD_NEEDS, where, kind, needed)
    for key in others:
        require(key not in workload, texts.WORKLOAD_OTHER_KEY, where, key, kind)
    rate, population = workload.get("rate_per_s", 1), workload.get("population", 1)
    require(is_number(rate, MAX_RATE_PER_S, True), texts.WORKLOAD_NUMBER, where, "rate_per_s", rate)
    is_population = isinstance(population, int) and is_number(population, MAX_POPULATION, True)
    require(is_population, texts.WORKLOAD_NUMBER, where, "population", population)
    think_time_s = workload.get("think_time_s", 0)
    is_time = is_number(think_time_s, MAX_THINK_TIME_S)
    require(is_time, texts.WORKLOAD_NUMBER, where, "think_time_s", think_time_s)
    arrivals = workload.get("arrivals")
    require(arrivals in (None, "even", "poisson"), texts.WORKLOAD_ARRIVALS, where, arrivals)
    request = workload.get("request", "")
    require(isinstance(request, str), texts.WORKLOAD_REQUEST, where)
