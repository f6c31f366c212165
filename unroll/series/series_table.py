"""Tables of rows of one or several series."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.row_table import RowTable
from unroll.series.row_options import ALONE


@dataclass(frozen=True)
class SeriesTable(RowTable):
    """The rows of one or more series.

    Attributes, besides those of `RowTable`:
        series_id: (rows,) the name of each row's series, "" if it has none; None for a
            single series.
    """

    series_id: Array | None = None

    def only(self, mask: Array) -> Self:
        """Return the rows where `mask` (rows,) is true."""
        series_id = None if self.series_id is None else self.series_id[mask]
        return replace(super().only(mask), series_id=series_id)

    def column(self, name: str) -> Array:
        """Return the values (rows,) of a column."""
        return np.asarray(self.values[:, self.columns.index(name)])

    def known(self, name: str) -> Array:
        """Return the timestamps of the rows in which a column was measured."""
        return np.asarray(self.timestamps[~np.isnan(self.column(name))])

    def up_to_last(self, name: str) -> Self:
        """Return the rows up to the last one in which a column was measured."""
        known = self.known(name)
        return self.only(self.timestamps <= known.max()) if len(known) else self

    def means(self, groups: Array) -> "tuple[SeriesTable, Array]":
        """Return the means of groups of rows in each series, with missing values left
        out.

        Of rows with one timestamp the first counts.

        Args:
            groups: (rows,) datetime64[ms], the timestamp of the group of each row.

        Returns:
            A row for each group, and (groups, columns) the number of values.
        """
        series_id = self.series_id
        names = np.full(len(groups), ALONE) if series_id is None else series_id
        first = ~pd.DataFrame({"name": names, "at": self.timestamps}).duplicated()
        rows = pd.DataFrame(self.values)[first].groupby([names[first], groups[first]])
        means = rows.mean()
        if series_id is not None:
            series_id = means.index.get_level_values(0).to_numpy(object)
        stamps = np.array(means.index.get_level_values(1), "datetime64[ms]")
        return SeriesTable(
            stamps, self.columns, means.to_numpy(copy=True), series_id
        ), rows.count().to_numpy()

    def by_series(self, names: Iterable[str] = ()) -> "dict[str, SeriesTable]":
        """Return name -> the rows of a series, at the timestamps of all series.

        A value is NaN where a series has no row. If a series has several rows at one
        timestamp, the first counts.

        Args:
            names: the names of the series; by default all that occur.
        """
        if self.series_id is None:
            return {ALONE: self}
        index = np.unique(self.timestamps)
        rows = pd.DataFrame(self.values, self.timestamps)
        of_series = dict(iter(rows.groupby(self.series_id)))
        tables = {}
        for name in names or sorted(of_series.keys() - {ALONE}):
            own = of_series.get(name, rows[:0])
            whole = own[~own.index.duplicated()].reindex(index)
            tables[name] = SeriesTable(index, self.columns, whole.to_numpy())
        return tables
