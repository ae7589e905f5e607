"""Rights and limits of a process: CAP_NET_ADMIN, and how many files it may open."""

import re
import resource

import machine_facts

MAX_OPEN_FILES = 65536
CAP_NET_ADMIN = 12


def has_net_admin():
    """Is CAP_NET_ADMIN, which taskstats needs, in effect?"""
    text = machine_facts.read_text("/proc/self/status") or ""
    m = re.search(r"^CapEff:\s*([0-9a-f]+)", text, re.M)
    return bool(m and int(m.group(1), 16) >> CAP_NET_ADMIN & 1)


def raise_file_limit():
    """Raise the limit of open files as far as allowed; the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (ValueError, OSError):
        return soft
    return limit
