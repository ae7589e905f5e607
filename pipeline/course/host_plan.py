"""Random hosts for a class: demands, and what every run of the lessons is loaded with.

A host has two servers and the virtual servers ``web`` and ``db``. Its demands are in ranges in which the lessons'
questions have answers: the web server is far from saturated at 110 requests per second and overloaded at 240, the
database's bottleneck is its CPU, with its disk close to it, and the second server is several times slower. As in a
recorded study demands differ between repetitions: all runs of one repetition have a common factor, and each run its
own. In runs without logs an idle guest uses less, which makes them quick to simulate.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace

import numpy as np

from pipeline.course import texts
from pipeline.errors import Error
from pipeline.synthetic.event_history import RunHistory
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Background, Load, Monitoring, Plan, Server, VirtualServer

FIRST, SECOND = "first", "second"
RAW_RUNS = tuple(
    (FIRST, run)
    for run in (
        "web-005-a",
        "web-110-even",
        "web-110-poisson",
        "db-16-a",
    )
)
"""Server and name of the runs whose logs a lesson opens."""
RAW_SECONDS, QUIET_SECONDS, RAW_IDLE_S = 25.0, 40.0, 8.0
"""Length of the load of a run with logs, of the one with few requests, and of its idle baseline."""
QUIET_RATE_PER_S = 10.0
"""Rates below have few requests."""
REQUESTS, MIN_SECONDS, MAX_SECONDS, IDLE_S = 400, 10.0, 20.0, 4.0
"""The other runs: requests of an open load within these lengths; a closed one has the least; the idle baseline."""
REPETITION_SIGMA = {FIRST: 0.10, SECOND: 0.30}
"""Standard deviation of the logarithm of the CPU's factor that all runs of one repetition have."""
RUN_SIGMA = 0.04
"""The same of each run."""
RUN_SEED = 1
"""Number of the seed of a host's runs."""

_WEB = re.compile(
    r"web-(?P<rate>\d{3})-(?:(?P<arrivals>even|poisson)(?:-(?P<number>\d+))?|(?P<letter>[a-z]))"
)
_DB = re.compile(r"db-(?P<threads>\d{2})-(?:sweep(?:-(?P<number>\d+))?|(?P<letter>[a-z]))")
_BOTH = re.compile(r"both-(?P<rate>\d{3})-(?P<threads>\d{2})-(?P<letter>[a-z])")


class RunNameError(Error):
    """A run whose name says no load."""


@dataclass(frozen=True)
class Host:
    """One random host."""

    seed: int
    web: VirtualServer
    db: VirtualServer
    cpu_factor: float
    """CPU times of the second server relative to the first."""
    disk_factor: float
    """Its disk times."""
    neighbour_factors: dict[str, float]
    """By server: CPU times while the other virtual server has a load, too, as they share the host's CPU."""
    other_cpu: dict[str, float]
    """By virtual server: share of its CPU that an idle guest uses, in runs with logs."""

    def plan(self, server: str, run: str) -> Plan:
        """The plan of one run on one server, of that run alone.

        Raises
        ------
        RunNameError
            If the name says no load.
        """
        loads, repetition = parse_run_name(run)
        has_logs = (server, run) in RAW_RUNS
        factor = self.run_cpu_factor(server, repetition, run)
        if len(loads) > 1:
            factor *= self.neighbour_factors[server]
        hardware = self.server(server)
        return Plan(
            {each.name: self._with_background(each, has_logs) for each in (self.web, self.db)},
            {run: loads},
            {server: replace(hardware, cpu_times=hardware.cpu_times * factor)},
            title=texts.HOST_TITLE,
            monitoring=Monitoring(disk_counter="exact"),
            seconds=load_seconds(loads, has_logs),
            before_seconds=RAW_IDLE_S if has_logs else IDLE_S,
        )

    def server(self, name: str) -> Server:
        """One of its two servers."""
        is_second = name == SECOND
        cpu_times, disk_times = (self.cpu_factor, self.disk_factor) if is_second else (1.0, 1.0)
        return Server(name, texts.SERVER_TITLES[name], cpu_times, disk_times)

    def simulate(self, server: str, run: str) -> RunHistory:
        """The history of one run. Its seed, which the clients' reports print, does not tell the host's."""
        run_seed = int(np.random.SeedSequence([self.seed, RUN_SEED]).generate_state(1)[0])
        return simulate_run(self.plan(server, run), server, run, run_seed)

    def _with_background(self, server: VirtualServer, has_logs: bool) -> VirtualServer:
        if not has_logs:
            return server
        background = replace(server.background, other_cpu=self.other_cpu[server.name])
        return replace(server, background=background)

    def run_cpu_factor(self, server: str, repetition: int, run: str) -> float:
        """Factor of a run's CPU times: that of its repetition, and its own."""
        return float(
            np.exp(
                REPETITION_SIGMA[server] * self._normal(f"{server}/{repetition}")
                + RUN_SIGMA * self._normal(f"{server}/{run}")
            )
        )

    def _normal(self, name: str) -> float:
        """A standard normal number, the same for the same host and name, within ±2."""
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        return float(np.clip(rng.standard_normal(), -2, 2))


def load_seconds(loads: dict[str, Load], has_logs: bool) -> float:
    """Length of the loads of a run. Lengths differ between rates, so that counts are not proportional to rates."""
    rate_per_s = min((load.rate_per_s for load in loads.values() if load.rate_per_s), default=None)
    if has_logs:
        return QUIET_SECONDS if rate_per_s and rate_per_s < QUIET_RATE_PER_S else RAW_SECONDS
    if rate_per_s is None or len(loads) > 1:
        return MIN_SECONDS
    return min(MAX_SECONDS, max(MIN_SECONDS, REQUESTS / rate_per_s))


def parse_run_name(run: str) -> tuple[dict[str, Load], int]:
    """The loads of a run by its name, and the number of its repetition, from 1.

    Raises
    ------
    RunNameError
        If the name says no load.

    Examples
    --------
    >>> parse_run_name("web-026-poisson-3")
    ({'web': Load(rate_per_s=26.0, arrivals_scv=1.0, threads=None, think_time_s=0.0)}, 3)
    """
    for pattern in (_WEB, _DB, _BOTH):
        match = pattern.fullmatch(run)
        if match is None:
            continue
        fields = match.groupdict()
        loads = {}
        if "rate" in fields:
            scv = 1.0 if fields.get("arrivals") == "poisson" else 0.0
            loads["web"] = Load(rate_per_s=float(fields["rate"]), arrivals_scv=scv)
        if "threads" in fields:
            loads["db"] = Load(threads=int(fields["threads"]))
        letter = fields.get("letter")
        return loads, ord(letter) - ord("a") + 1 if letter else int(fields.get("number") or 1)
    raise RunNameError(texts.no_load_in_name(run))


def draw_host(seed: int) -> Host:
    """A random host; the same seed gives the same host."""
    rng = np.random.default_rng(seed)
    web_cpu_s = rng.uniform(0.0045, 0.0060)
    web_operations = rng.uniform(0.6, 1.9)
    web_disk_s = rng.uniform(0.0010, 0.0022) / web_operations
    db_cpu_s = rng.uniform(0.030, 0.060)
    db_operations = float(rng.integers(4, 9))
    db_disk_s = db_cpu_s * rng.uniform(0.50, 0.62) / db_operations
    web = VirtualServer(
        "web",
        "open",
        cpu_s=web_cpu_s * 0.8,
        cpu_after_reply_s=web_cpu_s * 0.2,
        cpu_scv=float(rng.choice([0.5, 1.0])),
        wake_up_s=rng.uniform(0.0003, 0.0008),
        disk_operations=web_operations,
        disk_s=web_disk_s,
        layer_s=web_disk_s * rng.uniform(0.2, 0.7),
        operation_bytes=16384,
        write_share=rng.uniform(0.05, 0.15),
        exit_share=rng.uniform(0.08, 0.25),
        network_s=rng.uniform(0.0002, 0.0006),
        host_disk="loop0",
        background=_background(rng, 1.5),
    )
    db = VirtualServer(
        "db",
        "closed",
        cpu_s=db_cpu_s,
        disk_operations=db_operations,
        disk_s=db_disk_s,
        layer_s=db_disk_s * rng.uniform(0.35, 0.50),
        operation_bytes=16384,
        write_share=rng.uniform(0.25, 0.40),
        exit_share=rng.uniform(0.08, 0.25),
        host_disk="loop1",
        background=_background(rng, 5.0),
    )
    return Host(
        seed,
        web,
        db,
        cpu_factor=rng.uniform(3.2, 4.0),
        disk_factor=rng.uniform(2.0, 3.0),
        neighbour_factors={FIRST: rng.uniform(1.2, 1.5), SECOND: rng.uniform(1.7, 2.3)},
        other_cpu={name: rng.uniform(0.06, 0.09) for name in ("web", "db")},
    )


def _background(rng: np.random.Generator, operations_per_s: float) -> Background:
    """Background work; ``operations_per_s``: about what the disk has of it."""
    return Background(
        server_cpu=rng.uniform(0.001, 0.003),
        other_cpu=rng.uniform(0.004, 0.010),
        server_operations_per_s=rng.uniform(0.1, 0.2) * operations_per_s,
        other_operations_per_s=rng.uniform(0.8, 1.2) * operations_per_s,
        host_operations_per_s=rng.uniform(0.8, 1.2) * operations_per_s,
    )
