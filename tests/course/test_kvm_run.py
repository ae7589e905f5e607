"""The vCPU thread's counters for lesson 5: a study's own guest mode, else a simulated host's, whose truth is known."""

from types import SimpleNamespace

import pytest

from pipeline.course.given import NoValue, Row
from pipeline.course.lessons.kvm_run import kvm_run

NAMES = {"server": "first", "run": "web-110-even", "virtual_server": "web"}


def given(**columns):
    return SimpleNamespace(run=lambda role: Row({**NAMES, **columns}))


def test_an_emulated_study_gets_the_simulated_host_and_its_truth():
    for study in (given(guest_ticks=0.0), given(guest_ticks=None)):
        run = kvm_run(study)
        assert (run.requests, run.ticks_per_s) == (2400, 100)
        assert run.user == run.guest  # no code of QEMU in the simulated thread
        # demands of 7.2 and 0.8 ms, and 0.022 CPU of background over 120 s, in the same proportion
        background_s = run.background_cpus * run.seconds / run.requests
        assert (run.true_guest_s, run.true_exits_s) == pytest.approx((0.0072, 0.0008))
        assert run.guest / 100 / 2400 == pytest.approx(0.0072 + 0.9 * background_s, rel=0.05)
        assert run.system / 100 / 2400 == pytest.approx(0.0008 + 0.1 * background_s, rel=0.05)
        assert run.since_boot("guest") > run.guest
        assert all(line.endswith("CPU 0/KVM") for line in run.lines)


def test_a_study_with_guest_mode_has_its_own_counters():
    run = kvm_run(
        given(
            guest_ticks=270.0, user_ticks=300.0, system_ticks=40.0, ticks_per_s=250.0,
            lambda_total=1000.0, T_s=60.0,
        )
    )  # fmt: skip
    assert (run.guest, run.user, run.system, run.ticks_per_s) == (270, 300, 40, 250)
    assert run.true_guest_s is None
    with pytest.raises(NoValue):
        run.since_boot("guest")
