"""Unroll's forecasts: answer a file in a process, then forecast at each origin."""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import REPOSITORY
from bench.series.costs import metered
from bench.series.public import SEVERAL, HeldOut, PublicFile
from bench.series.scores import LEVELS
from pipeline.data.examples import Array
from pipeline.errors import UnrollError

ANSWER = """
import json, sys, unroll
path, options, folder = sys.argv[1:]
unroll.answer(path, **json.loads(options)).save(folder)
"""
"""The program of the process. Its arguments are a file, options and a folder."""

COLUMNS = [
    *(f"lo-{100 * level:.0f}" for level in reversed(LEVELS)),
    "y_hat",
    *(f"hi-{100 * level:.0f}" for level in LEVELS),
]
"""The columns of `Answer.forecast`, in the order of `scores.QUANTILES`."""


def answered(folder: Path, held: HeldOut) -> tuple[Array, dict[str, Any]]:
    """Answer the rows before the first origin held out, and forecast at each origin.

    Args:
        folder: an empty folder for the file and the answer.
        held: the file.

    Returns:
        The quantiles (series, origins, steps, quantiles); and a mapping with `seconds`,
        `cpu` and `peak` (MiB) of the answer, its `sentence`, and `forecast_seconds`,
        the time of one forecast.

    Raises:
        UnrollError: the process failed.
    """
    import unroll

    path = folder / f"{held.file.name}.csv"
    held.training().to_csv(path, index=False)
    options = json.dumps(_options(held.file))
    saved = folder / "answer"
    command = [sys.executable, "-c", ANSWER, str(path), options, str(saved)]
    costs = metered(command, folder, PYTHONPATH=str(REPOSITORY))
    answer = unroll.load(saved)
    start = time.perf_counter()
    tables = []
    for origin in held.origins:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = answer.forecast(held.until(origin), levels=LEVELS)
        tables.append(table.assign(cutoff=held.grid[origin - 1]))
    costs["forecast_seconds"] = (time.perf_counter() - start) / len(held.origins)
    return aligned(held, pd.concat(tables)), costs | {"sentence": answer.sentence}


def _options(file: PublicFile) -> dict[str, Any]:
    """Return the options that a user has to pass for a file."""
    found: dict[str, Any] = {"target": file.target, "horizon": file.horizon}
    columns = file.stamp.split(SEVERAL)
    if len(columns) > 1:
        found |= {"stamp": columns, "stamp_format": "%Y %m %d"}
    return found


def aligned(held: HeldOut, table: pd.DataFrame) -> Array:
    """Arrange forecasts like `HeldOut.truth`.

    Args:
        held: the file.
        table: unique_id, ds, cutoff (the last known timestamp) and `COLUMNS`. Rows at
            other cutoffs are left out.

    Returns:
        The quantiles (series, origins, steps, quantiles).

    Raises:
        UnrollError: a measured value has no forecast.
    """
    cutoff = held.grid.get_indexer(_like(held.grid, table["cutoff"]))
    step = held.grid.get_indexer(_like(held.grid, table["ds"])) - cutoff - 1
    origin = pd.Index(held.origins - 1).get_indexer(cutoff)
    series = np.zeros_like(step)
    if len(held.names) > 1:
        series = pd.Index(held.names).get_indexer(table["unique_id"].astype(str))
    used = (step >= 0) & (step < held.file.horizon) & (origin >= 0) & (series >= 0)
    found = np.full((*held.truth.shape, len(COLUMNS)), np.nan)
    values = table.loc[used, COLUMNS].to_numpy(float)
    found[series[used], origin[used], step[used]] = values
    missing = np.isnan(found).any(axis=-1) & np.isfinite(held.truth)
    if missing.any():
        series, origin, step = np.argwhere(missing)[0]
        cutoff = held.grid[held.origins[origin] - 1]
        raise UnrollError(
            f"{held.file.name}: {missing.sum()} of {missing.size} values have no "
            f"forecast; the first is step {step + 1} after {cutoff} of series "
            f"{held.names[series]!r}"
        )
    return found


def _like(grid: pd.DatetimeIndex, times: pd.Series) -> pd.DatetimeIndex:
    """Return timestamps in the time zone of a grid."""
    found = pd.DatetimeIndex(pd.to_datetime(times))
    if grid.tz is None:
        return found.tz_localize(None)
    if found.tz is None:
        return found.tz_localize(grid.tz)
    return found.tz_convert(grid.tz)
