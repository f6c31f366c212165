"""Forecasts of sums: over the series of a family, of a store, and over all.

The sums are coherent: a parent is the sum of its children. Their quantiles are those of
the sums, drawn from the joint errors of all series at past cutoffs, so series whose
errors rise and fall together have wider sums. hierarchicalforecast adds up and draws,
from the bottom up (Panagiotelis and others 2022, "Probabilistic forecast reconciliation",
European Journal of Operational Research 306).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from series.forecaster import beyond
from series.intervals import FEWEST_POOLED
from series.options import argument
from series.reading import timestamp_formats

TOTAL = "total"
"""What stands for all values of a column, unless a value is called so (`_total`)."""

TAKEN = ("ds", "y_hat", "series")
"""Columns of the sums that no column of the file may replace."""

SAMPLES = 1000
"""Number of joint errors that are drawn."""

SHARE = 0.5
"""An error grows with the forecast, and with this part of the series' mean forecast."""


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
    from hierarchicalforecast.methods import BottomUpSparse  # takes a second
    from scipy import sparse

    rows = forecast.assign(unique_id=forecast["unique_id"].astype(str))
    spread = rows[["y_hat", *quantiles]]
    rows["is_open"] = (spread.max(axis=1) > spread.min(axis=1)).astype(float)
    rows = rows.set_index(["unique_id", "ds"])[["y_hat", "is_open"]]
    wide = rows.unstack()  # noqa: PD010 - there is one value for each
    wide = wide.loc[of_series.index[of_series.index.isin(wide.index)]]
    known = wide["y_hat"].notna().to_numpy(float)
    ahead = wide["y_hat"].fillna(0).to_numpy()  # (series, steps)
    is_open = wide["is_open"].fillna(0).to_numpy()
    labels, matrix = _nodes(of_series.loc[wide.index])
    summing = sparse.vstack([matrix, sparse.eye(len(wide))], "csr")
    count = len(labels)
    summed = BottomUpSparse().fit_predict(summing, summing @ ahead)["mean"][:count]
    table = labels.loc[np.repeat(labels.index, ahead.shape[1])].reset_index(drop=True)
    table = table.rename(columns={name: f"group {name}" for name in TAKEN})
    table["ds"] = wide["y_hat"].columns[np.tile(np.arange(ahead.shape[1]), count)]
    table["y_hat"] = summed.ravel()
    if quantiles:
        levels = np.array([*quantiles.values()])
        # A sum of what never was below 0 is not, and has larger errors where it is large.
        is_signed = bool(past[["y", "y_hat"]].lt(0).any(axis=None))
        errors, usual = _errors(past, wide.index, is_signed=is_signed)
        sizes = np.ones_like(ahead) if is_signed else ahead + usual[:, None]
        ends = _quantiles(summing, ahead, errors, is_open * sizes, levels)[:count]
        ends = np.where(
            levels < 0.5,
            np.minimum(ends, summed[..., None]),
            np.maximum(ends, summed[..., None]),
        )
        ends = np.maximum(ends, -np.inf if is_signed else 0.0)
        table[[*quantiles]] = ends.reshape(-1, len(levels))
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
    return table.assign(measured=summed.ravel())


def _nodes(of_series: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """Return the words (nodes, columns) of each sum, and a matrix (nodes, series).

    The matrix is sparse, with 1 where a series belongs to a sum.
    """
    from scipy import sparse

    total = TOTAL
    while of_series.eq(total).any(axis=None):
        total += " of all"
    columns = [*of_series.columns]
    some = [[], *([name] for name in columns), columns]
    words = []
    matrices = []
    places = np.arange(len(of_series))
    for level in some if len(columns) > 1 else some[:-1]:
        others = [name for name in columns if name not in level]
        own = of_series.assign(**dict.fromkeys(others, total))
        words.append(own.drop_duplicates())
        node = own.groupby(columns, sort=False).ngroup()
        matrices.append(sparse.csr_matrix((np.ones(len(own)), (node, places))))
    return pd.concat(words, ignore_index=True), sparse.vstack(matrices, "csr")


def _errors(
    past: pd.DataFrame, series: "pd.Index[str]", *, is_signed: bool
) -> tuple[Array, Array]:
    """Return the errors of some series at past cutoffs, relative to their sizes.

    The size of an error is the forecast, and a part of the mean forecast; it is 1 if
    values may lie below 0. Cutoffs count that most series have. Where a series has no
    error, since it began later, its other errors stand in turn.

    Args:
        past: as for `sums`.
        series: (series,) their names.
        is_signed: whether values may lie below 0.

    Returns:
        (series, origins, steps) errors without NaN; and (series,) the part of the sizes
        that does not depend on the forecast.
    """
    own = past[past["unique_id"].astype(str).isin(series)]
    cutoffs, origin = np.unique(own["cutoff"], return_inverse=True)
    step = own.groupby(["unique_id", "cutoff"]).cumcount().to_numpy()
    place = (series.get_indexer(own["unique_id"].astype(str)), origin, step)
    errors = np.full((len(series), len(cutoffs), step.max() + 1), np.nan)
    forecasts = errors.copy()
    errors[place] = own["y"] - own["y_hat"]
    forecasts[place] = own["y_hat"]
    counts = np.isfinite(errors).any(axis=2).sum(axis=0)
    is_usual = 2 * counts >= counts.max()
    usual = SHARE * own.groupby(place[0])["y_hat"].mean()
    usual = usual.reindex(range(len(series))).fillna(0).to_numpy()
    if not is_signed:
        sizes = forecasts + usual[:, None, None]
        errors = np.divide(errors, sizes, where=sizes > 0, out=np.zeros_like(errors))
    errors = errors[:, is_usual]
    for name, step in np.argwhere(np.isnan(errors).any(axis=1)):
        values = errors[name, :, step]
        known = values[np.isfinite(values)]
        others = np.resize(known if len(known) else 0.0, len(values))
        errors[name, :, step] = np.where(np.isnan(values), others, values)
    return errors, usual


def _quantiles(
    summing: Any, ahead: Array, errors: Array, sizes: Array, levels: Array
) -> Array:
    """Return quantiles of sums, drawn from joint errors.

    The errors at a step are those at this step; if there are few, also at steps beside.

    Args:
        summing: (sums + series, series) the sparse matrix of sums, with the series
            themselves in its last rows.
        ahead: (series, steps) forecasts.
        errors: (series, origins, trained steps) the errors, relative to their sizes.
        sizes: (series, steps) the sizes of errors to come.
        levels: (quantiles,).

    Returns:
        (sums + series, steps, quantiles).
    """
    from hierarchicalforecast.methods import BottomUpSparse

    origins = errors.shape[1]
    # The largest of n errors bounds a new one with probability n / (n + 1) only.
    tails = np.clip(levels + (levels - (levels < 0.5)) / origins, 0, 1)
    width = max(0, math.ceil((FEWEST_POOLED / origins - 1) / 2))
    growth, nearest = beyond(ahead.shape[1], errors.shape[2])
    ends = np.empty((summing.shape[0], ahead.shape[1], len(levels)))
    for step, middle in enumerate(nearest):
        some = errors[:, :, max(0, middle - width) : middle + width + 1]
        joint = sizes[:, [step]] * some.reshape(len(ahead), -1)
        # The library never draws the last error.
        drawn = growth[step] * (summing @ np.pad(joint, ((0, 0), (0, 1))))
        reconciler = BottomUpSparse().fit(
            summing,
            summing @ ahead[:, [step]],
            y_insample=drawn,
            y_hat_insample=np.zeros_like(drawn),
            intervals_method="bootstrap",
            num_samples=SAMPLES,
            seed=0,
        )
        found = reconciler.sampler.get_prediction_quantiles({}, tails)
        ends[:, step] = found["quantiles"][:, 0]
    return ends
