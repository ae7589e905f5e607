"""The offset between the clock of another machine and this one's."""

import itertools
import queue
import subprocess
import threading
import time

MAX_DURATION_S = 60.0  # of one measurement, if there is at least one round trip
MAX_WAIT_S = 30  # for one answer
CLOCK_SCRIPT = """
import sys, time
for line in sys.stdin:
    now = time.time_ns() if hasattr(time, "time_ns") else int(time.time() * 1e9)
    sys.stdout.write("%d\\n" % now)
    sys.stdout.flush()
"""
"""Runs on the other machine: one time stamp for each line that it reads."""


def now_ns():
    """UTC in nanoseconds."""
    if hasattr(time, "time_ns"):
        return time.time_ns()
    return int(time.clock_gettime(time.CLOCK_REALTIME) * 1e9)


def measure_offset(argv, round_trips=60):
    """(offset, uncertainty) of another machine's clock to this one's, in ns; None if it cannot be read.

    `argv` runs CLOCK_SCRIPT there. The round trip with the shortest time has the smallest
    uncertainty, half of that time (as in NTP). No more than `round_trips` lines of 64 bytes are
    read, and the measurement ends after MAX_DURATION_S: the machine is not trusted.
    """
    p = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )
    answers = queue.Queue()
    reader = threading.Thread(
        target=lambda: [
            answers.put((line, now_ns()))
            for line in itertools.islice(iter(lambda: p.stdout.readline(64), b""), round_trips)
        ]
    )
    reader.daemon = True
    reader.start()
    offset_ns = round_trip_ns = None
    deadline = time.monotonic() + MAX_DURATION_S
    try:
        for _ in range(round_trips):
            if round_trip_ns is not None and time.monotonic() > deadline:
                break
            sent_ns = now_ns()
            p.stdin.write(b"\n")
            line, received_ns = answers.get(timeout=MAX_WAIT_S)
            elapsed_ns = received_ns - sent_ns
            if elapsed_ns >= 0 and (round_trip_ns is None or elapsed_ns < round_trip_ns):
                offset_ns = int(line) - (sent_ns + received_ns) // 2
                round_trip_ns = elapsed_ns
    except (queue.Empty, OSError, ValueError):
        pass
    finally:
        try:
            p.stdin.close()
        except OSError:
            pass
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        reader.join(5)
        p.stdout.close()
    return None if round_trip_ns is None else (offset_ns, (round_trip_ns + 1) // 2)
