"""The five stages as commands, which dvc.yaml runs."""

from typing import Annotated

import typer

from stages.console.app import app


@app.command(rich_help_panel="Stages")
def source(context: typer.Context, name: Annotated[str, typer.Argument(help="A source of params.yaml.")]) -> None:
    """Fetch or generate the raw data of a source.

    `unroll source waves` · `UNROLL_MIRROR=../shared/data unroll source imdb`
    """
    from stages.source import source

    print(source(context.obj, name))


@app.command(rich_help_panel="Stages")
def prepare(context: typer.Context, name: Annotated[str, typer.Argument(help="A data set of params.yaml.")]) -> None:
    """Normalise and split a data set, from its source's raw data.

    `unroll prepare jena_hourly`
    """
    from stages.prepare import prepare

    prepare(context.obj, name)
    print(context.obj.prepared(name))


@app.command(rich_help_panel="Stages")
def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An experiment of params.yaml.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs: a trial, not recorded.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, max=2**32 - 1, help="Another seed (repeatable): a trial too.")
    ] = None,
) -> None:
    """Train every replicate of an experiment.

    `unroll train waves_rnn6` · `unroll train jena_hourly_gru --epochs 2 --seed 7`
    """
    from stages.train import train, trial

    folder = train(context.obj, name) if epochs is None and not seed else trial(context.obj, name, epochs, seed)
    print(folder)


@app.command(rich_help_panel="Stages")
def evaluate(context: typer.Context, name: Annotated[str, typer.Argument(help="A data set of params.yaml.")]) -> None:
    """Score every experiment of a data set, side by side.

    `unroll evaluate imdb`
    """
    from stages.evaluate import evaluate

    evaluate(context.obj, name)
    print(context.obj.metrics(name))


@app.command(rich_help_panel="Stages")
def report(context: typer.Context) -> None:
    """Write the page with every table, plot and verdict: report/index.html.

    `unroll report`
    """
    from stages.report import report

    print(report(context.obj))
