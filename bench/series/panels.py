"""The panels of the M3 competition: Unroll beside models of one series.

The file is data/M3.csv of IDSIA/gpforecasting (GitHub), which has the rows to learn from
and those that were held out.
"""

import csv
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import Say
from bench.series import ours
from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from series.models.statistical import forecast

FILE = Path("m3", "M3.csv")
"""The path of the file in a mirror."""

PANELS = {"MONTHLY": (18, 12, "MS"), "QUARTERLY": (8, 4, "QS"), "YEARLY": (6, 1, "YS")}
"""Panel -> the horizon, the timesteps of a year, and pandas' name of the frequency."""

QUICK = 40
"""The number of series of a trial."""


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Answer each panel, and score the forecasts of what was held out.

    Returns:
        Panel -> `series`, `forecast` (how many series), `mase`, `coverage` of the 90 %
        intervals, `cpu` seconds of the whole answer, and `rivals`: model -> its MASE.

    Raises:
        UnrollError: the mirror lacks the file.
    """
    found = {}
    for panel, (horizon, cycle, frequency) in PANELS.items():
        series = _series(panel)[: QUICK if quick else None]
        options = {"target": "y", "horizon": horizon, "objective": "median"}
        with tempfile.TemporaryDirectory() as folder:
            answer, costs = ours.saved(Path(folder), _table(series, frequency), options)
            made = answer.forecast(levels=0.9)
        scales = [np.abs(past[cycle:] - past[:-cycle]).mean() for _, past, _ in series]
        errors = []
        inside = []
        for (name, _, truth), scale in zip(series, scales, strict=True):
            own = made[made["unique_id"] == name]
            errors.append(np.abs(own["y_hat"].to_numpy() - truth).mean() / scale)
            inside.append((own["lo-90"] <= truth) & (truth <= own["hi-90"]))
        rivals = {}
        for model in ("seasonal_naive", "theta", "auto_ets"):
            of_model = [
                np.abs(forecast(model, past, horizon, cycle) - truth).mean() / scale
                for (_, past, truth), scale in zip(series, scales, strict=True)
            ]
            rivals[model] = float(np.mean(of_model))
        found[panel.lower()] = {
            "series": len(series),
            "forecast": int(made["unique_id"].nunique()),
            "mase": float(np.mean(errors)),
            "coverage": float(np.mean(inside)),
            "cpu": costs["cpu"],
            "rivals": rivals,
        }
        say(f"{panel.lower()}: MASE {np.mean(errors):.3f}, {costs['cpu']:.0f} CPU s")
    return {"panels": found}


def _series(panel: str) -> list[tuple[str, Array, Array]]:
    """Return name, rows and held-out rows of each series of a panel."""
    path = Path(os.environ.get("UNROLL_MIRROR", "")) / FILE
    if not path.is_file():
        raise UnrollError(
            f"the mirror has no {FILE}; let UNROLL_MIRROR name a folder that has it"
        )
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["period"] == panel]
    return [(row["sn"], _values(row["x"]), _values(row["xx"])) for row in rows]


def _values(text: str) -> Array:
    return np.array([float(value) for value in text.split(";")])


def _table(series: list[tuple[str, Array, Array]], frequency: str) -> pd.DataFrame:
    """Return unique_id, ds and y of the rows of a panel whose series end together."""
    frames = []
    for name, past, _ in series:
        stamps = pd.date_range(end="2000-01-01", periods=len(past), freq=frequency)
        frames.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": past}))
    return pd.concat(frames)
