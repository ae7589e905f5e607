"""Clocks that are known and constant, and clocks that are not."""

from pipeline.quality.check import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED
from pipeline.quality.recording import check_clocks
from pipeline.raw import Role
from quality.samples import OPEN, WINDOW, SampleRun


def clock_results(uncertainty_ns: int | None, drift_ns: int | None) -> dict[str, str]:
    run = SampleRun()
    run.roles = {
        role: Role(role, clock_offset_ns=None if uncertainty_ns is None else 5, clock_uncertainty_ns=uncertainty_ns)
        for role in ("host", "web")
    }  # fmt: skip
    if drift_ns is not None:
        ends = {
            when: {"offset_ns": offset, "uncertainty_ns": 1000}
            for when, offset in (("before", 0), ("after", drift_ns))
        }
        run.manifest = {"roles": {role: {"clock": ends} for role in ("host", "web")}}
    return {check.check: check.result for check in check_clocks(run, OPEN, WINDOW)}


def test_clocks_need_a_small_uncertainty_and_a_small_drift():
    names = [
        f"clock of the {machine}{what}" for machine in ("guest", "host") for what in ("", ", drift")
    ]
    assert clock_results(350_000, 700_000) == dict.fromkeys(names, PASSED)
    assert clock_results(150_000_000, -300_000_000) == dict.fromkeys(names, FAILED)
    assert clock_results(None, None) == dict.fromkeys(names, NOT_EVALUATED)
    assert clock_results(350_000, 100_001_500)["clock of the guest, drift"] == INCONCLUSIVE
