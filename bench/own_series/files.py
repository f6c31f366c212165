"""Generated files of two shapes, as people have them, and one that is large."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv


@dataclass(frozen=True)
class Form:
    """A file of one shape: its data set's name, what it is like, the column to forecast, rows with stamps as text."""

    name: str
    text: str
    target: str
    frame: Callable[[int], pd.DataFrame]
    delimiter: str
    decimal: str

    def write(self, folder: Path, rows: int) -> Path:
        """The file, of so many rows, in a folder."""
        path = folder / f"{self.name}.csv"
        self.frame(rows).to_csv(path, index=False, sep=self.delimiter, decimal=self.decimal)
        return path


def meter(rows: int) -> pd.DataFrame:
    """Hourly load and wind; but for the last week or so, every hundredth load is missing."""
    stamps = pd.date_range("2023-01-01", periods=rows, freq="h")
    load, wind = cycle(rows, period=24), cycle(rows, period=37)
    load[99:-200:100] = np.nan
    texts = {"Date": stamps.strftime("%d.%m.%Y"), "Time": stamps.strftime("%H:%M")}
    return pd.DataFrame({**texts, "load (kW)": load, "wind (m/s)": wind})


def river(rows: int) -> pd.DataFrame:
    """Daily levels with a week's cycle."""
    stamps = pd.date_range("2012-01-01", periods=rows, freq="D")
    return pd.DataFrame({"day": stamps.strftime("%Y-%m-%d"), "level": cycle(rows, period=7)})


def cycle(rows: int, period: int) -> np.ndarray:
    """A sine of that period under noise that remembers (an autoregression), to two decimals."""
    noise = np.random.default_rng(period).normal(0, 3, rows)
    for row in range(1, rows):
        noise[row] += 0.8 * noise[row - 1]
    return np.round(100 + 20 * np.sin(2 * np.pi * np.arange(rows) / period) + noise, 2)


HOURS = "hourly, `;` and decimal commas, date and time apart, readings missing"
DAYS = "daily, commas and decimal points, one column besides the stamp"
FORMS = (Form("meter", HOURS, "load (kW)", meter, ";", ","), Form("river", DAYS, "level", river, ",", "."))


def minutes(path: Path, rows: int) -> None:
    """A file of two columns besides the stamp, a row each minute."""
    index, noise = np.arange(rows), np.random.default_rng(0).normal(0, 1, (2, rows))
    stamps = (np.datetime64("2004-01-01T00:00:00") + index.astype("timedelta64[m]")).astype("datetime64[s]")
    load = np.round(100 + 20 * np.sin(2 * np.pi * index / 1440) + noise[0], 2)
    columns = {"time": pa.array(stamps).cast(pa.string()), "load": load, "wind": np.round(8 + noise[1], 2)}
    csv.write_csv(pa.table(columns), path, csv.WriteOptions(quoting_style="none"))
