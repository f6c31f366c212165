"""The time of answers and forecasts, on generated files.

Only the shapes and sizes of the files count. The commands are those that a user types,
in a folder of their own.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import Say
from bench.series.costs import metered, of_models

QUICK = 10
"""The factor by which a quick run has fewer rows."""


@dataclass(frozen=True)
class Form:
    """A generated file.

    Attributes:
        name: the file's name without `.csv`.
        text: a description of the file.
        rows: the number of rows.
        every: the time between two rows, as pandas writes it.
        stamps: column -> format of the timestamps in it.
        periods: column -> timesteps of its cycle; the first column is the target.
        delimiter: the mark between columns.
        decimal: the mark before decimals.
        gaps: whether every hundredth target but the last ones is missing.
    """

    name: str
    text: str
    rows: int
    every: str
    stamps: dict[str, str]
    periods: dict[str, int]
    delimiter: str = ","
    decimal: str = "."
    gaps: bool = False

    @property
    def target(self) -> str:
        """The column to forecast."""
        return next(iter(self.periods))

    def write(self, folder: Path, rows: int) -> Path:
        """Write the file with so many rows into a folder, and return its path."""
        times = pd.date_range("2023-01-01", periods=rows, freq=self.every)
        stamps = {name: times.strftime(form) for name, form in self.stamps.items()}
        values = {name: cycle(rows, period) for name, period in self.periods.items()}
        if self.gaps:
            values[self.target][99:-200:100] = np.nan
        path = folder / f"{self.name}.csv"
        pd.DataFrame(stamps | values).to_csv(
            path, index=False, sep=self.delimiter, decimal=self.decimal
        )
        return path


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
        10_000,
        "h",
        {"Date": "%d.%m.%Y", "Time": "%H:%M"},
        {"load (kW)": 24, "wind (m/s)": 37},
        delimiter=";",
        decimal=",",
        gaps=True,
    ),
    Form(
        "river",
        "daily, one column besides the timestamp",
        900,
        "D",
        {"day": "%Y-%m-%d"},
        {"level": 7},
    ),
    Form(
        "minutes",
        "every minute, five columns besides the timestamp",
        300_000,
        "min",
        {"time": "%Y-%m-%d %H:%M:%S"},
        {"load": 1440, "wind": 1300, "sun": 1200, "rain": 777, "price": 60},
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
    costs["cpu"] += of_models(folder / form.name)
    again = metered(answer, folder)
    forecast = metered(["unroll", "predict", form.name], folder)
    return {
        "form": form.text,
        "rows": rows,
        **costs,
        "again": again["seconds"],
        "predict": forecast["seconds"],
    }
