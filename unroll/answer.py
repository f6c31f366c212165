"""The command `answer`: does a series of one's own need a recurrent network, and what comes next? In one command."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import tables as columns
from pipeline.config import params, registry
from pipeline.config.params import Params
from pipeline.data.sniff.profile import Overrides
from pipeline.errors import UnrollError, UsageError, printable
from pipeline.evaluation import answers, schema
from pipeline.evaluation.answers import Networks
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import SEASON, Difference, Entry, Evaluation, Interval
from pipeline.files import write_text
from pipeline.forecast import backtest, leaderboard, plot
from pipeline.forecast.forecaster import require_level
from pipeline.forecast.leaderboard import ENSEMBLE, SHORT, Leaderboard
from pipeline.provenance import record
from pipeline.report import titles
from pipeline.report.page import answer_page
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages.progress import duration
from unroll import cost, tables
from unroll.add.add import Wanted, add
from unroll.app import print_json
from unroll.results import predict, summary
from unroll.results.predict import Predicted
from unroll.runner.build import repro
from unroll.runner.display import Estimates
from unroll.tables import Column
from unroll.workspaces import own

if TYPE_CHECKING:
    import pandas as pd

NEAR = 1.01
"""How much more error than a network's is level with it."""

FOLDER = "answers"
"""Where the picture, the table and the page of each series lie, in the workspace."""


@dataclass(frozen=True)
class Row:
    """A model in the table; `change` is of its error against the best without recurrence, with its 95 % interval."""

    name: str
    title: str
    mae: float
    change: float | None
    interval: Interval | None
    coverage: float | None
    seconds: float | None


@dataclass(frozen=True)
class Answered:
    """What is said of a series of one's own.

    Attributes:
        sentence: the answer, with its number.
        outcome: "yes", "no" or "cannot tell", by the rule of docs/decisions/verdicts.md.
        hint: what more rows would change; empty where nothing.
        rows: every model, the best first; MAE at the later half of the origins, coverage at all of them.
        champion: the one that forecasts.
        forecast: what follows the last row.
        sides: the two models that were compared, in words: name -> title; empty where nothing was.
        folder: of the files.
    """

    name: str
    unit: str
    sentence: str
    outcome: Outcome
    hint: str
    rows: list[Row]
    champion: str
    forecast: Predicted
    sides: dict[str, str]
    folder: Path


def series_of(workspace: Workspace, target: str) -> str | None:
    """The data set that a target names: by its own name, or by its file; None where params.yaml has neither."""
    if not workspace.params.is_file():
        return None
    wanted = params.load(workspace.params)
    if target in wanted.datasets:
        return target
    path = Path(target).resolve()
    paths = {(workspace.root / file.path).resolve(): name for name, file in wanted.files.items()}
    return paths.get(path) if paths.get(path) in wanted.datasets else None


def home_of(root: Path | None, files: Sequence[str]) -> Workspace:
    """Where a series is answered: the folder that is named, else this one if it has a params.yaml, else a new one.

    Raises:
        UsageError: no file is named, and there is no params.yaml.
    """
    if root is not None or Path("params.yaml").is_file():
        workspace = Workspace((root or Path()).resolve())
        if workspace.params.is_file():
            return workspace
    elif not files:
        raise UsageError("there is no params.yaml here; name a file, such as `unroll answer meter.csv`")
    else:
        workspace = Workspace(Path(Path(files[0]).stem).resolve())
    if not workspace.params.is_file():
        if not files or not Path(files[0]).is_file():
            raise UsageError(f"{files[0] if files else 'a file'} is not there; name a CSV or Parquet file")
        own.lay_out(workspace.root)
        print(f"Made {workspace.root.name}/ for this series: its params.yaml, results and page.", flush=True)
    return workspace


def answer(
    workspace: Workspace, files: Sequence[str], wanted: Wanted, overrides: Overrides, jobs: int, level: float
) -> Answered:
    """Add a series if it is new, build what is out of date, and say what came out.

    Raises:
        UsageError, UnrollError: in one line; what was built is kept, and the same command goes on.
    """
    name = series_of(workspace, files[0])
    if name is None:
        name = add(workspace, [Path(file) for file in files], wanted, overrides)
        print()
    every = params.load(workspace.params)
    one_of(name, every.forecasts, "the series")
    if not (workspace.forecaster(name) / "forecaster.json").is_file():
        beforehand(workspace, every, name, jobs)
    status = repro(workspace, [f"refit@{name}"], jobs)
    if status:
        raise UnrollError(f"{name} is not built, as said above; mend it, and the same command goes on")
    print()
    return look(workspace, name, level)


def beforehand(workspace: Workspace, every: Params, name: str, jobs: int) -> None:
    """Say what the rows can decide and how long that takes; stages that were never built get the time they may take."""
    (file, *_), settings = predict.own_files(workspace, every, name), every.forecast(name)
    data = registry.preparation(every, name)(name, file.parent)
    folds = backtest.folds(data, settings)
    cutoffs = np.concatenate([np.asarray(data.stamps)[fold.test.rows - fold.test.step] for fold in folds])
    origins, (_, weeks) = len(np.unique(cutoffs)), leaderboard.halves_of(cutoffs)
    enough = "enough for a verdict" if weeks >= SEASON else f"a verdict wants {SEASON}, so you get what they say so far"
    estimates = Estimates(workspace.scratch / "seconds.json")
    seconds = cost.stages(every.experiments_of(name), data, folds)
    for stage, took in seconds.items():
        estimates.expect(stage, took)
    estimates.keep()
    *models, last = seconds.values()
    left = duration(max(sum(models) / jobs, *models) + last + cost.FIXED)
    print(
        f"{origins} origins, each model fitted {settings.refits} times; "
        f"{_weeks(weeks)} to compare on: {enough}.\n"
        f"About {left} on {jobs} core{'s' * (jobs > 1)}; stopped, the same command goes on.",
        flush=True,
    )


def look(workspace: Workspace, name: str, level: float) -> Answered:
    """What the build of a series says. Raises UnrollError if it is not built."""
    every, folder = params.load(workspace.params), workspace.evaluation(name)
    evaluation, board = schema.load(folder), leaderboard.load(folder)
    forecast = predict.predict(workspace, name, None, level)
    compared = answers.answer(evaluation, Networks.ALL)
    sides = {
        side: titled(every, side, evaluation.experiments[side])
        for side in (compared.network, compared.opponent)
        if side and compared.network and compared.opponent
    }
    sentence, outcome, hint = judged(workspace, evaluation, compared, sides)
    table = rows(workspace, every, evaluation, board)
    if outcome == Outcome.YES and compared.network:
        hint = level_with(table, evaluation, compared.network)
    return Answered(
        name=name,
        unit=board.unit,
        sentence=sentence,
        outcome=outcome,
        hint=hint,
        rows=table,
        champion=board.champion,
        forecast=forecast,
        sides=sides,
        folder=workspace.root / FOLDER / name,
    )


def judged(
    workspace: Workspace, evaluation: Evaluation, compared: answers.Answer, sides: dict[str, str]
) -> tuple[str, Outcome, str]:
    """The answer in a sentence, its outcome, and what more rows would change."""
    if compared.network is None or compared.opponent is None:
        return f"Not asked: {compared.reason}.", Outcome.NOT_ASKED, ""
    network, opponent = sides.values()
    weeks = evaluation.dataset.weeks or 0
    change, interval = relative(evaluation, compared.network, compared.opponent)
    by = f"{abs(change):.0%}".replace("%", " %") + (" more" if change > 0 else " less")
    if weeks < SEASON or interval is None:
        return (*_so_far(workspace, evaluation, compared, sides, by), _more(evaluation, weeks))
    ends = " to ".join(f"{100 * end:+.1f}" for end in interval)
    words = {Outcome.YES: "Yes", Outcome.NO: "No"}.get(compared.outcome, "Cannot tell")
    sentence = f"the best recurrent network, {network}, has {by} error than {opponent} ({ends} %)"
    return f"{words}: {sentence}, over {_weeks(weeks)}.", compared.outcome, ""


def level_with(rows: Sequence[Row], evaluation: Evaluation, network: str) -> str:
    """What stands beside a yes: models without recurrence, not the best before, with an error as small (`NEAR`)."""
    ours = next(row.mae for row in rows if row.name == network)
    others = [row for row in rows if row.name == ENSEMBLE or not evaluation.experiments[row.name].recurrent]
    near = [f"{row.title} {row.mae:.4g}" for row in others if row.mae <= NEAR * ours]
    return f"Level with it there, but not chosen before: {', '.join(near)} ({ours:.4g})." if near else ""


def _so_far(
    workspace: Workspace, evaluation: Evaluation, compared: answers.Answer, sides: dict[str, str], by: str
) -> tuple[str, Outcome]:
    """What few weeks say: graded by in how many of them the same side was ahead, and limited in words."""
    errors = by_week(workspace, evaluation.dataset.name)
    ahead = int((errors[compared.network] < errors[compared.opponent]).sum())
    count, network_leads = len(errors), 2 * ahead > len(errors)
    leader = sides[str(compared.network if network_leads else compared.opponent)]
    won = ahead if network_leads else count - ahead
    grade = ("So far yes" if network_leads else "So far no") if won == count else "Undecided so far"
    network, opponent = sides.values()
    sentence = f"the best recurrent network, {network}, has {by} error than {opponent} there"
    # Where forecasts reach further than a week, errors of one such stretch count as one draw.
    kind = "week" if count >= (evaluation.dataset.weeks or 0) else "stretch of this length"
    ahead_in = f"{leader} was ahead in {won} of {count} {kind}{'s' * (count > 1 and kind == 'week')}"
    return f"{grade}: {ahead_in}; {sentence}. Other seasons were not seen.", Outcome.UNSURE


def _more(evaluation: Evaluation, weeks: int) -> str:
    """What more rows would change: the later half of the origins must span twelve weeks."""
    if weeks >= SEASON:
        return "More rows would tell how much this varies."
    spacing, rows = (evaluation.dataset.facts.get(key, 0) for key in ("seconds between rows", "rows"))
    span = spacing * rows / (7 * 86_400)
    needed = span * SEASON / max(weeks, 1) if weeks else 4.0 * SEASON
    have = f"{span:.0f} weeks of rows leave {weeks}"
    return f"A verdict takes {SEASON} weeks to compare on; {have}, and about {needed:.0f} are needed."


def _weeks(count: int) -> str:
    return f"{count} week{'s' * (count != 1)}"


def titled(every: Params, name: str, entry: Entry) -> str:
    """A model in words, a network with its seeds."""
    experiment = every.experiments[name]
    words = titles.experiment(experiment, every.datasets[experiment.dataset]).split(", ")[0].split(" on ")[0]
    return f"{words} ({len(entry.seeds)} seeds)" if entry.varies else words


def between(evaluation: Evaluation, name: str, other: str) -> Difference | None:
    """The difference on the later half of the origins, however short it is."""
    return evaluation.difference("test", name, other) or evaluation.difference(SHORT, name, other)


def relative(evaluation: Evaluation, name: str, other: str) -> tuple[float, Interval | None]:
    """How much more error one model has than another, as a part of the other's, and its 95 % interval where known."""
    metric = evaluation.dataset.metric
    ours, theirs = (evaluation.experiments[side].final["test"][metric].mean for side in (name, other))
    error, difference = theirs or 1.0, between(evaluation, name, other)
    if difference is None:
        return (ours - theirs) / error, None
    low, high = difference.interval()
    return (ours - theirs) / error, (max(-1.0, low / error), high / error)


def rows(workspace: Workspace, every: Params, evaluation: Evaluation, board: Leaderboard) -> list[Row]:
    """The table: every model, and the combination, by its MAE on the later half of the origins."""
    base, made = answers.strongest_opponent(evaluation), []
    for name, scores in board.models.items():
        if name == ENSEMBLE:
            title = f"weighted median of {len(board.members)} models"
            made.append(Row(name, title, scores.later, None, None, scores.mean_coverage, None))
            continue
        entry = evaluation.experiments[name]
        change, interval = relative(evaluation, name, base) if base and name != base else (None, None)
        mae = entry.final["test"].get("mae_unit") or entry.final["test"]["mae"]
        seconds = _seconds(workspace, board.dataset, name)
        made.append(Row(name, titled(every, name, entry), mae.mean, change, interval, scores.mean_coverage, seconds))
    return sorted(made, key=lambda row: row.mae)


def by_week(workspace: Workspace, name: str) -> "pd.DataFrame":
    """(weeks, models) the MAE in each week of the later half, in the target's unit."""
    table = columns.read(workspace.evaluation(name) / "tables" / "by_week.csv", model=str, week=int)
    return table.pivot_table(index="week", columns="model", values="mae")


def _seconds(workspace: Workspace, dataset: str, name: str) -> float | None:
    try:
        made = record.read(workspace, dataset, name)
    except UnrollError:
        return None
    return (datetime.fromisoformat(made.ended) - datetime.fromisoformat(made.started)).total_seconds()


def show(workspace: Workspace, answered: Answered) -> None:
    """Print the answer, the table, the forecast and where the files are."""
    print(printable(answered.sentence))
    if answered.hint:
        print(printable(answered.hint))
    unit = f", {answered.unit}" if answered.unit else ""
    texts = [
        [
            row.title,
            f"{row.mae:.4g}",
            "" if row.change is None else f"{100 * row.change:+.1f} %",
            "" if row.interval is None else " to ".join(f"{100 * end:+.1f}" for end in row.interval),
            "-" if row.coverage is None else f"{100 * row.coverage:.0f} %",
            "" if row.seconds is None else f"{row.seconds:.0f}",
        ]
        for row in answered.rows
    ]
    headings = ("Model", f"MAE{unit}", "Change", "95 % interval", "90 % held", "Seconds")
    print()
    tables.show([Column(heading, number=index > 0, rank=index) for index, heading in enumerate(headings)], texts)
    print()
    predict.show(answered.forecast)
    print(f"\nFiles: {', '.join(str(path) for path in written(workspace, answered))}")


def as_data(answered: Answered) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "dataset": answered.name,
        "answer": answered.sentence,
        "outcome": str(answered.outcome),
        "hint": answered.hint,
        "unit": answered.unit,
        "models": [asdict(row) | {"champion": row.name == answered.champion} for row in answered.rows],
        **{key: value for key, value in predict.as_data(answered.forecast).items() if key not in {"dataset", "unit"}},
    }


def written(workspace: Workspace, answered: Answered) -> Iterator[Path]:
    """Write pictures, the table and the page; yields their paths, as seen from here."""
    pictures, files = {}, []
    if len(answered.forecast.windows) == 1:
        files.append(answered.folder / "forecast.svg")
        predict.draw(answered.forecast, files[-1])
        caption = f"What was measured, and the forecast with its {100 * answered.forecast.level:.0f} % interval."
        pictures[caption] = files[-1].read_text(encoding="utf-8")
    if answered.sides:
        files.append(answered.folder / "weeks.svg")
        plot.by_week(files[-1], by_week(workspace, answered.name), answered.sides, unit=answered.unit)
        pictures["The error in each week that compares them."] = files[-1].read_text(encoding="utf-8")
    files += [answered.folder / "forecast.csv", answered.folder / "index.html"]
    write_text(files[-2], "\n".join([*predict.csv(answered.forecast), ""]))
    write_text(files[-1], answer_page(as_data(answered), pictures))
    return (Path(os.path.relpath(file)) for file in files)


def command(
    root: Path | None,
    names: Sequence[str],
    wanted: Wanted,
    overrides: Overrides,
    jobs: int,
    level: float,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """What `unroll answer` does."""
    if as_csv and as_json:
        raise UsageError("pass --csv or --json, not both")
    require_level(level)  # before the build, which takes minutes
    workspace = home_of(root, names)
    every = params.load(workspace.params)
    documents = [name for name in names or every.datasets if name in every.datasets and name not in every.forecasts]
    if documents and (not names or documents == [*names]):
        summary.show(workspace, {*documents} & {*summary.built(workspace)})
    if not names:
        for name in every.forecasts:
            if (workspace.forecaster(name) / "forecaster.json").is_file():
                print(f"\n{name}: {look(workspace, name, level).sentence}")
        return
    if documents:
        return
    # What a program reads stands alone on standard output.
    with contextlib.redirect_stdout(sys.stderr) if as_json or as_csv else contextlib.nullcontext():
        answered = answer(workspace, names, wanted, overrides, jobs, level)
    if as_json:
        print_json(as_data(answered))
    elif as_csv:
        print("\n".join(predict.csv(answered.forecast)))
    else:
        show(workspace, answered)
