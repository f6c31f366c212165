"""Document 000: the next value of y = sin x from the values before it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from pipeline.dataset import Dataset
from pipeline.point_csv import read
from pipeline.windows import Windows


def prepare(name: str, raw: Path, *, lookback: Annotated[int, pydantic.Field(ge=1, le=1_000_000)]) -> Dataset:
    """Windows over the two extrapolation series, one for train and one for test; no validation.

    sin(x + h) = 2 cos(h) sin(x) - sin(x - h), so two values give the next one exactly: the floor is 0.

    Args:
        name: of the data set.
        raw: the folder of the source `sine`.
        lookback: values in.

    Returns:
        A forecast one value ahead, scored by MSE, rolled out over the test series: inputs (n, lookback, 1)
        float64. Where the x of some test targets lies in the range of the train x, the groups `inside` and
        `outside` hold them apart (with 20 values in, all targets lie outside).

    Raises:
        UnrollError: a file is missing or damaged.
        ValueError: a series is not longer than `lookback`.
    """
    points = {split: read(raw / f"extrapolation_{split}.csv") for split in ("train", "test")}
    for split, (x, _) in points.items():
        if len(x) <= lookback:
            raise ValueError(f"`lookback` must be below the {len(x)} values of {split}. Received: {lookback}")
    inside = points["test"][0][lookback:] <= points["train"][0].max()
    mixed = inside.any() and not inside.all()
    return Dataset(
        name=name,
        kind="forecast",
        metric="mse",
        splits={
            split: Windows(y[:, None], np.arange(lookback, len(y)), lookback=lookback, step=1, delay=0, target=0)
            for split, (_, y) in points.items()
        },
        groups={"inside": np.flatnonzero(inside), "outside": np.flatnonzero(~inside)} if mixed else {},
        scored=(),
        rollout=True,
        floors={"exact recurrence": 0.0},
        facts={f"{split} range": [float(x.min()), float(x.max())] for split, (x, _) in points.items()},
    )
