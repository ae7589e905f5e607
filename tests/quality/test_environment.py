"""Steal, CPU quotas, halt polling, pressure, nesting and the load generator, from lines of tasks.log and facts."""

from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

import pytest

from pipeline import parse
from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.kernel_counters import cpu_quotas, pressure_share, steal_share
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality import environment_texts as texts
from pipeline.quality.assess import flag_failed_checks
from pipeline.quality.check import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED, checks_frame
from pipeline.quality.environment import check_environment
from pipeline.raw import VirtualServer, Window, Workload
from pipeline.tables import STORED, empty
from quality.samples import CLIENT, ledger

WINDOW = Window(2 * NS_PER_S, 12 * NS_PER_S)
SERVER = VirtualServer(
    "web", "web", Workload("closed", population=16), server_processes="^nginx$", qemu_process="guest=web,"
)  # fmt: skip
HTTPERF = {
    **CLIENT,
    "cpu_user_percent": 20.0,
    "cpu_system_percent": 79.0,
    "errors_fd_unavailable": 0,
}
FREE = CpuLimit(2.0)
GROUP = "/machine.slice/web.scope"


class Run:
    """A run of one guest; ``facts`` by role."""

    accelerator = "kvm"
    manifest: ClassVar[dict] = {}
    roles = ("client", "host", "web")

    def __init__(self, facts=None, is_one_machine=False):
        self._facts, self._is_one_machine = facts or {}, is_one_machine

    def facts(self, role):
        return {"clock_ticks_per_s": 100, **self._facts.get(role, {})}

    def clock_offset_ns(self, role):
        return 0

    def is_host_itself(self, role):
        return self._is_one_machine


@lru_cache
def parsed(text):
    return parse.parse_log("tasks", parse.log_from_text(text, "tasks.log"))


class ParsedTables(RunTables):
    """Tables of texts of tasks.log, by role."""

    def __init__(self, run, logs):
        super().__init__(run, ".")
        self.parsed = {role: parsed(text) for role, text in logs.items()}

    def table(self, name, role=None):
        assert not self.parsed[role].rejects.height
        return self.parsed[role].tables.get(name, empty(STORED[name]))


def tasks_log(*counters, steal=0, process="p 812 44 1 S 1 {cpu} 0 0 0 0 0 5 qemu-kvm"):
    """15 snapshots, one per second; ``counters``: k lines as (source, name, per second, subject)."""
    lines = ["c 812 44 qemu-kvm -name guest=web,debug-threads=on"]
    for second in range(15):
        lines.insert(
            len(lines) - (second == 0), f"#T {second * NS_PER_S + 1} {second * NS_PER_S} {second} b"
        )
        lines.append(f"cpu  {(100 - steal) * second} 0 0 0 0 0 0 {steal * second}")
        lines.append(process.format(cpu=50 * second))
        lines += [
            f"k {source} {name} {rate * second} {subject}"
            for source, name, rate, subject in counters
        ]
    return "\n".join([*lines, "#END x\n"])


def group(throttled, pid=812):
    return (
        ("cgroup", "nr_periods", 10, GROUP), ("cgroup", "nr_throttled", throttled, GROUP),
        ("cgroup", "throttled_us", 20_000, GROUP),
    )  # fmt: skip


def with_settings(text, pid=812):
    """The lines of a cgroup that are written when it is found."""
    setting = f"k cgroup quota_us 150000 {GROUP}\nk cgroup period_us 100000 {GROUP}\nk cgroup pid {pid} {GROUP}\n"
    return text.replace("cpu  0", setting + "cpu  0", 1)


GUEST_LOG = tasks_log(process="p 9 44 1 S 1 {cpu} 0 0 0 0 0 5 nginx")


def checks(host=None, guest=GUEST_LOG, *, limit=FREE, client=None, server=SERVER, **run):
    tables = ParsedTables(Run(**run), {"host": host or tasks_log(), "web": guest})
    return {
        check.check: check for check in check_environment(tables, server, WINDOW, limit, client)
    }


def test_a_run_without_any_of_it_has_no_rows():
    assert checks(client=HTTPERF) == {}


@pytest.mark.parametrize(("steal", "result"), [(1, None), (2, FAILED)])
def test_steal_above_one_percent(steal, result):
    host = checks(host=tasks_log(steal=steal)).get(texts.STEAL["host"])
    assert (host and host.result) == result
    if result:
        assert (host.value, host.unit) == (pytest.approx(2.0), "%")
    both = checks(host=tasks_log(steal=9), guest=tasks_log(steal=9), is_one_machine=True)
    assert [*both] == [texts.STEAL["guest"]], "one machine, one row"


def test_an_emulated_guest_has_no_steal_clock(monkeypatch):
    monkeypatch.setattr(Run, "accelerator", "tcg")
    assert checks(guest=tasks_log(steal=9, process="p 9 44 1 S 1 {cpu} 0 0 0 0 0 5 nginx")) == {}
    assert [*checks(host=tasks_log(steal=9))] == [texts.STEAL["host"]]


@pytest.mark.parametrize(
    ("throttled", "limit", "result"),
    [
        (0, FREE, PASSED),
        (3, FREE, FAILED),
        (3, CpuLimit(1.5, quota=1.5), PASSED),  # planned: the model contains it
    ],
)
def test_quota_of_qemu(throttled, limit, result):
    host = with_settings(tasks_log(*group(throttled)))
    check = checks(host=host, limit=limit)[texts.CPU_QUOTA["host"]]
    assert check.result == result
    assert check.value == pytest.approx(10 * throttled)
    assert GROUP in check.message and "1.5 CPUs" in check.message


def test_quota_of_another_process_is_not_the_servers():
    host = with_settings(tasks_log(*group(9)), pid=700)
    assert texts.CPU_QUOTA["host"] not in checks(host=host)


def test_quota_in_the_guest_is_none_of_the_plan():
    guest = with_settings(GUEST_LOG.replace("cpu  ", "k cgroup nr_periods 0 /x\ncpu  "), pid=9)
    for name, rate in (("nr_periods", 10), ("nr_throttled", 5), ("throttled_us", 1000)):
        for second in range(15):
            at = f"cpu  {100 * second} "
            guest = guest.replace(at, f"k cgroup {name} {rate * second} {GROUP}\n" + at, 1)
    check = checks(guest=guest, limit=CpuLimit(1.0, quota=1.0))[texts.CPU_QUOTA["guest"]]
    assert (check.result, check.value) == (FAILED, pytest.approx(50))


def test_measured_shares():
    host = with_settings(tasks_log(*group(2), ("pressure", "some_us", 40_000, "cpu"), steal=3))
    tables = ParsedTables(Run(), {"host": host})
    assert steal_share(tables, "host", WINDOW) == pytest.approx(0.03)
    assert pressure_share(tables, "host", "cpu", WINDOW) == pytest.approx(0.04)
    (quota,) = cpu_quotas(tables, "host", WINDOW, [812])
    # between the snapshots that bracket the window: 11 s of them, since they lie 1 ns after the seconds
    assert (quota.path, quota.cpus, quota.periods) == (GROUP, 1.5, pytest.approx(110))
    assert quota.throttled_s == pytest.approx(0.22)
    with pytest.raises(MissingData):
        pressure_share(tables, "host", "memory", WINDOW)
    with pytest.raises(MissingData):
        pressure_share(ParsedTables(Run(), {"web": GUEST_LOG}), "web", "cpu", WINDOW)


HALT = (
    ("kvm", "halt_poll_success_ns", 10_000_000, "812"),
    ("kvm", "halt_poll_fail_ns", 5_000_000, "812"),
)


@pytest.mark.parametrize(
    ("counters", "poll_ns", "result", "percent"),
    [
        (HALT, 200_000, PASSED, 3.0),  # 15 of 500 ms in each second
        ([(*counter[:2], 4 * counter[2], "812") for counter in HALT], 200_000, FAILED, 12.0),
        (HALT, 0, None, None),
        ((), 200_000, NOT_EVALUATED, None),
        ([(*counter[:3], "813") for counter in HALT], 200_000, NOT_EVALUATED, None),
    ],
)
def test_halt_polling_is_a_part_of_qemus_cpu_time(counters, poll_ns, result, percent):
    check = checks(host=tasks_log(*counters), facts={"host": {"halt_poll_ns": poll_ns}}).get(
        texts.HALT_POLLING
    )
    assert (check and check.result) == result
    if percent:
        assert check.value == pytest.approx(percent)


def test_why_halt_polling_is_unknown():
    facts = {"host": {"halt_poll_ns": 9, "kernel_counters": {"kvm": "debugfs: not mounted"}}}
    assert "debugfs: not mounted" in checks(facts=facts)[texts.HALT_POLLING].message


@pytest.mark.parametrize(("rate", "result"), [(9_000, None), (20_000, FAILED)])
def test_memory_pressure(rate, result):
    check = checks(host=tasks_log(("pressure", "some_us", rate, "memory"))).get(
        texts.MEMORY_PRESSURE["host"]
    )
    assert (check and check.result) == result


@pytest.mark.parametrize(
    ("recorded", "result"),
    [
        ({"vm": "none", "container": "none"}, None),
        ({"vm": None, "container": "none"}, None),
        ({"vm": "kvm", "container": "none"}, INCONCLUSIVE),
        ({"vm": "none", "container": "docker"}, INCONCLUSIVE),
        ({"vm": 7}, None),
        ("hostile", None),
    ],
)
def test_a_host_that_is_a_guest(recorded, result):
    check = checks(facts={"host": {"virtualization": recorded}}).get(texts.PHYSICAL_HOST)
    assert (check and check.result) == result


@pytest.mark.parametrize(
    ("user", "system", "result"), [(20.0, 70.0, None), (20.0, 69.9, FAILED), (None, 9.0, None)]
)
def test_a_polling_client_needs_a_whole_cpu(user, system, result):
    client = {**HTTPERF, "cpu_user_percent": user, "cpu_system_percent": system}
    check = checks(client=client).get(texts.CLIENT_CPU)
    assert (check and check.result) == result


@pytest.mark.parametrize(
    ("refused", "population", "limits", "result"),
    [
        (0, 16, [1024, 4096], None),
        (3, 16, None, FAILED),
        (None, 1000, [1024, 4096], None),
        (None, 1010, [1024, 4096], FAILED),
        (None, 1010, [None, None], None),
        (None, 1010, "many", None),
    ],
)
def test_open_files_of_the_client(refused, population, limits, result):
    server = replace(SERVER, workload=replace(SERVER.workload, population=population))
    client = {**HTTPERF, "errors_fd_unavailable": refused}
    facts = {"client": {"open_file_limit": limits}}
    check = checks(client=client, server=server, facts=facts).get(texts.CLIENT_FILES)
    assert (check and check.result) == result


def test_they_flag_no_number():
    frame = ledger(R_req=1.0)
    failed = checks(host=tasks_log(steal=9)).values()
    assert flag_failed_checks(frame, checks_frame("web", [*failed])).equals(frame)
