"""The stages as commands, which dvc.yaml runs."""

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated

import typer

from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from unroll.app import DataSet, app
from unroll.commands.building import CORES
from unroll.hints import BUILD, program


@contextlib.contextmanager
def _naming_target(workspace: Workspace, target: str) -> Iterator[None]:
    """Name the stage, not the whole graph, in the error for a missing input."""
    try:
        yield
    except UnrollError as error:
        text = str(error).replace(f"{workspace.root}/", "")
        builds = f"`{program(workspace)} repro {target}` builds"
        text = text.replace("`unroll repro` builds", builds)
        raise type(error)(text) from None


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

    workspace: Workspace = context.obj
    with _naming_target(workspace, f"prepare@{name}"):
        prepare(workspace, name)
    print(os.path.relpath(workspace.prepared(name)))


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
    with _naming_target(workspace, f"prepare@{name}"):
        if dry:
            from stages.perform import trial

            folder = trial(workspace, name, experiment, epochs, seed)
            print(os.path.relpath(folder))
        else:
            from unroll.results.trained import show_trained

            train(workspace, name, experiment, jobs)
            # `unroll repro` and the demo end with answers, which say more.
            if BUILD not in os.environ:
                show_trained(workspace, name, experiment)
                _say_what_is_next(workspace, name)


def _say_what_is_next(workspace: Workspace, dataset: str) -> None:
    """Print the next command."""
    unroll = program(workspace)
    comparison = f"`{unroll} compare {dataset}`"
    # DVC goes on to the stage `evaluate` by itself.
    if "DVC_STAGE" in os.environ:
        print(f"Next, when {dataset} is evaluated: {comparison}.")
    else:
        print(f"Next: `{unroll} repro evaluate@{dataset}`, then {comparison}.")


@app.command(rich_help_panel="Stages")
def evaluate(context: typer.Context, name: DataSet) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from stages.evaluate import evaluate

    workspace: Workspace = context.obj
    with _naming_target(workspace, f"evaluate@{name}"):
        evaluate(workspace, name)
    print(os.path.relpath(workspace.metrics(name)))


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
        from unroll.changes import report_against

        raise typer.Exit(0 if report_against(context.obj.root, against) else 1)
    from stages.report import report

    print(os.path.relpath(report(context.obj)))
