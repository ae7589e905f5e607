"""``queuevisor simulate``: a study with known demands, written as the tools would have recorded it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import NOTHING_WRITTEN, orderly_exit, print_line, progress, usage_error


def simulate_study(
    out: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of the new study; its name becomes the study's.", show_default=False
        ),
    ] = None,
    demands: Annotated[
        Path | None,
        typer.Option(help="A queuevisor-demands/1 file (default: the one that --show prints)."),
    ] = None,
    drawn: Annotated[
        int,
        typer.Option(
            "--random",
            min=0,
            max=1000,
            help="Instead: this number of random hosts, one run each.",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed; the same seed writes the same bytes.")
    ] = 1,
    runs: Annotated[int, typer.Option(min=1, max=100, help="Replications of each run.")] = 1,
    show: Annotated[
        bool, typer.Option("--show", help="Print an example of a demands file and exit.")
    ] = False,
) -> None:
    """Simulate a host with known demands and write the logs of top, iotop, /sys/block, httperf and sysbench.

    OUT is a study like a recorded one: ingest it, print its ledger, make its report. OUT/truth.json has the ground
    truth of each run: demands at the guest's CPU, the guest's disk and the host's disk, the background, and the
    response time that the client measured. For an exercise, hand out the folder without truth.json.

    Example: queuevisor simulate data/raw/synthetic, then queuevisor ledger synthetic

    To change the host: queuevisor simulate --show > demands.json, edit the file, then
    queuevisor simulate data/raw/mine --demands demands.json --seed 7

    Keys of the file: docs/background/ground-truth.md.
    """
    import json

    from pipeline.synthetic.demands_file import EXAMPLE, parse_plan, read_plan
    from pipeline.synthetic.plan import PlanError
    from pipeline.synthetic.study import write_random_study, write_study

    if show:
        typer.echo(json.dumps(EXAMPLE, indent=2, ensure_ascii=False))
        return
    if out is None:
        raise usage_error(
            "missing folder of the new study; for an example of a demands file use --show"
        )
    if drawn and (demands is not None or runs > 1):
        raise usage_error(
            "--random draws its own demands, one run per host; omit --demands and --runs"
        )
    try:
        if drawn:
            with orderly_exit(NOTHING_WRITTEN), progress("simulate", drawn) as step:
                truth = write_random_study(drawn, out, seed, step)
        else:
            plan = parse_plan(EXAMPLE) if demands is None else read_plan(demands)
            count = len(plan.servers) * len(plan.runs) * runs
            with orderly_exit(NOTHING_WRITTEN), progress("simulate", count) as step:
                truth = write_study(plan, out, seed, runs, step)
    except PlanError as error:
        raise usage_error(str(error)) from None
    except OSError as error:
        raise usage_error(f"{out}: cannot be written: {error.strerror or error}") from None
    print_line(f"wrote study {out}; ground truth in {truth}")
