"""The Python API: recorded studies and runs, their tables, ledgers and checks, the fitted models and the solver.

The only module through which notebooks, pages and the command line use the packages below::

    import pipeline as qv

    run = qv.open_run("kvm-case-study", "first", "db-16-a")
    run.ledger                                   # schema in docs/reference/tables.md
    run.checks

A name is imported when it is first used, because reading a log needs no SciPy.

:mod:`runs`     list, ingest and select recorded runs
:mod:`run`      one run: tables, ledger, checks
:mod:`timeline` rates over the time of one run
:mod:`stations` utilization of the stations of one run
:mod:`response_time` residence times of one run
:mod:`plot`     charts of one run
:mod:`host_cpu` CPU time of QEMU's threads per request
:mod:`study`    the runs of a case study on every server
:mod:`export`   frames as files of other programs, ``formats``
:mod:`demands`  demands by regression and by a Kalman filter
:mod:`holdout`  predictions of held-out loads
:mod:`influence` effects of the factors of a designed experiment
:mod:`factors`  designed experiments: runs, effects, charts
:mod:`what_if`  predictions for other loads and hardware
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "pipeline.api.demands": ("regress_demand", "track_demand"),
    "pipeline.api.export": ("write_frame",),
    "pipeline.api.formats": ("ExportError",),
    "pipeline.api.plot": ("RunPlots",),
    "pipeline.api.fit": ("FittedModel", "LoadPrediction", "closed", "even", "poisson"),
    "pipeline.api.holdout": ("HoldoutData", "open_holdout"),
    "pipeline.api.influence": ("ExperimentData", "InfluenceData", "open_influence"),
    "pipeline.api.host_cpu": ("HostCpu", "host_cpu_demand"),
    "pipeline.api.ledgers": (
        "checked_ledger",
        "iterate_ledgers",
        "scan_ledgers",
        "store_ledgers",
    ),
    "pipeline.api.run": ("RunData", "open_run"),
    "pipeline.api.runs": (
        "find_problems",
        "ingest_runs",
        "list_runs",
        "load_text",
        "verify_checksums",
        "write_checksums",
    ),
    "pipeline.api.study": ("StudyData", "open_study", "two_servers"),
    "pipeline.api.what_if": ("RECORDED", "WhatIf", "open_what_if", "what_if_of"),
    "pipeline.assemble": (
        "AssembleError",
        "Choices",
        "Plan",
        "Question",
        "propose",
        "read_sources",
        "run_names",
        "write_plan",
    ),
    "pipeline.audit": ("Audit", "AuditError", "audit_table", "parse_assignments"),
    "pipeline.cited_models": (
        "instructions_from_slowdown",
        "privileged_fraction_from_slowdown",
        "privileged_instruction_slowdown",
    ),
    "pipeline.raw": (
        "CLIENT",
        "HOST",
        "RawRunError",
        "Run",
        "Study",
        "VirtualServer",
        "find_runs",
        "find_studies",
        "find_unreadable_folders",
        "find_study",
        "select_runs",
    ),
    "pipeline.demands.kalman": ("Track",),
    "pipeline.evaluate.scalability_law": ("ScalabilityError", "UslFit", "fit_usl"),
    "pipeline.files": ("MAX_EXPANDED_BYTES",),
    "pipeline.ingest": ("IngestError",),
    "pipeline.api.factors": (
        "compare_scales",
        "effects_document",
        "factor_charts",
        "factor_design",
        "factor_effects",
        "half_normal",
        "interaction_means",
        "read_observations",
        "variation",
        "write_factor_charts",
    ),
    "pipeline.factors": ("Effects", "FactorError"),
    "pipeline.factors.design": ("Design",),
    "pipeline.factors.scale": ("ScaleComparison",),
    "pipeline.ledger.catalogue": (
        "AS_PRINTED",
        "CATALOGUE",
        "CORRECTED",
        "KEPT",
        "VARIANTS",
        "Entry",
    ),
    "pipeline.kinds": ("AUTO", "KINDS"),
    "pipeline.ledger.texts": ("INFERRED_FLAGS",),
    "pipeline.ledger.lookup": ("LedgerView", "choice_text", "value_of"),
    "pipeline.measure.load": ("Load",),
    "pipeline.measure.texts": ("NO_HOST",),
    "pipeline.measure.window": ("MissingData",),
    "pipeline.model.fit": ("DeploymentRuns",),
    "pipeline.model.observation": ("Deployment", "Observation"),
    "pipeline.model.prediction": ("Band", "Prediction"),
    "pipeline.model.scenario": (
        "TargetCrossing",
        "HardwareChange",
        "ResponseCurve",
        "Scenario",
        "capacity_for_target",
        "sweep",
    ),
    "pipeline.network.closed": ("mean_value_analysis",),
    "pipeline.network.files": ("read_model", "write_model"),
    "pipeline.network.model": ("ModelError", "Network"),
    "pipeline.network.result": ("Solution",),
    "pipeline.network.solve": ("solve",),
    "pipeline.parse": ("Parsed", "ParseError", "parse_file", "parse_pieces"),
    "pipeline.parse.parsed": ("joined_summary",),
    "pipeline.quality.assess": ("FLAG_PREFIX",),
    "pipeline.quality.texts": ("TIMES",),
    "pipeline.quality.check": (
        "FAILED",
        "INCONCLUSIVE",
        "NOT_EVALUATED",
        "PASSED",
        "result_counts_text",
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
