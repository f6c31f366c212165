"""Generated files of three shapes, as people have them, whose sizes are what counts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Form:
    """A file of one shape.

    Attributes:
        name: the file's name without `.csv`.
        text: what the file is like.
        target: the column to forecast.
        rows: how many rows are measured.
        frame: makes so many rows, with timestamps as text.
        delimiter: the mark between columns.
        decimal: the mark before decimals.
    """

    name: str
    text: str
    target: str
    rows: int
    frame: Callable[[int], pd.DataFrame]
    delimiter: str = ","
    decimal: str = "."

    def write(self, folder: Path, rows: int) -> Path:
        """Write the file, of so many rows, into a folder."""
        path = folder / f"{self.name}.csv"
        self.frame(rows).to_csv(
            path, index=False, sep=self.delimiter, decimal=self.decimal
        )
        return path


def meter(rows: int) -> pd.DataFrame:
    """Make hourly load and wind; before the last week, every hundredth load is missing."""
    timestamps = pd.date_range("2023-01-01", periods=rows, freq="h")
    load = cycle(rows, period=24)
    load[99:-200:100] = np.nan
    return pd.DataFrame(
        {
            "Date": timestamps.strftime("%d.%m.%Y"),
            "Time": timestamps.strftime("%H:%M"),
            "load (kW)": load,
            "wind (m/s)": cycle(rows, period=37),
        }
    )


def river(rows: int) -> pd.DataFrame:
    """Make daily levels with a week's cycle."""
    timestamps = pd.date_range("2012-01-01", periods=rows, freq="D")
    return pd.DataFrame(
        {"day": timestamps.strftime("%Y-%m-%d"), "level": cycle(rows, period=7)}
    )


def minutes(rows: int) -> pd.DataFrame:
    """Make five columns besides the timestamp, a row each minute."""
    timestamps = pd.date_range("2024-01-01", periods=rows, freq="min")
    frame = pd.DataFrame({"time": timestamps.strftime("%Y-%m-%d %H:%M:%S")})
    for name, period in {
        "load": 1440,
        "wind": 1300,
        "sun": 1200,
        "rain": 777,
        "price": 60,
    }.items():
        frame[name] = cycle(rows, period)
    return frame


def cycle(rows: int, period: int) -> np.ndarray:
    """Make a sine of that period under autoregressive noise, to two decimals."""
    noise = np.random.default_rng(period).normal(0, 3, rows)
    for row in range(1, rows):
        noise[row] += 0.8 * noise[row - 1]
    return np.round(100 + 20 * np.sin(2 * np.pi * np.arange(rows) / period) + noise, 2)


FORMS = (
    Form(
        "meter",
        "hourly, `;` and decimal commas, date and time apart, readings missing",
        "load (kW)",
        10_000,
        meter,
        delimiter=";",
        decimal=",",
    ),
    Form("river", "daily, one column besides the timestamp", "level", 900, river),
    Form(
        "minutes",
        "every minute, five columns besides the timestamp",
        "load",
        300_000,
        minutes,
    ),
)
