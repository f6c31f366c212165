"""The stages as commands, which dvc.yaml runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages import progress
from unroll.app import DataSet, Experiment, app, named

if TYPE_CHECKING:
    from pipeline.config.params import Params


@contextlib.contextmanager
def _naming_missing_input(workspace: Workspace, verb: str, name: str) -> Iterator[None]:
    """Where a stage fails for want of an input, name the smallest target that builds it."""
    try:
        yield
    except UnrollError:
        from pipeline.config import params  # not before: reading them takes 70 ms, in each of 140 stages
        from unroll.runner.display import built_by

        for path, stage in _inputs(workspace, params.load(workspace.params), verb, name):
            if not path.is_file():
                missing = path.relative_to(workspace.root)
                raise UnrollError(f"{missing} is missing; {built_by(stage)}") from None
        raise


def _inputs(workspace: Workspace, config: "Params", verb: str, name: str) -> Iterator[tuple[Path, str]]:
    """A file of each input of a stage, and the stage that makes it."""
    if verb == "prepare":
        source = config.dataset(name).source
        yield workspace.raw(source) / "source.json", config.source_stage(source)
        return
    dataset = config.experiment(name).dataset if verb == "train" else name
    config.dataset(dataset)  # raises an error where there is none
    yield workspace.prepared(dataset) / "dataset.json", f"prepare@{dataset}"
    if verb == "refit":
        yield workspace.evaluation(name) / "evaluation.json", f"evaluate@{name}"
    if verb == "evaluate":
        for experiment in config.experiments_of(name):
            yield workspace.run(name, experiment) / "run.json", f"train@{experiment}"


@app.command(rich_help_panel="Stages")
def resolve(context: typer.Context) -> None:
    """Write what each of the other stages depends on besides data: its options and its code.

    `unroll resolve`
    """
    from stages.resolve import resolve

    print(resolve(context.obj))


@app.command(rich_help_panel="Stages")
def source(context: typer.Context, name: Annotated[str, named("A source of params.yaml.", "sources")]) -> None:
    """Fetch or generate the raw data of a source.

    `unroll source waves` · `UNROLL_MIRROR=../shared/data unroll source imdb`
    """
    from stages.source import source

    print(source(context.obj, name))


@app.command(rich_help_panel="Stages")
def prepare(context: typer.Context, name: DataSet) -> None:
    """Normalise and split a data set, from its source's raw data.

    `unroll prepare jena_hourly`
    """
    from stages.prepare import prepare

    workspace: Workspace = context.obj
    with _naming_missing_input(workspace, "prepare", name):
        prepare(workspace, name)
    print(workspace.prepared(name))


@app.command(rich_help_panel="Stages")
def train(
    context: typer.Context,
    name: Experiment,
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs: a trial, not recorded.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, max=2**32 - 1, help="Another seed (repeatable): a trial too.")
    ] = None,
) -> None:
    """Train every replicate of an experiment.

    `unroll train waves_rnn6` · `unroll train jena_hourly_gru --epochs 2 --seed 7`
    """
    from stages.train import train, trial

    workspace: Workspace = context.obj
    with _naming_missing_input(workspace, "train", name):
        trying = epochs is not None or seed
        folder = trial(workspace, name, epochs, seed) if trying else train(workspace, name)
    progress.finish()  # where patience ended the last replicate, its line still stands open
    print(folder)


@app.command(rich_help_panel="Stages")
def evaluate(context: typer.Context, name: DataSet) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from stages.evaluate import evaluate

    workspace: Workspace = context.obj
    with _naming_missing_input(workspace, "evaluate", name):
        evaluate(workspace, name)
    print(workspace.metrics(name))


Series = Annotated[str, named("A data set with a forecast.", "forecasts")]


@app.command(rich_help_panel="Stages")
def refit(context: typer.Context, name: Series) -> None:
    """Fit a series' champion on all rows: what `predict`, `register` and `save` use.

    `unroll refit meter`
    """
    from stages.refit import refit

    with _naming_missing_input(context.obj, "refit", name):
        print(refit(context.obj, name).why)


@app.command(rich_help_panel="Stages")
def report(
    context: typer.Context,
    against: Annotated[
        str,
        typer.Option(metavar="REF", help="Print instead what has changed since that commit. Exit code 1: a verdict."),
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="With --against: for a pull request.")] = False,
    verify: Annotated[
        int, typer.Option(min=0, metavar="N", help="With --against: rebuild the N cheapest of what it changed.")
    ] = 0,
) -> None:
    """Write the page with every table, plot and verdict: results/index.html.

    `unroll report` · `unroll report --against HEAD --verify 2`
    """
    if against:
        from unroll.verify.against import report_against

        changes = report_against(context.obj, against, verify)
        print("\n".join(changes.lines(markdown=markdown)))
        raise typer.Exit(0 if changes.holds else 1)
    from stages.report import report

    print(report(context.obj))
