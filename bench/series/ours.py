"""Unroll's forecasts: answer a file in a process, then forecast at each origin."""

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench import REPOSITORY
from bench.series import public
from bench.series.costs import metered, of_models
from bench.series.forecast_scores import LEVELS
from bench.series.public import SEVERAL, HeldOut, PublicFile
from pipeline.data.examples import Array
from pipeline.errors import UnrollError

if TYPE_CHECKING:
    from unroll.series.saved import Answer

ANSWER = """
import json, sys, unroll
path, options, folder = sys.argv[1:]
unroll.answer(path, **json.loads(options)).save(folder)
"""
"""The program of the process. Its arguments are a file, options and a folder."""


def forecast_columns(levels: Sequence[float]) -> list[str]:
    """Return the columns of `Answer.forecast`, in ascending order of the quantiles.

    Args:
        levels: coverages of the intervals, in ascending order.
    """
    percents = [f"{100 * level:.0f}" for level in levels]
    lower = [f"lo-{percent}" for percent in reversed(percents)]
    return [*lower, "y_hat", *(f"hi-{percent}" for percent in percents)]


def saved(
    folder: Path, frame: pd.DataFrame, options: Mapping[str, Any]
) -> tuple["Answer", dict[str, float]]:
    """Answer a table in a process.

    Args:
        folder: an empty folder for the table and the answer.
        frame: the table.
        options: those of `unroll.answer`.

    Returns:
        The answer; and its `seconds`, `cpu` and `peak` (MiB).

    Raises:
        UnrollError: the process failed.
    """
    import unroll

    path = folder / "series.csv"
    frame.to_csv(path, index=False)
    answer = folder / "answer"
    costs = metered(
        [sys.executable, "-c", ANSWER, str(path), json.dumps(options), str(answer)],
        folder,
        PYTHONPATH=str(REPOSITORY),
        XDG_CACHE_HOME=str(
            folder
        ),  # fitted models of an earlier run would cost nothing
    )
    costs["cpu"] += of_models(answer)
    return unroll.load(answer), costs


def answered(folder: Path, held: HeldOut) -> tuple[Array, dict[str, float]]:
    """Answer the rows before the first origin held out, and forecast at each origin.

    Args:
        folder: an empty folder for the file and the answer.
        held: the file.

    Returns:
        The quantiles (series, origins, steps, quantiles); and `seconds`, `cpu` and
        `peak` (MiB) of the answer.

    Raises:
        UnrollError: the process failed.
    """
    answer, costs = saved(folder, held.training(), _options(held.file))
    tables = []
    for origin in held.origins:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = answer.forecast(held.until(origin), levels=LEVELS)
        tables.append(table.assign(cutoff=held.grid[origin - 1]))
    return aligned(held, pd.concat(tables)), costs


def _options(file: PublicFile) -> dict[str, Any]:
    """Return the options that a user has to pass for a file."""
    found: dict[str, Any] = {
        "target": file.target,
        "horizon": file.horizon,
        "objective": "median",
    }
    columns = file.stamp.split(SEVERAL)
    if len(columns) > 1:
        found |= {"stamp": columns, "stamp_format": "%Y %m %d"}
    return found


def aligned(held: HeldOut, table: pd.DataFrame) -> Array:
    """Arrange forecasts like `HeldOut.truth`.

    Args:
        held: the file.
        table: unique_id, ds, cutoff (the last known timestamp) and the
            `forecast_columns`. Rows at other cutoffs are left out.

    Returns:
        The quantiles (series, origins, steps, quantiles).

    Raises:
        UnrollError: a measured value has no forecast.
    """
    names = table["unique_id"].astype(str)
    if len(held.names) == 1:
        names = held.names[0]
    known = table.assign(
        unique_id=names,
        cutoff=public.wall_clock(table["cutoff"]),
        ds=public.wall_clock(table["ds"]),
    ).set_index(["unique_id", "cutoff", "ds"])
    wanted = pd.MultiIndex.from_tuples(
        (name, held.grid[first - 1], held.grid[first + step])
        for name in held.names
        for first in held.origins
        for step in range(held.file.horizon)
    )
    found = known[forecast_columns(LEVELS)].reindex(wanted).to_numpy(float)
    missing = np.isnan(found).any(axis=1) & np.isfinite(held.truth.reshape(-1))
    if missing.any():
        name, cutoff, time = wanted[missing.argmax()]
        raise UnrollError(
            f"{held.file.name}: {missing.sum()} of {missing.size} values have no "
            f"forecast; the first is {time} from {cutoff} of series {name!r}"
        )
    return np.asarray(found.reshape(*held.truth.shape, -1))
