"""access.log of Apache (combined) and general.log of MariaDB 10.11: what the servers themselves wrote."""

from __future__ import annotations

import time

import numpy as np

from pipeline.synthetic.clocks import NS_PER_S, Machine
from pipeline.synthetic.event_history import Guest
from pipeline.synthetic.log_writers.sysbench import STATEMENTS

DOCUMENTS = 40_000
ROWS = 1_000_000
FIRST_CONNECTION_ID = 46
STATEMENT_TEXTS = {
    "r": "SELECT c FROM sbtest1 WHERE id={row}",
    "w": "UPDATE sbtest1 SET k=k+1 WHERE id={row}",
}


def access_log(guest: Guest, machine: Machine, rng: np.random.Generator) -> str:
    """One line a request in the order of the replies; the time is the request's, in whole seconds."""
    document = rng.integers(0, DOCUMENTS, len(guest.reply_s)).tolist()
    seconds = [machine.epoch_ns(at) // NS_PER_S for at in guest.arrival_s.tolist()]
    printed = {at: time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at)) for at in set(seconds)}
    lines = [
        f'10.0.2.2 - - [{printed[at]}] "GET /d{number % 200:03d}/f{number:06d}.bin HTTP/1.1" 200 16650 "-" '
        '"httperf/0.9.0"\n'
        for at, number in zip(seconds, document, strict=True)
    ]
    return "".join(lines)


def general_log(guest: Guest, machine: Machine, rng: np.random.Generator) -> str:
    """Connections, then every statement of every transaction, taken to follow each other evenly within it."""
    threads = guest.load.threads if guest.load else 0
    statements = [STATEMENT_TEXTS[kind] for kind in STATEMENTS[1:-1]]
    texts = ["BEGIN", *statements, "COMMIT"]
    share = np.arange(len(texts)) / len(texts)
    at_s = (guest.arrival_s[:, None] + guest.response_s[:, None] * share).ravel()
    which = np.tile(np.arange(len(texts)), len(guest.arrival_s))
    thread = np.repeat(guest.worker, len(texts))
    order = np.argsort(at_s, kind="stable")
    rows = rng.integers(1, ROWS, len(at_s)).tolist()
    events = [
        (guest.load_start_s, thread, "Connect\tsbtest@10.0.2.2 on sbtest using TCP/IP")
        for thread in range(threads)
    ]
    events += [
        (at_s[i], int(thread[i]), f"Execute\t{texts[which[i]].format(row=rows[i])}") for i in order
    ]
    events += [(guest.load_end_s, thread, "Quit\t") for thread in range(threads)]
    lines, last = [], None
    for at, number, text in events:
        second = machine.epoch_ns(at) // NS_PER_S
        # The time stands where it is another than on the line before.
        head = "\t"
        if second != last:
            clock = time.gmtime(second)
            head = f"{time.strftime('%y%m%d', clock)} {clock.tm_hour:2d}:{clock.tm_min:02d}:{clock.tm_sec:02d}"
            last = second
        lines.append(f"{head}\t{number + FIRST_CONNECTION_ID:6d} {text}\n")
    return "".join(lines)
