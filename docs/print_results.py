"""Print the tables of docs/results/ and of the recorded study's data sheet from the frames that the report shows.

A page holds ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands between them is replaced by the block ``NAME``.
Run by ``make docs``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import api
from pipeline.api import paper_tables
from pipeline.report import headings as page_headings
from pipeline.report.html_table import cell_text
from pipeline.report.tables import demands, holdout, server_ratio
from pipeline.tables import flat

ROOT = Path(__file__).parent.parent
STUDY = "kvm-case-study"
PAGES = (ROOT / "docs/results/kvm-case-study.md", ROOT / f"data/raw/{STUDY}/README.md")
DRAWN_STUDIES = 20
"""Studies of the parametric bootstrap: as many as the report page draws."""

MARKED = re.compile(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", re.DOTALL)


@dataclass(frozen=True)
class Results:
    """What the blocks are printed from, each computed when first used."""

    raw: Path = ROOT / "data/raw"
    processed: Path = ROOT / "data/processed"

    @cached_property
    def holdout(self) -> api.HoldoutData:
        """The predictions of all held-out loads."""
        return api.open_holdout(STUDY, raw=self.raw, processed=self.processed)

    @cached_property
    def held_out(self) -> pl.DataFrame:
        """Every held-out load with its outcome."""
        return holdout.df_held_out(self.holdout)

    @cached_property
    def bootstrap(self) -> pl.DataFrame:
        """Outcomes of studies that are drawn from the fitted model."""
        return holdout.df_bootstrap(self.holdout, DRAWN_STUDIES)

    @cached_property
    def servers(self) -> api.StudyData:
        """The comparison of the two servers."""
        return api.open_study(STUDY, raw=self.raw, processed=self.processed)

    @cached_property
    def tables(self) -> pl.DataFrame:
        """Published and recorded numbers in the layout of Tables I and II."""
        return paper_tables.df_tables(self.servers)


BLOCKS: dict[str, Callable[[Results], str]] = {}


def block(function: Callable[[Results], str]) -> Callable[[Results], str]:
    """Register a block by its function's name."""
    BLOCKS[function.__name__.replace("_", "-")] = function
    return function


def markdown_table(frame: pl.DataFrame, headings: Mapping[str, str] | None = None) -> str:
    """``frame`` as a Markdown table, its values as the report prints them."""
    shown = flat(frame)
    names = page_headings.column_headings(shown.columns, headings)
    rule = ["---:" if shown[name].dtype.is_numeric() else "---" for name in shown.columns]
    rows = [[cell_text(value).replace("|", "\\|") for value in row] for row in shown.iter_rows()]
    return "\n".join("| " + " | ".join(row) + " |" for row in (names, rule, *rows))


@block
def extent(results: Results) -> str:
    """How much was recorded."""
    runs = results.holdout.study.runs()
    observations = results.holdout.observations
    held_out = sum(o.held_out for o in observations)
    return (
        f"{len(runs)} runs, {len(observations)} loads on virtual servers, {held_out} of them held out; "
        f"{len(observations[0].run_demands.demand('host_cpu').draws_s)} bootstrap draws per run."
    )


@block
def outcomes(results: Results) -> str:
    """Numbers of outcomes, by the average over a load's runs."""
    return markdown_table(
        holdout.df_averages(results.holdout), {"loads": "loads outside tolerance"}
    )


@block
def held_out_loads(results: Results) -> str:
    """Every held-out load."""
    return markdown_table(results.held_out.drop("X_model"), page_headings.HELD_OUT)


@block
def drawn_studies(results: Results) -> str:
    """What a correct model would get."""
    drawn, held_out = results.bootstrap, results.held_out
    return (
        f"{holdout.bootstrap_text(drawn, held_out)}\n\n"
        f"{markdown_table(holdout.df_bootstrap_by_load(drawn, held_out), page_headings.BOOTSTRAP)}"
    )


@block
def predictors(results: Results) -> str:
    """Mean errors of every predictor."""
    better = [f"- {text}" for text in holdout.linear_baseline_text(results.holdout)]
    lead = ["\nThe linear baseline has the lower error for\n"] if better else []
    table = markdown_table(holdout.df_summary(results.holdout), page_headings.SUMMARY)
    return "\n".join([table, *lead, *better])


@block
def ablation(results: Results) -> str:
    """What each correction contributes."""
    return markdown_table(holdout.df_ablation(results.holdout), page_headings.SUMMARY)


@block
def decomposition(results: Results) -> str:
    """The error decomposition of every held-out run."""
    return markdown_table(
        holdout.df_error_decomposition(results.holdout), page_headings.DECOMPOSITION
    )


@block
def calibration(results: Results) -> str:
    """The calibrated constants and the demand curves."""
    return "\n".join(f"- {text}" for text in demands.calibration_text(results.holdout))


@block
def regression(results: Results) -> str:
    """Demands by regression over the fitted runs."""
    return markdown_table(demands.df_regression(results.holdout), page_headings.REGRESSION)


@block
def transfer(results: Results) -> str:
    """The second server predicted from the first."""
    return markdown_table(holdout.df_transfer(results.holdout), page_headings.TRANSFER)


@block
def co_located(results: Results) -> str:
    """Runs with several loads."""
    return markdown_table(holdout.df_colocated(results.holdout), page_headings.COLOCATED)


@block
def tables_one_and_two(results: Results) -> str:
    """Tables I and II, published and recorded."""
    better, worse = api.two_servers(results.servers)
    return "\n\n".join(
        f"Table {numeral}: the {server} server\n\n"
        f"{markdown_table(paper_tables.df_layout(results.servers, results.tables, server))}"
        for numeral, server in (("I", better), ("II", worse))
    )


@block
def server_ratios(results: Results) -> str:
    """How many times better the first server is."""
    better, worse = api.two_servers(results.servers)
    ratios = server_ratio.df_server_ratio(results.servers, better, worse)
    return markdown_table(ratios, {"ratio": "speed-up", "runs": f"runs ({better}, {worse})"})


@block
def disks(results: Results) -> str:
    """Throughput, response time and disk utilization of every database run at 16 threads."""
    loads = [
        o
        for o in results.holdout.observations
        if o.load.kind == "closed" and o.load.population == 16
    ]
    ledger = pl.concat(
        api.open_run(
            STUDY, o.server, o.run, raw=results.raw, processed=results.processed
        ).ledger.filter(virtual_server=o.virtual_server)
        for o in loads
    )
    columns = {
        "X_client": ("X (1/s)", 1.0),
        "R_client": ("R, client (ms)", 1e3),
        "U_vdisk_total": ("U, guest disk (%)", 100.0),
        "U_disk_total": ("U, host disk (%)", 100.0),
    }
    wide = (
        ledger.filter(
            pl.col("quantity").is_in(list(columns)),
            pl.col("background").is_null() | (pl.col("background") == "kept"),
        )
        .unique(["server", "run", "quantity"], keep="first", maintain_order=True)
        .pivot("quantity", index=["server", "run"], values="value")
    )
    return markdown_table(
        wide.select(
            "server",
            "run",
            *((pl.col(name) * factor).alias(title) for name, (title, factor) in columns.items()),
        )
    )


def fill(text: str, results: Results) -> str:
    """``text`` with the blocks that it names printed anew; an unknown name is a ``KeyError``."""

    def block_text(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- {name} -->\n\n{BLOCKS[name](results)}\n\n<!-- /{name} -->"

    return MARKED.sub(block_text, text)


def main() -> None:
    """Fill every page."""
    results = Results()
    for page in PAGES:
        page.write_text(fill(page.read_text(), results))


if __name__ == "__main__":
    sys.exit(main())
