"""``queuevisor simulate``: a study with known demands, written as the tools would have recorded it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.say import progress, refusal


def simulate_study(
    out: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of the new study; its name is the study's.", show_default=False
        ),
    ] = None,
    demands: Annotated[
        Path | None,
        typer.Option(help="A queuevisor-demands/1 file; without it, the one that --show prints."),
    ] = None,
    drawn: Annotated[
        int,
        typer.Option(
            "--random",
            min=0,
            max=1000,
            help="Instead: so many hosts drawn at random, one run each.",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The same seed writes the same bytes.")
    ] = 1,
    runs: Annotated[int, typer.Option(min=1, max=100, help="How often each run is repeated.")] = 1,
    show: Annotated[
        bool, typer.Option("--show", help="Print a demands file to start from, and stop.")
    ] = False,
) -> None:
    """Simulate a host with known demands, and write what top, iotop, /sys/block, httperf and sysbench would print.

    A recorded study never tells what its demands really are. This one does: OUT is a study like any other, to
    ingest, to print the ledger of, to report, and OUT/truth.json says what is true of each run: the demand at
    the guest's CPU, at its disk and at the host's disk, the background, and the response time that the client
    saw. Hand out the folder without truth.json, and compare afterwards.

    To try: queuevisor simulate data/raw/known
    then: queuevisor ingest known && queuevisor ledger known

    To change the host: queuevisor simulate --show > demands.json, edit it, and
    queuevisor simulate data/raw/mine --demands demands.json --seed 7

    Every key of the file is explained in docs/background/ground-truth.md.
    """
    from pipeline.synthetic.demands_file import EXAMPLE, parse_plan, read_plan
    from pipeline.synthetic.plan import PlanError
    from pipeline.synthetic.study import write_random_study, write_study

    if show:
        typer.echo(json.dumps(EXAMPLE, indent=2, ensure_ascii=False))
        return
    if out is None:
        raise refusal("simulate: say the new study's folder (or --show)")
    if drawn and (demands is not None or runs > 1):
        raise refusal("simulate: --random draws its own demands, and each host once")
    try:
        if drawn:
            with progress("simulate", drawn) as step:
                truth = write_random_study(drawn, out, seed, step)
        else:
            plan = parse_plan(EXAMPLE) if demands is None else read_plan(demands)
            with progress("simulate", len(plan.servers) * len(plan.runs) * runs) as step:
                truth = write_study(plan, out, seed, runs, step)
    except PlanError as error:
        raise refusal(str(error)) from None
    except OSError as error:
        raise refusal(f"{out}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"{out}: a study; the truth about it is in {truth}")
