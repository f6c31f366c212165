"""Document 003: the last value of noisy waves from the values before it."""

from pathlib import Path

from pipeline.data.dataset import SPLITS, Dataset
from pipeline.data.examples import Arrays
from pipeline.errors import UnrollError
from pipeline.files import read_npz

NOISE = 0.1
"""The width of the uniform noise on every value (document 003)."""


def prepare(name: str, raw: Path) -> Dataset:
    """All values of a series but the last in, the last out.

    Args:
        name: of the data set.
        raw: the folder of the source `waves`.

    Returns:
        A forecast, scored by MSE: inputs (n, values - 1, 1) and targets (n,) float64; validation and test are
        both scored after every epoch, as the document scores its test set. The floor is the variance of the
        target's own noise, width² / 12.

    Raises:
        UnrollError: the file is missing or damaged.
    """
    path = raw / "waves.npz"
    if not path.is_file():
        raise UnrollError(f"{path} is missing; run `unroll source {raw.name}`")
    series = read_npz(path)
    if missing := [split for split in SPLITS if split not in series]:
        raise UnrollError(f"{path} has no array {missing[0]!r}; run `unroll source {raw.name}` again")
    if any(series[split].ndim != 2 or series[split].shape[1] < 2 for split in SPLITS):
        raise UnrollError(f"{path} must hold one series per row; run `unroll source {raw.name}` again")
    return Dataset(
        name=name,
        kind="forecast",
        metric="mse",
        splits={split: Arrays(series[split][:, :-1, None], series[split][:, -1]) for split in SPLITS},
        scored=("validation", "test"),
        floors={"noise variance": NOISE**2 / 12},
        facts={"values in": series["train"].shape[1] - 1},
    )
