"""Commands for your own series, and for an experiment's options (`tune`)."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.errors import UsageError
from pipeline.workspace import Workspace
from unroll.app import Json, app
from unroll.commands.building import CORES
from unroll.terminal import print_json

Level = Annotated[
    float,
    typer.Option(min=0.5, max=0.99, help="The coverage of the prediction intervals."),
]


def own_workspace(context: typer.Context) -> Workspace:
    """Return the current folder, or the folder of --root, even if it is no project."""
    root = context.parent.params["root"] if context.parent else Path()
    return Workspace(root.resolve())


@app.command(rich_help_panel="Start here")
def answer(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            help="A CSV, Parquet or .xlsx file, or several of one form; or an answer."
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(help="The folder of the answer; by default NAME, in this folder."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to forecast.")] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Timesteps to forecast.")
    ] = None,
    lookback: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Timesteps that a forecast sees."),
    ] = None,
    step: Annotated[
        int | None, typer.Option(min=1, help="The number of rows in a timestep.")
    ] = None,
    future: Annotated[
        list[str] | None, typer.Option(help="A column known beforehand (repeatable).")
    ] = None,
    holidays: Annotated[
        str | None, typer.Option(help="A country whose holidays count: DE, US ...")
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="A number or word that means no value.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name of the series; by default the file's.")
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Accept the proposals without questions."),
    ] = False,
    stamp: Annotated[
        list[str] | None, typer.Option(help="A column of timestamps (repeatable).")
    ] = None,
    stamp_format: Annotated[
        str | None, typer.Option(help="The format of timestamps, as strptime takes it.")
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How to read 01/02/2024."),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="The time zone of the timestamps: Europe/Berlin.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="The encoding of the text, such as latin-1.")
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="The separator of columns; a space for any white space."),
    ] = None,
    decimal: Annotated[
        Literal[".", ","] | None, typer.Option(help="The mark before decimals.")
    ] = None,
    networks: Annotated[
        bool, typer.Option("--networks/--no-networks", help="Try neural networks, too.")
    ] = True,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="The time budget; by default none.")
    ] = None,
    level: Level = 0.9,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", "-j", min=1, envvar="UNROLL_JOBS", help="Models fitted at a time."
        ),
    ] = CORES,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print the forecast as comma-separated values."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether your series needs a recurrent network, and forecast what comes next.

    `unroll answer meter.csv` · `unroll answer meter.csv --target load --yes` · `unroll
    answer meter`
    """
    parameters = locals()
    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    from series.options import Options

    given = {name: parameters[name] for name in Options.model_fields}
    options = Options.model_validate(
        {name: value for name, value in given.items() if value is not None}
    )
    # Standard output has nothing but the data that a program reads.
    output = sys.stderr if as_json or as_csv else sys.stdout
    with contextlib.redirect_stdout(output):
        print(f"Reading {', '.join(names)} ...", flush=True)
        from series import page, table
        from unroll.answers import answering, show  # take a second

        answered = answering.answer(
            own_workspace(context),
            names,
            options,
            folder=root,
            name=name,
            yes=yes,
            jobs=jobs,
        )
    if as_json:
        print_json(show.as_data(answered, level))
    elif as_csv:
        print(table.csv(page.read_forecast(answered, level)), end="")
    else:
        show.show(answered, level)


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
