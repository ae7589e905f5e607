"""What surrounds a run, from k lines of tasks.log and facts.json, on a page; and nothing without them."""

import json
from types import SimpleNamespace

import pytest
import small_study

from pipeline import api
from pipeline.api.environment import ENVIRONMENT, df_environment, kernel_version
from pipeline.report import tables

GROUP = "/machine.slice/db.scope"
RATES = {
    "pressure some_us {} cpu": 250_000, "pressure full_us {} cpu": 0, "pressure some_us {} memory": 0,
    f"cgroup nr_periods {{}} {GROUP}": 10, f"cgroup nr_throttled {{}} {GROUP}": 4,
    f"cgroup throttled_us {{}} {GROUP}": 30_000, "kvm halt_poll_success_ns {} 701": 10_000_000,
}  # fmt: skip
"""Counter of the host, and its increase per second."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the database whose host has the counters and the settings of a laptop with KVM."""
    raw = tmp_path_factory.mktemp("raw")
    folder = small_study.write(raw) / "first" / "db-16-a" / "host"
    lines, second = [], -1
    for line in (folder / "tasks.log").read_text().splitlines():
        if line.startswith("#") and second >= 0:
            lines += [f"k {name.format(rate * second)}" for name, rate in RATES.items()]
        if second == 0 and line.startswith("#"):
            lines += [
                f"k cgroup {name} {GROUP}"
                for name in ("quota_us 80000", "period_us 100000", "pid 701")
            ]
        second += line.startswith("#T")
        lines.append(line)
    (folder / "tasks.log").write_text("\n".join(lines) + "\n")
    facts = json.loads((folder / "facts.json").read_text())
    facts |= {
        "smt": {"active": True, "control": "on"},
        "cpu_frequency": {
            "drivers": ["intel_pstate"], "governors": ["powersave"], "turbo": False,
            "current_khz": [1, 2], "min_khz": [800_000, 800_000], "max_khz": [3_100_000, 3_400_000],
        },
        "halt_poll_ns": 200_000, "delay_accounting_since_ticks": 501,
        "virtualization": {"vm": "none", "container": "none", "signs": []},
        "kernel_counters": {"cgroup_version": 2, "pressure": None, "cgroup": None, "kvm": None},
        "block_devices": [{"name": "loop2", "scheduler": "bfq", "rotational": True}],
    }  # fmt: skip
    (folder / "facts.json").write_text(json.dumps(facts))
    return api.open_run(
        small_study.STUDY, "first", "db-16-a", raw=raw, processed=tmp_path_factory.mktemp("tables")
    )


def test_counters_of_the_host_on_a_page(run):
    environment = df_environment(run)
    assert environment.schema == ENVIRONMENT
    assert environment["machine"].unique().to_list() == ["host"]
    values = dict(environment.select("item", "value").iter_rows())
    assert set(values) == {
        "pressure, cpu", f"CPU quota of cgroup {GROUP}", "halt polling, database",
        "io_ticks of loop2", "delay accounting, database",
    }  # fmt: skip
    assert values["pressure, cpu"] == "some tasks waited 25 % of the time"
    assert "0.8 CPUs" in values[f"CPU quota of cgroup {GROUP}"]
    assert "40 %" in values[f"CPU quota of cgroup {GROUP}"]
    assert "200 µs; 0.3 s of" in values["halt polling, database"]
    assert "1 of 1 processes" in values["delay accounting, database"], (
        "501 ticks: later than its start"
    )


@pytest.mark.parametrize(
    ("kernel", "build", "version"),
    [
        (
            "6.1.0-41-cloud-amd64",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1 (2025-11-09)",
            (6, 1, 158),
        ),
        ("6.18.44-fc-v657", "#1 SMP @0", (6, 18, 44)),
        ("4.18-generic", None, (4, 18, 0)),
        (None, None, None),
    ],
)
def test_version_of_a_kernel(kernel, build, version):
    assert kernel_version({"kernel": kernel, "kernel_build": build}) == version


def test_they_are_checked(run):
    results = dict(run.checks.filter(dependents="").select("check", "result").iter_rows())
    assert results == {"CPU quota on the host": "failed", "halt polling of KVM": "passed"}


def test_settings_of_the_host_on_a_page(run):
    values = {item.strip(): value for item, value in tables.df_facts(run).iter_rows()}
    assert values["SMT"] == "on" and values["turbo"] == "off"
    assert values["frequency governor"] == "powersave"
    assert values["CPU frequency"] == "0.8 to 3.4 GHz"
    assert values["disk"] == "loop2: scheduler bfq, rotational"


def test_a_recording_without_them_has_no_rows(run):
    raw = run.run.path.parent.parent.parent
    other = api.open_run(small_study.STUDY, "first", "web-005-a", raw=raw, processed=run.processed)
    assert df_environment(other).is_empty()
    assert other.checks.filter(dependents="").is_empty()
    assert "SMT" not in {item.strip() for item in tables.df_facts(other)["item"]}


def test_servers_are_compared_where_their_settings_differ():
    def compared(first, second):
        runs = {
            (server, "web"): SimpleNamespace(
                run=SimpleNamespace(facts=lambda _, smt=smt: {"smt": {"active": smt}})
            )
            for server, smt in (("first", first), ("second", second))
        }
        plan = SimpleNamespace(entry=lambda *_: {})
        study = SimpleNamespace(servers=["first", "second"], case_study_runs=runs, study=plan)
        return {
            item: values for item, *values in tables.df_servers(study).iter_rows() if item == "SMT"
        }

    assert compared(True, False) == {"SMT": ["on", "off"]}
    assert compared(True, True) == compared(None, None) == compared(True, None) == {}
