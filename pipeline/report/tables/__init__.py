"""What pages show, as frames and sentences made from :mod:`pipeline.api`; nothing is drawn yet.

The ``df_*`` functions list the columns of what they return. Times are on the client's clock, as in the ledger.
"""

from pipeline.report.tables.checks import (
    ANSWERS,
    believed,
    df_checks,
    df_modelled,
    df_models_against_client,
    df_verdicts,
    headlines,
    verdict_lines,
)
from pipeline.report.tables.equations import (
    bottleneck_words,
    client_words,
    df_readings,
    df_residence,
    df_side_by_side,
    df_stations,
)
from pipeline.report.tables.host_cpu import df_host_cpu, host_cpu_text
from pipeline.report.tables.quality import (
    df_clocks,
    df_instruments,
    df_missing,
    df_not_compared,
    df_processes_compared,
    df_rejects,
    df_sampling,
    doubts,
)
from pipeline.report.tables.run import df_facts
from pipeline.report.tables.server_ratio import df_server_ratio, server_ratio_text
from pipeline.report.tables.servers import (
    df_comparison,
    df_layout,
    df_rank,
    df_ratios,
    df_servers,
    df_spread,
    df_tables,
    df_together,
    rank_words,
    ratio_words,
    study_headlines,
)

__all__ = [
    "ANSWERS",
    "believed",
    "bottleneck_words",
    "client_words",
    "df_checks",
    "df_clocks",
    "df_comparison",
    "df_facts",
    "df_host_cpu",
    "df_instruments",
    "df_layout",
    "df_missing",
    "df_modelled",
    "df_models_against_client",
    "df_not_compared",
    "df_processes_compared",
    "df_rank",
    "df_ratios",
    "df_readings",
    "df_rejects",
    "df_residence",
    "df_sampling",
    "df_server_ratio",
    "df_servers",
    "df_side_by_side",
    "df_spread",
    "df_stations",
    "df_tables",
    "df_together",
    "df_verdicts",
    "doubts",
    "headlines",
    "host_cpu_text",
    "rank_words",
    "ratio_words",
    "server_ratio_text",
    "study_headlines",
    "verdict_lines",
]
