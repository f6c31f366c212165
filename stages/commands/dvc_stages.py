"""The five stages as commands, which dvc.yaml runs."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.console import progress
from stages.console.app import app, complete


def _must_be_built(workspace: Workspace, path: Path, target: str) -> None:
    """Name the smallest target that builds what is missing, before what reads it fails."""
    if not path.is_file():
        missing = path.relative_to(workspace.root)
        raise UnrollError(f"{missing} is missing; `unroll repro {target}` builds it")


@app.command(rich_help_panel="Stages")
def source(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A source of params.yaml.", autocompletion=complete("sources"))],
) -> None:
    """Fetch or generate the raw data of a source.

    `unroll source waves` · `UNROLL_MIRROR=../shared/data unroll source imdb`
    """
    from stages.source import source

    print(source(context.obj, name))


@app.command(rich_help_panel="Stages")
def prepare(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A data set of params.yaml.", autocompletion=complete("datasets"))],
) -> None:
    """Normalise and split a data set, from its source's raw data.

    `unroll prepare jena_hourly`
    """
    from pipeline.config import params
    from stages.prepare import prepare

    source = params.load(context.obj.params).dataset(name).source
    _must_be_built(context.obj, context.obj.raw(source) / "source.json", f"source@{source}")
    prepare(context.obj, name)
    print(context.obj.prepared(name))


@app.command(rich_help_panel="Stages")
def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An experiment of params.yaml.", autocompletion=complete("experiments"))],
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs: a trial, not recorded.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, max=2**32 - 1, help="Another seed (repeatable): a trial too.")
    ] = None,
) -> None:
    """Train every replicate of an experiment.

    `unroll train waves_rnn6` · `unroll train jena_hourly_gru --epochs 2 --seed 7`
    """
    from pipeline.config import params
    from stages.train import train, trial

    experiment = params.load(context.obj.params).experiment(name)
    _must_be_built(
        context.obj, context.obj.prepared(experiment.dataset) / "dataset.json", f"prepare@{experiment.dataset}"
    )
    folder = train(context.obj, name) if epochs is None and not seed else trial(context.obj, name, epochs, seed)
    progress.finish()  # where patience ended the last replicate, its line still stands open
    print(folder)


@app.command(rich_help_panel="Stages")
def evaluate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A data set of params.yaml.", autocompletion=complete("datasets"))],
) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from pipeline.config import params
    from stages.evaluate import evaluate

    wanted = params.load(context.obj.params)
    wanted.dataset(name)
    _must_be_built(context.obj, context.obj.prepared(name) / "dataset.json", f"prepare@{name}")
    for experiment in wanted.experiments_of(name):
        _must_be_built(context.obj, context.obj.run(name, experiment) / "run.json", f"train@{experiment}")
    evaluate(context.obj, name)
    print(context.obj.metrics(name))


@app.command(rich_help_panel="Stages")
def report(context: typer.Context) -> None:
    """Write the page with every table, plot and verdict: report/index.html.

    `unroll report`
    """
    from stages.report import report

    print(report(context.obj))
