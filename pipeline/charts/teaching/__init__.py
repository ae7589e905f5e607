"""Live figures of the lessons, which need no kernel. Short, because it only imports.

:mod:`live`                   controls, lines of text and panels of a figure
:mod:`arrivals`               wait by evenness of arrivals, and httperf's stream
:mod:`audit`                  throughput that published demands allow, over threads and think time
:mod:`closed`                 MVA of a closed load against the recorded runs
:mod:`closed_curves`          MVA, asymptotes and N* that two lessons share
:mod:`closed_what_if`         a closed load on other hardware
:mod:`cpu_views`              CPU time by the guest and by the host, by run
:mod:`interaction`            interaction of server and neighbour, of R and of log R
:mod:`littles_law`            N = X R as one area, up to the end of a window
:mod:`one_queue`              R of one queue over U, and simulated means
:mod:`repetitions`            R by repetition, and intervals of n runs
:mod:`variants_beside_client` R_req by every combination of the equations' choices
:mod:`where_time_goes`        parts of a request's time, by run
"""

from pipeline.charts.teaching.arrivals import arrivals
from pipeline.charts.teaching.audit import audit
from pipeline.charts.teaching.closed import closed
from pipeline.charts.teaching.closed_what_if import closed_what_if
from pipeline.charts.teaching.cpu_views import cpu_views
from pipeline.charts.teaching.interaction import interaction
from pipeline.charts.teaching.littles_law import example_requests, littles_law
from pipeline.charts.teaching.one_queue import one_queue
from pipeline.charts.teaching.repetitions import repetitions
from pipeline.charts.teaching.variants_beside_client import variants_beside_client
from pipeline.charts.teaching.where_time_goes import where_time_goes

__all__ = [
    "arrivals",
    "audit",
    "closed",
    "closed_what_if",
    "cpu_views",
    "example_requests",
    "interaction",
    "littles_law",
    "one_queue",
    "repetitions",
    "variants_beside_client",
    "where_time_goes",
]
