"""The sine sets of document 000: four small tables of x and sin(x)."""

from pathlib import Path

import numpy as np

from pipeline.data.fetch import Context
from pipeline.data.sources import Count, Seed, streams
from pipeline.files import write_table


def produce(
    folder: Path,
    context: Context,  # noqa: ARG001 - every source is called alike
    *,
    seed: Seed = 0,
    points: Count = 1000,
    test_points: Count = 100,
) -> None:
    """Write `{interpolation,extrapolation}_{train,test}.csv` with the columns x
    (radians) and y = sin(x).

    The interpolation set has `points` x to train on and `test_points` x to test on. All
    are uniform on (-3 pi, 3 pi), from two independent streams. The extrapolation set is
    a fixed grid of step 0.5: train from 0 to 99.5, test from 90 to 199.5.
    """
    import pandas as pd

    train, test = streams(seed, 2)
    tables_of_x = {
        "interpolation_train": train.uniform(-3 * np.pi, 3 * np.pi, points),
        "interpolation_test": test.uniform(-3 * np.pi, 3 * np.pi, test_points),
        "extrapolation_train": np.arange(0, 100, 0.5),
        "extrapolation_test": np.arange(90, 200, 0.5),
    }
    for name, x in tables_of_x.items():
        write_table(folder / f"{name}.csv", pd.DataFrame({"x": x, "y": np.sin(x)}))
