"""The comparison of a user's forecasts with the champion's, on the same cutoffs.

The champion is the model that forecasts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import UsageError
from pipeline.evaluation.verdict_rule import Word
from pipeline.report.formatting import capital
from pipeline.validation import Strict, one_of
from unroll.series.leaderboard import Board
from unroll.series.options import MODELS, argument
from unroll.series.pairwise import ModelComparison, scores
from unroll.series.saved import Answer
from unroll.series.sentence import (
    amount,
    interval,
    needed_for_interval,
    so_far,
    span,
    title,
    why_open,
)

KEYS = ["unique_id", "cutoff", "ds"]
"""The columns that identify the value that a row forecasts."""

EXPECTED = "the columns ds, cutoff and y_hat; unique_id of several series"
"""The columns of a table to judge, in words."""

ALONE = "your forecast"
"""The title of the model of a table."""

OUTCOMES = {
    Word.HELPS: "better",
    Word.HURTS: "worse",
    Word.SAME: "no difference that matters",
    Word.OPEN: "open",
}
"""The verdict of a comparison -> the outcome for the model."""

VERDICTS = {
    Word.HELPS: "{} is better",
    Word.HURTS: "{} is worse",
    Word.SAME: "{} makes no difference that matters",
    Word.OPEN: "It is open whether {} is better",
}
"""The verdict of a comparison -> the beginning of its sentence."""


class Judgement(Strict):
    """The comparison of a model with the champion.

    Attributes:
        model: the name of the model.
        champion: the title of the champion.
        outcome: "better", "worse", "no difference that matters" or "open".
        sentence: the outcome with its figures.
        change: the error relative to the champion's error: -0.04 is 4 % less.
        low: the lower end of the change's 95 % interval; None if the cutoffs span too
            little time.
        high: the upper end of the interval.
        mae: the mean absolute error, in `unit`.
        champion_mae: the champion's mean absolute error.
        unit: the unit of the errors, as in `Board.unit`.
    """

    model: str
    champion: str
    outcome: str
    sentence: str
    change: float
    low: float | None
    high: float | None
    mae: float
    champion_mae: float
    unit: str


def judge(table: pd.DataFrame, against: Answer) -> Judgement:
    """Compare a table of forecasts with the champion's forecasts.

    Measured values and the rule of the verdict are those of the answer. Only the
    cutoffs of the later half count, since the earlier half was used to choose the
    champion.

    Args:
        table: ds, cutoff and y_hat: a row for each value of the later half of the
            cutoffs in `against.forecasts`. Rows of earlier cutoffs are ignored. Several
            series need the column unique_id.
        against: an answer for the same series.

    Raises:
        UsageError: a column, a cutoff or a value is missing or does not fit; the text
            says what was expected and received.
    """
    board = against.board
    champion = _of_model(against, board.champion)
    rows = pd.concat([_checked(table, against, champion).assign(model=ALONE), champion])
    shown = title(board, against.findings.titles, board.champion)
    return _judgement(board, rows, {ALONE: ALONE, board.champion: shown})


def of_answers(answer: Answer, against: Answer) -> Judgement:
    """Compare the champions of two answers for the same series, by the rule of the second.

    Raises:
        UsageError: they do not forecast the same values from the same cutoffs.
    """
    board = against.board
    champion = _of_model(against, board.champion)
    own = _of_model(answer, answer.board.champion)
    if len(board.deviations) == len(answer.board.deviations) == 1:
        own["unique_id"] = next(iter(board.deviations))  # named after the answer
    values = [*KEYS, "y"]
    if not own[values].equals(champion[values]):
        raise UsageError(
            f"there is no verdict on {answer.name} and {against.name}, since they do not "
            "forecast the same values from the same cutoffs; answer the same file with "
            f"the same {argument('target')}, {argument('horizon')} and "
            f"{argument('lookback')}"
        )
    rows = pd.concat([own.assign(model=ALONE), champion])
    # its seeds count, too
    models = {**board.models, ALONE: answer.board.models[answer.board.champion]}
    titles = {ALONE: _champion_of(answer), board.champion: _champion_of(against)}
    return _judgement(board.model_copy(update={"models": models}), rows, titles)


def _champion_of(answer: Answer) -> str:
    shown = title(answer.board, answer.findings.titles, answer.board.champion)
    return f"{shown} of {answer.name}"


def between(answer: Answer, model: str, other: str) -> Judgement:
    """Judge a model of an answer against another one, by the rule of the answer.

    Raises:
        UsageError: the answer has no such model, or both names are the same.
    """
    for name in (model, other):
        one_of(name, answer.board.models, f"the model of {answer.name}", most=MODELS)
    if model == other:
        raise UsageError(f"both models are {model}; name two models of {answer.name}")
    rows = pd.concat([_of_model(answer, model), _of_model(answer, other)])
    titles = {
        name: title(answer.board, answer.findings.titles, name)
        for name in (model, other)
    }
    return _judgement(answer.board, rows, titles)


def _of_model(answer: Answer, name: str) -> pd.DataFrame:
    rows = answer.board.later(answer.forecasts)
    return rows[rows["model"] == name].reset_index(drop=True).astype({"unique_id": str})


def _judgement(
    board: Board, rows: pd.DataFrame, titles: Mapping[str, str]
) -> Judgement:
    """Compare two models by their forecasts.

    Args:
        board: the board whose rule holds.
        rows: the forecasts of both.
        titles: name -> title, of the model and of the one that it is compared with.
    """
    model, other = titles
    shown, champion = titles.values()
    compared = board.errors(rows).compared(model, other)
    mae = board.factor * scores(rows, board.deviations)["mae"]
    return Judgement(
        model=shown,
        champion=champion,
        outcome=OUTCOMES[compared.word],
        sentence=_sentence(shown, champion, board, compared),
        change=compared.change,
        low=compared.low,
        high=compared.high,
        mae=float(mae[model]),
        champion_mae=float(mae[other]),
        unit=board.unit,
    )


def _sentence(name: str, champion: str, board: Board, compared: ModelComparison) -> str:
    if compared.low is None:
        ahead = so_far(board, compared, name, champion)
        return (
            f"It is open which of the two is better: {ahead}. A verdict takes "
            f"{needed_for_interval(board)}, and here are fewer."
        )
    error = f"{amount(compared.change)} {champion}{interval(compared)}"
    verdict = capital(VERDICTS[compared.word].format(name))
    text = f"{verdict}: over {span(board)} it had {error}."
    return f"{text}{why_open(compared)}"


def _checked(
    table: pd.DataFrame, answer: Answer, champion: pd.DataFrame
) -> pd.DataFrame:
    """Return the later half's values with the y_hat of a table."""
    board = answer.board
    if not isinstance(table, pd.DataFrame):
        raise UsageError(
            f"the table must be a DataFrame with {EXPECTED}. "
            f"Received: {type(table).__name__}"
        )
    table = pd.DataFrame(table)  # without `attrs`, which may be of any type
    [*series] = board.deviations
    if "unique_id" not in table.columns and len(series) == 1:
        table = table.assign(unique_id=series[0])
    missing = [column for column in (*KEYS, "y_hat") if column not in table.columns]
    if missing:
        received = ", ".join(map(str, table.columns)) or "none"
        raise UsageError(
            f"the table must have {EXPECTED}. Missing: {', '.join(missing)}. "
            f"Received: {received}"
        )
    rows = table[[*KEYS, "y_hat"]].assign(
        unique_id=table["unique_id"].astype(str),
        cutoff=_timestamps(table["cutoff"], champion["cutoff"]),
        ds=_timestamps(table["ds"], champion["ds"]),
        y_hat=pd.to_numeric(table["y_hat"], errors="coerce").astype(float),
    )
    merged = champion.drop(columns="y_hat").merge(
        board.later(rows), on=KEYS, how="outer", indicator=True
    )
    finite = np.isfinite(merged["y_hat"].to_numpy(float))
    problems = {
        "one row for each value": merged.duplicated(KEYS),
        "rows for the values of the answer alone": merged["_merge"] == "right_only",
        "a finite y_hat for each measured value": merged["y"].notna() & ~finite,
    }
    for expected, wrong in problems.items():
        if wrong.any():
            first = merged[wrong].iloc[0]
            raise UsageError(
                f"the table must have {expected}, see `answer.forecasts` from cutoff "
                f"{board.middle} on. Not so: {wrong.sum():,} values, such as ds "
                f"{first['ds']} at cutoff {first['cutoff']} of {first['unique_id']}"
            )
    return merged


def _timestamps(cells: "pd.Series[Any]", like: "pd.Series[Any]") -> "pd.Series[Any]":
    try:
        stamps = pd.to_datetime(cells)
    except (ValueError, TypeError):
        raise UsageError(
            f"{cells.name} must hold timestamps such as {like.iloc[0]}. "
            f"Received: {_first(cells)}"
        ) from None
    if getattr(stamps.dt, "tz", None) is not None:
        raise UsageError(
            f"{cells.name} must hold timestamps without a time zone, such as "
            f"{like.iloc[0]}. Received: {_first(cells)}; forecasts are in UTC: take "
            '.dt.tz_convert("UTC").dt.tz_localize(None)'
        )
    return stamps.astype(like.dtype)


def _first(cells: "pd.Series[Any]") -> str:
    return repr(cells.iloc[0]) if len(cells) else "no rows"
