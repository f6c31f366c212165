"""Commands for your own series, and for an experiment's options (`tune`)."""

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.errors import UsageError, printable
from pipeline.workspace import Workspace
from unroll.app import Json, app, print_json
from unroll.commands.building import CORES

if TYPE_CHECKING:
    from series.options import Options

Target = Annotated[str | None, typer.Option(help="The column to forecast.")]
Horizon = Annotated[
    int | None, typer.Option(min=1, max=10_000, help="Timesteps to forecast.")
]
Lookback = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Timesteps that a forecast sees.")
]
Step = Annotated[int | None, typer.Option(min=1, help="Rows of a timestep.")]
Future = Annotated[
    list[str] | None, typer.Option(help="A column known beforehand (repeatable).")
]
Holidays = Annotated[
    str | None, typer.Option(help="A country whose holidays count: DE, US ...")
]
Missing = Annotated[
    list[str] | None, typer.Option(help="A number or word that means no value.")
]
Name = Annotated[
    str | None, typer.Option(help="The name of the series; by default the file's.")
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Take what is proposed; ask nothing.")
]
Stamp = Annotated[
    list[str] | None, typer.Option(help="A column of timestamps (repeatable).")
]
StampFormat = Annotated[
    str | None, typer.Option(help="The format of timestamps, as strptime takes it.")
]
DayFirst = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="How to read 01/02/2024."),
]
TimeZone = Annotated[
    str | None, typer.Option(help="The time zone of the timestamps: Europe/Berlin.")
]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of the text, such as latin-1.")
]
Delimiter = Annotated[
    str | None,
    typer.Option(help="The mark between columns; a space for any white space."),
]
Decimal = Annotated[
    Literal[".", ","] | None, typer.Option(help="The mark before decimals.")
]
Networks = Annotated[
    bool, typer.Option("--networks/--no-networks", help="Try neural networks, too.")
]
Minutes = Annotated[
    float | None, typer.Option(min=0.01, help="The time budget; by default none.")
]
Level = Annotated[
    float,
    typer.Option(min=0.5, max=0.99, help="The coverage of the prediction intervals."),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=1, envvar="UNROLL_JOBS", help="Models fitted at a time."
    ),
]


def own_workspace(context: typer.Context) -> Workspace:
    """Return the current folder, or the folder of --root, even if it is no project."""
    root = context.parent.params["root"] if context.parent else Path()
    return Workspace(root.resolve())


def _options(parameters: Mapping[str, Any]) -> "Options":
    """Return the options of a series from the parameters of a command."""
    from series.options import Options

    given = {
        name: parameters[name]
        for name in Options.model_fields
        if parameters[name] is not None
    }
    return Options.model_validate(given)


@app.command(rich_help_panel="Start here")
def new(
    folder: Annotated[Path, typer.Argument(help="The new folder.")],
    documents: Annotated[
        bool,
        typer.Option(
            "--documents",
            help="With the four documents: experiments, claims, data, results.",
        ),
    ] = False,
) -> None:
    """Make a repository of your own, with git and DVC; nothing is committed. The code
    stays in the installed package.

    `unroll new forecasts` · `unroll new --documents lecture`
    """
    from unroll.workspaces.new import new

    print(f"{folder}: {', '.join(new(folder, documents=documents))}")
    command = "unroll compare" if documents else "unroll add FILE"
    print(f"Next: cd {shlex.quote(str(folder))}; {command}; README.md says more")


@app.command(rich_help_panel="Start here")
def answer(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="A CSV or Parquet file, or several of one form; or a name. "
            "None: all answers."
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="The folder of the answer; by default NAME, in this folder."),
    ] = None,
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
    networks: Networks = True,
    minutes: Minutes = None,
    level: Level = 0.9,
    jobs: Jobs = CORES,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print the forecast as comma-separated values."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Does your series need a recurrent network? Looks at the file, judges models, and
    forecasts what comes next.

    `unroll answer meter.csv` · `unroll answer meter.csv --target load --yes` · `unroll
    answer waves`
    """
    parameters = locals()
    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    workspace = own_workspace(context)
    if not names or _is_data_set(workspace, names[0]):
        _show_answers(workspace, names or [], as_json=as_json)
        return
    options = _options(parameters)
    # Standard output has nothing but the data that a program reads.
    output = sys.stderr if as_json or as_csv else sys.stdout
    with contextlib.redirect_stdout(output):
        print(f"Reading {', '.join(names)} ...", flush=True)
        from series import page, table
        from unroll.answers import answering, show  # take a second

        answered = answering.answer(
            workspace, names, options, folder=root, name=name, yes=yes, jobs=jobs
        )
    if "DVC_STAGE" in os.environ:
        print(answered.sentence)
    elif as_json:
        print_json(show.as_data(answered, level))
    elif as_csv:
        print(table.csv(page.read_forecast(answered, level)), end="")
    else:
        show.show(answered, level)


def _is_data_set(workspace: Workspace, name: str) -> bool:
    """Return whether a name is in params.yaml and is not a file."""
    if Path(name).is_file():
        return False
    from unroll.answers import find

    return name in find.data_sets(workspace)


def _show_answers(workspace: Workspace, names: Sequence[str], *, as_json: bool) -> None:
    """Print the answers of data sets of params.yaml; without names all answers, also
    of series.
    """
    from series.answer import load
    from unroll.answers import find, show
    from unroll.results import compare

    folders = [] if names else [*find.answers(workspace).values()]
    built = compare.evaluation_times(workspace)
    answers = [load(folder) for folder in folders]
    if not names and not answers and not built:
        raise UsageError(
            "no answer is here; name a file, such as `unroll answer meter.csv`"
        )
    if as_json:
        tables = compare.compare(workspace, names) if names or built else []
        print_json([*tables, *map(show.about, answers)])
        return
    if names:
        compare.show(compare.compare(workspace, names))
    elif built:
        compare.show_answers(workspace, built)
    for answered in answers:
        print(printable(f"{answered.name}: {answered.sentence}"))


@app.command(rich_help_panel="Your own series")
def add(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            help="A CSV or Parquet file, or a folder of several of one form."
        ),
    ],
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
    networks: Networks = True,
    minutes: Minutes = None,
) -> None:
    """Look at a file of your own, say what is in it, and write it to params.yaml of a
    project under DVC.

    `unroll add meter.csv` · `unroll add meter.csv --target load --horizon 24`

    `unroll add station`
    """
    parameters = locals()
    from series.reading import described
    from unroll.answers import answering, entries
    from unroll.answers.show import with_flags

    options = _options(parameters)
    workspace = own_workspace(context)
    name = answering.name_of([path], name)
    files = entries.files(workspace, entries.Entry(file=str(path.resolve())))
    profile = answering.look(files, options)
    print(*map(with_flags, described.lines(profile)), sep="\n", flush=True)
    entries.add(workspace, name, path, answering.settled(profile, options, yes=yes))
    print(f"Written to params.yaml: series.{name}. Next: unroll repro answer@{name}")


@app.command(rich_help_panel="Your own series")
def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A series of params.yaml.")],
) -> None:
    """Take a series out of params.yaml, with its answer; your file stays. A folder of
    its own you delete yourself.

    `unroll remove meter`
    """
    from unroll.answers import entries

    removed = entries.remove(own_workspace(context), name)
    folders = "".join(f", {os.path.relpath(path)}/" for path in removed)
    print(f"Removed: series.{name} of params.yaml{folders}")


@app.command(rich_help_panel="Your own series")
def renew(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An answer.")],
    level: Level = 0.9,
    jobs: Jobs = CORES,
) -> None:
    """Answer a series again, with the same options, of its file as it is now: new rows
    count, too.

    `unroll renew meter`
    """
    from series.options import Options
    from unroll.answers import answering, find, show

    workspace = own_workspace(context)
    if find.find(name, workspace) is None:
        raise UsageError(
            f"{name} is a data set; `unroll repro evaluate@{name}` builds it anew"
        )
    renewed = answering.answer(workspace, [name], Options(), yes=True, jobs=jobs)
    show.show(renewed, level)


@app.command(rich_help_panel="Search and check")
def tune(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="An experiment, or a data set: each one with `trials`."),
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
        bool, typer.Option("--dry-run", help="Only say what would be searched.")
    ] = False,
) -> None:
    """Try other options of an experiment, and write the best on validation to
    params.yaml; test is not looked at.

    `unroll tune waves/gru` · `unroll tune jena_hourly/gru --trials 50 --over
    units,learning_rate=1e-4:1e-2` · `unroll tune waves --in-place`
    """
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
