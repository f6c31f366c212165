"""The long forecasts on which papers compare models.

All columns of a series are forecast from all its columns, as in the code that most of
these papers share: cure-lab/LTSF-Linear (Zeng et al. 2023, arXiv 2205.13504), which
follows Autoformer.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from pipeline.data import row_table
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError

TRAIN = 0.7
"""Share of the rows for train; the rows between train and test are for validation."""

TEST = 0.2
"""Share of the rows for test."""

BATCH = 32
"""Windows of a test batch. The papers' code drops the last, partial batch."""

Count = Annotated[int, pydantic.Field(ge=1, le=100_000)]


def prepare(
    name: str,
    raw: Path,
    *,
    file: str,
    stamp: str,
    lookback: Count,
    horizon: Count,
    day: Count,
) -> Dataset:
    """Cut windows of `lookback` rows, with the `horizon` rows after them as targets.

    All columns but the timestamps are inputs and targets. Each column is standardised
    by mean and deviation of the train rows. A window of validation or test may begin in
    the rows before its split. Its targets lie within its split.

    Args:
        name: the name of the data set.
        raw: the folder of its source.
        file: the CSV file in that folder.
        stamp: the column of timestamps; rows are equally spaced and in order.
        lookback: rows of a window; a model may use fewer of them.
        horizon: rows to forecast.
        day: rows of a day. Errors within one week, or within
            the horizon if it is longer, are taken as dependent.

    Returns:
        A forecast scored by MSE and MAE over all windows, rows and columns, in
        standardised units. The group "as published" is the test set without its last,
        partial batch of 32 windows; a smaller test set has no such group.

    Raises:
        UnrollError: the file cannot be used (`row_table.read`), is too short, or has a
            column that is constant in the train rows.
    """
    table = row_table.read(raw / file, stamp, "ISO8601")
    rows = len(table.values)
    train = int(rows * TRAIN)
    test = int(rows * TEST)
    borders = {
        "train": (lookback, train),
        "validation": (train, rows - test),
        "test": (rows - test, rows),
    }
    if any(end - start < horizon for start, end in borders.values()):
        raise UnrollError(
            f"datasets.{name}: {rows:,} rows are too few for windows of {lookback} rows "
            f"and {horizon} rows to forecast; lower lookback or horizon"
        )
    mean = table.values[:train].mean(axis=0)
    deviation = table.values[:train].std(axis=0)
    constant = [
        table.columns[index]
        for index in np.flatnonzero(np.ptp(table.values[:train], axis=0) == 0)
    ]
    if constant:
        raise UnrollError(
            f"datasets.{name}: column {constant[0]!r} has one value in all train rows, "
            f"so it cannot be standardised; remove it from {file}"
        )
    series = ((table.values - mean) / deviation).astype(np.float32)
    splits = {
        split: Windows(
            series,
            np.arange(start, end - horizon + 1),
            lookback=lookback,
            step=1,
            delay=0,
            target=0,
            outputs=horizon,
            every=True,
        )
        for split, (start, end) in borders.items()
    }
    whole = len(splits["test"]) // BATCH * BATCH
    return Dataset(
        name=name,
        kind="forecast",
        metric="mse",
        splits={**splits},
        groups={"as published": np.arange(whole)} if whole else {},
        period=day,
        facts={
            "rows": rows,
            "columns": len(table.columns),
            "rows to forecast": horizon,
        },
    )
