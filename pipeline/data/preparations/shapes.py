"""The four shapes of a recurrent network in document 001.

Each shape is a question about the same noisy series.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic

from pipeline.data.dataset import SPLITS, Dataset
from pipeline.data.examples import Array, Arrays
from pipeline.errors import UnrollError
from pipeline.files import read_npz

NOISE = 0.1
"""The width of the uniform noise on every value (`pipeline.data.sources.sines`)."""

Shape = Literal[
    "sequence_to_sequence", "sequence_to_vector", "vector_to_sequence", "delayed"
]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000)]


def prepare(
    name: str,
    raw: Path,
    *,
    shape: Shape,
    lookback: Count = 30,
    ahead: Count = 10,
    delay: Count = 5,
) -> Dataset:
    """Ask one of four questions about the series of the source `sines`.

    Each question has several targets per example. Three of them give the first
    `lookback` values of a series:

    - `sequence_to_sequence` asks at each step for the next value.
    - `delayed` asks at each step for the value `delay` steps before, 0 at first.
    - `sequence_to_vector` asks at the end for the next `ahead` values.
    - `vector_to_sequence` gives the six parameters of a series, and asks for all its
      values.

    Returns:
        A data set scored by MSE over all values: inputs (n, lookback, 1) or (n, 6),
        targets (n, values), float64. The floor is the variance of the targets' own
        noise. A delayed value was seen with its noise, so its floor is 0.

    Raises:
        UnrollError: the file is missing or damaged.
        ValueError: the series are too short.
    """
    path = raw / "sines.npz"
    arrays = read_npz(path)
    for key in (f"{split}_{what}" for split in SPLITS for what in ("series", "waves")):
        if key not in arrays:
            raise UnrollError(
                f"{path} has no array {key!r}; run `unroll source {raw.name}` again"
            )
    values = arrays["train_series"].shape[1]
    if lookback + ahead > values or delay >= lookback:
        raise ValueError(
            f"`lookback` and `ahead` must be at most {values} in all, "
            "and `delay` below `lookback`"
        )

    def examples(split: str) -> Arrays:
        series: Array = arrays[f"{split}_series"]
        given = series[:, :lookback, None]
        if shape == "sequence_to_sequence":
            return Arrays(given, series[:, 1 : lookback + 1])
        if shape == "sequence_to_vector":
            return Arrays(given, series[:, lookback : lookback + ahead])
        if shape == "vector_to_sequence":
            return Arrays(arrays[f"{split}_waves"].reshape(len(series), -1), series)
        return Arrays(
            given, np.pad(series[:, : lookback - delay], [(0, 0), (delay, 0)])
        )

    splits = {split: examples(split) for split in SPLITS}
    train = splits["train"]
    floors = {"noise variance": NOISE**2 / 12}
    if shape == "delayed":
        floors = {"what was seen": 0.0}
    return Dataset(
        name=name,
        kind="regress" if shape in ("vector_to_sequence", "delayed") else "forecast",
        metric="mse",
        splits={**splits},
        each_step=shape in ("sequence_to_sequence", "delayed"),
        floors=floors,
        facts={
            "values in": train.inputs[0].size,
            "values out": train.targets.shape[1],
        },
    )
