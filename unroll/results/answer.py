"""The answer for a series of one's own: does it need a recurrent network, and how good is each model?"""

import contextlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import tables
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, schema
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Entry, Evaluation
from pipeline.evaluation.verdicts import SEASON, Change, Lack
from pipeline.provenance import record
from pipeline.report.formatting import capital
from pipeline.report.titles import ensemble_title, short_title
from pipeline.workspace import Workspace
from series import leaderboard
from series.leaderboard import ENSEMBLE, Leaderboard

if TYPE_CHECKING:
    import pandas as pd

ANSWERS = "answers"
"""The workspace's folder for the plot, the table and the page of each series."""

AS_GOOD = 1.01
"""A model with at most this multiple of the network's MAE is called as good."""

DAY = np.timedelta64(1, "D")

WEEK, MONTH, YEAR = 7, 365.25 / 12, 365.25
"""Lengths in days."""


@dataclass(frozen=True)
class ModelScore:
    """A row of the table; `change` is that of the error (`answers.change`) to the best model without recurrence."""

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
    """The answer for a series of one's own.

    Attributes:
        name: of the data set.
        unit: of the errors.
        sentence: the answer, with its figure.
        outcome: "yes", "no", "no difference", "cannot tell" or "too short", by the rule of docs/decisions/verdicts.md.
        hint: what more rows or seeds would change and take, or which other models are as good; else empty.
        models: the best first; their MAE is of the later half of the origins, their coverage of all origins.
        span: how long the later half of the origins is, in words.
        members: titles of the models that are combined, if their combination forecasts.
        compared: name -> title of the network and of its opponent; empty if nothing was compared.
    """

    name: str
    unit: str
    sentence: str
    outcome: Outcome
    hint: str
    models: list[ModelScore]
    span: str
    members: list[str]
    compared: dict[str, str]


def answer(workspace: Workspace, name: str) -> SeriesAnswer:
    """Read the answer from the build of a series. Raises UnrollError if it is not built."""
    config, folder = params.load(workspace.params), workspace.evaluation(name)
    if not is_built(workspace, name):
        raise UnrollError(f"{name} is not built; `unroll answer {name}` builds it")
    evaluation, board = schema.load(folder), leaderboard.load(folder)
    verdict, models = answers.answer(evaluation), _models(workspace, config, evaluation, board)
    months, days = months_per_row(config, name), evaluation.dataset.days or 0.0
    span = later_half(np.datetime64(board.first), np.datetime64(board.last), board.origins, int(days / WEEK), months)
    members = [short_title(config, f"{name}/{key}") for key in board.members if board.champion == ENSEMBLE]
    known = partial(SeriesAnswer, name, board.unit, models=models, span=span, members=members)
    if verdict.network is None or verdict.opponent is None:
        return known(f"Not asked: {verdict.reason}.", Outcome.NOT_ASKED, "", compared={})
    compared = {
        key: _title(config, f"{name}/{key}", evaluation.experiments[key]) for key in (verdict.network, verdict.opponent)
    }
    comparison = answers.table(evaluation, {name: (verdict.network, verdict.opponent)}).get(name)
    decided = comparison.change if comparison else None
    change = decided.mean if decided else answers.change(evaluation, verdict.network, verdict.opponent)[0] or 0.0
    percent = round(100 * abs(change))
    error = f"{percent} % {'more' if change > 0 else 'less'} error" if percent else "the same error"
    network, opponent = f"the best recurrent network ({compared[verdict.network]})", compared[verdict.opponent]
    first, last = (np.datetime64(evaluation.dataset.facts[key]) for key in ("train from", "test to"))
    file_days = float((last - first) / DAY) + 1
    if comparison and decided and days >= SEASON:
        ends, level = " to ".join(f"{100 * end:+.1f}" for end in decided.interval), 100 * comparison.level
        sentence = f"{verdict.outcome.capitalize()}: over the last {span} {network} had {error} "
        sentence += f"{'than' if percent else 'as'} {opponent} ({level:.0f} % interval {ends} %)."
        if verdict.outcome == Outcome.UNSURE:
            sentence += f" {capital(verdict.reason)}."
        hints = [as_good_as(models, evaluation, {verdict.network, verdict.opponent})]
        hints.append(settings(config, name, comparison.lacks, board.origins / days, file_days))
        return known(sentence, verdict.outcome, " ".join(filter(None, hints)), compared=compared)
    errors = errors_by_block(workspace, name)
    network_leads = (errors[verdict.network] < errors[verdict.opponent]).tolist()
    sentence = f"{so_far(network_leads, network, opponent, str(errors.index.name), span)}; the network had {error}."
    hint = "More rows would tell how much this varies."
    if days < SEASON:
        rows = _in_words(file_days, months)
        sentence += " Other seasons were not seen."
        hint = f"A verdict takes {SEASON // WEEK} weeks to compare on, so about a year of rows without gaps; "
        hint += f"this file has {rows}, and {_in_words(days, months)} to compare on."
    return known(sentence, verdict.outcome, hint, compared=compared)


def so_far(network_leads: Sequence[bool], network: str, opponent: str, blocks: str, span: str) -> str:
    """The answer from too few `blocks` (such as "weeks") for a verdict: yes or no if one model was ahead in all."""
    count, wins = len(network_leads), sum(network_leads)
    leads = 2 * wins > count
    leader, other, wins = (network, opponent, wins) if leads else (opponent, network, count - wins)
    grade = "Undecided so far" if wins < count else "So far yes" if leads else "So far no"
    when = f"over the last {span}" if count == 1 else f"in {wins} of {count} {blocks}"
    return f"{grade}: {leader} was ahead of {other} {when}"


def settings(config: Params, name: str, lacks: Sequence[Lack], origins_a_day: float, days: float) -> str:
    """The hint beside "cannot tell": the settings that give the weeks and seeds that it lacks, and the rows that takes.

    Args:
        config: params.yaml.
        name: of the data set.
        lacks: of the comparison.
        origins_a_day: of the backtest, for each day of its later half.
        days: that the rows span.
    """
    needed = {lack.unit: lack.needed for lack in lacks}
    days_needed, keys = WEEK * needed.get("weeks", 0.0), []
    origins = math.ceil(origins_a_day * days_needed)
    if origins > config.forecast(name).origins:
        keys.append(f"forecasts.{name}.origins: {origins}")
    if "seeds" in needed:
        keys.append(f"datasets.{name}.seeds: {needed['seeds']:.0f}")
    text = f"Set {' and '.join(keys)} in params.yaml, and ask again" if keys else ""
    if days_needed:  # half of the windows are for the first fit, half of the origins to choose by
        rows = f"about {4 * days_needed / YEAR:.1f} years of rows are needed, and this file has {days / YEAR:.1f}"
        text += f"; {rows}" if text else capital(rows)
    return f"{text}." if text else ""


def is_built(workspace: Workspace, name: str) -> bool:
    """Whether a series has been evaluated."""
    return (workspace.evaluation(name) / "tables" / "leaderboard.json").is_file()


def as_good_as(models: Sequence[ModelScore], evaluation: Evaluation, compared: Collection[str]) -> str:
    """The hint beside a verdict: models without recurrence, not the best before, that are as good as the better one."""
    mae = min(model.mae for model in models if model.name in compared)
    others = [model for model in models if model.name == ENSEMBLE or not evaluation.experiments[model.name].recurrent]
    as_good = [model for model in others if model.mae <= AS_GOOD * mae and model.name not in compared]
    titles = ", ".join(f"{model.title} ({model.mae:.4g})" for model in as_good)
    return f"No worse there ({mae:.4g}), but not the best before: {titles}." if as_good else ""


def months_per_row(config: Params, name: str) -> int:
    """Months from one row of a series to the next; 0 if rows are weeks, days or hours."""
    cleaning = config.dataset(name).preparation.options["cleaning"]
    # Rows of months are spaced as days, one for each month (`row_calendar.numbered`).
    monthly = str(cleaning.get("rows")).startswith("month")
    return int(cleaning["spacing"] * np.timedelta64(1, "s") / DAY) if monthly else 0


def later_half(first: np.datetime64, last: np.datetime64, origins: int, weeks: int, months: int) -> str:
    """How long the later half of the origins is, in words, from its whole weeks and `months_per_row`."""
    days = float((last - first) / DAY) / max(1, origins - 1) * (origins - origins // 2)
    return _in_words(WEEK * weeks if weeks > 1 else days, months)


def _in_words(days: float, months: int) -> str:
    """A span of time in the unit that suits the rows: years or months if rows are months, else weeks or days."""
    if months:
        count, unit = (round(days / YEAR), "year") if months >= 12 else (round(days / MONTH), "month")
    else:
        count, unit = (int(days / WEEK), "week") if days >= 2 * WEEK else (round(days), "day")
    return f"{count} {unit}{'s' * (count != 1)}"


def _title(config: Params, name: str, entry: Entry) -> str:
    """A model in words; a network with the number of its seeds."""
    return short_title(config, name) + (f", {len(entry.seeds)} seeds" if entry.varies else "")


def _models(workspace: Workspace, config: Params, evaluation: Evaluation, board: Leaderboard) -> list[ModelScore]:
    """All models and the combination, by their MAE on the later half of the origins."""
    opponent, models = answers.strongest_opponent(evaluation), []
    for name, scores in board.models.items():
        entry, seconds, change, interval = evaluation.experiments.get(name), None, None, None
        if entry and opponent and name != opponent:
            change, interval = answers.change(evaluation, name, opponent)
        title, mae = ensemble_title(len(board.members)), scores.later
        if entry:
            errors = entry.final["test"]
            title = _title(config, f"{board.dataset}/{name}", entry)
            mae = (errors.get("mae_unit") or errors["mae"]).mean
        with contextlib.suppress(UnrollError):  # not every run has a record
            run = record.read(workspace, board.dataset, name)
            seconds = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
        champion = name == board.champion
        models.append(ModelScore(name, title, mae, change, interval, scores.coverage, seconds, champion))
    return sorted(models, key=lambda model: model.mae)


def errors_by_block(workspace: Workspace, name: str) -> "pd.DataFrame":
    """(blocks, models) the MAE in each block of the later half (`leaderboard.by_week`); the index's name says which.

    In the target's unit; if there are several series, in their standard deviations.
    """
    errors = tables.read(workspace.evaluation(name) / "tables" / "by_week.csv", model=str, week=int)
    facts = schema.load(workspace.evaluation(name)).dataset.facts
    weekly = facts["horizon in hours"] <= 24 * WEEK and not months_per_row(params.load(workspace.params), name)
    blocks = "weeks" if weekly else "stretches as long as a forecast"
    return errors.pivot_table(index="week", columns="model", values="mae").rename_axis(blocks)


def table(series: SeriesAnswer, only: Collection[str] = ()) -> dict[str, Any]:
    """The models (those named in `only`, if any are) as a table of `unroll.results.compare.compare`."""
    mae = ", ".join(filter(None, ("MAE", series.unit, f"last {series.span}")))
    headings = {"title": "Model", "mae": mae, "change": "Change", "interval": "95 % interval"}
    headings |= {"coverage": "90 % held", "seconds": "Seconds"}
    rows = []
    for model in series.models:
        change, interval = "", ""
        if model.change is not None:  # without an interval it has no ends to show
            change, interval = Change(model.change, model.interval or (model.change, model.change)).words
        texts = {
            "title": model.title + " (forecasts)" * model.champion,
            "mae": f"{model.mae:.4g}",
            "change": change,
            "interval": interval if model.interval else "",
            "coverage": "-" if model.coverage is None else f"{100 * model.coverage:.0f} %",
            "seconds": "" if model.seconds is None else f"{model.seconds:.0f}",
        }
        if not only or model.name in only:
            rows.append({key: {"text": text, "value": getattr(model, key)} for key, text in texts.items()})
    columns = [{"key": key, "title": heading, "numeric": key != "title"} for key, heading in headings.items()]
    caption = f"The weighted median is of: {', '.join(series.members)}. " if series.members else ""
    caption += "Change: to the best without recurrence before. Seconds: of the whole backtest."
    about = {"name": series.name, "title": series.name, "caption": caption, "stand_in": False}
    about["answers"] = [series.sentence]
    return about | {"columns": columns, "rows": rows}
