"""httperf.log: the report of httperf 0.9.0."""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.event_history import Floats, GuestHistory
from pipeline.synthetic.plan import Load

BIN_S = 0.001
"""Width of httperf's histogram bins of connection times; its median is the middle of a bin."""
SAMPLE_S = 5.0
"""httperf samples the reply rate every 5 seconds."""
REQUEST_BYTES = 78
HEADER_BYTES = 266
CONTENT_BYTES = 16384
USER_SHARE, SYSTEM_SHARE = 0.17, 0.76
"""The client's own CPU: httperf polls."""


def command(guest: GuestHistory) -> list[str]:
    """The command that generates the load.

    httperf has constant (``--rate``) or exponential (``--period=e``) interarrival times. For others the command gives
    the rate only.
    """
    number = str(len(guest.reply_s))
    return [
        "httperf", "--hog", "--timeout", "10", "--num-conns", number, "--num-calls", "1",
        *_gap(guest.load), "--server", "127.0.0.1", "--port", "28080",
    ]  # fmt: skip


def _gap(load: Load) -> list[str]:
    if load.arrivals == "poisson":
        return [f"--period=e{1 / load.rate_per_s:g}"]
    return ["--rate", f"{load.rate_per_s:g}"]


def httperf_log(guest: GuestHistory) -> str:
    """The report of a finished load."""
    response, load = guest.response_s, guest.load
    arrivals = np.sort(guest.arrival_s)
    replies = np.sort(guest.reply_s) + guest.server.network_s
    number = len(replies)
    length = float(replies[-1] - arrivals[0])
    rate = number / length
    samples = reply_rates(replies - arrivals[0], length)
    shown_rates = samples if len(samples) else np.zeros(1)
    reply_rate_sd = samples.std(ddof=1) if len(samples) > 1 else 0.0
    gap = "=".join(_gap(load))
    response_sd = response.std(ddof=1) if number > 1 else 0.0
    bytes_sent = (REQUEST_BYTES + HEADER_BYTES + CONTENT_BYTES) * rate
    return f"""\
httperf --hog --timeout=10 --client=0/1 --server=127.0.0.1 --port=28080 --uri=/ {gap} --send-buffer=4096 \
--recv-buffer=16384 --num-conns={number} --num-calls=1
Maximum connect burst length: 1

Total: connections {number} requests {number} replies {number} test-duration {length:.3f} s

Connection rate: {rate:.1f} conn/s ({1000 / rate:.1f} ms/conn, \
<={max_concurrent(arrivals, replies)} concurrent connections)
Connection time [ms]: min {_ms(response.min())} avg {_ms(response.mean())} max {_ms(response.max())} \
median {_ms(reported_median(response))} stddev {_ms(response_sd)}
Connection time [ms]: connect 0.0
Connection length [replies/conn]: 1.000

Request rate: {rate:.1f} req/s ({1000 / rate:.1f} ms/req)
Request size [B]: {REQUEST_BYTES:.1f}

Reply rate [replies/s]: min {shown_rates.min():.1f} avg {shown_rates.mean():.1f} max {shown_rates.max():.1f} \
stddev {reply_rate_sd:.1f} ({len(samples)} samples)
Reply time [ms]: response {_ms(response.mean())} transfer 0.0
Reply size [B]: header {HEADER_BYTES:.1f} content {CONTENT_BYTES:.1f} footer 0.0 \
(total {HEADER_BYTES + CONTENT_BYTES:.1f})
Reply status: 1xx=0 2xx={number} 3xx=0 4xx=0 5xx=0

CPU time [s]: user {USER_SHARE * length:.2f} system {SYSTEM_SHARE * length:.2f} (user {100 * USER_SHARE:.1f}% \
system {100 * SYSTEM_SHARE:.1f}% total {100 * (USER_SHARE + SYSTEM_SHARE):.1f}%)
Net I/O: {bytes_sent / 1024:.1f} KB/s ({8e-6 * bytes_sent:.1f}*10^6 bps)

Errors: total 0 client-timo 0 socket-timo 0 connrefused 0 connreset 0
Errors: fd-unavail 0 addrunavail 0 ftab-full 0 other 0
"""


def reply_rates(replies_s: Floats, length_s: float) -> Floats:
    """Replies per second in each complete sample."""
    edges = np.arange(0, length_s, SAMPLE_S)
    return np.histogram(replies_s, edges)[0] / SAMPLE_S if len(edges) > 1 else np.zeros(0)


def reported_median(response_s: Floats) -> float:
    """The middle of the bin that contains the median."""
    return (np.floor(np.sort(response_s)[len(response_s) // 2] / BIN_S) + 0.5) * BIN_S


def max_concurrent(arrivals_s: Floats, replies_s: Floats) -> int:
    """The largest number of connections open at one time."""
    answered = np.searchsorted(replies_s, arrivals_s, side="right")
    return int((np.arange(1, len(arrivals_s) + 1) - answered).max())


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"
