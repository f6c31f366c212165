"""What a build says of a series of one's own: does it need a recurrent network, and how good is each model?"""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import tables
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, schema
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import SEASON, Entry, Evaluation
from pipeline.forecast import leaderboard
from pipeline.forecast.leaderboard import ENSEMBLE, SHORT, Leaderboard
from pipeline.provenance import record
from pipeline.report import titles
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

ANSWERS = "answers"
"""Where the picture, the table and the page of each series lie, in the workspace."""

NEAR = 1.01
"""How much more error than a network's is level with it."""

DEVIATIONS = "standard deviations"
"""The unit of errors over several series: each one's own, over the train rows."""

DAY = np.timedelta64(1, "D")

WEEK, MONTH, YEAR = 7, 365.25 / 12, 365.25
"""Days."""


@dataclass(frozen=True)
class ModelScore:
    """A model in the table; `change` is of its error against the best without recurrence, with its 95 % interval."""

    name: str
    title: str
    mae: float
    change: float | None
    interval: Interval | None
    coverage: float | None
    seconds: float | None
    champion: bool


@dataclass(frozen=True)
class SeriesAnswer:
    """What is said of a series of one's own.

    Attributes:
        name: of the data set.
        unit: of the errors.
        sentence: the answer, with its number.
        outcome: "yes", "no" or "cannot tell", by the rule of docs/decisions/verdicts.md.
        hint: what more rows would change; empty where nothing.
        models: all, the best first; MAE at the later half of the origins, coverage at all of them.
        compared: the network and its opponent, name -> title; empty where nothing was compared.
    """

    name: str
    unit: str
    sentence: str
    outcome: Outcome
    hint: str
    models: list[ModelScore]
    compared: dict[str, str]


def answer(workspace: Workspace, name: str) -> SeriesAnswer:
    """What the build of a series says. Raises UnrollError if it is not built."""
    every, folder = params.load(workspace.params), workspace.evaluation(name)
    if not is_built(workspace, name):
        raise UnrollError(f"{name} is not built; `unroll answer {name}` builds it")
    evaluation, board = schema.load(folder), leaderboard.load(folder)
    asked, models = answers.answer(evaluation), _models(workspace, every, evaluation, board)
    unit = DEVIATIONS if board.series else board.unit
    if asked.network is None or asked.opponent is None:
        return SeriesAnswer(name, unit, f"Not asked: {asked.reason}.", Outcome.NOT_ASKED, "", models, {})
    compared = {key: _title(every, key, evaluation.experiments[key]) for key in (asked.network, asked.opponent)}
    months, weeks = months_apart(every, name), evaluation.dataset.weeks or 0
    span = span_of_origins(np.datetime64(board.first), np.datetime64(board.last), board.origins, weeks, months)
    change, interval = relative_change(evaluation, asked.network, asked.opponent)
    percent = round(100 * abs(change))
    error = f"{percent} % {'more' if change > 0 else 'less'} error" if percent else "the same error"
    network, opponent = f"the best recurrent network ({compared[asked.network]})", compared[asked.opponent]
    if weeks >= SEASON and interval is not None:
        ends = " to ".join(f"{100 * end:+.1f}" for end in interval)
        sentence = f"{asked.outcome.capitalize()}: over the last {span} {network} had {error} "
        sentence += f"{'than' if percent else 'as'} {opponent} (95 % interval {ends} %)."
        hint = level_with(models, evaluation, {asked.network, asked.opponent})
        return SeriesAnswer(name, unit, sentence, asked.outcome, hint, models, compared)
    errors = errors_by_block(workspace, name)
    network_leads = (errors[asked.network] < errors[asked.opponent]).tolist()
    sentence = f"{so_far(network_leads, network, opponent, str(errors.index.name), span)}; the network had {error}."
    hint = "More rows would tell how much this varies."
    if weeks < SEASON:
        first, last = (np.datetime64(evaluation.dataset.facts[key]) for key in ("train from", "test to"))
        rows = _in_words((last - first) / DAY + 1, months)
        sentence += " Other seasons were not seen."
        hint = f"A verdict takes {SEASON} weeks to compare on, so about a year of rows; this file has {rows}."
    return SeriesAnswer(name, unit, sentence, Outcome.UNSURE, hint, models, compared)


def so_far(network_leads: Sequence[bool], network: str, opponent: str, blocks: str, span: str) -> str:
    """What few weeks say: graded by in how many of them (`blocks`, in all a `span`) the same side was ahead."""
    count, won = len(network_leads), sum(network_leads)
    leads = 2 * won > count
    leader, other, won = (network, opponent, won) if leads else (opponent, network, count - won)
    grade = "Undecided so far" if won < count else "So far yes" if leads else "So far no"
    where = f"over the last {span}" if count == 1 else f"in {won} of {count} {blocks}"
    return f"{grade}: {leader} was ahead of {other} {where}"


def is_built(workspace: Workspace, name: str) -> bool:
    """Whether all models of a series are compared."""
    return (workspace.evaluation(name) / "tables" / "leaderboard.json").is_file()


def level_with(models: Sequence[ModelScore], evaluation: Evaluation, compared: Collection[str]) -> str:
    """What stands beside a verdict: models without recurrence, not the best before, with an error as small (`NEAR`)."""
    mae = min(model.mae for model in models if model.name in compared)
    others = [model for model in models if model.name == ENSEMBLE or not evaluation.experiments[model.name].recurrent]
    near = [model for model in others if model.mae <= NEAR * mae and model.name not in compared]
    titles = ", ".join(f"{model.title} ({model.mae:.4g})" for model in near)
    return f"No worse there ({mae:.4g}), but not the best before: {titles}." if near else ""


def months_apart(every: Params, name: str) -> int:
    """How many months lie between two rows of a series: 0 where rows are weeks, days or hours."""
    cleaning = every.dataset(name).preparation.options["cleaning"]
    return int(cleaning["spacing"] * np.timedelta64(1, "s") / DAY) if cleaning.get("rows") == "month" else 0


def span_of_origins(first: np.datetime64, last: np.datetime64, origins: int, weeks: int, months: int) -> str:
    """How long the later half of the origins is, which spans so many whole weeks; `months` lie between two rows."""
    days = float((last - first) / DAY) / max(1, origins - 1) * (origins - origins // 2)
    return _in_words(WEEK * weeks if weeks > 1 else days, months)


def _in_words(days: float, months: int) -> str:
    """A span of time as people count rows that are so many months apart, of hours, days and weeks 0."""
    if months:
        count, unit = (round(days / YEAR), "year") if months >= 12 else (round(days / MONTH), "month")
    else:
        count, unit = (int(days / WEEK), "week") if days >= 2 * WEEK else (round(days), "day")
    return f"{count} {unit}{'s' * (count != 1)}"


def _title(every: Params, name: str, entry: Entry) -> str:
    """A model in words, a network with its seeds."""
    experiment = every.experiments[name]
    title = titles.experiment(experiment, every.datasets[experiment.dataset]).split(", ")[0].split(" on ")[0]
    return f"{title}, {len(entry.seeds)} seeds" if entry.varies else title


def relative_change(evaluation: Evaluation, name: str, other: str) -> tuple[float, Interval | None]:
    """How much more error one model has than another on the later half of the origins, however short it is.

    As a fraction of the other's, and its 95 % interval where known.
    """
    metric = evaluation.dataset.metric
    ours, theirs = (evaluation.experiments[side].final["test"][metric].mean for side in (name, other))
    error = theirs or 1.0
    difference = evaluation.difference("test", name, other) or evaluation.difference(SHORT, name, other)
    if difference is None:
        return (ours - theirs) / error, None
    low, high = difference.interval()
    return (ours - theirs) / error, (max(-1.0, low / error), high / error)


def _models(workspace: Workspace, every: Params, evaluation: Evaluation, board: Leaderboard) -> list[ModelScore]:
    """Every model, and the combination, by its MAE on the later half of the origins."""
    opponent, models = answers.strongest_opponent(evaluation), []
    for name, scores in board.models.items():
        several = f" of {len(board.members)} models" if board.champion == ENSEMBLE else ""
        title, mae, change, interval = f"weighted median{several}", scores.later, None, None
        if name != ENSEMBLE:
            entry = evaluation.experiments[name]
            title, errors = _title(every, name, entry), entry.final["test"]
            mae = (errors.get("mae_unit") or errors["mae"]).mean
            if opponent and name != opponent:
                change, interval = relative_change(evaluation, name, opponent)
        seconds, champion = _seconds(workspace, board.dataset, name), name == board.champion
        models.append(ModelScore(name, title, mae, change, interval, scores.mean_coverage, seconds, champion))
    return sorted(models, key=lambda model: model.mae)


def _seconds(workspace: Workspace, dataset: str, name: str) -> float | None:
    """How long a model's backtest took; None where there is no record of it."""
    with contextlib.suppress(UnrollError):
        run = record.read(workspace, dataset, name)
        return (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
    return None


def errors_by_block(workspace: Workspace, name: str) -> "pd.DataFrame":
    """(blocks, models) the MAE in each week of the later half, or stretch as long as a forecast; the index says which.

    In the target's unit; of several series in multiples of each one's deviation.
    """
    table = tables.read(workspace.evaluation(name) / "tables" / "by_week.csv", model=str, week=int)
    facts = schema.load(workspace.evaluation(name)).dataset.facts
    weekly = facts["horizon in hours"] <= 24 * WEEK and not months_apart(params.load(workspace.params), name)
    block = "weeks" if weekly else "stretches as long as a forecast"
    return table.pivot_table(index="week", columns="model", values="mae").rename_axis(block)


def table(series: SeriesAnswer, only: Collection[str] = ()) -> dict[str, Any]:
    """The models, or some, as `unroll.results.compare.compare` gives a table."""
    mae = f"MAE, {series.unit}" if series.unit else "MAE"
    headings = {"title": "Model", "mae": mae, "change": "Change", "interval": "95 % interval", "coverage": "90 % held"}
    headings["seconds"] = "Seconds"
    rows = []
    for model in series.models:
        ends = [f"{100 * end:+.1f}" for end in model.interval or ()]
        texts = {
            "title": model.title,
            "mae": f"{model.mae:.4g}",
            "change": "" if model.change is None else f"{100 * model.change:+.1f} %",
            "interval": " to ".join(ends),
            "coverage": "-" if model.coverage is None else f"{100 * model.coverage:.0f} %",
            "seconds": "" if model.seconds is None else f"{model.seconds:.0f}",
        }
        if not only or model.name in only:
            rows.append({key: {"text": text, "value": getattr(model, key)} for key, text in texts.items()})
    columns = [{"key": key, "title": heading, "numeric": key != "title"} for key, heading in headings.items()]
    about = {"name": series.name, "title": series.name, "caption": "", "stand_in": False, "answers": [series.sentence]}
    return about | {"columns": columns, "rows": rows}
