"""The time of answers and forecasts, on generated files.

Only the shapes and sizes of the files count. The commands are those that a user types,
in a folder of their own.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench import Say
from bench.series.costs import metered, of_models

QUICK = 10
"""The factor by which a quick run has fewer rows."""


class Form(NamedTuple):
    """A generated file.

    Attributes:
        text: a description of the file.
        rows: the number of rows.
        every: the time between two rows, as pandas writes it.
        stamps: column -> format of the timestamps in it.
        periods: column -> timesteps of its cycle; the first column is the target.
        writes: options of pandas' `to_csv`.
        gaps: whether every hundredth target but the last ones is missing.
    """

    text: str
    rows: int
    every: str
    stamps: dict[str, str]
    periods: dict[str, int]
    writes: dict[str, Any]
    gaps: bool

    def write(self, path: Path, rows: int) -> None:
        """Write the file with so many rows."""
        times = pd.date_range("2023-01-01", periods=rows, freq=self.every)
        stamps = {name: times.strftime(form) for name, form in self.stamps.items()}
        values = {name: cycle(rows, period) for name, period in self.periods.items()}
        if self.gaps:
            values[next(iter(values))][99:-200:100] = np.nan
        pd.DataFrame(stamps | values).to_csv(path, index=False, **self.writes)


def cycle(rows: int, period: int) -> np.ndarray:
    """Make a sine with autoregressive noise, rounded to two decimals."""
    noise = np.random.default_rng(period).normal(0, 3, rows)
    for row in range(1, rows):
        noise[row] += 0.8 * noise[row - 1]
    return np.round(100 + 20 * np.sin(2 * np.pi * np.arange(rows) / period) + noise, 2)


FORMS = {
    "meter": Form(
        "hourly, `;` and decimal commas, date and time apart, readings missing",
        10_000,
        "h",
        {"Date": "%d.%m.%Y", "Time": "%H:%M"},
        {"load (kW)": 24, "wind (m/s)": 37},
        {"sep": ";", "decimal": ","},
        gaps=True,
    ),
    "river": Form(
        "daily, one column besides the timestamp",
        900,
        "D",
        {"day": "%Y-%m-%d"},
        {"level": 7},
        {},
        gaps=False,
    ),
    "minutes": Form(
        "every minute, five columns besides the timestamp",
        300_000,
        "min",
        {"time": "%Y-%m-%d %H:%M:%S"},
        {"load": 1440, "wind": 1300, "sun": 1200, "rain": 777, "price": 60},
        {},
        gaps=False,
    ),
}
"""Name of a file -> the file."""


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
    answers = {}
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        for name, form in [*FORMS.items()][: 1 if quick else None]:
            answers[name] = answered(Path(folder), name, form, form.rows // part, say)
    return {"answers": answers}


def answered(
    folder: Path, name: str, form: Form, rows: int, say: Say
) -> dict[str, Any]:
    """Measure a file's answer, the same answer again, and a forecast."""
    form.write(folder / f"{name}.csv", rows)
    target = next(iter(form.periods))
    answer = ["unroll", "answer", f"{name}.csv", "--yes", "--target", target]
    say(" ".join(answer))
    costs = metered(answer, folder)
    costs["cpu"] += of_models(folder / name)
    return {
        "form": form.text,
        "rows": rows,
        **costs,
        "again": metered(answer, folder)["seconds"],
        "predict": metered(["unroll", "predict", name], folder)["seconds"],
    }
