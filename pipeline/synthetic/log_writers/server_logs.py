"""access.log of Apache (combined) and general.log of MariaDB 10.11: the servers' own logs."""

from __future__ import annotations

import time

import numpy as np

from pipeline.synthetic.clocks import NS_PER_S, Machine
from pipeline.synthetic.event_history import GuestHistory
from pipeline.synthetic.log_writers.sysbench import STATEMENTS

DOCUMENTS = 40_000
ROWS = 1_000_000
FIRST_CONNECTION_ID = 46
STATEMENT_TEXTS = {
    "r": "SELECT c FROM sbtest1 WHERE id={row}",
    "w": "UPDATE sbtest1 SET k=k+1 WHERE id={row}",
}


def access_log(guest: GuestHistory, machine: Machine, rng: np.random.Generator) -> str:
    """One line per request in order of the replies, with the request's time in whole seconds."""
    document = rng.integers(0, DOCUMENTS, len(guest.reply_s)).tolist()
    seconds = [machine.epoch_ns(time_s) // NS_PER_S for time_s in guest.arrival_s.tolist()]
    formatted = {
        time_s: time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time_s))
        for time_s in set(seconds)
    }
    lines = [
        f'10.0.2.2 - - [{formatted[time_s]}] "GET /d{number % 200:03d}/f{number:06d}.bin HTTP/1.1" 200 16650 "-" '
        '"httperf/0.9.0"\n'
        for time_s, number in zip(seconds, document, strict=True)
    ]
    return "".join(lines)


def general_log(guest: GuestHistory, machine: Machine, rng: np.random.Generator) -> str:
    """Connections, and every statement of every transaction, evenly spaced within the transaction."""
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
    for time_s, number, text in events:
        second = machine.epoch_ns(time_s) // NS_PER_S
        # The time is printed only where it differs from the previous line.
        head = "\t"
        if second != last:
            utc = time.gmtime(second)
            head = (
                f"{time.strftime('%y%m%d', utc)} {utc.tm_hour:2d}:{utc.tm_min:02d}:{utc.tm_sec:02d}"
            )
            last = second
        lines.append(f"{head}\t{number + FIRST_CONNECTION_ID:6d} {text}\n")
    return "".join(lines)
