"""Forecasts of sums: over the series of a family, of a store, and over all.

The sums are coherent: a parent is the sum of its children. A sum is treated as one more
series: its errors at past cutoffs make its quantiles, as those of a series do, so series
whose errors rise and fall together have wider sums (docs/decisions/own-series.md).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from unroll.series import prediction_intervals
from unroll.series.forecaster import beyond, chosen, coverages
from unroll.series.options import argument
from unroll.series.prediction_intervals import PastErrors
from unroll.series.reading import timestamp_formats

TOTAL = "total"
"""What stands for all values of a column, unless a value is called so."""

TAKEN = ("ds", "y_hat", "series")
"""Columns of the sums that no column of the file may replace."""


def groups(
    cells: pd.DataFrame, series_id: str | None, by: Sequence[str]
) -> pd.DataFrame:
    """Return the value of each series in some columns.

    Args:
        cells: the rows of a file.
        series_id: the column that tells series apart; None if there is one series.
        by: the columns.

    Returns:
        A row for each series, by its name, and a column of text for each of `by`.

    Raises:
        UsageError: there is no such column, or there is one series.
        UnrollError: a series has two values in a column, or none in a row.
    """
    option = argument("by").removesuffix("=")
    if series_id is None:
        raise UsageError(f"{option} adds up several series, and here is one")
    names = timestamp_formats.as_text(cells[series_id])
    found = pd.DataFrame(index=pd.Index(names.unique(), name="unique_id"))
    for column in by:
        one_of(column, [str(name) for name in cells.columns], option)
        own = cells[column]
        values = timestamp_formats.as_text(own).where(own.notna(), "")
        pairs = pd.DataFrame({"name": names, "value": values}).drop_duplicates()
        wrong = pairs["name"].duplicated() | (pairs["value"] == "")
        if wrong.any():
            name = pairs["name"][wrong].iloc[0]
            words = " and ".join(map(repr, pairs["value"][pairs["name"] == name][:2]))
            raise UnrollError(
                f"{column} of the series {name} is {words}; a column of {option} needs "
                "one value for each series, in all of its rows"
            )
        title = f"group {column}" if column in TAKEN else column
        found[title] = pairs.set_index("name")["value"]
    return found


def sums(
    forecast: pd.DataFrame,
    past: pd.DataFrame,
    of_series: pd.DataFrame,
    quantiles: Mapping[str, float],
) -> pd.DataFrame:
    """Return forecasts of sums over series, and quantiles of the sums.

    Args:
        forecast: unique_id, ds, y_hat, and the columns of quantiles.
        past: unique_id, ds, cutoff, y and y_hat of the same models at past cutoffs; y is
            NaN where nothing was measured.
        of_series: the value of each series in some columns, as `groups` returns it.
        quantiles: name of a column -> its quantile.

    Returns:
        A row for each timestamp of the total, then of each value of each column, then of
        each combination of values: the columns of `of_series`, where "total" stands for
        all values; ds, y_hat, the columns of quantiles, and the number of series.
    """
    columns = [*of_series.columns]
    total = TOTAL
    while of_series.eq(total).any(axis=None):
        total += " of all"
    spread = forecast[["y_hat", *quantiles]]
    rows = forecast.assign(
        unique_id=forecast["unique_id"].astype(str),
        is_open=spread.max(axis=1) > spread.min(axis=1),
        step=forecast["ds"].rank(method="dense").astype(int) - 1,
        series=1,
    )
    before = _errors(past)
    tables = []
    for level in dict.fromkeys([(), *((name,) for name in columns), tuple(columns)]):
        others = [name for name in columns if name not in level]
        words = of_series.assign(**dict.fromkeys(others, total))
        words["node"] = words.groupby(columns, sort=False).ngroup()
        own = rows.join(words, on="unique_id").groupby(
            ["node", *columns, "ds", "step"], sort=False
        )
        table = own[["y_hat", "is_open", "series", *quantiles]].sum().reset_index()
        errors = before.join(words["node"], on="unique_id", how="inner")
        # A sum of one series keeps the quantiles of this series.
        tables.append(
            _with_quantiles(table.copy(), errors, quantiles).where(
                table["series"] > 1, table
            )
        )
    return pd.concat(tables, ignore_index=True)[
        [*columns, "ds", "y_hat", *quantiles, "series"]
    ]


def _errors(past: pd.DataFrame) -> pd.DataFrame:
    """Return past forecasts with unique_id as text, step (from 0) and error.

    Cutoffs count that most series have.
    """
    step = past.groupby(["unique_id", "cutoff"]).cumcount()
    error = past["y"] - past["y_hat"]
    rows = past.assign(unique_id=past["unique_id"].astype(str), step=step, error=error)
    rows = rows[error.notna()]
    count = rows["cutoff"].map(rows.groupby("cutoff")["unique_id"].nunique())
    return rows[2 * count >= count.max()]


def _with_quantiles(
    table: pd.DataFrame,
    past: pd.DataFrame,
    quantiles: Mapping[str, float],
) -> pd.DataFrame:
    """Return the forecasts of the sums of a level with their quantiles.

    A sum that never was below 0 stays above, and has larger errors where it is large.
    Of few cutoffs the sums of a level share their errors, as whole series do.

    Args:
        table: node (the number of the sum), ds, step (from 0), y_hat, and is_open, which
            is 0 where all series are known to be 0.
        past: node, cutoff, step, y_hat and error of each series.
        quantiles: as for `sums`.
    """
    of_cutoff = past.groupby(["node", "cutoff", "step"], as_index=False)
    sums = of_cutoff[["error", "y_hat"]].sum()
    numbers, cutoffs = pd.factorize(sums["cutoff"], sort=True)
    place = (sums["node"], numbers, sums["step"])
    shape = (table["node"].max() + 1, len(cutoffs), int(sums["step"].max()) + 1)
    error = np.full(shape, np.nan)
    error[place] = sums["error"]
    forecasts = np.zeros((shape[0], shape[1] + 1, shape[2]))
    forecasts[:, :-1][place] = sums["y_hat"]
    usual = np.abs(forecasts).mean(axis=(1, 2)) + prediction_intervals.ROUNDING
    is_amount = not past[["y", "y_hat"]].lt(0).any(axis=None)
    lowest = 0.0 if is_amount else -np.inf
    errors = PastErrors(
        truth=forecasts[:, :-1] + error,
        forecasts=forecasts,
        recent=np.tile(usual[:, None, None], (1, shape[1] + 1, 2)),
        positions=np.zeros(forecasts.shape, int),
        lowest=np.full(shape[0], lowest),
    )
    growth, nearest = beyond(table["step"].max() + 1, shape[2])
    node = table["node"].to_numpy()
    step = table["step"].to_numpy()
    ahead = np.zeros((shape[0], len(growth)))
    ahead[node, step] = table["y_hat"]
    sizes = growth * errors.sizes(ahead, np.zeros(ahead.shape, int))
    wanted = coverages(quantiles)
    offsets = errors.offsets(wanted, errors.shared(wanted))  # (sums, steps, 2 * wanted)
    for name, offset in chosen(offsets[node, nearest[step]], quantiles).items():
        is_open = table["is_open"] > 0
        open_offset = np.where(is_open, sizes[node, step] * offset, 0.0)
        table[name] = np.maximum(table["y_hat"] + open_offset, lowest)
    return table
