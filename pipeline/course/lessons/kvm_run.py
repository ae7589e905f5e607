"""CPU time of a vCPU thread under KVM, for lesson 5: the recorded guests are emulated and have no guest mode.

A study whose guests run under KVM has the counters in its own runs. For any other, one run of a simulated KVM host is
written into a temporary folder and its ``tasks.log`` read, as that of a recorded run would be.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.course.given import Given, NoValue
from pipeline.synthetic.demands_file import EXAMPLE, parse_plan
from pipeline.synthetic.ground_truth import ground_truth
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.study import FIRST_RUN_NS, write_run

SERVER, RUN, VIRTUAL_SERVER, SEED = "first", "web-020-poisson", "web", 7
"""The simulated run: one of the plan of ``queuevisor simulate``; the same seed writes the same bytes."""

TICKS_PER_S = 100.0
COUNTERS = {"user": 6, "system": 7, "guest": 8}
"""Counter → its place in a thread's line of ``tasks.log``: utime, stime, guest_time."""


@dataclass(frozen=True)
class KvmRun:
    """Growth of the counters of a vCPU thread over the load of one run, in ticks."""

    requests: float
    seconds: float
    guest: float
    user: float
    """utime, which contains guest_time."""
    system: float
    ticks_per_s: float
    lines: tuple[str, str] | None = None
    """The thread's lines in ``tasks.log`` before and after the load; None: read from the runs table."""
    true_guest_s: float | None = None
    """True guest mode per request; None where the study keeps its truth apart."""
    true_exits_s: float | None = None
    background_cpus: float | None = None

    def since_boot(self, counter: str) -> float:
        """A counter after the load, not its growth; raises ``NoValue`` where its line is not known."""
        if self.lines is None:
            raise NoValue("the thread's line in tasks.log is not read")
        return float(self.lines[1].split()[COUNTERS[counter]])


def kvm_run(given: Given) -> KvmRun:
    """The study's own run of the role ``busy`` if it has guest mode, else the simulated one."""
    row = given.run("busy")
    try:
        if row["guest_ticks"] > 0:
            return KvmRun(
                row["lambda_total"], row["T_s"], row["guest_ticks"], row["user_ticks"],
                row["system_ticks"], row["ticks_per_s"],
            )  # fmt: skip
    except NoValue:
        pass
    return simulated_kvm_run()


@functools.cache
def simulated_kvm_run() -> KvmRun:
    """One run of a simulated KVM host, read from its ``tasks.log``; simulated once per process."""
    history = simulate_run(parse_plan(EXAMPLE), SERVER, RUN, SEED)
    guest = history.guests[VIRTUAL_SERVER]
    with tempfile.TemporaryDirectory(prefix="queuevisor-kvm-") as folder:
        write_run(history, "simulated", Path(folder))
        log = (Path(folder) / "host" / "tasks.log").read_text(encoding="utf-8").splitlines()
    start_ns, end_ns = (
        FIRST_RUN_NS + round(seconds * 1e9) for seconds in (guest.load_start_s, guest.load_end_s)
    )
    records = list(_vcpu_records(log))
    before = max(record for record in records if record[0] <= start_ns)[1]
    after = min(record for record in records if record[0] >= end_ns)[1]
    growth = {
        name: float(int(after.split()[place]) - int(before.split()[place]))
        for name, place in COUNTERS.items()
    }
    truth = ground_truth(history)["virtual_servers"][VIRTUAL_SERVER]
    background = truth["background"]
    return KvmRun(
        float(truth["requests"]), truth["load_s"], growth["guest"], growth["user"], growth["system"],
        TICKS_PER_S, (before, after), truth["vcpu_s"], truth["kvm_s"],
        background["server_cpu"] + background["other_cpu"],
    )  # fmt: skip


def _vcpu_records(log: list[str]) -> Iterator[tuple[int, str]]:
    """Time and line of each record of the vCPU thread of the virtual server's QEMU."""
    time_ns, pid = 0, ""
    for line in log:
        fields = line.split()
        if line.startswith("#T "):
            time_ns = int(fields[1])
        elif line.startswith("c ") and f"guest={VIRTUAL_SERVER}," in line:
            pid = fields[1]
        elif line.startswith("t ") and fields[1] == pid and " CPU " in line:
            yield time_ns, line
