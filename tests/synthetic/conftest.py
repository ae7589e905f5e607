"""One small simulated run of each kind, with its text and its tables."""

from dataclasses import dataclass

import pytest

from pipeline import ingest
from pipeline.raw import Run, find_run, find_runs
from pipeline.synthetic.event_history import GuestHistory, RunHistory
from pipeline.synthetic.host import simulate_run
from pipeline.synthetic.plan import Background, Load, Monitoring, Plan, VirtualServer
from pipeline.synthetic.raw_run_text import render_run_files
from pipeline.synthetic.study import FIRST_RUN_NS, write_run

BUSY = Background(0.01, 0.03, 0.5, 1.0, 0.7)
WEB = VirtualServer(
    "web", "open", cpu_s=0.006, cpu_after_reply_s=0.003, disk_operations=1.5, write_share=0.3, background=BUSY
)  # fmt: skip
DB = VirtualServer(
    "db", "closed", cpu_s=0.02, disk_operations=3.0, disk_s=0.004, write_share=0.4, host_disk="loop1",
    background=BUSY,
)  # fmt: skip


def plan(loads: dict[str, Load], **options) -> Plan:
    return Plan({"web": WEB, "db": DB}, {"run": loads}, **{"seconds": 40.0, **options})


PLANS = {
    "web": plan({"web": Load(rate_per_s=40)}),
    "db": plan({"db": Load(threads=5)}),
    "both": plan(
        {"web": Load(rate_per_s=30, arrivals_scv=0.0), "db": Load(threads=3, think_time_s=0.02)},
        accelerator="tcg",
        monitoring=Monitoring(disk_counter="exact", clock_offset_s=0.3),
    ),
}


@dataclass(frozen=True)
class Simulated:
    """A run as it happened and as it was read."""

    history: RunHistory
    files: dict[str, str]
    run: Run
    outcome: object

    def table(self, name: str, role: str):
        frame = self.outcome.frames[name]
        return frame.filter(frame["role"] == role)

    def loaded(self) -> dict[str, GuestHistory]:
        return {k: g for k, g in self.history.guests.items() if g.load is not None}


@pytest.fixture(scope="session", params=list(PLANS))
def simulated(request, tmp_path_factory) -> Simulated:
    history = simulate_run(PLANS[request.param], "first", "run", seed=11)
    folder = tmp_path_factory.mktemp("raw") / "known"
    write_run(history, "known", folder / "first" / "run")
    (folder / "study.json").write_text("{}")
    (run,) = find_runs(folder.parent)
    return Simulated(
        history, render_run_files(history, "known", FIRST_RUN_NS), run, ingest.parse_run(run)
    )


@pytest.fixture(scope="module")
def recorded(root):
    """The text of a log of a recorded run."""

    def text(log: str, run: str = "both-005-16-a") -> str:
        from pipeline.parse import read_log

        role, name = log.split("/")
        recorded_run = find_run(root / "data/raw", "kvm-case-study", "first", run)
        path = next(
            log_file.path
            for log_file in recorded_run.logs()
            if log_file.name.startswith(f"{role}/{name}")
        )
        return "\n".join(read_log(path).lines["text"].to_list())

    return text
