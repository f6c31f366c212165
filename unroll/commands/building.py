"""Commands that build: `demo`, `repro`, `official`, `verify`, `tune`, and the stages that
dvc.yaml runs.
"""

import os
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from pipeline.errors import UsageError
from pipeline.workspace import Workspace
from unroll.commands.app import DataSet, app, known_data_sets, own_workspace
from unroll.terminal import BUILD, show_table

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
    from unroll.builds.demo import demo

    raise typer.Exit(demo(context.obj, jobs))


@app.command(rich_help_panel="Start here")
def repro(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Stages, such as evaluate@waves; by default all."),
    ] = None,
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
    from unroll.builds.repro import repro, summary
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
            print(f"Next: `{context.obj.program} compare {name}` shows all models.")
    for line in summary(context.obj, status, started):
        print(line)
    raise typer.Exit(status)


@app.command(rich_help_panel="Start here")
def official(context: typer.Context, jobs: Jobs = CORES) -> None:
    """Build the data sets of official.yaml, which need Jena's official 10-minute file, in
    .official, and copy their evaluations into results/.

    `unroll official` · `UNROLL_MIRROR=../mirror unroll official --jobs 1`
    """
    from unroll.builds.demo import official

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
) -> None:
    """Build the last commit again in .verify, and compare the outputs of each stage with
    dvc.lock, byte for byte.

    `unroll verify` · `unroll verify waves`
    """
    from unroll.builds.verify import verify

    raise typer.Exit(0 if verify(context.obj, datasets or [], jobs) else 1)


@app.command(rich_help_panel="Stages")
def source(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A source of params.yaml.")],
) -> None:
    """Fetch or generate the raw data of a source.

    `unroll source waves` · `UNROLL_MIRROR=../shared/data unroll source imdb`
    """
    from stages.source import source

    print(os.path.relpath(source(context.obj, name)))


@app.command(rich_help_panel="Stages")
def prepare(context: typer.Context, name: DataSet) -> None:
    """Normalise and split a data set, from its source's raw data.

    `unroll prepare jena_hourly`
    """
    from stages.prepare import prepare

    prepare(context.obj, name)
    print(os.path.relpath(context.obj.prepared(name)))


@app.command(rich_help_panel="Stages")
def train(
    context: typer.Context,
    name: DataSet,
    experiment: Annotated[
        str,
        typer.Argument(help="An experiment of the data set; by default all."),
    ] = "",
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", "-j", min=1, envvar="UNROLL_JOBS", help="Trainings side by side."
        ),
    ] = CORES,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of epochs of a dry run, which is not recorded."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, max=2**32 - 1, help="A seed of a dry run (repeatable)."),
    ] = None,
) -> None:
    """Train the experiments of a data set that were not trained before, several at a
    time.

    `unroll train waves` · `unroll train waves rnn6` · `unroll train jena_hourly gru
    --epochs 2`
    """
    from stages.train import train

    workspace: Workspace = context.obj
    if "/" in name:
        raise UsageError(
            "data set and experiment are two arguments; run "
            f"unroll train {name.replace('/', ' ')}"
        )
    dry = epochs is not None or bool(seed)
    if dry and not experiment:
        raise UsageError(
            "--epochs and --seed are for one experiment; name it behind the data set: "
            f"unroll train {name} EXPERIMENT"
        )
    if dry:
        from stages.perform import trial

        print(os.path.relpath(trial(workspace, name, experiment, epochs, seed)))
        return
    trained = train(workspace, name, experiment, jobs)
    # `unroll repro` and the demo end with answers, which say more.
    if BUILD in os.environ:
        return
    _show_scores(workspace, trained.metric, trained.scores())
    unroll = workspace.program
    # DVC goes on to the stage `evaluate` by itself.
    if "DVC_STAGE" in os.environ:
        print(f"Next, when {name} is evaluated: `{unroll} compare {name}`.")
    else:
        first = f"`{unroll} repro evaluate@{name}`"
        print(f"Next: {first}, then `{unroll} compare {name}`.")


def _show_scores(
    workspace: Workspace, metric: str, scores: Mapping[str, float | None]
) -> None:
    """Print the scores of runs on test, beside those of their last evaluation.

    Args:
        workspace: the workspace of the runs.
        metric: the measure of their data set.
        scores: full name of an experiment -> its score.
    """
    from unroll.results.show import figure, score_of

    rows = [
        [run, figure(score), figure(score_of(workspace, *run.split("/")))]
        for run, score in scores.items()
    ]
    header = ("run", f"{metric} on test", "evaluated before")
    show_table(header, rows, numeric=header[1:])


@app.command(rich_help_panel="Stages")
def evaluate(context: typer.Context, name: DataSet) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from stages.evaluate import evaluate

    evaluate(context.obj, name)
    print(os.path.relpath(context.obj.metrics(name)))


@app.command(rich_help_panel="Stages")
def report(
    context: typer.Context,
    against: Annotated[
        str,
        typer.Option(
            metavar="REF",
            help="Print what changed since this commit instead, as Markdown. "
            "The exit code is 1 if a verdict changed.",
        ),
    ] = "",
) -> None:
    """Write the page with every table, plot and verdict: results/index.html.

    `unroll report` · `unroll report --against HEAD~1`
    """
    if against:
        from unroll.builds.changes import report_against

        raise typer.Exit(0 if report_against(context.obj.root, against) else 1)
    from stages.report import report

    print(os.path.relpath(report(context.obj)))


@app.command(rich_help_panel="Search and check")
def tune(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            help="Experiments, or data sets for all their experiments with `trials`."
        ),
    ],
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="By default the number in params.yaml, or 8."
        ),
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these options, such as units,dropout (repeatable). A model's card "
            "has their ranges."
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
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only print the ranges.")
    ] = False,
    jobs: Jobs = CORES,
) -> None:
    """Try other options of an experiment, and print the entry of params.yaml with the
    best on validation. No trial sees the test split.

    `unroll tune waves/gru` · `unroll tune jena_hourly/gru --trials 50 --over
    units,learning_rate` · `unroll tune waves imdb --jobs 4`
    """
    from unroll.answers.find_answer import refuse_answer

    advice = "the options of its models are fixed, and `unroll tune` is for experiments"
    for name in names:
        refuse_answer(name, own_workspace(context), f"{advice} of params.yaml")
    from unroll.tune.tune import tune

    tune(
        context.obj,
        names,
        jobs,
        trials=trials,
        over=[option for text in over or () for option in text.split(",")],
        seeds=seeds,
        number=number,
        dry=dry,
    )
