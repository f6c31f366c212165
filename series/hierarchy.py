"""Forecasts of sums: over the series of a family, of a store, and over all.

The sums are coherent: a parent is the sum of its children. A sum is treated as one more
series: its errors at past cutoffs make its quantiles, as those of a series do, so series
whose errors rise and fall together have wider sums (docs/decisions/own-series.md).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from series import intervals
from series.forecaster import beyond, chosen, coverages
from series.options import argument
from series.reading import timestamp_formats

TOTAL = "total"
"""What stands for all values of a column, unless a value is called so (`_nodes`)."""

TAKEN = ("ds", "y_hat", "series")
"""Columns of the sums that no column of the file may replace."""

SHARE = 0.1
"""An error grows with the forecast, and with this part of the mean forecast."""


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
        twice = pairs["name"][pairs["name"].duplicated()]
        blank = pairs["name"][pairs["value"] == ""]
        for name in [*twice, *blank][:1]:
            both = " and ".join(map(repr, pairs["value"][pairs["name"] == name][:2]))
            raise UnrollError(
                f"{column} of the series {name} is {both}; a column of {option} needs "
                "one value for each series, in all of its rows"
            )
        found[column] = pairs.set_index("name")["value"]
    return found


def sums(
    forecast: pd.DataFrame,
    past: pd.DataFrame,
    of_series: pd.DataFrame,
    quantiles: Mapping[str, float],
    delay: Array,
) -> pd.DataFrame:
    """Return forecasts of sums over series, and quantiles of the sums.

    Args:
        forecast: unique_id, ds, y_hat, and the columns of quantiles.
        past: unique_id, ds, cutoff, y and y_hat of the same models at past cutoffs; y is
            NaN where nothing was measured.
        of_series: the value of each series in some columns, as `groups` returns it.
        quantiles: name of a column -> its quantile.
        delay: (trained steps,) number of cutoffs after which an error is known.

    Returns:
        A row for each timestamp of the total, then of each value of each column, then of
        each combination of values: the columns of `of_series`, where "total" stands for
        all values; ds, y_hat, the columns of quantiles, and the number of series.
    """
    rows = forecast.assign(unique_id=forecast["unique_id"].astype(str))
    spread = rows[["y_hat", *quantiles]]
    rows["is_open"] = (spread.max(axis=1) > spread.min(axis=1)).astype(float)
    rows = rows.set_index(["unique_id", "ds"])[["y_hat", "is_open"]]
    wide = rows.unstack()  # noqa: PD010 - there is one value for each
    wide = wide.loc[of_series.index[of_series.index.isin(wide.index)]]
    labels, matrix = _nodes(of_series.loc[wide.index])
    known = wide["y_hat"].notna().to_numpy(float)  # (series, steps)
    is_open = matrix @ wide["is_open"].fillna(0).to_numpy() > 0  # (sums, steps)
    ahead = matrix @ wide["y_hat"].fillna(0).to_numpy()
    table = labels.loc[np.repeat(labels.index, ahead.shape[1])].reset_index(drop=True)
    table = table.drop(columns="level").rename(
        columns={name: f"group {name}" for name in TAKEN}
    )
    table["ds"] = wide["y_hat"].columns[np.tile(np.arange(ahead.shape[1]), len(ahead))]
    table["y_hat"] = ahead.ravel()
    # A sum of what never was below 0 is not, and has larger errors where it is large.
    is_signed = bool(past[["y", "y_hat"]].lt(0).any(axis=None))
    errors, forecasts = _past_sums(past, wide.index, matrix)
    count = np.maximum(np.isfinite(forecasts).sum(axis=(1, 2), keepdims=True), 1)
    usual = SHARE * np.nansum(forecasts, axis=(1, 2), keepdims=True) / count
    sizes = np.ones_like(ahead)
    if not is_signed:
        errors /= np.where(forecasts + usual > 0, forecasts + usual, 1.0)
        sizes = np.maximum(ahead + usual[..., 0], intervals.ROUNDING)
    growth, nearest = beyond(ahead.shape[1], errors.shape[2])
    ends = _ends(errors, labels["level"], coverages(quantiles), delay)[:, nearest]
    ends *= (growth * sizes)[..., None]
    lowest = -np.inf if is_signed else 0.0
    for name, offset in chosen(ends, quantiles).items():
        own = np.maximum(ahead + np.where(is_open, offset, 0.0), lowest)
        table[name] = own.ravel()
    table["series"] = (matrix @ known).astype(int).ravel()
    return table


def measured(history: pd.DataFrame, of_series: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of what was measured; without a row where nothing was.

    Args:
        history: unique_id, ds and measured.
        of_series: as for `sums`.
    """
    values = history.set_index(["unique_id", "ds"])["measured"]
    wide = values.unstack()  # noqa: PD010 - there is one value for each
    wide = wide.loc[of_series.index[of_series.index.isin(wide.index)]]
    labels, matrix = _nodes(of_series.loc[wide.index])
    summed = matrix @ wide.fillna(0).to_numpy()
    table = labels.loc[np.repeat(labels.index, wide.shape[1])].reset_index(drop=True)
    table["ds"] = wide.columns[np.tile(np.arange(wide.shape[1]), len(labels))]
    return table.drop(columns="level").assign(measured=summed.ravel())


def _nodes(of_series: pd.DataFrame) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """Return the words of each sum with the number of its level, and who belongs to it.

    The total is first, then the values of each column, then the columns crossed. The
    matrix (sums, series) has 1 where a series belongs to a sum.
    """
    total = TOTAL
    while of_series.eq(total).any(axis=None):
        total += " of all"
    columns = [*of_series.columns]
    levels = [[], *([name] for name in columns), columns]
    words = []
    matrices = []
    places = np.arange(len(of_series))
    for number, level in enumerate(levels if len(columns) > 1 else levels[:-1]):
        others = [name for name in columns if name not in level]
        own = of_series.assign(**dict.fromkeys(others, total))
        words.append(own.drop_duplicates().assign(level=number))
        sums = own.groupby(columns, sort=False).ngroup()
        matrices.append(sparse.csr_matrix((np.ones(len(own)), (sums, places))))
    return pd.concat(words, ignore_index=True), sparse.vstack(matrices, "csr")


def _past_sums(
    past: pd.DataFrame, series: "pd.Index[str]", matrix: sparse.csr_matrix
) -> tuple[Array, Array]:
    """Return the errors of sums at past cutoffs, and the forecasts of the sums.

    Cutoffs count that most series have. A series without an error there, such as one
    that began later, is left out of both.

    Returns:
        Two arrays (sums, origins, steps), NaN where nothing was measured.
    """
    of_cutoff = past.groupby(["unique_id", "cutoff"])
    rows = past.assign(step=of_cutoff.cumcount(), name=past["unique_id"].astype(str))
    own = rows[rows["name"].isin(series) & rows["y"].notna()]
    cutoffs, origin = np.unique(own["cutoff"], return_inverse=True)
    place = (series.get_indexer(own["name"]), origin, own["step"].to_numpy())
    values = np.zeros((3, len(series), len(cutoffs), rows["step"].max() + 1))
    values[0][place] = own["y"] - own["y_hat"]
    values[1][place] = own["y_hat"]
    values[2][place] = 1
    counts = values[2].any(axis=2).sum(axis=0)
    values = values[:, :, 2 * counts >= counts.max()]
    shape = (matrix.shape[0], *values.shape[2:])
    errors, forecasts, known = (
        (matrix @ one.reshape(len(series), -1)).reshape(shape) for one in values
    )
    errors[known == 0] = np.nan
    forecasts[known == 0] = np.nan
    return errors, forecasts


def _ends(
    errors: Array, levels: "pd.Series[int]", wanted: Sequence[float], delay: Array
) -> Array:
    """Return the ends (sums, steps, 2 * wanted) of intervals, less the forecast.

    Of few origins the sums of a level share their errors, as whole series do.

    Args:
        errors: (sums, origins, steps).
        levels: (sums,) the level of each sum.
        wanted: coverages of the intervals.
        delay: (steps,) number of origins after which an error is known.
    """
    count = len(errors)
    waiting = int(delay[-1]) - 1
    if errors.shape[1] >= intervals.FEWEST:
        # All errors are known by now: the last origin lies a horizon back.
        later = np.full((count, waiting, errors.shape[2]), np.nan)
        every = np.concatenate([errors, later], axis=1)
        last = every.shape[1]
        return intervals.quantiles(every, wanted, delay, last)[:, -1]
    ends = np.empty((count, errors.shape[2], 2 * len(wanted)))
    for level in levels.unique():
        own = errors[levels == level]
        ends[levels == level] = intervals.pooled(own.reshape(-1, own.shape[2]), wanted)
    return ends
