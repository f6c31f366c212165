"""Document 003: the last value of noisy waves from the values before it."""

from pathlib import Path

import numpy as np

from pipeline.data.dataset import PUBLISHED, SPLITS, Dataset
from pipeline.data.examples import Arrays
from pipeline.errors import UnrollError
from pipeline.files import read_npz

NOISE = 0.1
"""The width of the uniform noise on every value (document 003)."""

PUBLISHED_TEST = 2000
"""Number of series in document 003's test."""

DRAWS = 2000
"""Number of series over which the leverage is averaged."""


def prepare(name: str, raw: Path) -> Dataset:
    """Return series of the source `waves`: the last value is the target, all others are
    the input.

    Returns:
        A forecast, scored by MSE: inputs (n, values - 1, 1) and targets (n,), float64.
        Validation and test are both scored after every epoch, since the document scores
        its test set so. The first floor is the variance of the target's own noise,
        width² / 12. The second floor is attainable: the inputs are noisy, too
        (`leverage`).

    Raises:
        UnrollError: the file is missing or damaged.
    """
    path = raw / "waves.npz"
    series = read_npz(path)
    for split in SPLITS:
        if split not in series or series[split].ndim != 2:
            raise UnrollError(
                f"{path} must hold an array {split!r} of one series per row; "
                f"run `unroll source {raw.name}` again"
            )
    values = series["train"].shape[1] - 1
    variance = NOISE**2 / 12
    attainable = float(f"{variance * (1 + leverage(values)):.3g}")
    beyond = sum(int((np.abs(series[split]) > 1).sum()) for split in SPLITS)
    return Dataset(
        name=name,
        kind="forecast",
        metric="mse",
        splits={
            split: Arrays(series[split][:, :-1, None], series[split][:, -1])
            for split in SPLITS
        },
        scored=("validation", "test"),
        floors={
            "noise variance": variance,
            "noise, and the formula fitted to the values in": attainable,
        },
        facts={
            "values in": values,
            "values beyond -1 and 1": beyond,
            PUBLISHED: PUBLISHED_TEST,
        },
    )


def leverage(values: int) -> float:
    """Return the leverage of the last value, averaged over series of document 003.

    The document's formula is

        0.5 sin((t - a)(10 + 10 f)) + 0.2 sin((t - b)(20 + 20 g))

    Even with this formula, a, b, f and g have to be fitted to the noisy values. With
    least squares, to first order, the fit adds an error at the next time. Its variance
    is the variance of the noise times the leverage x (J'J)⁻¹ x'. J (values, 4) holds
    the formula's derivatives by a, b, f and g at the times of the values. The vector x
    (4,) holds the derivatives at the next time.

    Args:
        values: the number of given values. The next value, at t = 1, is predicted.
    """
    time = np.linspace(0, 1, values + 1)
    first, second, slow, fast = np.random.default_rng(0).random((4, DRAWS, 1))
    since_first = time - first
    since_second = time - second
    derivatives = [
        -0.5 * (10 + 10 * slow) * np.cos(since_first * (10 + 10 * slow)),
        -0.2 * (20 + 20 * fast) * np.cos(since_second * (20 + 20 * fast)),
        0.5 * 10 * since_first * np.cos(since_first * (10 + 10 * slow)),
        0.2 * 20 * since_second * np.cos(since_second * (20 + 20 * fast)),
    ]
    jacobian = np.stack(derivatives, axis=2)
    of_values = jacobian[:, :-1]
    of_next = jacobian[:, -1:]
    # The pseudo-inverse also serves fewer than four values.
    inverse = np.linalg.pinv(of_values.swapaxes(1, 2) @ of_values)
    return float((of_next @ inverse @ of_next.swapaxes(1, 2)).mean())
