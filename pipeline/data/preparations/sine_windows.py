"""Document 000: the next value of y = sin x from the values before it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.files import read_table


def prepare(
    name: str,
    raw: Path,
    *,
    lookback: Annotated[int, pydantic.Field(ge=1, le=1_000_000)],
) -> Dataset:
    """Cut windows of `lookback` values over the extrapolation series of the source
    `sine`, without validation.

    Two values give the next one exactly, since sin(x + h) = 2 cos(h) sin(x) - sin(x -
    h). So the floor is 0.

    Returns:
        A forecast one value ahead, scored by MSE and rolled out over the test series:
        inputs (n, lookback, 1), float64. If the x of only some test targets lie in the
        range of the train x, the groups `inside` and `outside` hold both kinds. With a
        lookback of 20 all targets lie outside.

    Raises:
        UnrollError: a file is missing or damaged.
        ValueError: a series is not longer than `lookback`.
    """
    points = {
        split: read_table(raw / f"extrapolation_{split}.csv", x=float, y=float)
        for split in ("train", "test")
    }
    for split, table in points.items():
        if len(table) <= lookback:
            raise ValueError(
                f"`lookback` must be below the {len(table)} values of {split}. "
                f"Received: {lookback}"
            )
    x = {split: table["x"].to_numpy() for split, table in points.items()}
    y = {split: table["y"].to_numpy() for split, table in points.items()}
    inside = x["test"][lookback:] <= x["train"].max()
    groups = {}
    if inside.any() and not inside.all():
        groups = {"inside": np.flatnonzero(inside), "outside": np.flatnonzero(~inside)}
    return Dataset(
        name=name,
        kind="forecast",
        metric="mse",
        splits={
            split: Windows(
                values[:, None],
                np.arange(lookback, len(values)),
                lookback=lookback,
                step=1,
                delay=0,
                target=0,
            )
            for split, values in y.items()
        },
        groups=groups,
        scored=(),
        rollout=True,
        floors={"exact recurrence": 0.0},
        facts={
            f"{split} range": [float(values.min()), float(values.max())]
            for split, values in x.items()
        },
    )
