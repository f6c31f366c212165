"""The long forecasts on which papers compare models: all columns of a series from all
columns of it.

As in the code that most of them share: cure-lab/LTSF-Linear (Zeng et al. 2023, arXiv
2205.13504), in turn Autoformer's.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from pipeline.data import row_table
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.row_files import RowFile
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError
from pipeline.files import missing

METRIC = "mse"

TRAIN = 0.7
TEST = 0.2
"""Shares of the rows; those between validate."""

BATCH = 32
"""Windows of a test batch. The last, partial one is dropped in that code."""

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
    """Cut windows of `lookback` rows and the `horizon` rows after them, of every column
    but the stamp.

    Each column is standardised by mean and deviation of the train rows. A window of
    validation or test looks back into the rows before its part; its targets do not
    reach beyond it.

    Args:
        name: of the data set.
        raw: the folder of its source.
        file: the CSV file in it.
        stamp: its column of times; rows are equally spaced and in order.
        lookback: rows of a window; a model may look at fewer of them.
        horizon: rows to forecast.
        day: rows of a day: errors of one week are taken as dependent.

    Returns:
        A forecast scored by MSE and MAE over all windows, rows and columns, in
        standardised units. The group "as published" is the test set without its last,
        partial batch of 32 windows.

    Raises:
        UnrollError: the file cannot be used (`row_table.read`), or is too short.
    """
    if not (raw / file).is_file():
        raise missing(raw / file)
    where = f"datasets.{name}.preparation"
    form = CsvFormat(stamp=[stamp])
    header = RowFile(raw / file, form, where).header()
    columns = [column for column in header if column != stamp]
    form = form.model_copy(update={"target": columns[0] if columns else ""})
    table = row_table.read([raw / file], form, where)
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
            f"datasets.{name}: {rows:,} rows are too few for windows of {lookback} and "
            f"{horizon} more"
        )
    mean = table.values[:train].mean(axis=0)
    deviation = table.values[:train].std(axis=0)
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
        metric=METRIC,
        splits={**splits},
        groups={"as published": np.arange(whole)},
        period=day,
        facts={
            "rows": rows,
            "columns": len(table.columns),
            "rows to forecast": horizon,
        },
    )
