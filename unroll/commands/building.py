"""Commands that build: `demo`, `repro`, `official` and `verify`."""

import os
import time
from typing import Annotated

import typer

from pipeline.errors import UsageError
from unroll.app import app, known_data_sets

Targets = Annotated[
    list[str] | None,
    typer.Argument(help="Stages, such as evaluate@waves; by default all."),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, help="Trainings side by side.")
]

CORES = os.cpu_count() or 1
"""The number of cores, the default of --jobs."""


@app.command(rich_help_panel="Start here")
def demo(context: typer.Context, jobs: Jobs = CORES) -> None:
    """Train some experiments in .demo, offline, and compare their errors with the
    committed ones, in about two minutes.

    `unroll demo` · `unroll demo --jobs 1`
    """
    from unroll.demo import demo

    raise typer.Exit(demo(context.obj, jobs))


@app.command(rich_help_panel="Start here")
def repro(
    context: typer.Context,
    targets: Targets = None,
    jobs: Jobs = CORES,
    scores: Annotated[
        bool, typer.Option(help="Print the scores of what was built.")
    ] = True,
    scheduler: Annotated[
        str,
        typer.Option(
            envvar="DASK_SCHEDULER_ADDRESS",
            metavar="ADDRESS",
            help="Train on the workers of this Dask scheduler.",
        ),
    ] = "",
) -> None:
    """Build everything that is out of date (`dvc repro --keep-going`), then the page;
    say what failed and why.

    `unroll repro` · `unroll repro --jobs 1 evaluate@waves`
    """
    from unroll.hints import program
    from unroll.repro import repro, summary
    from unroll.results.compare import evaluation_times, show_answers

    started = time.time()
    before = evaluation_times(context.obj)
    os.environ["UNROLL_JOBS"] = str(jobs)
    if scheduler:
        os.environ["DASK_SCHEDULER_ADDRESS"] = scheduler
    status = repro(context.obj, targets or [], jobs=jobs)
    if scores:
        times = evaluation_times(context.obj)
        new = [name for name, time in times.items() if before.get(name) != time]
        if new:
            print()
            show_answers(context.obj, new)
        if context.obj.report.exists():
            print(f"\nThe page: {context.obj.report}")
        if new:
            name = new[0] if len(new) == 1 else "NAME"
            print(f"Next: `{program(context.obj)} compare {name}` shows all models.")
    for line in summary(context.obj, status, started):
        print(line)
    raise typer.Exit(status)


@app.command(rich_help_panel="Start here")
def official(context: typer.Context, jobs: Jobs = CORES) -> None:
    """Build the data sets of official.yaml, which need Jena's official 10-minute file, in
    .official, and copy their evaluations into results/.

    `unroll official` · `UNROLL_MIRROR=../mirror unroll official --jobs 1`
    """
    from unroll.official import official

    raise typer.Exit(official(context.obj, jobs))


@app.command(rich_help_panel="Search and check")
def verify(
    context: typer.Context,
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Data sets; by default all.", autocompletion=known_data_sets
        ),
    ] = None,
    jobs: Jobs = CORES,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Build a small graph twice instead, which takes a minute.",
        ),
    ] = False,
) -> None:
    """Build the last commit again in .verify, and compare the outputs of each stage with
    dvc.lock, byte for byte.

    `unroll verify` · `unroll verify waves` · `unroll verify --quick`
    """
    from unroll import verify

    if not quick:
        raise typer.Exit(0 if verify.verify(context.obj, datasets or [], jobs) else 1)
    if datasets:
        raise UsageError(
            "--quick builds a small graph of its own; "
            f"leave out {', '.join(datasets)}, or --quick"
        )
    raise typer.Exit(0 if verify.quick(context.obj, jobs) else 1)
