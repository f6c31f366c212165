"""Document 000: y = sin x, point by point."""

from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.files import read_table


def prepare(
    name: str, raw: Path, *, part: Literal["interpolation", "extrapolation"]
) -> Dataset:
    """Return points of the source `sine`: x is the input, y the target.

    There is no validation, as in the document, and nothing may be chosen on test. With
    `part` "interpolation" test x lie in the range of the train x, with "extrapolation"
    mostly beyond it.

    Returns:
        A regression, scored by MSE: inputs (n, 1) and targets (n,), float64. If only
        some test x are also train x, the groups `inside` and `outside` hold both kinds.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    points = {
        split: read_table(raw / f"{part}_{split}.csv", x=float, y=float)
        for split in ("train", "test")
    }
    x = {split: table["x"].to_numpy() for split, table in points.items()}
    seen = np.isin(x["test"], x["train"])
    groups = {}
    if seen.any() and not seen.all():
        groups = {"inside": np.flatnonzero(seen), "outside": np.flatnonzero(~seen)}
    return Dataset(
        name=name,
        kind="regress",
        metric="mse",
        splits={
            split: Arrays(x[split][:, None], table["y"].to_numpy())
            for split, table in points.items()
        },
        groups=groups,
        scored=(),
        facts={
            f"{split} range": [float(values.min()), float(values.max())]
            for split, values in x.items()
        },
    )
