"""Tables and sentences of the pages, as frames and text from :mod:`pipeline.api`.

The ``df_*`` functions list the columns of what they return. Times are on the client's clock, as in the ledger.
"""

from pipeline.api.environment import df_environment
from pipeline.api.paper_tables import df_layout, df_tables
from pipeline.api.response_time import df_residence
from pipeline.api.stations import df_stations, stations
from pipeline.report.tables.checks import (
    CALLOUT_KINDS,
    df_checks,
    df_host_model,
    df_model_checks,
    model_check,
    model_check_result,
    model_check_text,
    model_check_title,
    run_key_figures,
)
from pipeline.report.tables.equations import (
    client_text,
    df_host_cpu,
    df_process_cpu,
    df_side_by_side,
    df_variants,
    host_cpu_text,
    residence_caption,
)
from pipeline.report.tables.headline import fold_title, headline
from pipeline.report.tables.network import df_headroom, network, network_caption
from pipeline.report.tables.quality import (
    df_clocks,
    df_cross_checks,
    df_missing,
    df_not_cross_checked,
    df_process_cross_checks,
    df_rejects,
    df_sampling,
    warnings,
    warnings_callout,
    warnings_text,
)
from pipeline.report.tables.run import df_facts
from pipeline.report.tables.server_ratio import df_server_ratio, server_ratio_text
from pipeline.report.tables.servers import (
    df_colocated,
    df_comparison,
    df_rank,
    df_ratios,
    df_servers,
    df_spread,
    rank_text,
    server_differences_text,
    study_headline,
    study_key_figures,
)
from pipeline.report.tables.summary import SUMMARY, df_summary
from pipeline.report.tables.worked_equations import equations_markdown

__all__ = [
    "CALLOUT_KINDS",
    "SUMMARY",
    "client_text",
    "df_checks",
    "df_clocks",
    "df_colocated",
    "df_comparison",
    "df_cross_checks",
    "df_environment",
    "df_facts",
    "df_headroom",
    "df_host_cpu",
    "df_host_model",
    "df_layout",
    "df_missing",
    "df_model_checks",
    "df_not_cross_checked",
    "df_process_cpu",
    "df_process_cross_checks",
    "df_rank",
    "df_ratios",
    "df_rejects",
    "df_residence",
    "df_sampling",
    "df_server_ratio",
    "df_servers",
    "df_side_by_side",
    "df_spread",
    "df_stations",
    "df_summary",
    "df_tables",
    "df_variants",
    "equations_markdown",
    "fold_title",
    "headline",
    "host_cpu_text",
    "model_check",
    "model_check_result",
    "model_check_text",
    "model_check_title",
    "network",
    "network_caption",
    "rank_text",
    "residence_caption",
    "run_key_figures",
    "server_differences_text",
    "server_ratio_text",
    "stations",
    "study_headline",
    "study_key_figures",
    "warnings",
    "warnings_callout",
    "warnings_text",
]
