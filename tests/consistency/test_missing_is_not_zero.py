"""A pattern that matches no process measures nothing; a log that ends early has no increase over the load."""

import json
import shutil

import polars as pl
import pytest

from pipeline import ingest, ledger
from pipeline.demands.service_demand import estimate_demands
from pipeline.ledger.catalogue import dependents_of
from pipeline.measure.virtual_server import RunCounters
from pipeline.raw import Run, find_run

STUDY, SERVER, RUN = "kvm-case-study", "first", "web-005-a"


def altered(root, folder, change) -> tuple[Run, pl.DataFrame]:
    """The run with its raw files changed by ``change`` (the run's folder), and its ledger."""
    raw = folder / "raw"
    target = raw / STUDY / SERVER / RUN
    shutil.copytree(root / "data/raw" / STUDY / SERVER / RUN, target)
    shutil.copy(root / "data/raw" / STUDY / "study.json", raw / STUDY / "study.json")
    change(target)
    run = find_run(raw, STUDY, SERVER, RUN)
    ingest.ingest([run], folder / "processed")
    return run, ledger.run_ledger(run, folder / "processed")


def rename(path, old: str, new: str) -> None:
    """A log with a program's name replaced, uncompressed."""
    import io

    import zstandard

    packed = path.with_name(path.name + ".zst")
    text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed.read_bytes())).read()
    packed.unlink()
    path.write_bytes(text.replace(old.encode(), new.encode()))


def renamed_in_the_guest(run) -> None:
    for log in ("top.log", "iotop.log", "tasks.log"):
        rename(run / "web" / log, "apache2", "another")


def renamed_on_the_host(run) -> None:
    about = json.loads((run / "run.json").read_text())
    about["virtual_servers"]["web"]["qemu_process"] = "guest=no-such-server,"
    (run / "run.json").write_text(json.dumps(about))


def of(frame: pl.DataFrame, quantity: str, **columns) -> pl.DataFrame:
    rows = frame.filter((pl.col("virtual_server") == "web") & (pl.col("quantity") == quantity))
    for name, value in columns.items():
        rows = rows.filter(pl.col(name) == value)
    assert rows.height, quantity
    return rows


def are_missing(frame: pl.DataFrame, reason: str) -> None:
    assert frame["value"].null_count() == frame.height, frame
    for flags in frame["flags"]:
        assert any(reason in flag for flag in flags), flags


@pytest.fixture(scope="module")
def guest(root, tmp_path_factory):
    return altered(root, tmp_path_factory.mktemp("guest"), renamed_in_the_guest)


@pytest.fixture(scope="module")
def host(root, tmp_path_factory):
    return altered(root, tmp_path_factory.mktemp("host"), renamed_on_the_host)


@pytest.mark.parametrize(
    ("where", "disk", "reason"),
    [
        ("guest", "vdisk", "no process of web matches"),
        ("host", "disk", "no process of host matches"),
    ],
)
def test_bytes_without_a_process_and_their_dependents_are_missing(where, disk, reason, request):
    _, frame = request.getfixturevalue(where)
    are_missing(of(frame, f"IO_{disk}_req"), reason)
    for quantity in (f"share_{disk}", f"U_{disk}_req", f"D_{disk}_req", f"R_{disk}"):
        are_missing(of(frame, quantity, demand="as-printed"), reason)
    are_missing(of(frame, "R_req", demand="as-printed"), reason)


def test_cpu_time_without_a_process_and_its_dependents_are_missing(guest, host):
    _, frame = guest
    for quantity in ("T_cpu", "T_cpu_idle", "T_cpu_kernel", "U_vcpu", "R_cpu", "R_req"):
        are_missing(of(frame, quantity), "no process of web matches")
    are_missing(of(frame, "error_R"), "no process of web matches")
    for quantity in ("T_qemu", "U_qemu", "D_qemu"):
        are_missing(of(host[1], quantity), "no process of host matches")


def test_what_does_not_rest_on_the_processes_is_there(guest):
    """On a disk of its own the demand needs no share, and so no process (docs/decisions/0008)."""
    _, frame = guest
    dependents = dependents_of(["T_cpu_process", "T_cpu_idle", "IO_vdisk_task"])
    for row in frame.filter(pl.col("virtual_server") == "web").iter_rows(named=True):
        if row["quantity"] not in dependents and row["quantity"] != "T_cpu_kernel":
            assert row["value"] is not None, row
    assert of(frame, "D_vdisk_req", variant="corrected")["value"].item() > 0


def test_no_number_of_a_renamed_server_is_zero_without_a_flag(guest, host):
    for _, frame in (guest, host):
        suspect = frame.filter(
            (pl.col("value") == 0) & pl.col("flags").is_null() & pl.col("subject").is_null()
        )
        named = suspect.filter(pl.col("quantity").str.contains("IO_|share_|^U_|^D_|^R_"))
        assert named.is_empty(), named


def test_the_demands_are_missing_too(guest, host):
    for (run, _), station in ((guest, "guest_cpu"), (host, "host_cpu")):
        processed = run.path.parents[3] / "processed"
        found = estimate_demands(RunCounters(run, run.virtual_servers["web"], processed), draws=20)
        assert "no process of" in found.missing[station]
        assert {"vdisk", "disk"} <= set(found.demands)


def cut(path) -> None:
    """A log whose second half is lost."""
    import io

    import zstandard

    packed = path.with_name(path.name + ".zst")
    text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed.read_bytes())).read()
    packed.unlink()
    lines = text.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))


@pytest.mark.parametrize(
    ("log", "lost", "kept"),
    [
        ("host/tasks.log", ("T_qemu", "U_qemu", "D_qemu"), "T_cpu"),
        ("web/top.log", ("T_cpu", "U_vcpu", "R_cpu"), "T_qemu"),
        ("web/block.log", ("T_vdisk", "U_vdisk_total", "D_vdisk_req", "R_vdisk"), "T_disk"),
        ("host/iotop.log", ("IO_disk_req",), "IO_vdisk_req"),
    ],
)
def test_half_a_log_has_no_increase_over_the_load(root, tmp_path, log, lost, kept):
    _, frame = altered(root, tmp_path, lambda run: cut(run / log))
    for quantity in lost:
        are_missing(of(frame, quantity), "before the window")
    assert of(frame, kept, background="kept")["value"].item() > 0
