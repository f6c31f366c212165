"""What is asked of a series: how its rows become inputs, and which values come after them."""

from typing import Any

import numpy as np

from pipeline.data import row_files, series, several, stamps
from pipeline.data.dataset import Dataset, Fitted
from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.validation import Strict


class Question(Strict):
    """How rows of a series become inputs, and what is asked of them: of a data set what was found in its train rows."""

    dataset: str
    fitted: Fitted

    @classmethod
    def of(cls, data: Dataset) -> dict[str, "Question"]:
        """Name of a series -> what it asks (`several`). Raises UnrollError if it was prepared by an earlier Unroll."""
        if data.fitted is None:
            raise UnrollError(f"{data.name} was prepared by an earlier Unroll; run `unroll repro evaluate@{data.name}`")
        return {word: cls(dataset=data.name, fitted=fitted) for word, fitted in several.parts(data.fitted).items()}

    @property
    def preparation(self) -> dict[str, Any]:
        """The options of `series.prepare`."""
        return self.fitted.options

    @property
    def step(self) -> int:
        """Rows from one input to the next, and from one value that is asked for to the next."""
        return int(self.preparation["step"])

    @property
    def outputs(self) -> int:
        """How many values are asked for."""
        return int(self.preparation["horizon"])

    @property
    def ahead(self) -> Array:
        """(outputs,) rows from the last input to each value; the documents' generator forgets a step."""
        slip = self.step * (self.preparation["protocol"] == "as_published")
        return np.asarray(self.preparation["delay"] + slip + self.step * np.arange(self.outputs))

    @property
    def where(self) -> str:
        """The place of the options in params.yaml."""
        return f"datasets.{self.dataset}.preparation"

    @property
    def span(self) -> int:
        """Rows that a window and the lags of its first row span."""
        return int(self.preparation["lookback"]) + series.longest_lag(self.preparation)

    @property
    def reach(self) -> int:
        """Rows in a row that a forecast needs."""
        return self.span - self.step + 1

    @property
    def form(self) -> row_files.Form:
        """How a file is written."""
        return series.form_of(self.preparation)

    @property
    def read(self) -> list[str]:
        """The columns that stand in a file: numbers, then a column for each word of a category."""
        options = self.preparation
        made = (options["fill"] is not None) + len(options["target_lags"] or [])
        made += len(options.get("future", [])) + bool(options.get("holidays"))
        own = self.fitted.columns[: len(self.fitted.columns) - made]
        return own + [f"{options['series_id']}={word}" for word in options.get("words", [])]

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        words = tuple(f"{name}=" for name in self.form.categories)
        return [name for name in self.read if not name.startswith(words)]

    def on_clock(self, times: Array) -> Any:
        """Stamps (rows,) as a pandas DatetimeIndex, with the time zone where there is one."""
        import pandas as pd

        days = stamps.as_they_are(times, self.preparation.get("rows"))
        index, zone = pd.DatetimeIndex(days), self.preparation["time_zone"]
        return index if zone is None else index.tz_localize("UTC").tz_convert(zone)

    def when(self, stamp: Any) -> str:
        """A stamp on the file's clock."""
        return str(self.on_clock(np.array([stamp], "datetime64[s]"))[0])
