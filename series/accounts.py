"""The accounts of each series, and of groups of series: scores, and sums of forecasts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from series.reading import timestamp_formats
from series.reading.profile import FileProfile

MOST_GROUPS = 1_000
"""Largest number of values of a column that groups series."""

TOTAL = "total"
"""The row of all groups together."""


def groups(profile: FileProfile) -> dict[str, dict[str, str]]:
    """Return a column that groups series -> name of a series -> its value.

    In such a column each series has one value, and some series share theirs.
    """
    if not profile.series_id:
        return {}
    cells = profile.file.cells
    names = timestamp_formats.as_text(cells[profile.series_id])
    found = {}
    for column in cells.columns.difference([profile.series_id, *profile.form.stamp]):
        pairs = pd.DataFrame({"name": names, "value": cells[column]}).drop_duplicates()
        values = pairs["value"].nunique()
        shared = 1 < values < len(pairs) == pairs["name"].nunique()
        if shared and values <= MOST_GROUPS:
            texts = timestamp_formats.as_text(pairs["value"]).fillna("")
            found[str(column)] = dict(zip(pairs["name"], texts, strict=True))
    return found


def scores(rows: pd.DataFrame, by: str, of_series: Mapping[str, str]) -> pd.DataFrame:
    """Return MAE, RMSE and bias of two models for each group of series.

    Args:
        rows: unique_id, model, role ("" for the model that forecasts, else "naive_"), y
            and y_hat.
        by: the name of the column of groups.
        of_series: name of a series -> its group.

    Returns:
        A row for each group, and one for all: `by`, model, mae, rmse and bias; the same
        of the naive model; and the number of measured values. The bias is that of the sum, NaN if
        the sum of the truth is not above 0.
    """
    known = rows[rows["y"].notna()]
    errors = known["y_hat"] - known["y"]
    table = known.assign(absolute=errors.abs(), squared=errors**2, error=errors)
    of_group = _with_total(table, by, of_series).groupby([by, "role"], sort=False)
    sums = of_group["y"].sum()
    found = pd.DataFrame(
        {
            "model": of_group["model"].agg(lambda own: ", ".join(own.unique())),
            "mae": of_group["absolute"].mean(),
            "rmse": np.sqrt(of_group["squared"].mean()),
            "bias": of_group["error"].sum() / sums.where(sums > 0),
            "values": of_group.size(),
        }
    )
    own = found.xs("", level="role")
    naive = found.drop(columns="values").xs("naive_", level="role").add_prefix("naive_")
    every = pd.Index(dict.fromkeys([*of_series.values(), TOTAL]), name=by)
    whole = own.join(naive).reindex(every)
    return whole.fillna({"values": 0}).astype({"values": int}).reset_index()


def sums(forecast: pd.DataFrame, by: str, of_series: Mapping[str, str]) -> pd.DataFrame:
    """Return the sums of forecasts over groups of series, and over all series.

    Args:
        forecast: unique_id, ds and y_hat.
        by: the name of the column of groups.
        of_series: name of a series -> its group.

    Returns:
        A row for each group and timestamp: `by`, ds, y_hat and the number of series.
    """
    whole = _with_total(forecast, by, of_series)
    of_group = whole.groupby([by, "ds"], sort=False)["y_hat"]
    return of_group.agg(y_hat="sum", series="count").reset_index()


def _with_total(
    rows: pd.DataFrame, by: str, of_series: Mapping[str, str]
) -> pd.DataFrame:
    """Return rows with their groups, and all rows again as the group `TOTAL`."""
    named = rows.assign(**{by: rows["unique_id"].astype(str).map(of_series)})
    return pd.concat([named, named.assign(**{by: TOTAL})])
