"""The noisy waves of document 003: sums of two sines, 51 values each."""

from pathlib import Path

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.fetch import Context
from pipeline.data.sources import Count, Seed, streams
from pipeline.files import write_npz

VALUES = 51


def produce(
    folder: Path,
    context: Context,  # noqa: ARG001 - every source is called alike
    *,
    seed: Seed = 0,
    train: Count = 7000,
    validation: Count = 2000,
    test: Count = 2000,
) -> None:
    """Write `waves.npz` with the arrays `train`, `validation`, `test`, each (series,
    51) float64.

    `train`, `validation` and `test` are numbers of series. Each split has a random
    stream of its own, so its size does not change the other splits.
    """
    sizes = {"train": train, "validation": validation, "test": test}
    randoms = streams(seed, len(sizes))
    waves = {
        split: generate(random, size)
        for (split, size), random in zip(sizes.items(), randoms, strict=True)
    }
    write_npz(folder / "waves.npz", waves)


def generate(random: np.random.Generator, series: int) -> Array:
    """Draw series (series, 51), float64, by the formula of document 003.

    At 51 times t from 0 to 1 a value is

        0.5 sin((t - a)(10 + 10 f)) + 0.2 sin((t - b)(20 + 20 g)) + noise

    with a, b, f and g uniform on (0, 1) for each series, and noise uniform on (-0.05,
    0.05) for each value.
    """
    time = np.linspace(0, 1, VALUES)
    slow, fast, first, second = random.random((4, series, 1))
    values: Array = 0.5 * np.sin((time - first) * (10 + 10 * slow))
    values += 0.2 * np.sin((time - second) * (20 + 20 * fast))
    values += 0.1 * (random.random((series, VALUES)) - 0.5)
    return values
