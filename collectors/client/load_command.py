"""What a load generator's command line says about its load: httperf's and sysbench's options."""

import os
import re

import texts

HTTPERF_OPTIONS = (
    "add-header", "burst-length", "client", "close-with-reset", "debug", "failure-status", "help", "hog",
    "http-version", "max-connections", "max-piped-calls", "method", "no-host-hdr", "num-calls", "num-conns",
    "period", "port", "print-reply", "print-request", "rate", "recv-buffer", "retry-on-failure", "runtime",
    "send-buffer", "server", "server-name", "session-cookies", "ssl", "ssl-ciphers", "ssl-no-reuse",
    "think-timeout", "timeout", "uri", "use-timer-cache", "verbose", "version", "wlog", "wsess", "wsesslog",
    "wsesspage", "wset",
)  # fmt: skip
"""Long options of httperf 0.9, which accepts a unique beginning of each."""
PROGRAMS = ("httperf", "sysbench")
TOLERANCE = 0.01  # of a rate: a period is often given with few digits


class LoadCommand:
    """A load by its command line; None where the command line does not say."""

    def __init__(self):
        self.program = None
        self.kind = None
        self.rate_per_s = None
        self.arrivals = None  # "even", "poisson"; "other": neither
        self.population = None
        self.has_think_time = None
        self.duration_s = None
        self.problem = None


def number(text):
    """A text as a number of 0 or more, None if it is none."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None


def read_options(words, known=()):
    """({long option: its value or None}, the other words); an abbreviated option of `known` is completed."""
    options, others = {}, []
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            others.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        matching = [option for option in known if option.startswith(name)]
        if name not in known and len(matching) == 1:
            name = matching[0]
        if not equals:
            value = words[0] if known and words and not words[0].startswith("-") else None
        options[name] = value
    return options, others


def read_command(argv):
    """The LoadCommand of a command line; its `program` is None for other programs than httperf and sysbench."""
    command = LoadCommand()
    for at, word in enumerate(argv):
        if os.path.basename(word) in PROGRAMS:
            command.program = os.path.basename(word)
            reader = read_httperf if command.program == "httperf" else read_sysbench
            reader(command, argv[at + 1 :])
            break
    return command


def read_httperf(command, words):
    """Rate, arrivals and duration of httperf's options."""
    options, _ = read_options(words, HTTPERF_OPTIONS)
    if set(options) & {"wsess", "wsesslog", "wsesspage"}:
        return  # sessions: the rate of requests depends on their think times
    connections = number(options.get("num-conns", "1"))
    calls = number(options.get("num-calls", "1"))
    connections_per_s = number(options.get("rate"))
    command.arrivals = "even"
    m = re.match(r"^([deu]?)([0-9.]+)(?:,([0-9.]+))?$", options.get("period") or "")
    if m:
        low_s, high_s = number(m.group(2)), number(m.group(3))
        is_uniform = m.group(1) == "u" and low_s is not None and high_s is not None
        period_s = (low_s + high_s) / 2 if is_uniform else low_s
        connections_per_s = 1 / period_s if period_s else 0
        command.arrivals = {"e": "poisson", "u": "other"}.get(m.group(1), "even")
    elif "period" in options:
        command.arrivals = None
        return
    if not connections_per_s:  # one connection after the other
        command.kind, command.population, command.arrivals = "closed", 1, None
        command.has_think_time = False
        return
    command.kind = "open"
    if connections is not None and calls is not None:
        command.rate_per_s = connections_per_s * calls
        command.duration_s = connections / connections_per_s
    if calls != 1:
        command.arrivals = "other"


def read_sysbench(command, words):
    """Threads, rate and duration of sysbench's options."""
    options, others = read_options(words)
    if others and others[-1] in ("prepare", "cleanup", "prewarm", "help"):
        command.problem = texts.SYSBENCH_DOES_NOT_RUN % others[-1]
    threads = number(options.get("threads", options.get("num-threads", "1")))
    rate_per_s = number(options.get("rate", options.get("tx-rate", "0")))
    if rate_per_s:
        command.kind, command.rate_per_s, command.arrivals = "open", rate_per_s, "poisson"
    else:
        command.kind = "closed"
        command.population = None if threads is None else int(threads)
        if others and re.match(r"^(oltp_|select_random_|bulk_insert$)", others[0]):
            command.has_think_time = False
    limit_s = number(options.get("time", options.get("max-time", "10")))
    command.duration_s = limit_s or None


def compare(workload, command):
    """How a workload of the plan differs from its command line, as a list; the plan's value first."""
    if command.problem:
        return [command.problem]
    if command.kind is None:
        return []
    if workload["kind"] != command.kind:
        return [texts.OTHER_KIND % (workload["kind"], command.program, command.kind)]
    differences = []

    def differs(key, value, actual):
        differences.append(texts.OTHER_VALUE % (key, value, command.program, actual))

    rate = workload.get("rate_per_s")
    if (
        command.rate_per_s
        and rate
        and abs(rate - command.rate_per_s) > TOLERANCE * command.rate_per_s
    ):
        differs("rate_per_s", "%g" % rate, "%g" % command.rate_per_s)
    arrivals = workload.get("arrivals")
    if command.arrivals and arrivals and arrivals != command.arrivals:
        actual = texts.OTHER_ARRIVALS if command.arrivals == "other" else command.arrivals
        differs("arrivals", arrivals, actual)
    population = workload.get("population")
    if command.population and population and population != command.population:
        differs("population", population, command.population)
    if command.has_think_time is False and workload.get("think_time_s"):
        differs("think_time_s", "%g" % workload["think_time_s"], "0")
    return differences


def total_duration_s(plan):
    """(seconds of the longest load, whether each load's is known); a load's time limit where it is not."""
    longest_s, is_known = 0.0, True
    for load in plan["loads"].values():
        duration_s = read_command(load["command"]).duration_s
        is_known = is_known and duration_s is not None
        longest_s = max(longest_s, load["timeout_s"] if duration_s is None else duration_s)
    return longest_s, is_known
