"""Commands that build: `demo`, `repro`, `official`, `verify` and `tune`."""

import os
import time
from typing import Annotated

import typer

from pipeline.errors import UsageError
from unroll.app import app, known_data_sets, own_workspace

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


@app.command(rich_help_panel="Search and check")
def tune(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="An experiment, or a data set for all its experiments with `trials`."
        ),
    ],
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="By default the number in params.yaml, or 30."
        ),
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these options: units,dropout or, with a range, units=8:64 "
            "(repeatable)."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="The number of seeds for each trial.")
    ] = 1,
    number: Annotated[
        int,
        typer.Option(
            "--search",
            min=1,
            help="The number of the search; each draws other options.",
        ),
    ] = 1,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Replace the experiment's own options by the best ones."
        ),
    ] = False,
    new_name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="The name of the new experiment; by default gru_tuned for waves/gru.",
        ),
    ] = None,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only print the ranges.")
    ] = False,
) -> None:
    """Try other options of an experiment, and write the best on validation to
    params.yaml. No trial sees the test split.

    `unroll tune waves/gru` · `unroll tune jena_hourly/gru --trials 50 --over
    units,learning_rate=1e-4:1e-2` · `unroll tune waves --in-place`
    """
    from unroll.answers.find import refuse_answer

    advice = "the options of its models are fixed, and `unroll tune` is for experiments"
    refuse_answer(name, own_workspace(context), f"{advice} of params.yaml")
    from unroll.tune.tune import tune

    tune(
        context.obj,
        name,
        trials=trials,
        over=",".join(over).split(",") if over else [],
        seeds=seeds,
        number=number,
        in_place=in_place,
        new_name=new_name,
        dry=dry,
    )
