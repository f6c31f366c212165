"""The tables of an answer as text, for a terminal and a page: models and forecast."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import printable
from pipeline.evaluation.verdict_rule import change_text
from pipeline.report.formatting import SMALL, capital, exponent, number
from unroll.series.combination import ENSEMBLE
from unroll.series.leaderboard import MEASURE, Board
from unroll.series.options import Objective
from unroll.series.sentence import needed_for_interval

MIDNIGHT = " 00:00:00"
"""End of a timestamp's text at midnight."""

EXPLAINED = (
    "Its change is relative to that of the chosen model without recurrence, whose own "
    "row has -. Sum says how far the sum of the forecasts was off. Quantile loss is the "
    "weighted quantile loss over the deciles. Coverage says how often 90 % prediction "
    "intervals held the truth."
)
"""An explanation of the columns of the models' table, but for the error's."""

ERRORS: Mapping[Objective, str] = {
    "median": "MAE is the mean absolute error.",
    "mean": "RMSE is the root of the mean squared error.",
}
"""Objective -> an explanation of the error that the models' table shows."""

GLOSSARY = {
    "theta": "Theta averages a trend line and exponential smoothing.",
    "ets": "ETS is exponential smoothing of level, trend and season.",
    "ces": "CES is exponential smoothing with complex numbers.",
    "mstl": "MSTL splits a series into trend and seasons, and forecasts each.",
    "tsb": "TSB smooths the size and the frequency of demand apart.",
    "boosting": "Boosting adds up many small decision trees.",
}
"""The beginning of a model's name that one course in statistics does not teach -> what
it is."""

FORMULA = re.compile(r"(?![+-]?[\d.]+$)[=+@-]")
"""The beginning of a text that programs of tables take for a formula."""

LONG = 1e4
"""The value from which a forecast has marks between its thousands."""

LARGE = 1e15
"""The value from which a forecast has an exponent."""

ORDER = "order-"
"""The beginning of the name of a column of what to order."""

MOST_DECIMALS = 15
"""Number of decimals that a double has, about."""


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        headings: the headings of the columns.
        rows: the cells of each row.
        numeric: headings of the columns that hold numbers.
        caption: what explains the table.
    """

    headings: list[str]
    rows: list[list[str]]
    numeric: list[str]
    caption: str = ""


def explained(board: Board) -> str:
    """Return an explanation of the columns of the models' table, and of its models."""
    where = "All scores are of the later half of the cutoffs."
    if board.block_days is None:
        where = (
            "Errors are divided by the mean change of a series from one cycle to the "
            "next."
        )
    known = [
        words
        for start, words in GLOSSARY.items()
        if any(name.startswith(start) for name in board.models)
    ]
    if len(board.members) > 1 and not board.shares:
        *first, last = board.members
        known.insert(0, f"The {ENSEMBLE} is made of {', '.join(first)} and {last}.")
    others = [own for name, own in board.models.items() if name != board.opponent]
    if any(own.low is None for own in others):
        known.insert(
            0, f"An interval takes {needed_for_interval(board)}, and here are fewer."
        )
    return " ".join([where, ERRORS[board.objective], EXPLAINED, *known])


def models(scores: pd.DataFrame, unit: str, objective: Objective = "median") -> Table:
    """Return the models of an answer as text, without CPU seconds if none are known.

    Models with the same scores have one row, which shows the seconds of the first.

    Args:
        scores: `Answer.models`.
        unit: the unit of the errors; "" if they have none.
        objective: decides which error is shown.
    """
    measure = MEASURE[objective]
    numeric = [
        f"{measure.upper()}, {printable(unit)}" if unit else measure.upper(),
        f"Change in {measure.upper()}",
        "95 % interval",
        "Sum",
        "Quantile loss",
        "Coverage",
        "CPU s",
    ]
    known = scores.astype(object).where(scores.notna(), None)
    alike = dict[tuple[str, ...], list[str]]()
    for score in known.to_dict("records"):
        row = _model(score, measure)
        first = alike.setdefault(tuple(row[2:-1]), row)
        if first is not row:
            first[0] += f"; {row[0]}"
            first[1] += f", {row[1]}"
    rows = [*alike.values()]
    if scores["seconds"].isna().all():
        numeric = numeric[:-1]
        rows = [row[:-1] for row in rows]
    return Table(["Model", "Name", *numeric], rows, numeric)


def _model(score: Mapping[str, Any], measure: str) -> list[str]:
    title = f"{score['title']} (forecasts)" if score["forecasts"] else score["title"]
    change = "-"
    interval = ""
    mean = score["change"]
    if score["low"] is not None:
        change, interval = change_text(mean, score["low"], score["high"])
    elif mean is not None:
        change = change_text(mean, mean, mean)[0]
    return [
        printable(title),
        score["model"],
        number(score[measure]),
        change,
        interval or "-",
        _number(score["bias"], "{:+.1%}").replace("%", " %"),
        "-" if score["wql"] is None else number(score["wql"]),
        _number(score["coverage"], "{:.0%}").replace("%", " %"),
        _number(score["seconds"], "{:.0f}"),
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def scores(rows: pd.DataFrame, unit: str) -> Table:
    """Return `Answer.scores` as text.

    Args:
        rows: the scores.
        unit: the unit of the target; "" if it has none.
    """
    mae = f"MAE, {unit}" if unit else "MAE"
    numeric = [mae, "RMSE", "Sum", "Naive MAE", "Naive RMSE", "Values"]
    texts = []
    for row in rows.to_dict("records"):
        bias = row["bias"]
        share = "-" if math.isnan(bias) else f"{bias:+.1%}".replace("%", " %")
        own = [number(row["mae"]), number(row["rmse"]), share]
        naive = [number(row["naive_mae"]), number(row["naive_rmse"])]
        texts.append([str(row["unique_id"]), *own, *naive, f"{row['values']:,}"])
    return Table(
        ["Series", *numeric],
        texts,
        numeric,
        "These are the errors of the model that forecasts and of the best naive one, in "
        "the target's unit, at the cutoffs that compare models. Sum says how far the sum "
        "of the forecasts was off.",
    )


def with_text_stamps(forecast: pd.DataFrame) -> pd.DataFrame:
    """Return a forecast with timestamps as text, as dates if all are midnight."""
    stamps = [str(stamp) for stamp in forecast["ds"]]
    if all(stamp.endswith(MIDNIGHT) for stamp in stamps):
        stamps = [stamp.removesuffix(MIDNIGHT) for stamp in stamps]
    return forecast.assign(ds=stamps)


def cell(name: str) -> str:
    """Return a name as a cell that no program of tables takes for a formula.

    Characters that could steer a terminal are escaped, too. A number stays as it is.
    """
    text = printable(name)
    return f"'{text}" if FORMULA.match(text) else text


def csv(forecast: pd.DataFrame) -> str:
    """Return a forecast as comma-separated values, numbers in full.

    The names of series and of their groups are those of `cell`.
    """
    rows = with_text_stamps(forecast)
    names = rows.columns[: rows.columns.get_loc("ds")]
    texts = {name: [cell(str(value)) for value in rows[name]] for name in names}
    return str(rows.assign(**texts).to_csv(index=False, lineterminator="\n"))


def forecast(rows: pd.DataFrame, level: float, unit: str) -> Table:
    """Return a forecast as text, with as many digits as its intervals give meaning to.

    Args:
        rows: unique_id, or the columns of sums; ds, y_hat, the ends of the intervals of
            one or more levels, and what to order.
        level: the coverage of the intervals that are shown.
        unit: the unit of the values; "" if they have none.
    """
    percent = f"{100 * level:g}"
    orders = [name for name in rows if is_order(name)]
    values = ["y_hat", f"lo-{percent}", f"hi-{percent}", *orders]
    numeric = [
        f"Forecast, {unit}" if unit else "Forecast",
        f"Low {percent} %",
        f"High {percent} %",
        *(f"Order {name.removeprefix(ORDER)} %" for name in orders),
    ]
    names = [*rows.columns[: rows.columns.get_loc("ds")]]
    count = len(values)
    texts = []
    # Each series has its own digits.
    for words, own in with_text_stamps(rows).groupby(names, sort=False):
        width = (own[values[2]] - own[values[1]]).median()
        cells = alike(own[values].to_numpy(float).ravel().tolist(), float(width))
        for index, stamp in enumerate(own["ds"]):
            shown = cells[count * index : count * (index + 1)]
            texts.append([*map(str, words), stamp, *shown])
    if names == ["unique_id"]:
        return _of_series(texts, numeric)
    return Table([*map(capital, names), "Timestamp", *numeric], texts, numeric)


def is_order(name: str) -> bool:
    """Return whether a column says what to order."""
    return name.startswith(ORDER)


def orders(rows: pd.DataFrame) -> Table:
    """Return the sums of forecasts, and of what to order, as text.

    Args:
        rows: unique_id, ds, y_hat, and what to order.
    """
    names = ["y_hat", *filter(is_order, rows)]
    of_stamp = with_text_stamps(rows).groupby("ds")[names].sum()
    of_stamp.loc["all periods"] = of_stamp.sum()
    values = of_stamp.to_numpy(float)
    cells = alike(values.ravel().tolist(), float(np.ptp(values[-1])))
    numeric = [
        "Sum of forecasts",
        *(f"Sum of orders {name.removeprefix(ORDER)} %" for name in names[1:]),
    ]
    texts = np.hstack(
        [of_stamp.index.to_numpy(str)[:, None], np.reshape(cells, values.shape)]
    )
    return Table(
        ["Timestamp", *numeric],
        texts.tolist(),
        numeric,
        "What to order is added up as each series needs it for itself.",
    )


def why(rows: pd.DataFrame, unit: str) -> Table:
    """Return the contributions to a forecast as text.

    Args:
        rows: the table of `Answer.why`.
        unit: the unit of the values; "" if they have none.
    """
    numeric = [name.replace("_", " ").capitalize() for name in rows.columns[2:-1]]
    numeric.append(f"Forecast, {unit}" if unit else "Forecast")
    values = rows.iloc[:, 2:].to_numpy(float)
    cells = alike(values.ravel().tolist(), float(np.ptp(values[:, -1])))
    shown = with_text_stamps(rows)[["unique_id", "ds"]].astype(str)
    texts = np.hstack([shown, np.reshape(cells, values.shape)]).tolist()
    return _of_series(texts, numeric)


def _of_series(texts: list[list[str]], numeric: list[str]) -> Table:
    """Return rows that begin with series and timestamp; a single series is left out."""
    headings = ["Series", "Timestamp", *numeric]
    if len({row[0] for row in texts}) == 1:
        return Table(headings[1:], [row[1:] for row in texts], numeric)
    return Table(headings, texts, numeric)


def alike(values: Sequence[float], width: float) -> list[str]:
    """Return values as text, with as many digits as an interval gives meaning to.

    All values have the same number of decimals. Very small and very large values have
    an exponent instead. An infinite value becomes "-".

    Args:
        values: values of one quantity.
        width: the width of their intervals.
    """
    finite = [value for value in values if math.isfinite(value)]
    largest = max(map(abs, finite), default=0.0) or 1.0
    meaning = width if 0 < width < math.inf else largest / 100
    decimals = 2 - math.floor(math.log10(meaning))
    if SMALL <= largest < LARGE:
        decimals = min(max(0, decimals), MOST_DECIMALS)
        mark = "," if largest >= LONG else ""
        texts = {value: f"{value:{mark}.{decimals}f}" for value in finite}
    else:
        digits = max(2, decimals + math.floor(math.log10(largest)))
        digits = min(digits, MOST_DECIMALS)
        texts = {value: exponent(value, digits) if value else "0" for value in finite}
    return [texts.get(value, "-") for value in values]
