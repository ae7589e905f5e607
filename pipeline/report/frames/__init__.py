"""What a run's page draws and tabulates, as frames: from stored tables and the ledger, nothing shown yet.

``open_run`` gives a ``RunData``; the ``df_*`` functions take it and list the columns of what they return. Times
are on the client's clock, as in the ledger.
"""

from pipeline.report.frames.numbers import (
    AS_PRINTED,
    CORRECTED,
    bottleneck_words,
    client_words,
    df_against_client,
    df_readings,
    df_residence,
    df_side_by_side,
    df_stations,
    flags_of,
    headlines,
    value_of,
)
from pipeline.report.frames.over_time import (
    df_completions,
    df_disks,
    df_server_cpu,
    df_spans,
    df_threads,
)
from pipeline.report.frames.quality import df_clocks, df_gates, df_rejects, df_sampling, doubts
from pipeline.report.frames.run import TITLES, RunData, df_facts, open_run
from pipeline.report.frames.study import (
    PUBLISHED,
    SOURCES,
    StudyData,
    df_comparison,
    df_layout,
    df_rank,
    df_ratios,
    df_servers,
    df_spread,
    df_tables,
    open_study,
    rank_words,
    ratio_words,
    study_headlines,
)

__all__ = [
    "AS_PRINTED",
    "CORRECTED",
    "PUBLISHED",
    "SOURCES",
    "TITLES",
    "RunData",
    "StudyData",
    "bottleneck_words",
    "client_words",
    "df_against_client",
    "df_clocks",
    "df_comparison",
    "df_completions",
    "df_disks",
    "df_facts",
    "df_gates",
    "df_layout",
    "df_rank",
    "df_ratios",
    "df_readings",
    "df_rejects",
    "df_residence",
    "df_sampling",
    "df_server_cpu",
    "df_servers",
    "df_side_by_side",
    "df_spans",
    "df_spread",
    "df_stations",
    "df_tables",
    "df_threads",
    "doubts",
    "flags_of",
    "headlines",
    "open_run",
    "open_study",
    "rank_words",
    "ratio_words",
    "study_headlines",
    "value_of",
]
