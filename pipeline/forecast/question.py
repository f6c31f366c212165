"""What is asked of a series: how its rows become inputs, and which values come after them."""

from typing import Any

import numpy as np

from pipeline.data import timestamps
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.data.series_options import Cleaning, CsvFormat, Fitted, Statistics, Windowing
from pipeline.errors import UnrollError
from pipeline.validation import Strict


class Question(Strict):
    """How rows of a series become inputs, and what is asked of them: of a data set what was found in its train rows."""

    dataset: str
    fitted: Fitted
    series: str

    @classmethod
    def of(cls, data: Dataset) -> dict[str, "Question"]:
        """Name of a series -> what it asks. Raises UnrollError if it was prepared by an earlier Unroll."""
        if data.fitted is None:
            raise UnrollError(f"{data.name} was prepared by an earlier Unroll; run `unroll repro evaluate@{data.name}`")
        return {name: cls(dataset=data.name, fitted=data.fitted, series=name) for name in data.fitted.series}

    @property
    def csv(self) -> CsvFormat:
        """How a file is written."""
        return self.fitted.csv

    @property
    def cleaning(self) -> Cleaning:
        """How rows are completed."""
        return self.fitted.cleaning

    @property
    def windows(self) -> Windowing:
        """How they are cut."""
        return self.fitted.windows

    @property
    def statistics(self) -> Statistics:
        """Of the series."""
        return self.fitted.series[self.series]

    @property
    def spacing(self) -> int:
        """Seconds from row to row."""
        return self.fitted.cleaning.spacing or 1

    @property
    def step(self) -> int:
        """Rows from one input to the next, and from one value that is asked for to the next."""
        return self.windows.step

    @property
    def outputs(self) -> int:
        """How many values are asked for."""
        return self.windows.horizon

    @property
    def ahead(self) -> Array:
        """(outputs,) rows from the last input to each value; the documents' generator forgets a step."""
        return self.windows.ahead + self.fitted.slip

    @property
    def where(self) -> str:
        """The place of the file's format in params.yaml."""
        return f"datasets.{self.dataset}.preparation.csv"

    @property
    def span(self) -> int:
        """Rows that a window and the lags of its first row span."""
        return self.windows.lookback + self.windows.lag

    @property
    def reach(self) -> int:
        """Rows in a row that a forecast needs."""
        return self.span - self.step + 1

    @property
    def read(self) -> list[str]:
        """The columns that stand in a file: numbers, then a column for each word of a category."""
        made = (self.cleaning.fill is not None) + len(self.windows.target_lags)
        made += len(self.windows.future) + bool(self.windows.holidays)
        return self.fitted.columns[: len(self.fitted.columns) - made]

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        words = tuple(f"{name}=" for name in self.csv.words)
        return [name for name in self.read if not name.startswith(words)]

    def on_clock(self, times: Array) -> Any:
        """Stamps (rows,) as a pandas DatetimeIndex, with the time zone where there is one."""
        import pandas as pd

        days, zone = timestamps.as_they_are(times, self.cleaning.rows), self.csv.time_zone
        index = pd.DatetimeIndex(days)
        return index if zone is None else index.tz_localize("UTC").tz_convert(zone)

    def when(self, stamp: Any) -> str:
        """A stamp on the file's clock."""
        return str(self.on_clock(np.array([stamp], "datetime64[s]"))[0])
