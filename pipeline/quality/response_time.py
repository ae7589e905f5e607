"""Response times in the server's own log against the client's: the number of requests, and the mean.

The server's time has no share of the network and of the accept queue: it is at most the client's.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.measure.clients import ClientResult, client_result, client_rows
from pipeline.measure.counters import BoundedValue
from pipeline.measure.logged_times import has_logged_times, logged_times
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData
from pipeline.quality import texts
from pipeline.quality.agreement import CrossCheck, Measurement
from pipeline.raw import VirtualServer

PRINTED_MEAN_ERROR_S = 1e-4
"""Of httperf's mean response time, the sum of two numbers printed in tenths of a millisecond."""

REQUESTS = CrossCheck(texts.LOGGED_REQUESTS, "requests", texts.ACCESS_LOG, texts.CLIENT_REPORT, ())
MEAN = CrossCheck(texts.LOGGED_MEAN, "s", texts.ACCESS_LOG, texts.CLIENT_REPORT, (), "<=")


def logged_time_checks(
    tables: RunTables, server: VirtualServer
) -> list[tuple[CrossCheck, Callable[[], Measurement]]]:
    """What is compared, and how; nothing for a server without a load or a log without response times."""
    if server.workload is None or not has_logged_times(tables, server):
        return []

    def client() -> ClientResult:
        return client_result(client_rows(tables, server))

    def requests() -> Measurement:
        completions = float(client().completions)
        counted = BoundedValue(completions, completions, completions)
        return Measurement(logged_times(tables, server).requests, counted)

    def mean() -> Measurement:
        mean_s = client().response_time_mean_s
        if mean_s is None:
            raise MissingData(texts.NO_THROUGHPUT_OR_RESPONSE)
        printed = BoundedValue(mean_s, mean_s, mean_s).widened(PRINTED_MEAN_ERROR_S)
        return Measurement(logged_times(tables, server).mean_s, printed)

    return [(REQUESTS, requests), (MEAN, mean)]
