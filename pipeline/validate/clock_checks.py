"""How well the clocks of host and guest are known on the client's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.bundle import HOST, Run, VirtualServer, Window
from pipeline.validate.checks import BOUNDED, Check, bounded, near, untold, words

OF_A_STEP = 0.1
"""Share of a sampling step that a clock may be off by: less than what taking whole steps leaves open anyway."""

RESTS = {
    "guest": ("T_cpu", "T_vdisk", "IO_vdisk_task"),
    HOST: ("T_disk", "IO_disk_task", "T_qemu"),
}


def clocks(run: Run, server: VirtualServer, window: Window) -> Iterator[Check]:
    """Uncertainty of each clock's offset, and its drift over the run, against the sampling step."""
    for words_, role in (("guest", server.role), (HOST, HOST)):
        step_s = run.facts(role).get("interval_s") or 1.0
        allowed_ms = 1e3 * OF_A_STEP * step_s
        affects = RESTS[words_]
        name = f"clock of the {words_}"
        known = run.roles.get(role)
        if known is None or known.clock_offset_ns is None or known.clock_uncertainty_ns is None:
            yield untold(name, "it was not compared with the client's", affects)
        else:
            off_ms = known.clock_uncertainty_ns / 1e6
            yield Check(
                name, near(off_ms, 0, allowed_ms),
                f"known to {words(off_ms, 3)} ms, {words(1e-3 * off_ms / window.duration_s * 100, 2)} % of the "
                f"load and {words(1e-3 * off_ms / step_s * 100, 2)} % of a sampling step",
                affects, off_ms, 0.0, allowed_ms, "ms",
                f"{words_}'s clock known to {words(off_ms, 3)} ms only",
            )  # fmt: skip
        yield _drift(run, role, words_, allowed_ms, affects)


def _drift(run: Run, role: str, words_: str, allowed_ms: float, affects: tuple[str, ...]) -> Check:
    """Offset after the run less offset before it; both are known to their uncertainties only."""
    name = f"clock of the {words_}, drift"
    ends = [_end(run.manifest, role, when) for when in ("before", "after")]
    if any(end is None for end in ends):
        return untold(name, "it was compared with the client's once only", affects)
    (before, unsure), (after, unsure_too) = ends  # type: ignore[misc]
    drift_ms, slack_ms = (after - before) / 1e6, (unsure + unsure_too) / 1e6
    low_ms, high_ms = drift_ms - slack_ms, drift_ms + slack_ms
    return Check(
        name, bounded(low_ms, high_ms, 0, allowed_ms),
        f"moved by {words(drift_ms, 3)} ms from before the run to after it (each known to "
        f"{words(slack_ms / 2, 2)} ms)",
        affects, drift_ms, 0.0, allowed_ms, "ms",
        f"{words_}'s clock drifted by {words(drift_ms, 3)} ms",
        low=low_ms, high=high_ms, rule=BOUNDED,
    )  # fmt: skip


def _end(manifest: dict[str, Any], role: str, when: str) -> tuple[int, int] | None:
    here: Any = manifest
    for key in ("roles", role, "clock", when):
        here = here.get(key) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        return None
    offset, unsure = here.get("offset_ns"), here.get("uncertainty_ns")
    whole = isinstance(offset, int) and isinstance(unsure, int)
    return (offset, unsure) if whole else None
