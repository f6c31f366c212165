"""The time of answers and forecasts, on generated files.

Only the shapes and sizes of the files count. The commands are those that a user types,
in a folder of their own.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import Say
from bench.series.costs import metered

QUICK = 10
"""The factor by which a quick run has fewer rows."""


@dataclass(frozen=True)
class Form:
    """A generated file.

    Attributes:
        name: the file's name without `.csv`.
        text: a description of the file.
        target: the column to forecast.
        rows: the number of rows.
        frame: number of rows -> the rows, with timestamps as text.
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
        """Write the file with so many rows into a folder, and return its path."""
        path = folder / f"{self.name}.csv"
        self.frame(rows).to_csv(
            path, index=False, sep=self.delimiter, decimal=self.decimal
        )
        return path


def meter(rows: int) -> pd.DataFrame:
    """Make hourly load and wind; every hundredth load but the last ones is missing."""
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
    periods = {"load": 1440, "wind": 1300, "sun": 1200, "rain": 777, "price": 60}
    for name, period in periods.items():
        frame[name] = cycle(rows, period)
    return frame


def cycle(rows: int, period: int) -> np.ndarray:
    """Make a sine with autoregressive noise, rounded to two decimals."""
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


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Measure generated files.

    Args:
        quick: whether only the first file is measured, with fewer rows.
        say: called with a text about the next step.

    Returns:
        `answers`, a row for each file.

    Raises:
        UnrollError: a command failed.
    """
    part = QUICK if quick else 1
    forms = FORMS[:1] if quick else FORMS
    answers = {}
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        for form in forms:
            answers[form.name] = answered(Path(folder), form, form.rows // part, say)
    return {"answers": answers}


def answered(folder: Path, form: Form, rows: int, say: Say) -> dict[str, Any]:
    """Measure a file's answer, the same answer again, and a forecast."""
    path = form.write(folder, rows)
    answer = ["unroll", "answer", path.name, "--yes", "--target", form.target]
    say(" ".join(answer))
    costs = metered(answer, folder)
    again = metered(answer, folder)
    forecast = metered(["unroll", "predict", form.name], folder)
    return {
        "form": form.text,
        "rows": rows,
        **costs,
        "again": again["seconds"],
        "predict": forecast["seconds"],
    }
