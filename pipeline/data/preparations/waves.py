"""Document 003: the last value of noisy waves from the values before it."""

from pathlib import Path

import numpy as np

from pipeline.data.dataset import SPLITS, Dataset
from pipeline.data.examples import Arrays
from pipeline.errors import UnrollError
from pipeline.files import read_npz

METRIC = "mse"

NOISE = 0.1
"""The width of the uniform noise on every value (document 003)."""

DRAWS = 2000
"""Series that the leverage is averaged over."""


def prepare(name: str, raw: Path) -> Dataset:
    """Take all values of a series of the source `waves` but the last in, the last out.

    Returns:
        A forecast, scored by MSE: inputs (n, values - 1, 1) and targets (n,) float64;
        validation and test are both scored after every epoch, as the document scores
        its test set. Two floors: the variance of the target's own noise, width² / 12;
        and what can be attained, since the values in are noisy, too (`leverage`).

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
        metric=METRIC,
        splits={
            split: Arrays(series[split][:, :-1, None], series[split][:, -1])
            for split in SPLITS
        },
        scored=("validation", "test"),
        floors={
            "noise variance": variance,
            "noise, and the formula fitted to the values in": attainable,
        },
        facts={"values in": values, "values beyond -1 and 1": beyond},
    )


def leverage(values: int) -> float:
    """Return how much of the noise's variance the last value's error has on top, if a
    series' four numbers must be fitted.

    Who knows the document's formula, 0.5 sin((t - a)(10 + 10 f)) + 0.2 sin((t - b)(20 +
    20 g)), still has to find a, b, f and g from the noisy values. By least squares, to
    first order, the error at the next time has the variance of the noise times x
    (J'J)⁻¹ x', with J (values, 4) the formula's derivatives by the four at the times of
    the values and x (4,) at the next time: the leverage. It is averaged over series as
    the document draws them.

    Args:
        values: that are given; the one after them is predicted, and the last of them
            all lies at t = 1.
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
    # fewer than four values leave some of it open
    inverse = np.linalg.pinv(of_values.swapaxes(1, 2) @ of_values)
    return float((of_next @ inverse @ of_next.swapaxes(1, 2)).mean())
