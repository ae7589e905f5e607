"""A run of servers on one machine: no role host, the load generator on the same CPUs."""

import itertools
import json
import shutil

import pytest
import small_study

import pipeline as qv
from pipeline.api.stations import VCPU, is_client_machine, stations
from pipeline.measure.texts import NO_HOST
from pipeline.report.tables.headline import headline
from pipeline.report.tables.quality import warnings, warnings_text

BUSY = 0.7
"""Share of the machine's CPU time that all processes use."""


def _busy(second: int) -> str:
    """The line of all CPUs of /proc/stat after so many seconds, with one CPU and 100 ticks per second."""
    busy = round(100 * BUSY) * second
    return f"cpu {busy} 0 0 {100 * second - busy} 0 0 0 0 0 0"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The database's run of the small study without its host; the client has the database's boot id."""
    home = tmp_path_factory.mktemp("local")
    run = small_study.write(home / "raw") / "first" / "db-16-a"
    for role in ("host", "web"):
        shutil.rmtree(run / role)
    manifest = json.loads((run / "run.json").read_text())
    for role in ("host", "web"):
        del manifest["roles"][role]
    del manifest["virtual_servers"]["web"]
    for key in ("qemu_process", "host_disk"):
        del manifest["virtual_servers"]["db"][key]
    manifest["roles"]["client"]["boot_id"] = manifest["roles"]["db"]["boot_id"]
    (run / "run.json").write_text(json.dumps(manifest))
    tasks, samples = run / "db" / "tasks.log", itertools.count()
    lines = tasks.read_text().splitlines()
    tasks.write_text(
        "\n".join(_busy(next(samples)) if line.startswith("cpu ") else line for line in lines)
    )
    return qv.open_run(
        small_study.STUDY, "first", "db-16-a", raw=home / "raw", processed=home / "processed"
    )


def test_the_reason_is_that_there_is_no_host(local):
    assert local.model_results["reasons"].to_list() == [NO_HOST]
    missing = local.ledger.filter(quantity="T_disk")["flags"].to_list()
    assert missing and all(flags == [NO_HOST] for flags in missing)
    messages = local.checks["message"].to_list() + local.cross_checks["message"].to_list()
    texts = " ".join([*messages, *warnings(local), *headline(local)[0]])
    for wrong in ("of host", "host_disk", "qemu_process", "number of CPUs"):
        assert wrong not in texts
    assert NO_HOST in headline(local)[0][-1] and NO_HOST not in " ".join(warnings(local))


def test_the_cpus_are_those_of_the_machine_with_all_processes(local):
    cpu, *disks = stations(local)
    assert cpu.kind == VCPU and [disk.name for disk in disks] == ["guest disk vda"]
    assert cpu.utilization == pytest.approx(BUSY)
    assert cpu.load_utilization == pytest.approx(0.6, rel=0.05)  # three processes, 0.2 CPUs each
    background = cpu.utilization - cpu.load_utilization
    assert cpu.headroom == pytest.approx((1 - background) / cpu.load_utilization)


def test_a_load_generator_is_seen_by_the_boot_id(local):
    assert is_client_machine(local, "db")


def test_failed_checks_are_named_where_no_model_is_judged(local):
    failed = local.checks.filter(result="failed")
    assert failed.height
    text = warnings_text(local)
    assert text.startswith(f"**{failed.height} failed check") and "(#quality-checks)" in text
