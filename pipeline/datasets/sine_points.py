"""Document 000: y = sin x, point by point."""

from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.dataset import Dataset
from pipeline.point_csv import read
from pipeline.windows import Arrays


def prepare(name: str, raw: Path, *, part: Literal["interpolation", "extrapolation"]) -> Dataset:
    """One x in, its y out, no validation: the document has none, and nothing may be chosen on test.

    Args:
        name: of the data set.
        raw: the folder of the source `sine`.
        part: `interpolation` (test x in the range of the train x) or `extrapolation` (mostly beyond it).

    Returns:
        A regression, scored by MSE: inputs (n, 1) and targets (n,) float64. Where some test x are train x and
        some are not, the groups `inside` and `outside` hold them apart.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    points = {split: read(raw / f"{part}_{split}.csv") for split in ("train", "test")}
    seen = np.isin(points["test"][0], points["train"][0])
    mixed = seen.any() and not seen.all()
    return Dataset(
        name=name,
        kind="regress",
        metric="mse",
        splits={split: Arrays(x[:, None], y) for split, (x, y) in points.items()},
        groups={"inside": np.flatnonzero(seen), "outside": np.flatnonzero(~seen)} if mixed else {},
        scored=(),
        facts={f"{split} range": [float(x.min()), float(x.max())] for split, (x, _) in points.items()},
    )
