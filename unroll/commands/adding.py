"""The commands that add to params.yaml: a series of one's own, and an experiment that was tuned."""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.errors import UnknownAheadError, UsageError, printable
from unroll.app import DataSet, Experiment, Json, app, experiments, named, print_json
from unroll.commands.building import CORES, Jobs

Target = Annotated[str | None, typer.Option(help="The column to forecast.")]
Horizon = Annotated[int | None, typer.Option(min=1, max=10_000, help="Values ahead, all at once.")]
Lookback = Annotated[int | None, typer.Option(min=1, max=100_000, help="Timesteps that a forecast sees.")]
Step = Annotated[int | None, typer.Option(min=1, help="Rows to a timestep.")]
Future = Annotated[list[str] | None, typer.Option(help="A column known beforehand (repeatable).")]
Holidays = Annotated[str | None, typer.Option(help="Whose holidays are known: DE, US ...")]
Missing = Annotated[list[str] | None, typer.Option(help="A number or word that means no value.")]
Name = Annotated[str | None, typer.Option(help="In params.yaml; by default the file's.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Take what is proposed; ask nothing.")]
Stamp = Annotated[list[str] | None, typer.Option(help="A column of times (repeatable).")]
StampFormat = Annotated[str | None, typer.Option(help="As strptime takes it.")]
DayFirst = Annotated[bool | None, typer.Option("--day-first/--month-first", help="Of 01/02/2024.")]
TimeZone = Annotated[str | None, typer.Option(help="Whose clock the stamps show: Europe/Berlin.")]
Encoding = Annotated[str | None, typer.Option(help="Of the text, such as latin-1.")]
Delimiter = Annotated[str | None, typer.Option(help="Between columns; a space for any white space.")]
Decimal = Annotated[Literal[".", ","] | None, typer.Option(help="The mark before decimals.")]


@app.command(rich_help_panel="Start here")
def new(
    folder: Annotated[Path, typer.Argument(help="Is made.")],
    documents: Annotated[
        bool, typer.Option("--documents", help="With the four documents: experiments, claims, data, results.")
    ] = False,
) -> None:
    """Make a repository of your own, with git and DVC; nothing is committed. The code stays in the installed package.

    `unroll new forecasts` · `unroll new --documents lecture`
    """
    from unroll.workspaces.new import new

    print(f"{folder}: {', '.join(new(folder, documents=documents))}")
    print(
        f"Next: cd {shlex.quote(str(folder))}; unroll {'compare' if documents else 'answer FILE'}; README.md says more"
    )


@app.command(rich_help_panel="Start here")
def answer(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="A CSV or Parquet file, or several of one form; or a data set. None: all answers."),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="A folder for this series alone; made if it is not there.")] = None,
    target: Target = None,
    horizon: Horizon = None,
    lookback: Lookback = None,
    step: Step = None,
    future: Future = None,
    holidays: Holidays = None,
    missing: Missing = None,
    name: Name = None,
    yes: Yes = False,
    stamp: Stamp = None,
    stamp_format: StampFormat = None,
    day_first: DayFirst = None,
    time_zone: TimeZone = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    level: Annotated[float, typer.Option(help="The share of intervals that are to hold what comes.")] = 0.9,
    jobs: Jobs = CORES,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the forecast as comma-separated values.")] = False,
    as_json: Json = False,
) -> None:
    """Does your series need a recurrent network? Looks at the file, builds, answers, and forecasts what comes next.

    `unroll answer meter.csv` · `unroll answer meter.csv --target load --yes` · `unroll answer waves`
    """
    from pipeline.config import params
    from series.forecaster import require_level
    from series.question import Wanted
    from series.reading.profile import Overrides
    from unroll import answer
    from unroll.hints import program
    from unroll.results import compare, predict

    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    require_level(level)  # before the build, which takes minutes
    here = root or (context.obj.root if context.parent and context.parent.params.get("root") != Path() else None)
    # What a program reads stands alone on standard output.
    quiet = contextlib.redirect_stdout(sys.stderr) if as_json or as_csv else contextlib.nullcontext()
    with quiet:
        workspace = answer.workspace_for(here, names or [])
    config = params.load(workspace.params) if workspace.params.is_file() else None
    if not names and not as_json:
        compare.show_answers(workspace, compare.evaluation_times(workspace))
        return
    if not names or (config and names[0] in config.datasets and names[0] not in config.forecasts):
        tables = compare.compare(workspace, names or [])
        print_json(tables) if as_json else compare.show(tables)
        return
    wanted = Wanted(name, target, step, horizon, lookback, yes, future or (), holidays)
    overrides = Overrides(stamp or (), stamp_format, day_first, time_zone, encoding, delimiter, decimal, missing or ())
    with quiet:
        series = answer.build(workspace, names, wanted, overrides, jobs)
        predicted, reason = None, ""
        try:
            predicted = predict.predict(workspace, series.name, None, level)
        except UnknownAheadError as error:
            if as_csv:
                raise
            reason = f"No forecast yet: {error}. Next: {program(workspace)} predict {series.name} --future FILE"
    if as_json:
        print_json(answer.as_data(series, predicted))
    elif predicted is None:
        answer.show_models(series)
        print(printable(reason))
    elif as_csv:
        print(predict.csv(predicted), end="")
    else:
        answer.show(workspace, series, predicted)


@app.command(rich_help_panel="Your own series")
def add(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="A CSV or Parquet file; or several of one form in one folder.")],
    target: Target = None,
    horizon: Horizon = None,
    lookback: Lookback = None,
    step: Step = None,
    future: Future = None,
    holidays: Holidays = None,
    missing: Missing = None,
    name: Name = None,
    yes: Yes = False,
    stamp: Stamp = None,
    stamp_format: StampFormat = None,
    day_first: DayFirst = None,
    time_zone: TimeZone = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
) -> None:
    """Look at a file of your own, say what is in it, and write what it takes to answer; `answer` does this, too.

    `unroll add meter.csv` · `unroll add meter.csv --target load --horizon 24 --yes`

    `unroll add station/2023.csv station/2024.csv`
    """
    from series.question import Wanted
    from series.reading.profile import Overrides
    from unroll.add.add import add as add_to

    overrides = Overrides(stamp or (), stamp_format, day_first, time_zone, encoding, delimiter, decimal, missing or ())
    wanted = Wanted(name, target, step, horizon, lookback, yes, future or (), holidays)
    print(f"Next: unroll answer {add_to(context.obj, files, wanted, overrides)}")


@app.command(rich_help_panel="Your own series")
def remove(
    context: typer.Context,
    name: Annotated[str, named("A file of your own.", "files")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Take a series out of params.yaml, with all that was built of it; your file stays.

    `unroll remove meter`
    """
    from unroll.results.upkeep import remove as remove_it

    remove_it(context.obj, name, yes=yes)


@app.command(rich_help_panel="Your own series")
def renew(context: typer.Context, name: Annotated[str, named("A file of your own.", "forecasts")]) -> None:
    """Let the rows that have come since `add` count for the evaluation and the backtest, too.

    `unroll renew meter && unroll answer meter`
    """
    from unroll.results.upkeep import renew as renew_it

    count, last = renew_it(context.obj, name)
    print(f"{name}: {count:,} rows more, until {last}. Next: unroll answer {name}")


@app.command(rich_help_panel="Search and check")
def tune(
    context: typer.Context,
    name: Experiment,
    trials: Annotated[int, typer.Option(min=1, max=100_000, help="How many, those of before included.")] = 30,
    over: Annotated[
        list[str] | None,
        typer.Option(help="Only these options: units,dropout or, with a range, units=8:64 (repeatable)."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Of the experiment, so many for each trial.")] = 1,
    new_name: Annotated[str | None, typer.Option("--name", help="Of the new one; of waves/gru else gru_tuned.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be searched.")] = False,
) -> None:
    """Try other options of an experiment, and add the best on validation to params.yaml; test is not looked at.

    `unroll tune waves/gru` · `unroll tune jena_hourly/gru --trials 50 --over units,learning_rate=1e-4:1e-2`
    """
    from unroll.tune.tune import tune as tune_it

    options = [option for text in over or () for option in text.split(",")]
    dataset, _, experiment = name.partition("/")
    new_name = (new_name or f"{experiment}_tuned").removeprefix(f"{dataset}/")
    target = f"{dataset}/{new_name}"
    tune_it(context.obj, name, trials=trials, over=options, seeds=seeds, target=target, dry=dry)


@app.command(rich_help_panel="Search and check")
def search(
    context: typer.Context,
    name: DataSet,
    only: Annotated[
        str | None, typer.Argument(help="One of its experiments.", autocompletion=experiments)
    ] = None,
) -> None:
    """Give each experiment of a data set that has `trials` so many, the best more epochs; its options replace its own.

    `unroll search waves` · `unroll search jena_hourly_exact tuned_gru`
    """
    from unroll.tune.tune import search as search_it

    search_it(context.obj, name, only)
