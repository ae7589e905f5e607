"""The answer at the head of a run's page: sentences from the client's figures, the stations and the model check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.api import FAILED, INCONCLUSIVE, NOT_EVALUATED, RunData, VirtualServer, value_of
from pipeline.api.response_time import model_result
from pipeline.api.stations import (
    GUEST_DISK,
    HOST_CPU,
    HOST_DISK,
    VCPU,
    Station,
    busiest_station,
    is_client_machine,
    stations,
)
from pipeline.evaluate import texts as evaluation_texts
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_R
from pipeline.report import run_texts
from pipeline.report.tables.checks import CALLOUT_KINDS, model_check, model_check_result

FULL_UTILIZATION = 0.95
"""From this utilization on a station counts as full."""
MAX_UTILIZATION = 1.02
"""A utilization above this shows an unreliable counter; checks allow two sources to differ by as much."""
MIN_SERVED = 0.95
"""Share of the offered requests below which an open load exceeds the server's capacity."""
MIN_HEADROOM = 1.1
"""Below this factor hardly any more load fits."""


@dataclass(frozen=True)
class Answer:
    """What the headline states of one virtual server with a load; a number that is missing is None."""

    title: str
    request: str
    """The client's word for a request, in the singular."""
    is_closed: bool
    throughput_per_s: float | None
    response_s: float | None
    """Of the client."""
    error: float | None
    """Relative error of the host model's response time; infinite where the model is saturated."""
    result: str
    """Of the model check."""
    reasons: tuple[str, ...] = ()
    """Reasons against the model, that of its error excluded."""
    inconclusive: int = 0
    """Number of inconclusive checks."""
    offered_per_s: float | None = None
    """Arrivals per second that an open load asks for."""
    is_client_machine: bool = False
    """Whether the load generator runs on the same machine."""

    @property
    def is_overloaded(self) -> bool:
        """Whether fewer than ``MIN_SERVED`` of the offered requests were served."""
        offered, served = self.offered_per_s, self.throughput_per_s
        return offered is not None and served is not None and served < MIN_SERVED * offered


def headline(data: RunData) -> tuple[list[str], str]:
    """The sentences at the head of a run's page, and the kind of their paragraph: good, warning or error."""
    answers = [_answer(data, vs.name) for vs in data.loaded]
    busiest = busiest_station(stations(data))
    source = "" if busiest is None else source_result(data.checks, busiest)
    kinds = [CALLOUT_KINDS[answer.result] for answer in answers]
    worst = next((kind for kind in ("error", "warning") if kind in kinds), "good")
    texts = [run_texts.unbroken_units(text) for text in sentences(answers, busiest, source)]
    return texts, worst


def fold_title(data: RunData, server: VirtualServer) -> str:
    """The line that a figure about ``server`` is folded under; empty for the first virtual server of a run."""
    return "" if server is data.loaded[0] else run_texts.fold_title(data.title(server.name))


def _answer(data: RunData, virtual_server: str) -> Answer:
    model = model_result(data, virtual_server)
    error = model["error_R"]
    if error is None and model["R_client_ms"] is not None:
        error = math.inf
    is_error = "" if error is None else evaluation_texts.model_error(error)
    workload = data.run.virtual_servers[virtual_server].workload
    checks = data.checks.filter(
        (pl.col("virtual_server") == virtual_server) & (pl.col("result") == INCONCLUSIVE)
    )
    return Answer(
        title=data.title(virtual_server),
        request=(workload and workload.request) or "request",
        is_closed=workload is not None and workload.kind == "closed",
        throughput_per_s=value_of(data.ledger, virtual_server, "X_client"),
        response_s=value_of(data.ledger, virtual_server, "R_client"),
        error=error,
        result=model_check_result(data, virtual_server),
        reasons=tuple(r for r in model_check(data, virtual_server).reasons if r != is_error),
        inconclusive=checks.height,
        offered_per_s=None if workload is None else workload.rate_per_s,
        is_client_machine=is_client_machine(data, virtual_server),
    )


SOURCES = {
    HOST_CPU: "CPU time of QEMU",
    VCPU: "CPU time in the guest",
    GUEST_DISK: "guest's disk",
    HOST_DISK: "host's disk",
}
"""Kind of a station → the quantity of which two sources are compared."""


def source_result(checks: pl.DataFrame, station: Station) -> str:
    """The worst result of the checks whether the sources of a station's utilization agree; empty without one."""
    own = checks.filter(pl.col("check").str.ends_with(f": {SOURCES[station.kind]}"))
    if station.virtual_server is not None:
        own = own.filter(pl.col("virtual_server") == station.virtual_server)
    results = set(own["result"])
    return next((result for result in (FAILED, INCONCLUSIVE) if result in results), "")


def sentences(answers: Sequence[Answer], busiest: Station | None, source: str = "") -> list[str]:
    """The headline, one line each: of one virtual server sentence by sentence; of several, what they share first.

    Parameters
    ----------
    answers
        One per virtual server with a load.
    busiest
        The busiest station of the run; None where no utilization was measured.
    source
        Result of the check whether the sources of its utilization agree.
    """
    station = station_sentence(answers, busiest, source)
    if len(answers) == 1:
        work, *judgement = _sentences_of(answers[0], "")
        return [work[:1].upper() + work[1:], station, *judgement]
    return [station, *(" ".join(_sentences_of(answer, answer.title)) for answer in answers)]


def _sentences_of(answer: Answer, title: str) -> list[str]:
    """Work done, error of the model, caveats."""
    if answer.throughput_per_s is None:
        work = run_texts.NO_CLIENT
    else:
        work = run_texts.work_done(answer.request, answer.throughput_per_s, answer.response_s)
    texts = [run_texts.about(title, work)]
    if answer.result == NOT_EVALUATED:
        return [*texts, run_texts.not_judged("; ".join(answer.reasons))]
    if answer.error is not None:
        is_infinite = not math.isfinite(answer.error)
        texts.append(
            run_texts.UNBOUNDED_MODEL
            if is_infinite
            else run_texts.model_error(answer.error, ACCEPT_REL_ERROR_R)
        )
    if answer.result == "failed":
        texts.append(run_texts.MODEL_FAILED)
    if answer.reasons:
        failed = answer.result == "failed"
        texts.append(run_texts.caveats(answer.reasons, has_failed=failed))
    else:
        texts.append(run_texts.all_passed(answer.inconclusive))
    return texts


def station_sentence(answers: Sequence[Answer], busiest: Station | None, source: str = "") -> str:
    """The busiest station, its utilization, and how much more load fits."""
    if busiest is None or busiest.utilization is None:
        return run_texts.NO_STATION
    if busiest.kind == HOST_CPU:
        subject = run_texts.host_cpu(busiest.cpus, is_limit=busiest.is_limit)
    else:
        titles = {answer.title for answer in answers}
        owner = busiest.owner if len(titles) > 1 else ""
        is_plural = busiest.kind == VCPU and busiest.cpus > 1
        subject = run_texts.station(busiest.name, owner, is_plural=is_plural)
    rest = _headroom_text(answers, busiest)
    remark = {FAILED: run_texts.SOURCES_DISAGREE, INCONCLUSIVE: run_texts.SOURCES_UNCERTAIN}
    background = busiest.utilization - (busiest.load_utilization or busiest.utilization)
    text = run_texts.busy(subject, busiest.utilization, rest + remark.get(source, ""), background)
    is_shared = any(answer.is_client_machine for answer in answers)
    return f"{text} {run_texts.SAME_MACHINE}" if is_shared else text


def _headroom_text(answers: Sequence[Answer], busiest: Station) -> str:
    utilization = busiest.utilization or 0.0
    surely = utilization if busiest.low is None else busiest.low
    if surely > MAX_UTILIZATION:
        return run_texts.UNRELIABLE_COUNTER
    if any(answer.is_overloaded for answer in answers):
        return run_texts.NO_MORE_FITS
    if utilization >= FULL_UTILIZATION:
        is_disk = busiest.kind in (GUEST_DISK, HOST_DISK)
        return run_texts.DISK_IS_BUSY if is_disk else run_texts.NO_MORE_FITS
    if any(answer.result == "failed" and answer.reasons for answer in answers):
        return run_texts.FAILED_HEADROOM
    factor = busiest.headroom
    if factor is None:
        return run_texts.UNKNOWN_HEADROOM
    if factor < MIN_HEADROOM:
        return run_texts.HARDLY_MORE_FITS
    is_closed = any(answer.is_closed for answer in answers)
    throughput_per_s = answers[0].throughput_per_s if len(answers) == 1 else None
    return run_texts.headroom(factor, is_closed=is_closed, throughput_per_s=throughput_per_s)
