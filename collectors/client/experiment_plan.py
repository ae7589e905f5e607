"""The plan of an experiment: read, and every fault of it found before anything is started."""

import json
import os
import re

PLAIN = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")

HELP = """
the plan, a JSON file
  study, server, run   names; letters, digits, . _ - only (run: default is the last part of --out)
  accelerator          "kvm" or "tcg"
  interval_s           seconds between samples (1)
  before_s, after_s    idle before-state (30), and how long to go on after the load (3)
  at_most_s            collectors end by themselves after so long, should the link die (14400)
  reach_s              how long to try to reach a machine that does not answer at the end (60)
  most_mb              what is taken from one machine at most (16000)
  load_prefix          words put before each load's command, ["taskset", "-c", "1"]
  roles                {"host": ROLE, "web": ROLE, "db": ROLE}; each has
      via              "ssh" or "local" (default: ssh if there is a destination)
      destination, ssh_options    "root@127.0.0.1", ["-p", "2201", "-i", "key"]
      remote_dir       where a folder of our own is made there (/var/tmp)
      hostname         written instead of the machine's own name
      only, tasks, devices, iotop, rotate   as in collect --help
      interval_s       if not the plan's
      prefix           words put before the collector, ["taskset", "-c", "1"]
      logs             {"access.log": "/var/log/apache2/access.log"}: what the load wrote into them
  virtual_servers      as in run.json, without the times: {"web": {"role": "web", "workload":
                       {"kind": "open", "rate_per_s": 5.0, "arrivals": "even", "request": "..."},
                       "server_processes": REGEX, "qemu_process": REGEX, "virtual_disk": "vda",
                       "host_disk": "loop1"}}; without a load it stands idle and has no workload
  loads                {"web": {"command": ["httperf", ...], "log": "httperf.log", "timeout_s": 300}}
                       all started together, each named for its virtual server
  client               {"hostname": ALIAS}
  notes                ["..."]
Exit codes: 0 done; 1 recorded, but a load failed, a machine was lost or something lacks (said so, and
in run.json's notes); 2 nothing recorded.
"""


class RefusedError(Exception):
    """Nothing could be done; the message says why."""


def need(condition, text):
    """Refuse the plan unless it holds."""
    if not condition:
        raise RefusedError(text)


def read_plan(path):
    """The plan as it stands in the file."""
    try:
        with open(path, encoding="utf-8") as f:
            plan = json.load(f)
    except OSError as e:
        raise RefusedError("%s: %s" % (path, e.strerror)) from None
    except ValueError as e:
        raise RefusedError("%s: not JSON: %s" % (path, e)) from None
    need(isinstance(plan, dict), "%s: not a plan: a JSON object is needed" % path)
    return plan


def is_words(value):
    """A list of strings?"""
    return isinstance(value, list) and all(isinstance(w, str) for w in value)


def check_plan(plan, out):
    """Every fault of a plan is found before anything is started."""
    plan.setdefault("run", os.path.basename(os.path.normpath(out)))
    known = {
        "study",
        "server",
        "run",
        "accelerator",
        "interval_s",
        "before_s",
        "after_s",
        "at_most_s",
        "reach_s",
        "most_mb",
        "load_prefix",
        "roles",
        "virtual_servers",
        "loads",
        "client",
        "notes",
    }
    for key in plan:
        need(key in known, "plan: unknown entry %r" % key)
    for key in ("study", "server", "run"):
        need(
            isinstance(plan.get(key), str) and PLAIN.match(plan[key]),
            "plan: %s: no plain name: %r" % (key, plan.get(key)),
        )
    need(
        os.path.basename(os.path.normpath(out)) == plan["run"],
        "plan: the run is called %r, the folder %r"
        % (plan["run"], os.path.basename(os.path.normpath(out))),
    )
    need(
        plan.get("accelerator") in ("kvm", "tcg"),
        "plan: accelerator: kvm or tcg, not %r" % plan.get("accelerator"),
    )
    for key, default in (
        ("interval_s", 1),
        ("before_s", 30),
        ("after_s", 3),
        ("at_most_s", 14400),
        ("reach_s", 60),
        ("most_mb", 16000),
    ):
        value = plan.setdefault(key, default)
        need(
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and 0 <= value < 1e6
            and (value > 0 or key not in ("interval_s", "most_mb")),
            "plan: %s: not a number that it can be: %r" % (key, value),
        )
    need(is_words(plan.setdefault("load_prefix", [])), "plan: load_prefix: a list of words")
    need(is_words(plan.setdefault("notes", [])), "plan: notes: a list of texts")
    need(isinstance(plan.get("roles"), dict) and plan["roles"], "plan: no roles")
    role_keys = {
        "via",
        "destination",
        "ssh_options",
        "remote_dir",
        "hostname",
        "only",
        "tasks",
        "devices",
        "iotop",
        "rotate",
        "interval_s",
        "prefix",
        "logs",
    }
    for name, role in plan["roles"].items():
        need(
            PLAIN.match(name) and name != "client", "plan: roles: %r cannot be a role's name" % name
        )
        need(isinstance(role, dict), "plan: role %s: an object is needed" % name)
        for key in role:
            need(key in role_keys, "plan: role %s: unknown entry %r" % (name, key))
        role.setdefault("via", "ssh" if role.get("destination") else "local")
        need(
            role["via"] in ("ssh", "local"),
            "plan: role %s: via ssh or local, not %r" % (name, role["via"]),
        )
        need(
            role["via"] == "local" or role.get("destination"),
            "plan: role %s: ssh needs a destination" % name,
        )
        need(
            not str(role.get("destination", "")).startswith("-"),
            "plan: role %s: destination" % name,
        )
        for key in ("ssh_options", "prefix"):
            need(
                is_words(role.setdefault(key, [])),
                "plan: role %s: %s: a list of words" % (name, key),
            )
        for key in ("only", "tasks", "devices"):
            try:
                re.compile(role.get(key) or "")
            except (re.error, TypeError) as e:
                raise RefusedError(
                    "plan: role %s: %s: not a regular expression: %s" % (name, key, e)
                ) from None
        need(isinstance(role.setdefault("logs", {}), dict), "plan: role %s: logs" % name)
        for log in role["logs"]:
            need(
                PLAIN.match(log)
                and log.endswith(".log")
                and log not in ("top.log", "iotop.log", "block.log", "tasks.log"),
                "plan: role %s: a log cannot be called %r" % (name, log),
            )
    loads = plan.setdefault("loads", {})
    need(isinstance(loads, dict), "plan: loads: an object is needed")
    used = set()
    for name, load in loads.items():
        need(PLAIN.match(name), "plan: loads: no plain name: %r" % name)
        need(
            isinstance(load, dict) and is_words(load.get("command")) and load["command"],
            "plan: load %s: no command" % name,
        )
        log = load.setdefault("log", name + ".log")
        need(
            isinstance(log, str) and PLAIN.match(log) and log.endswith(".log") and log not in used,
            "plan: load %s: a log cannot be called %r (or it is taken)" % (name, log),
        )
        used.add(log)
    servers = plan.setdefault("virtual_servers", {})
    need(isinstance(servers, dict), "plan: virtual_servers: an object is needed")
    for name, server in servers.items():
        need(PLAIN.match(name) and isinstance(server, dict), "plan: virtual server %r" % name)
        need(
            server.get("role") in plan["roles"],
            "plan: virtual server %s: its role %r is not among the roles"
            % (name, server.get("role")),
        )
        need(
            name not in loads or isinstance(server.get("workload"), dict),
            "plan: virtual server %s has a load, but no workload" % name,
        )
    for name in loads:
        need(name in servers, "plan: load %s: there is no such virtual server" % name)
    return plan
