"""Sentences of the model that a user reads; short, because ``MissingData`` is raised for few reasons.

They say why a run could not be observed or a model not be fitted; tables of missing values and pages show them.
"""

from __future__ import annotations

NO_LOAD = "no load on this virtual server"
NO_CLIENT_FIGURES = "the client log has no throughput or no mean response time"
NO_TASK_COUNTERS = (
    "the host model needs the kernel's counters of QEMU's threads (tasks.log of the host), "
    "which this recording does not have"
)
NO_CPU_COUNT = "neither study.json nor the host's facts.json gives the number of CPUs"
NO_RUN_TO_FIT = "no run to fit the model to"
NO_DEMAND = "all demands of the model are 0: an open load has no saturation"
