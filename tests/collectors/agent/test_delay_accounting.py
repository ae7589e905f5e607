"""Delay accounting: switched on for a recording and restored, however it ends."""

import os
import shutil
import subprocess

import delay_accounting
import pytest

from ..helpers import COLLECT, has_program, needs_iotop, snapshots, start_sleep


@pytest.fixture
def sysctl(tmp_path, monkeypatch):
    path = tmp_path / "task_delayacct"
    path.write_text("0\n")
    monkeypatch.setattr(delay_accounting, "SYSCTL", str(path))
    monkeypatch.setattr(delay_accounting, "REGISTRY", str(tmp_path / "registry"))
    return path


def test_sysctl_is_switched_on_and_restored(sysctl):
    since, problem = delay_accounting.switch_on()
    assert since > int(delay_accounting.start_time(os.getpid())) and problem is None
    assert delay_accounting.switch_on() == (since, None), "on since the first call"
    assert sysctl.read_text() == "1"
    delay_accounting.leave()
    assert sysctl.read_text() == "0"


def test_sysctl_that_was_on_stays_on(sysctl):
    sysctl.write_text("1\n")
    assert delay_accounting.switch_on() == (0, None)
    delay_accounting.leave()
    assert sysctl.read_text() == "1\n"


def test_last_user_restores_the_sysctl(sysctl):
    sleep = start_sleep()
    try:
        delay_accounting.switch_on(sleep.pid)
        delay_accounting.switch_on()
        delay_accounting.leave()
        assert sysctl.read_text() == "1", "another collector still needs it"
    finally:
        sleep.kill()
        sleep.wait()
    delay_accounting.leave(sleep.pid + 0)
    assert sysctl.read_text() == "0"


def test_file_of_an_ended_process_is_removed(sysctl):
    delay_accounting.switch_on()
    os.rename(
        f"{delay_accounting.REGISTRY}/{os.getpid()}", f"{delay_accounting.REGISTRY}/999999999"
    )
    delay_accounting.leave()
    assert sysctl.read_text() == "0"


SYSCTL = "/proc/sys/kernel/task_delayacct"


@pytest.fixture
def in_namespace(folder):
    """Runs a script in a mount namespace in which the sysctl is a file, and /run an empty folder.

    $C is `collect`, $D a folder; `value` is the sysctl's value before.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not has_program("top"):
        pytest.skip("top is not there (apt install procps)")
    if not shutil.which("unshare"):
        pytest.skip("unshare is not there (apt install util-linux)")
    if not os.path.exists(SYSCTL):
        pytest.skip("this kernel has no such sysctl")

    def run(script, value="0"):
        (folder / "sysctl").write_text(value)
        hide = f"mount --bind {folder}/sysctl {SYSCTL} && mount -t tmpfs tmpfs /run || exit 77"
        p = subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", f"{hide}\n{script}"],
            capture_output=True, text=True, timeout=60,
            env=dict(os.environ, C=COLLECT, D=str(folder)),
        )  # fmt: skip
        if p.returncode == 77:
            pytest.skip("no mount namespace here")
        return p, (folder / "sysctl").read_text().strip()

    return run


def test_bind_mounted_file_replaces_the_sysctl(in_namespace):
    p, after = in_namespace(f"echo 1 > {SYSCTL}; cat {SYSCTL}")
    assert (p.stdout, after) == ("1\n", "1")


@pytest.mark.parametrize("number", ["TERM", "INT", "HUP"])
def test_signal_restores_the_sysctl(in_namespace, number):
    p, after = in_namespace(
        f"""$C start --out $D/out --interval 0.3 --allow-none --only '^qv-nobody$' >$D/output
        cat {SYSCTL}
        read -r pid _ <$D/out/collector.pid
        kill -{number} $pid
        while [ -e $D/out/collector.pid ]; do sleep 0.05; done"""
    )
    assert p.stdout.strip() == "1", p.stderr
    assert after == "0"


def test_foreground_run_and_closed_pipe_restore_the_sysctl(in_namespace):
    p, after = in_namespace("$C run --out $D/out --seconds 0.6 --interval 0.3")
    assert p.returncode == 0 and after == "0", p.stderr
    assert "delay accounting was switched on for this recording" in p.stdout
    p, after = in_namespace("$C run --out $D/out2 --seconds 60 --interval 0.3 | head -n 1; sleep 4")
    assert after == "0"


def test_stop_restores_the_sysctl_after_kill_9(in_namespace):
    p, after = in_namespace(
        f"""$C start --out $D/out --interval 0.3 --allow-none --only '^qv-nobody$' >/dev/null
        read -r pid _ <$D/out/collector.pid
        kill -9 $pid; sleep 0.3
        cat {SYSCTL}
        $C stop --out $D/out"""
    )
    assert p.stdout.strip() == "1", "the collector was killed"
    assert p.returncode == 1 and "had died" in p.stderr and after == "0"


def test_last_of_two_collectors_restores_the_sysctl(in_namespace):
    p, after = in_namespace(
        f"""for k in 1 2; do $C start --out $D/out$k --interval 0.3 --allow-none --only '^qv-nobody$'; done >$D/output
        $C stop --out $D/out1 >/dev/null; cat {SYSCTL}
        $C stop --out $D/out2 >/dev/null"""
    )
    assert p.stdout.strip() == "1" and after == "0"


def test_recording_leaves_sysctl_on(in_namespace):
    p, after = in_namespace("$C run --out $D/out --seconds 0.6 --interval 0.3", value="1")
    assert p.returncode == 0 and "switched on" not in p.stdout and after == "1"


READ_ONLY = f"mount -o remount,bind,ro {SYSCTL}; $C run --out $D/out --seconds 1.2 --interval 0.4"


@needs_iotop
def test_iotop_is_not_used_while_delay_accounting_is_off(in_namespace):
    p, _ = in_namespace(READ_ONLY)
    assert p.returncode == 0, p.stderr
    assert "delay accounting is off: iotop.log is read from /proc" in p.stdout


def test_delays_are_missing_where_the_sysctl_cannot_be_written(in_namespace, folder):
    """iotop-c would print 0.00 % while delay accounting is off."""
    p, after = in_namespace(READ_ONLY)
    assert p.returncode == 0, p.stderr
    assert "delay accounting could not be switched on" in p.stdout
    assert "iotop.log is read from /proc" in p.stdout
    assert after == "0"
    records, _ = snapshots(folder / "out" / "iotop.log")
    rows = [line for _, lines in records for line in lines if "K/s" in line and "DISK" not in line]
    assert all("?unavailable?" in row for row in rows)
    records, _ = snapshots(folder / "out" / "tasks.log")
    delays = {x.split()[11] for _, lines in records for x in lines if x.startswith("p ")}
    assert delays == {"-"}, "missing, not 0"
