"""Forecasts of one's own, compared with the model that forecasts, on the same cutoffs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.intervals import Part
from pipeline.evaluation.margin import Word
from pipeline.validation import Strict
from series import comparison
from series.comparison import NO_SEEDS, BlockErrors, Comparison, compare
from series.leaderboard import Board
from series.sentence import amount, interval, so_far, span, title

if TYPE_CHECKING:
    import pandas as pd

    from series.answer import Answer

KEYS = ["unique_id", "cutoff", "ds"]
"""The columns that say which value a row forecasts."""

EXPECTED = "the columns ds, cutoff and y_hat; unique_id of several series, model of several models"
"""The columns of a table to judge."""

ALONE = "your forecast"
"""The name of the model in a table without the column `model`."""

OUTCOMES = {
    Word.HELPS: "better",
    Word.HURTS: "worse",
    Word.SAME: "no difference that matters",
    Word.OPEN: "open",
}
"""What a comparison shows -> what is said of the model."""


class Judgement(Strict):
    """How a model compares with the one that forecasts.

    Attributes:
        model: the name of the model.
        champion: the title of the model that forecasts.
        outcome: "better", "worse", "no difference that matters" or "open".
        sentence: the outcome with its figures.
        change: of the error, as a fraction of the champion's: -0.04 is 4 % less.
        low: the lower end of the change's 95 % interval; None where cutoffs span too
            little.
        high: the upper end.
        mae: the mean absolute error, in `unit`.
        champion_mae: the champion's.
        unit: of the errors, as in `Board.unit`.
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


def judge(table: "pd.DataFrame", against: "Answer") -> "Judgement | pd.DataFrame":
    """Compare forecasts with those of the model that forecasts.

    The truth is that of the answer. Only the cutoffs of the later half count, since the
    earlier half was used to choose the model that forecasts. The rule is that of the
    answer.

    Args:
        table: ds, cutoff and y_hat: a row for each value of the later half of the
            cutoffs in `against.forecasts`. Rows of cutoffs before are ignored. Also
            unique_id, if there are several series, and model, if there are several
            models.
        against: an answer for the same series.

    Returns:
        The judgement; of several models a DataFrame with a row for each, whose columns
        are the attributes of `Judgement`.

    Raises:
        UsageError: a column, a cutoff or a value is missing or does not fit; the text
            says what was expected and received.
    """
    import pandas as pd

    board = against.board
    truth = _truth(against)
    rows = _checked(table, board, truth)
    if "model" not in rows.columns:
        rows = rows.assign(model=ALONE)
    names = rows["model"].drop_duplicates().tolist() or [ALONE]
    judgements = [
        _judged(name, rows[rows["model"] == name], truth, against) for name in names
    ]
    if len(judgements) == 1:
        return judgements[0]
    return pd.DataFrame([judgement.model_dump() for judgement in judgements])


def _truth(against: "Answer") -> "pd.DataFrame":
    """Return the champion's forecasts on the later half of the cutoffs, with what was
    measured.
    """
    forecasts = against.forecasts
    later = forecasts["cutoff"] >= np.datetime64(against.board.middle)
    rows = forecasts[later & (forecasts["model"] == against.board.champion)]
    return rows.reset_index(drop=True)


def _judged(
    name: str, rows: "pd.DataFrame", truth: "pd.DataFrame", against: "Answer"
) -> Judgement:
    """Compare one model.

    Args:
        name: of the model.
        rows: its forecasts, checked.
        truth: as `_truth` returns it.
        against: the answer.
    """
    board = against.board
    merged = truth.merge(
        rows[[*KEYS, "y_hat"]], on=KEYS, how="left", suffixes=("_champion", "")
    )
    _require_all(name, merged)
    champion = board.models[board.champion]
    seeds = Part(champion.seed_variance, champion.seeds)
    own = _errors(merged, board, NO_SEEDS)
    of_champion = _errors(merged.assign(y_hat=merged["y_hat_champion"]), board, seeds)
    compared = compare(own, of_champion, board.days)
    champion_title = title(board, against.about.titles, board.champion)
    return Judgement(
        model=name,
        champion=champion_title,
        outcome=OUTCOMES[compared.word],
        sentence=_sentence(name, champion_title, board, compared),
        change=compared.change,
        low=compared.low,
        high=compared.high,
        mae=board.factor * own.mean,
        champion_mae=board.factor * of_champion.mean,
        unit=board.unit,
    )


def _errors(rows: "pd.DataFrame", board: Board, seeds: Part) -> BlockErrors:
    """Return the absolute errors of rows of forecasts by block."""
    errors = comparison.in_deviations(rows, board.deviations).to_numpy()
    blocks = comparison.block_numbers(rows["cutoff"].to_numpy(), board.block_length)
    return BlockErrors.of(errors[:, None], blocks, seeds)


def _sentence(name: str, champion: str, board: Board, compared: Comparison) -> str:
    """Return a judgement in words."""
    outcome = OUTCOMES[compared.word].capitalize()
    if compared.low is None:
        text = f"Open so far: {so_far(board, compared, name, champion)}."
        return f"{text} That is too little for a verdict."
    error = f"{amount(compared.change)} {champion}{interval(compared)}"
    return f"{outcome}: over {span(board)} {name} had {error}."


def _checked(
    table: "pd.DataFrame", board: Board, truth: "pd.DataFrame"
) -> "pd.DataFrame":
    """Return the rows of the later half, with columns of the types that `truth` has."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise UsageError(
            f"the table must be a DataFrame with {EXPECTED}. Received: {type(table).__name__}"
        )
    table = _with_columns(table, board)
    rows = table.assign(
        unique_id=table["unique_id"].astype(str),
        cutoff=_timestamps(table["cutoff"], truth["cutoff"]),
        ds=_timestamps(table["ds"], truth["ds"]),
        y_hat=_numbers(table["y_hat"]),
    )
    if "model" in rows.columns:
        rows["model"] = rows["model"].astype(str)
    rows = rows[rows["cutoff"] >= np.datetime64(board.middle)]
    _require_once(rows)
    _require_known(rows, truth)
    return rows


def _with_columns(table: "pd.DataFrame", board: Board) -> "pd.DataFrame":
    """Return the table with `unique_id`, which may be left out of one series."""
    [*series] = board.deviations
    if "unique_id" not in table.columns and len(series) == 1:
        table = table.assign(unique_id=series[0])
    missing = [column for column in (*KEYS, "y_hat") if column not in table.columns]
    if missing:
        received = ", ".join(map(str, table.columns)) or "none"
        raise UsageError(
            f"the table must have {EXPECTED}. Missing: {', '.join(missing)}. Received: {received}"
        )
    return table


def _timestamps(cells: "pd.Series[Any]", like: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as timestamps of the resolution of another one."""
    import pandas as pd

    try:
        stamps = pd.to_datetime(cells)
    except (ValueError, TypeError):
        raise UsageError(
            f"{cells.name} must hold timestamps such as {like.iloc[0]}. Received: {_first(cells)}"
        ) from None
    if getattr(stamps.dt, "tz", None) is not None:
        raise UsageError(
            f"{cells.name} must hold timestamps without a time zone, such as {like.iloc[0]}. "
            f'Received: {_first(cells)}; forecasts are in UTC: take .dt.tz_convert("UTC").dt.tz_localize(None)'
        )
    return stamps.astype(like.dtype)


def _numbers(cells: "pd.Series[Any]") -> "pd.Series[float]":
    """Return a column as numbers."""
    import pandas as pd

    try:
        return pd.to_numeric(cells).astype(float)
    except (ValueError, TypeError):
        raise UsageError(
            f"y_hat must hold numbers. Received: {_first(cells)}"
        ) from None


def _require_once(rows: "pd.DataFrame") -> None:
    """Raise UsageError if a value is forecast twice."""
    keys = [*KEYS, "model"] if "model" in rows.columns else KEYS
    twice = rows.duplicated(keys)
    if twice.any():
        raise UsageError(
            f"the table must have one row for each {', '.join(keys)}. Received {twice.sum()} rows "
            f"that repeat one, such as {_place(rows[twice])}"
        )


def _require_known(rows: "pd.DataFrame", truth: "pd.DataFrame") -> None:
    """Raise UsageError if rows forecast what the answer did not, or are of unknown
    series.
    """
    unknown = set(rows["unique_id"]) - set(truth["unique_id"])
    if unknown:
        raise UsageError(
            f"unique_id must be one of the answer's series, such as {truth['unique_id'].iloc[0]}. "
            f"Received: {', '.join(sorted(unknown)[:3])}"
        )
    merged = rows[KEYS].merge(truth[KEYS], on=KEYS, how="left", indicator=True)
    others = merged[merged["_merge"] == "left_only"]
    if len(others):
        raise UsageError(
            "the table must forecast the values of the answer's cutoffs, see `answer.forecasts`, "
            f"such as {_place(truth)}. Received {len(others)} other rows, such as {_place(others)}"
        )


def _require_all(name: str, merged: "pd.DataFrame") -> None:
    """Raise UsageError if a value that was measured is not forecast."""
    measured = merged[merged["y"].notna()]
    missing = measured[~np.isfinite(measured["y_hat"].to_numpy(float))]
    if len(missing):
        raise UsageError(
            f"{name} must have a finite y_hat for {len(measured)} values, see `answer.forecasts`. "
            f"Received {len(measured) - len(missing)}; missing: {_place(missing)}"
        )


def _place(rows: "pd.DataFrame") -> str:
    """Return the first row's series, cutoff and timestamp in words."""
    first = rows.iloc[0]
    return f"ds {first['ds']} at cutoff {first['cutoff']} of {first['unique_id']}"


def _first(cells: "pd.Series[Any]") -> str:
    """Return the first value of a column."""
    return repr(cells.iloc[0]) if len(cells) else "no rows"
