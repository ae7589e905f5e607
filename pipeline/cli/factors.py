"""``queuevisor factors``: lists of runs of designed experiments, and the effects of their factors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import print_error, print_line, usage_error
from pipeline.cli.options import with_folders

if TYPE_CHECKING:  # slow to import: not for help
    from pipeline.api import Design, Effects, ScaleComparison

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Designed experiments with two levels per factor.

`queuevisor factors design --factor threads=2,16 --factor cache=none,writeback` writes a list of runs;
`queuevisor factors effects results.csv --response X_per_s` says which factors matter, and by how much.

The terms are explained in docs/background/factors.md.
""",
)


class Form(StrEnum):
    """Forms of the output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def design_runs(
    factor: Annotated[
        list[str],
        typer.Option(
            "--factor",
            metavar="NAME=LOW,HIGH",
            help="A factor and its two levels; NAME alone has -1 and 1.",
        ),
    ],
    generator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A:B:C",
            help="Make this factor's column the product of others; --generator=NAME=-A:B for the opposite.",
        ),
    ] = None,
    fraction: Annotated[
        int, typer.Option(min=0, help="p of a 2^(k-p) design; its generators are searched for.")
    ] = 0,
    replicates: Annotated[int, typer.Option(min=1, help="Runs of each combination of levels.")] = 1,
    blocks: Annotated[
        str | None,
        typer.Option(
            metavar="N|A:B:C",
            help="Number of blocks, or the interactions (separated by commas) that divide each replicate.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random order.")] = 0,
    form: Annotated[
        Form, typer.Option("--format", help="Output format; table and json show the aliases, too.")
    ] = Form.CSV,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write.")] = None,
) -> None:
    """Write a list of runs, in random order within blocks; its resolution and aliases go to standard error.

    Example: queuevisor factors design --factor A --factor B --factor C --factor D --fraction 1 --replicates 2
    """
    from pipeline import api

    plan = api.factor_design(
        _levels(factor),
        generators=dict(_generator(text) for text in generator or ()),
        fraction=fraction,
        replicates=replicates,
        blocks=_blocks(blocks),
        seed=seed,
    )
    if form is Form.TABLE and out is None:
        from pipeline.cli.tabulate import show

        show(plan.runs)
        show(plan.aliases, "effects and their aliases")
    else:
        _write(_design_text(plan, form), out)
    for line in _design_facts(plan):
        print_error(line)


def _levels(texts: list[str]) -> dict[str, tuple[Any, Any]]:
    """Factor → its levels, of ``NAME=LOW,HIGH``; exit code 2 for another form."""
    levels: dict[str, tuple[Any, Any]] = {}
    for text in texts:
        name, _, pair = text.rpartition("=") if "=" in text else (text, "", "-1,1")
        parts = [part.strip() for part in pair.split(",")]
        if len(parts) != 2 or not all(parts) or not name.strip():
            raise usage_error(f"--factor {text}: use NAME=LOW,HIGH, for example threads=2,16")
        if name.strip() in levels:
            raise usage_error(f"--factor {text}: {name.strip()} is given twice")
        levels[name.strip()] = tuple(_as_number(parts))
    return levels


def _as_number(parts: list[str]) -> list[Any]:
    """Both as whole numbers if they are, else as they are printed."""
    return [int(part) for part in parts] if all(_is_whole(part) for part in parts) else parts


def _is_whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0")


def _generator(text: str) -> tuple[str, list[str]]:
    """``D=A:B:C``, or ``D=ABC`` of names with one letter, as factor and factors."""
    name, mark, product = text.partition("=")
    product = product.strip()
    sign = "-" if product.startswith("-") else ""
    product = product.removeprefix("-")
    parts = [part.strip() for part in product.split(":")]
    if not mark or not all(parts):
        raise usage_error(f"--generator {text}: use NAME=A:B:C")
    if len(parts) == 1 and product.isupper() and len(product) > 1:
        parts = list(product)
    return name.strip(), [sign + parts[0], *parts[1:]]


def _blocks(text: str | None) -> int | list[str] | None:
    if text is None:
        return None
    return int(text) if text.strip().isdecimal() else [part.strip() for part in text.split(",")]


def _design_text(plan: Design, form: Form) -> str:
    """The list of runs as CSV or JSON."""
    if form is Form.JSON:
        return _json(
            {
                "factors": [
                    {"name": name, "low": low, "high": high}
                    for name, (low, high) in plan.levels.items()
                ],
                "generators": {name: ":".join(parts) for name, parts in plan.generators.items()},
                "resolution": plan.resolution,
                "defining_relation": plan.defining_relation,
                "aliases": dict(plan.aliases.iter_rows()),
                "confounded_with_blocks": plan.with_blocks,
                "runs": plan.runs.to_dicts(),
            }
        )
    return plan.runs.write_csv()


ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
MAX_ALIASES = 4
"""Aliases of an effect in a line; the lowest orders come first."""


def _design_facts(plan: Design) -> list[str]:
    """Lines about what the design separates."""
    p, k = len(plan.generators), len(plan.levels)
    lines = [f"{plan.runs.height} runs: {plan.cells} combinations of {k} factors"]
    if not p:
        lines.append("full factorial: no effect is aliased")
    else:
        resolution = plan.resolution
        name = ROMAN[resolution] if resolution and resolution < len(ROMAN) else str(resolution)
        generators = ", ".join(f"{f} = {':'.join(g)}" for f, g in plan.generators.items())
        lines.append(f"2^({k}-{p}) design of resolution {name}; generators {generators}")
        relation = [word for word in plan.defining_relation if word.count(":") + 1 == resolution]
        lines.append(f"defining relation, shortest effects: I = {' = '.join(_some(relation, 8))}")
        for effect, aliases in plan.aliases.iter_rows():
            if effect.count(":") < 2 and aliases:
                lines.append(f"aliases: {effect} = {' = '.join(_some(aliases, MAX_ALIASES))}")
    if plan.with_blocks:
        lines.append(f"confounded with blocks: {', '.join(_some(plan.with_blocks, 8))}")
    return lines


def _some(names: list[str], count: int) -> list[str]:
    rest = len(names) - count
    return names if rest <= 0 else [*names[:count], f"… ({rest} more)"]


def print_effects(
    file: Annotated[Path, typer.Argument(help="CSV: one row per observation or per combination.")],
    response: Annotated[
        list[str],
        typer.Option(
            help="Column of the response; y also stands for y1, y2, …; several are replications."
        ),
    ],
    factor: Annotated[
        list[str] | None,
        typer.Option(
            "--factor",
            metavar="NAME",
            help="Column of a factor (default: every column with two values but replicate, block, run, …).",
        ),
    ] = None,
    low: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="The low level of a factor, where it is not the smaller number or the earlier text.",
        ),
    ] = None,
    block: Annotated[
        str | None,
        typer.Option(help="Column of the blocks (default: the one named block); '' for none."),
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="Column of numbers that the effects are adjusted for.")
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Multiplicative model: fit the natural logarithms.")
    ] = False,
    interactions: Annotated[
        str,
        typer.Option(
            metavar="all|N|A:B,…",
            help="All that the rows separate, those up to N factors (1: none), or these.",
        ),
    ] = "all",
    level: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence level of the intervals.")
    ] = 0.95,
    form: Annotated[Form, typer.Option("--format", help="Output format.")] = Form.TABLE,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the charts as SVG files to this folder."),
    ] = None,
) -> None:
    """Print the effect of each factor and interaction, its interval, and its share of the variation.

    An estimate is half the difference between the high and the low level (q in Jain's book); shares are of the total
    sum of squares.

    Example: queuevisor factors effects results.csv --response X_per_s --format json
    """
    from pipeline import api

    table = api.read_observations(
        file,
        response,
        factors=_names(factor),
        block=block,
        covariates=_names(covariate),
        low=dict(_low(text) for text in low or ()),
    )
    try:
        fitted = api.factor_effects(
            table.frame,
            table.response,
            factors=table.factors,
            block=table.block,
            covariates=table.covariates,
            interactions=_interactions(interactions),
            log=log,
            level=level,
            low=table.low,
        )
    except api.FactorError as error:
        raise usage_error(f"{file}: {error}") from None
    comparison = api.compare_scales(fitted)
    if form is Form.JSON:
        _write(_json(api.effects_document(fitted, comparison, table.notes)), None)
    elif form is Form.CSV:
        from pipeline.tables import flat

        _write(flat(fitted.table).write_csv(), None)
    else:
        _print_table(fitted, comparison)
    for note in (*table.notes, *fitted.notes):
        print_error(note)
    if plot is not None:
        for path in api.write_factor_charts(fitted, plot):
            print_error(f"written: {path}")


def _names(given: list[str] | None) -> list[str]:
    return list(dict.fromkeys(given or ()))


def _low(text: str) -> tuple[str, str]:
    name, mark, value = text.rpartition("=")
    if not mark or not name:
        raise usage_error(f"--low {text}: use NAME=VALUE, for example cache=none")
    return name.strip(), value.strip()


def _interactions(text: str) -> str | int | list[str]:
    text = text.strip()
    if text.lower() == "all":
        return "all"
    if text.isdecimal():
        return int(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _print_table(fitted: Effects, comparison: ScaleComparison) -> None:
    """The model's facts and the effects, for people."""
    import polars as pl

    from pipeline.cli.tabulate import show

    for name, (low, high) in fitted.levels.items():
        print_line(f"{name}: {low} is low, {high} is high")
    scale = "natural logarithm of " if fitted.log else ""
    mean = f"mean of the {scale}{fitted.response}: {fitted.mean:.6g}"
    if fitted.mean_low is not None:
        mean += f" ({fitted.mean_low:.6g} to {fitted.mean_high:.6g})"
    print_line(f"{mean}; {fitted.rows} rows; intervals {fitted.level:.4g}")
    columns = ["effect", "aliases", "estimate", "low", "high"]
    columns += ["ratio", "ratio_low", "ratio_high"] if fitted.log else []
    rows = fitted.table.with_columns(
        pl.Series("share", [_percent(share) for share in fitted.table["share"]]),
        pl.col("p").round_sig_figs(2),
        aliases=pl.col("aliases").list.head(MAX_ALIASES),
    )
    columns += ["share", "p", "verdict"]
    if not fitted.table["aliases"].list.len().sum():
        columns.remove("aliases")
    show(rows.select(columns))
    shares = {
        "error": fitted.share_error,
        "blocks": fitted.share_blocks,
        "covariates": fitted.share_covariates,
    }
    parts = [f"{name} {_percent(share)}" for name, share in shares.items() if share is not None]
    if parts:
        print_line(f"share of the variation: {', '.join(parts)}")
    if fitted.residual_sd is not None:
        print_line(
            f"standard deviation of the error: {fitted.residual_sd:.6g},"
            f" {fitted.degrees_of_freedom} degrees of freedom"
        )
    if fitted.pseudo_standard_error is not None:
        print_line(f"Lenth's pseudo standard error: {fitted.pseudo_standard_error:.6g}")
    if fitted.defining_relation:
        print_line(f"defining relation: I = {' = '.join(_some(fitted.defining_relation, 8))}")
    print_line(f"recommended model: {comparison.recommended} ({comparison.reason})")
    if comparison.evidence is not None:
        print_line(comparison.evidence)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _write(text: str, out: Path | None) -> None:
    """Print ``text``, or write it to a file, whole or not at all."""
    if out is None:
        typer.echo(text, nl=False)
        return
    from pipeline import files

    files.write_text(out, text)


for name, command in {"design": design_runs, "effects": print_effects}.items():
    app.command(name)(with_folders(command))
