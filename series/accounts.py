"""The accounts of each series, and of groups of series: scores, and sums of forecasts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from series.reading import timestamp_formats
from series.reading.profile import FileProfile

MOST_GROUPS = 1_000
"""Largest number of values of a column that groups series."""

GROUP = "group"

TOTAL = "total"
"""The row of all groups together, unless a group is called so (`_total`)."""


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
        A row for each group, and one for all: `by` (or "group", if another column has
        this name), model, mae, rmse and bias; the same
        of the naive model; and the number of measured values. The bias is that of the sum, NaN if
        the sum of the truth is not above 0.
    """
    known = rows[rows["y"].notna()]
    errors = known["y_hat"] - known["y"]
    table = known.assign(absolute=errors.abs(), squared=errors**2, error=errors)
    of_group = _with_total(table, of_series).groupby([GROUP, "role"], sort=False)
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
    groups = [*of_series.values(), _total(of_series)]
    whole = own.join(naive).reindex(pd.Index(dict.fromkeys(groups), name=GROUP))
    whole = whole.fillna({"values": 0}).astype({"values": int}).reset_index()
    return _named(whole, by)


def sums(forecast: pd.DataFrame, by: str, of_series: Mapping[str, str]) -> pd.DataFrame:
    """Return the sums of forecasts over groups of series, and over all series.

    Args:
        forecast: unique_id, ds and y_hat.
        by: the name of the column of groups.
        of_series: name of a series -> its group.

    Returns:
        A row for each group and timestamp: `by` (or "group", if another column has this
        name), ds, y_hat and the number of series.
    """
    of_group = _with_total(forecast, of_series).groupby([GROUP, "ds"], sort=False)
    summed = of_group["y_hat"].agg(y_hat="sum", series="count")
    return _named(summed.reset_index(), by)


def _with_total(rows: pd.DataFrame, of_series: Mapping[str, str]) -> pd.DataFrame:
    """Return rows with their groups, and all rows again as the group of all."""
    groups = rows["unique_id"].astype(str).map(of_series)
    named = rows.assign(**{GROUP: groups})
    return pd.concat([named, named.assign(**{GROUP: _total(of_series)})])


def _total(of_series: Mapping[str, str]) -> str:
    """Return the name of all groups together, which no group has."""
    name = TOTAL
    while name in of_series.values():
        name += " of all"
    return name


def _named(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return a table whose groups have the name of their column, unless it is taken."""
    return table if by in table else table.rename(columns={GROUP: by})
