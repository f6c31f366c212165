"""Noisy sums of two sines and the parameters of each, for the four shapes of a
recurrent network in document 001.
"""

from pathlib import Path

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.fetch import Context
from pipeline.data.sources import Count, Seed, streams
from pipeline.files import write_npz

VALUES = 40
"""The length of each series."""

NOISE = 0.1
"""The width of the uniform noise on every value."""

LEAST = np.array([[0.3, 0.2, -1.0], [0.1, 0.5, -1.0]])
"""Least amplitude, frequency (radians per step) and phase (radians) of both sines."""

GREATEST = np.array([[0.7, 0.4, 1.0], [0.3, 0.8, 1.0]])
"""Greatest values of the same; parameters are uniform between the two."""


def produce(
    folder: Path,
    context: Context,  # noqa: ARG001 - every source is called alike
    *,
    seed: Seed = 0,
    train: Count = 2000,
    validation: Count = 500,
    test: Count = 1000,
) -> None:
    """Write `sines.npz`: for each split `SPLIT_series` (series, 40) and `SPLIT_waves`
    (series, 2, 3), float64.

    `train`, `validation` and `test` are numbers of series. Each split has a random
    stream of its own, so its size does not change the other splits.
    """
    sizes = {"train": train, "validation": validation, "test": test}
    arrays: dict[str, Array] = {}
    for (split, size), random in zip(
        sizes.items(), streams(seed, len(sizes)), strict=True
    ):
        waves = LEAST + (GREATEST - LEAST) * random.random((size, 2, 3))
        amplitude, frequency, phase = np.moveaxis(waves, 2, 0)[..., None]
        clean = (amplitude * np.sin(frequency * np.arange(VALUES) + phase)).sum(axis=1)
        arrays[f"{split}_series"] = clean + NOISE * (
            random.random((size, VALUES)) - 0.5
        )
        arrays[f"{split}_waves"] = waves
    write_npz(folder / "sines.npz", arrays)
