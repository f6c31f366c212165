"""Commands that show, compare and check what was built."""

import itertools
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import StoppedError, UnrollError, UsageError, printable
from unroll.commands.app import Json, app, known_data_sets, own_workspace
from unroll.commands.own_series import By, Level, ServiceLevel, Workbook
from unroll.terminal import print_json, show_table

if TYPE_CHECKING:
    from unroll.series.saved import Answer

Chosen = Annotated[
    str | None, typer.Option(help="A model of the answer; by default the chosen.")
]

MARKS = "marks.csv"
"""The file of marks that `lab check` writes into a folder of programs."""


@app.command(rich_help_panel="Start here")
def compare(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Answers, experiments or data sets; by default all.",
            autocompletion=known_data_sets,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print whether a recurrent network helps, and all models, the best first. For two
    names, print the verdict on them.

    `unroll compare waves` · `unroll compare imdb/lstm imdb/gru` · `unroll compare waves
    --json` · `unroll compare meter` · `unroll compare meter/gru meter/ridge`
    """
    from unroll.answers import find_answer

    workspace = own_workspace(context)
    pair = find_answer.pair(names or [], workspace)
    if pair is not None:
        _compare_models(*pair, as_json=as_json)
        return
    folders, others = find_answer.split(names or [], workspace, context.obj)
    answers = _loaded(folders, named=bool(names))
    _show_comparison(context, names or [], folders, answers, others, as_json=as_json)


def _show_comparison(
    context: typer.Context,
    names: Sequence[str],
    folders: Sequence[Path],
    answers: "Sequence[Answer]",
    others: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Print the tables of data sets and of answers, and the verdict on two answers.

    Args:
        context: the context of the command.
        names: the names that the user typed; none means all.
        folders: the folders of the answers, also of damaged ones.
        answers: the answers that could be loaded.
        others: the names that are no answer's.
        as_json: whether to print data for programs.
    """
    from unroll.project import Project
    from unroll.results import compare as comparison

    workspace = own_workspace(context)
    shown = comparison.Tables([])
    if others or not folders or (not names and comparison.evaluation_times(workspace)):
        shown = comparison.compare(Project(context.obj.root), others)
    verdict = ""
    if names and len(answers) == 2 and not others:
        verdict = _shown().verdict(*answers)
    if as_json:
        data = [*shown.as_data(), *(_shown().about(answer) for answer in answers)]
        if verdict:
            data[0]["comparison"] = verdict
        print_json(data)
        return
    comparison.show(shown)
    for answer in answers:
        if shown.tables or answer is not answers[0]:
            print()
        _shown().show_models(answer)
    if verdict:
        print(f"\n{verdict}")


def _compare_models(folder: Path, model: str, other: str, *, as_json: bool) -> None:
    """Print the verdict on two models of an answer."""
    from unroll.series.judge import between
    from unroll.series.saved import load

    judgement = between(load(folder), model, other)
    if as_json:
        print_json(judgement.model_dump(mode="json"))
    else:
        print(judgement.sentence)


def _shown() -> ModuleType:
    """Return `unroll.answers.show_answer`. Its import takes a second, and needs an answer."""
    return import_module("unroll.answers.show_answer")


def _loaded(folders: Sequence[Path], *, named: bool) -> "list[Answer]":
    """Return the answers in these folders.

    A damaged one is an error if the user named it; else it is a line, and the others
    are returned.
    """
    if not folders:  # the import takes a second
        return []
    from unroll.series.saved import load

    answers = []
    for folder in folders:
        try:
            answers.append(load(folder))
        except UnrollError as error:
            if named:
                raise
            print(printable(f"unroll: {folder.name}: {error}"), file=sys.stderr)
    return answers


@app.command(rich_help_panel="Results")
def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of an answer.")],
    data: Annotated[
        Path | None,
        typer.Option(help="New rows of the same form; by default the series' own."),
    ] = None,
    level: Level = 0.9,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the forecast in a .png, .svg or .pdf file."),
    ] = None,
    xlsx: Workbook = None,
    by: By = None,
    service_level: ServiceLevel = None,
    future: Annotated[
        list[Path] | None,
        typer.Option(help="Rows to come, with columns known beforehand (repeatable)."),
    ] = None,
    horizon: Annotated[
        str | None,
        typer.Option(help="Rows ahead, or 24h; by default those of the training."),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="The series, if there are several."),
    ] = None,
    model: Chosen = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Print what level, cycle and known columns contribute."
        ),
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print comma-separated values.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forecast what comes after the last row of a series, with prediction intervals.

    `unroll predict meter` · `unroll predict meter --data new.csv --level 0.8 --csv` ·
    `unroll predict meter --horizon 48 --plot next.png` · `unroll predict meter --model ets --why` ·
    `unroll predict shop --future plan.csv --by family --service-level 95 --xlsx order.xlsx`
    """
    from unroll.answers import predict as prediction
    from unroll.answers.find_answer import require
    from unroll.series.saved import load

    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    if series and len(series) > 1:
        raise UsageError("name one --series; without --series all are forecast")
    predicted = prediction.predict(
        load(require(name, own_workspace(context))),
        name,
        data,
        level,
        future or (),
        horizon,
        series[0] if series else None,
        model,
        why=why,
        by=by or (),
        service_levels=service_level or (),
    )
    prediction.put_out(
        predicted, plot_path=plot, xlsx=xlsx, as_csv=as_csv, as_json=as_json
    )


@app.command(rich_help_panel="Results")
def claims(
    context: typer.Context,
    documents: Annotated[
        list[str] | None,
        typer.Argument(help="Numbers of documents, such as 002; by default all."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print every claim of the documents: what is published, what is rebuilt, the
    verdict, and the reasons for it.

    `unroll claims` · `unroll claims 002` · `unroll claims --json`
    """
    from unroll.project import Project
    from unroll.results import compare as comparison

    table = comparison.claims(Project(context.obj.root), documents or [])
    shown = comparison.Tables([table])
    if as_json:
        print_json(*shown.as_data())
    else:
        comparison.show(shown)


@app.command("list", rich_help_panel="Results")
def list_(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Data sets; by default one line for each.",
            autocompletion=known_data_sets,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the answers for your own series; and the data sets of params.yaml, or the
    experiments of some, their scores, and which were run here.

    `unroll list` · `unroll list waves` · `unroll list --json`
    """
    from unroll.answers import find_answer
    from unroll.project import Project
    from unroll.results import show as description

    workspace = own_workspace(context)
    known = find_answer.answers(workspace)
    folders = [known[name] for name in names or known if name in known]
    others = [name for name in names or () if name not in known]
    rows = []
    if others or not folders or (not names and workspace.params.is_file()):
        rows = description.listing(Project(context.obj.root), others)
    answers = _loaded(folders, named=bool(names))
    if as_json:
        print_json([*rows, *(_shown().about(answer) for answer in answers)])
        return
    for answer in answers:
        print(printable(f"{answer.folder.name}: {answer.sentence}"))
    if rows:
        description.show_list(rows, in_groups=not names)


@app.command(rich_help_panel="Results")
def show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="A source, data set or experiment of params.yaml, or an answer."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Print what is known about a name: its options with their defaults, what was built,
    where, and the figures.

    `unroll show jena/gru_dropout` · `unroll show waves --json` · `unroll show meter`
    """
    from unroll.answers.find_answer import folder_of, refuse_answer
    from unroll.project import Project
    from unroll.results import show as description

    folder = folder_of(name, own_workspace(context))
    if folder is None:
        shown_by = f"`unroll compare {name.partition('/')[0]}` shows its models"
        refuse_answer(name, own_workspace(context), shown_by)
        project = Project(context.obj.root)
        facts = description.show(project, name)
        meant = description.meanings(project.every, name)
    else:
        facts = _shown().facts_of(folder)
        meant = [{}, {}]
    if as_json:
        print_json(facts)
    else:
        print("\n".join(description.lines(facts, meant)))


@app.command(rich_help_panel="Results")
def track(context: typer.Context) -> None:
    """Log every run on disk into MLflow that is not logged yet.

    `unroll track`
    """
    from unroll.mlflow_tools import tracking

    tracking.track(context.obj)


@app.command(rich_help_panel="Results")
def ui(
    context: typer.Context,
    port: Annotated[
        int,
        typer.Option(min=1, max=65535, help="The port of the server on this machine."),
    ] = 5000,
) -> None:
    """Show the records in the browser: MLflow's page, each data set's experiments by
    score.

    `unroll ui` · `unroll --root .demo ui --port 5001`
    """
    from unroll.mlflow_tools import tracking

    tracking.ui(context.obj, port)


@app.command(rich_help_panel="Results")
def register(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="An answer, or an experiment such as waves/gru.")
    ],
    model: Chosen = None,
) -> None:
    """Register a model in MLflow as the champion, and say how to serve it.

    `unroll register meter` · `unroll register meter --model ets` · `unroll register
    waves/gru`
    """
    from unroll.mlflow_tools import tracking

    for line in tracking.register(own_workspace(context), name, model):
        print(line)


@app.command(rich_help_panel="Results")
def serve(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="What was registered: an answer or an experiment."),
    ],
    port: Annotated[
        int,
        typer.Option(min=1, max=65535, help="The port of the server on this machine."),
    ] = 5001,
) -> None:
    """Serve predictions over HTTP, by the champion of a registered model.

    `unroll serve meter` · `unroll serve waves/gru --port 5002`
    """
    from unroll.mlflow_tools import tracking

    tracking.serve(own_workspace(context), name, port)


@app.command(rich_help_panel="Learning")
def lab(
    context: typer.Context,
    part: Annotated[
        str,
        typer.Argument(
            help="N: naive guess; D: dense, a perceptron; R: one recurrent node; "
            "check: a program."
        ),
    ],
    script: Annotated[
        Path | None,
        typer.Argument(
            help="The program to check, or a folder of programs.",
            exists=True,
            metavar="[SCRIPT]",
        ),
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the 7,000 series.")
    ] = 10,
    rate: Annotated[
        float | None,
        typer.Option(help="Learning rate; as in params.yaml if not given."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The seed of the first weights.")
    ] = 0,
    jobs: Annotated[
        int, typer.Option(min=1, help="Programs of a folder that run at once.")
    ] = os.cpu_count() or 1,
) -> None:
    """Document 003's assignment: generate the waves, train, print the test error after
    every epoch; or check a program.

    `check` runs somebody's program, with your rights, on rows made for it, and says in
    one sentence what is wrong. The program gets N, D or R as its argument, makes its
    series with the document's `generate_time_series`, and prints the test MSE, for D
    and R after every epoch. With a folder, `check` marks every program in it and in its
    folders, and writes the verdicts into marks.csv there. The exit status is 0 if all
    are right, 1 if one is wrong, 3 if `check` cannot tell.

    `unroll lab N` · `unroll lab D --epochs 20` · `unroll lab R --rate 0.001` · `unroll
    lab check program.py` · `unroll lab check homework`
    """
    if (part == "check") != (script is not None):
        raise UsageError(
            "`unroll lab check SCRIPT` needs a program or a folder, and N, D and R take "
            "neither"
        )
    if script is None:
        from unroll.lab import assignment

        assignment.lab(context.obj, part, epochs=epochs, rate=rate, seed=seed)
        return
    try:
        verdicts = _mark(script, jobs) if script.is_dir() else {_check(script)}
    except KeyboardInterrupt:
        print("unroll: stopped; the same command checks all again", file=sys.stderr)
        raise StoppedError from None
    raise typer.Exit(_exit_status(verdicts))


def _exit_status(verdicts: Collection[bool | None]) -> int:
    """Return 1 if a program is wrong, else 3 if one cannot be judged, else 0."""
    if False in verdicts:
        return 1
    if None in verdicts:
        return 3
    return 0


def _check(script: Path) -> bool | None:
    """Check a program, print the sentence on it, and return the verdict."""
    from unroll.lab import assignment

    def begins(letter: str) -> None:
        print(f"running the program with {letter} ...", file=sys.stderr, flush=True)

    right, sentence = assignment.check(script, begins=begins)
    print(sentence)
    return right


def _mark(folder: Path, jobs: int) -> set[bool | None]:
    """Mark the programs of a folder, print their table, and return the verdicts."""
    from unroll.lab.folder import Mark, mark, programs

    total = len(programs(folder))
    numbers = itertools.count(1)

    def marked(one: Mark) -> None:
        said = f"{next(numbers)}/{total}  {one.program}: {one.verdict}"
        print(said, file=sys.stderr, flush=True)

    table = folder / MARKS
    marks = mark(folder, table, jobs, marked)
    show_table(
        ["program", "verdict", "what is wrong"],
        marks,
        caption=f"The same table is {table}",
    )
    words = {"right": True, "wrong": False}
    return {words.get(one.verdict) for one in marks}


@app.command(rich_help_panel="Learning")
def doctor(context: typer.Context) -> None:
    """Check packages and every value of params.yaml; name the data sets that today's
    code would build anew, and the variables that count.

    `unroll doctor` · `unroll --root .demo doctor`
    """
    from unroll.builds import doctor as diagnosis
    from unroll.project import Project

    findings = diagnosis.doctor(Project(context.obj.root))
    for check, ok, text in findings:
        print(f"{'ok  ' if ok else 'FAIL'} {check}: {text}")
    raise typer.Exit(0 if all(ok for _, ok, _ in findings) else 1)
