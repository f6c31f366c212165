"""The generated CSV files of points, columns x and y."""

from pathlib import Path

import numpy as np

from pipeline.errors import UnrollError
from pipeline.storage import read_csv
from pipeline.windows import Array


def read(path: Path) -> tuple[Array, Array]:
    """The columns x and y, (rows,) float64 each.

    Raises:
        UnrollError: the file is missing, has other columns, no rows, or a cell that is not a finite number.
    """
    again = f"run `unroll source {path.parent.name}` again"
    if not path.is_file():
        raise UnrollError(f"{path} is missing; {again}")
    try:
        points = np.array([(float(row["x"]), float(row["y"])) for row in read_csv(path)])
    except (KeyError, TypeError, ValueError) as error:
        raise UnrollError(f"{path} does not hold numbers in columns x and y ({error}); {again}") from None
    if not points.size or not np.isfinite(points).all():
        raise UnrollError(f"{path} holds no rows, or values that are not finite; {again}")
    return points[:, 0].copy(), points[:, 1].copy()
