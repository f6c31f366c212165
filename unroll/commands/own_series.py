"""The command `answer`, whose options are those of the library."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from pipeline.errors import UsageError
from pipeline.validation import validated
from unroll.commands.app import Json, app, own_workspace
from unroll.commands.building import CORES
from unroll.series.options import Options, takes
from unroll.terminal import print_json

Level = Annotated[
    float,
    typer.Option(help="The coverage of the prediction intervals, 0.01 to 0.99."),
]

By = Annotated[
    list[str] | None,
    typer.Option(
        help="Forecast the sums of a column's values, such as families (repeatable)."
    ),
]

ServiceLevel = Annotated[
    list[float] | None,
    typer.Option(
        help="Say what to order: it suffices in 95 % of the periods (repeatable)."
    ),
]

Workbook = Annotated[
    Path | None, typer.Option(help="Write a workbook to hand on: a .xlsx file.")
]

FLAGS = {"day_first": ["--day-first/--month-first"]}
"""Options whose flags are not called after them."""


def _flag(name: str, kind: Any, field: FieldInfo) -> Any:
    """Return a type with the flag that Typer makes of an option."""
    if kind == int | str | None:
        kind = str | None
    several = " (repeatable)" if kind == list[str] else ""
    help_text = f"{field.description}".removesuffix(".") + f"{several}."
    return Annotated[kind, typer.Option(*FLAGS.get(name, []), help=help_text)]


@app.command(rich_help_panel="Start here")
@takes(Options, _flag)
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
    name: Annotated[
        str | None, typer.Option(help="The name of the series; by default the file's.")
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Accept the proposals without questions."),
    ] = False,
    level: Level = 0.9,
    by: By = None,
    service_level: ServiceLevel = None,
    xlsx: Workbook = None,
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
    **options: Any,
) -> None:
    """Say whether your series needs a recurrent network, and forecast what comes next.

    `unroll answer meter.csv` · `unroll answer meter.csv --target load --yes` · `unroll
    answer meter`
    """
    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    given = {key: value for key, value in options.items() if value is not None}
    wanted = validated(Options, given, "the options")
    # Standard output has nothing but the data that a program reads.
    output = sys.stderr if as_json or as_csv else sys.stdout
    with contextlib.redirect_stdout(output):
        print(f"Reading {', '.join(names)} ...", flush=True)
        from unroll.answers import answering, show_answer  # take a second
        from unroll.series import answer_page, text_tables
        from unroll.series.forecaster import quantiles_of, share_of

        quantiles_of((level,), [*map(share_of, service_level or ())])
        answered = answering.answer(
            own_workspace(context),
            names,
            wanted,
            folder=root,
            name=name,
            yes=yes,
            jobs=jobs,
            by=by or (),
        )
    if (by or service_level or xlsx) and answer_page.has_forecast(answered):
        from unroll.answers import predict as prediction

        if not as_json and not as_csv:
            show_answer.show_models(answered)
            print()
        predicted = prediction.predict(
            answered,
            str(answered.folder),
            level=level,
            by=by or (),
            service_levels=service_level or (),
        )
        prediction.put_out(predicted, xlsx=xlsx, as_csv=as_csv, as_json=as_json)
    elif as_json:
        print_json(show_answer.as_data(answered, level))
    elif as_csv:
        print(text_tables.csv(show_answer.forecast_at(answered, level)), end="")
    else:
        show_answer.show(answered, level)
