"""What a forecaster is, as plain data: its models, and of each series how rows become
inputs and what is forecast.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.params import Experiment
from pipeline.data import row_calendar, series
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.series_options import (
    Cleaning,
    CsvFormat,
    Fitted,
    Statistics,
    Windowing,
)
from pipeline.errors import UnrollError
from pipeline.validation import Strict
from series import backtest

MIDNIGHT = " 00:00:00"
"""How the text of a timestamp ends at midnight."""


@dataclass(frozen=True)
class SeriesQuestion:
    """How rows of a series become inputs and which values come after them, by what was
    fitted to its train rows.

    Attributes:
        dataset: the name of the data set.
        fitted: what turns rows into inputs.
        series: the name of the series in `fitted.series`.
    """

    dataset: str
    fitted: Fitted
    series: str

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
        """How rows are cut into windows."""
        return self.fitted.windows

    @property
    def statistics(self) -> Statistics:
        """The statistics of the series' columns over the train rows."""
        return self.fitted.series[self.series]

    @property
    def scale(self) -> Scale:
        """The scale of the target."""
        column = self.fitted.columns.index(self.csv.target)
        return Scale(
            mean=self.statistics.mean[column],
            std=self.statistics.std[column],
            unit=self.windows.unit,
            quantity=self.windows.quantity,
        )

    @property
    def floor(self) -> float:
        """The least value that is forecast, in the target's unit (`backtest.floor`)."""
        return backtest.floor(self.fitted, self.series)

    @property
    def spacing(self) -> int:
        """Seconds from row to row."""
        return self.cleaning.spacing or 1

    @property
    def row(self) -> np.timedelta64:
        """The time from row to row."""
        return np.timedelta64(1000 * self.spacing, "ms")

    @property
    def ahead(self) -> Array:
        """(outputs,) rows from the last input to each value; the documents' generator
        forgets a step.
        """
        return self.windows.ahead + self.fitted.slip

    @property
    def reach(self) -> int:
        """Consecutive rows that a forecast needs: a window, and the lags of its first
        row.
        """
        return self.windows.lookback + self.windows.lag - self.windows.step + 1

    @property
    def read(self) -> list[str]:
        """The columns that stand in a file: numbers, then a column for each word of a
        category.
        """
        derived = (self.cleaning.fill is not None) + len(self.windows.target_lags)
        derived += len(self.windows.future) + bool(self.windows.holidays)
        return self.fitted.columns[: len(self.fitted.columns) - derived]

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        words = tuple(f"{name}=" for name in self.csv.words)
        return [name for name in self.read if not name.startswith(words)]

    def on_clock(self, times: Array) -> pd.DatetimeIndex:
        """Return stamps (rows,) with the time zone where there is one."""
        zone = self.csv.time_zone
        index = pd.DatetimeIndex(row_calendar.stamps(times, self.cleaning, zone))
        return index if zone is None else index.tz_localize("UTC").tz_convert(zone)

    def when(self, stamp: Any) -> str:
        """Return a stamp on the file's clock; of days and longer rows the date alone."""
        text = str(self.on_clock(np.array([stamp], "datetime64[s]"))[0])
        return text.removesuffix(MIDNIGHT) if self.spacing % series.DAY == 0 else text


class Member(Strict):
    """A model that a forecast is made of: the mean of its seeds' "best" or "final"
    weights.
    """

    name: str
    experiment: Experiment
    problem: dict[str, Any]
    seeds: list[int]
    point: str

    @property
    def timesteps(self) -> int:
        """How far back it looks."""
        return int(self.problem["input_shape"][0])


class ForecasterSpec(Strict):
    """What forecaster.json holds.

    Attributes:
        name: of the experiment, or of the data set whose champion it is.
        dataset: the name of the data set of its rows.
        members: whose median, weighted by their errors, is the forecast
            (`combination`).
        fitted: how rows become inputs, and of which series.
        stride: rows from one origin to the next.
        why: why these members forecast.
        until: the last row that they were fitted to, where the errors since then are to
            count; else None.
    """

    name: str
    dataset: str
    members: list[Member]
    fitted: Fitted
    stride: int
    why: str = "as asked"
    until: str | None = None

    @property
    def questions(self) -> dict[str, SeriesQuestion]:
        """Name of a series -> what is asked of its rows; one that is alone is `ALONE`."""
        return {
            series: SeriesQuestion(self.dataset, self.fitted, series)
            for series in self.fitted.series
        }

    @property
    def question(self) -> SeriesQuestion:
        """The question of the first series. How a file is written and what is asked for
        is the same for all.
        """
        return next(iter(self.questions.values()))

    @property
    def timesteps(self) -> int:
        """How far back the member looks that looks back furthest."""
        return max(member.timesteps for member in self.members)

    @property
    def reach(self) -> int:
        """Rows that are looked at. A model with `history` needs no more of them than a
        window takes.
        """
        longest = (self.timesteps - 1) * self.fitted.windows.step + 1
        return max(self.question.reach, longest)

    @property
    def seeds(self) -> int:
        """The number of seeds of the member that has most."""
        return max(len(member.seeds) for member in self.members)


def fitted_of(data: Dataset) -> Fitted:
    """Return what a series was prepared with.

    Raises:
        UnrollError: it was prepared by an earlier Unroll.
    """
    if data.fitted is None:
        raise UnrollError(
            f"{data.name} was prepared by an earlier Unroll; "
            f"run `unroll repro evaluate@{data.name}`"
        )
    return data.fitted
