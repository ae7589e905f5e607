# ruff: noqa: PTH110
"""Delay accounting: switched on for a recording and put back, however that ends.

Nothing of the machine is changed: the collectors run in a mount namespace in which the sysctl is a
file of the test's own, and /run a folder of its own.
"""

import os
import shutil
import subprocess

import pytest
from conftest import COLLECT, needs_iotop, needs_root, needs_top, snapshots

SYSCTL = "/proc/sys/kernel/task_delayacct"

pytestmark = [
    needs_root,
    needs_top,
    pytest.mark.skipif(
        not shutil.which("unshare"), reason="unshare is not there (apt install util-linux)"
    ),
    pytest.mark.skipif(not os.path.exists(SYSCTL), reason="this kernel has no such sysctl"),
]


@pytest.fixture
def apart(folder):
    """Runs a script in which $C is `collect`, $D a folder, and the sysctl a file that begins as told."""

    def run(script, begins="0"):
        (folder / "sysctl").write_text(begins)
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


def test_the_file_stands_for_the_sysctl(apart):
    p, after = apart(f"echo 1 > {SYSCTL}; cat {SYSCTL}")
    assert (p.stdout, after) == ("1\n", "1")


@pytest.mark.parametrize("number", ["TERM", "INT", "HUP"])
def test_a_signal_puts_it_back(apart, number):
    p, after = apart(
        f"""$C start --out $D/out --interval 0.3 --only '^qv-nobody$' >$D/said
        cat {SYSCTL}
        read -r pid _ <$D/out/collector.pid
        kill -{number} $pid
        while [ -e $D/out/collector.pid ]; do sleep 0.05; done"""
    )
    assert p.stdout.strip() == "1", p.stderr
    assert after == "0"


def test_a_foreground_run_and_a_closed_pipe_put_it_back(apart):
    p, after = apart("$C run --out $D/out --seconds 0.6 --interval 0.3")
    assert p.returncode == 0 and after == "0", p.stderr
    assert "delay accounting was switched on for this recording" in p.stdout
    p, after = apart("$C run --out $D/out2 --seconds 60 --interval 0.3 | head -n 1; sleep 4")
    assert after == "0"


def test_kill_9_is_mended_by_stop(apart):
    p, after = apart(
        f"""$C start --out $D/out --interval 0.3 --only '^qv-nobody$' >/dev/null
        read -r pid _ <$D/out/collector.pid
        kill -9 $pid; sleep 0.3
        cat {SYSCTL}
        $C stop --out $D/out"""
    )
    assert p.stdout.strip() == "1", "nobody is left to put it back"
    assert p.returncode == 1 and "had died" in p.stderr and after == "0"


def test_the_last_of_two_collectors_puts_it_back(apart):
    p, after = apart(
        f"""for k in 1 2; do $C start --out $D/out$k --interval 0.3 --only '^qv-nobody$'; done >$D/said
        $C stop --out $D/out1 >/dev/null; cat {SYSCTL}
        $C stop --out $D/out2 >/dev/null"""
    )
    assert p.stdout.strip() == "1" and after == "0"


def test_what_was_on_stays_on(apart):
    p, after = apart("$C run --out $D/out --seconds 0.6 --interval 0.3", begins="1")
    assert p.returncode == 0 and "switched on" not in p.stdout and after == "1"


READ_ONLY = f"mount -o remount,bind,ro {SYSCTL}; $C run --out $D/out --seconds 1.2 --interval 0.4"


@needs_iotop
def test_an_iotop_that_is_there_is_not_used_while_nobody_counts(apart):
    p, _ = apart(READ_ONLY)
    assert p.returncode == 0, p.stderr
    assert "delay accounting is off: iotop.log is read from /proc" in p.stdout


def test_where_it_cannot_be_switched_on_our_own_reader_writes_iotop_log(apart, folder):
    """iotop-c would print 0.00 % for what nobody counts."""
    p, after = apart(READ_ONLY)
    assert p.returncode == 0, p.stderr
    assert "delay accounting could not be switched on" in p.stdout
    assert "iotop.log is read from /proc" in p.stdout
    assert after == "0"
    records, _ = snapshots(folder / "out" / "iotop.log")
    rows = [line for _, lines in records for line in lines if "K/s" in line and "DISK" not in line]
    assert all("?unavailable?" in row for row in rows)
    records, _ = snapshots(folder / "out" / "tasks.log")
    delays = {x.split()[11] for _, lines in records for x in lines if x.startswith("p ")}
    assert delays == {"-"}, "what is not counted is not 0"
