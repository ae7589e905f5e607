"""The plan of an experiment: read and checked as a whole before anything is started."""

import json
import os
import re

import texts

SAFE_NAME = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")
PLAN_KEYS = {
    "study", "server", "run", "accelerator", "interval_s", "before_s", "after_s", "at_most_s",
    "reach_s", "most_mb", "load_prefix", "roles", "virtual_servers", "loads", "client", "notes",
}  # fmt: skip
ROLE_KEYS = {
    "via", "destination", "ssh_options", "remote_dir", "hostname", "only", "tasks", "devices",
    "iotop", "rotate", "interval_s", "prefix", "logs",
}  # fmt: skip
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
        with open(path, encoding="utf-8") as f:
            plan = json.load(f)
    except OSError as e:
        raise ExperimentError(texts.FILE_ERROR % (path, e.strerror)) from None
    except ValueError as e:
        raise ExperimentError(texts.NOT_JSON % (path, e)) from None
    require(isinstance(plan, dict), texts.NOT_AN_OBJECT, path)
    return plan


def is_string_list(value):
    """True for a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_log_name(value):
    """True for a file name that is safe and ends in .log."""
    return isinstance(value, str) and bool(SAFE_NAME.match(value)) and value.endswith(".log")


def check_plan(plan, out):
    """The plan with its defaults filled in; ExperimentError for the first error in it.

    `out` is the folder of the run, whose name must be the plan's `run`.
    """
    folder = os.path.basename(os.path.normpath(out))
    plan.setdefault("run", folder)
    for key in plan:
        require(key in PLAN_KEYS, texts.UNKNOWN_KEY, key)
    for key in ("study", "server", "run"):
        value = plan.get(key)
        require(isinstance(value, str) and SAFE_NAME.match(value), texts.UNSAFE_NAME, key, value)
    require(folder == plan["run"], texts.RUN_IS_NOT_FOLDER, plan["run"], folder)
    accelerator = plan.get("accelerator")
    require(accelerator in ("kvm", "tcg"), texts.ACCELERATOR, accelerator)
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
    for key in ("load_prefix", "notes"):
        require(is_string_list(plan.setdefault(key, [])), texts.STRING_LIST, key)
    check_roles(plan)
    check_loads(plan)
    check_virtual_servers(plan)
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
        destination = str(role.get("destination", ""))
        require(not destination.startswith("-"), texts.ROLE_DESTINATION, name)
        for key in ("ssh_options", "prefix"):
            require(is_string_list(role.setdefault(key, [])), texts.ROLE_STRING_LIST, name, key)
        for key in ("only", "tasks", "devices"):
            try:
                re.compile(role.get(key) or "")
            except (re.error, TypeError) as e:
                raise ExperimentError(texts.ROLE_REGEX % (name, key, e)) from None
        require(isinstance(role.setdefault("logs", {}), dict), texts.ROLE_LOGS, name)
        for log in role["logs"]:
            is_free = is_log_name(log) and log not in COLLECTOR_LOGS
            require(is_free, texts.ROLE_LOG_NAME, name, log)


def check_loads(plan):
    """Check `loads` and fill in its defaults."""
    loads = plan.setdefault("loads", {})
    require(isinstance(loads, dict), texts.OBJECT, "loads")
    log_names = set()
    for name, load in loads.items():
        require(SAFE_NAME.match(name), texts.LOAD_NAME, name)
        command = load.get("command") if isinstance(load, dict) else None
        require(is_string_list(command) and command, texts.LOAD_COMMAND, name)
        log = load.setdefault("log", name + ".log")
        require(is_log_name(log) and log not in log_names, texts.LOAD_LOG_NAME, name, log)
        log_names.add(log)


def check_virtual_servers(plan):
    """Check `virtual_servers`, and that each load has one."""
    loads = plan["loads"]
    servers = plan.setdefault("virtual_servers", {})
    require(isinstance(servers, dict), texts.OBJECT, "virtual_servers")
    for name, server in servers.items():
        require(SAFE_NAME.match(name) and isinstance(server, dict), texts.SERVER, name)
        role = server.get("role")
        require(role in plan["roles"], texts.SERVER_ROLE, name, role)
        has_workload = isinstance(server.get("workload"), dict)
        require(name not in loads or has_workload, texts.SERVER_WORKLOAD, name)
    for name in loads:
        require(name in servers, texts.LOAD_SERVER, name)
