"""Model families. Each module is a `model.family` of params.yaml. It has `MODELS`, name
-> builder, and `CARDS`, name -> what is said of the model (`config.model_card`).

A builder takes a `Problem` and keyword-only options. Their types are the schema of the
options in params.yaml. Options that several builders have are defined here.
"""

from typing import Annotated

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from pipeline.data.examples import Array

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=1, le=4096)]
Width = Annotated[int, Field(ge=0, le=4096)]
"""The width of a layer; 0 for no layer."""

Rate = Annotated[float, Field(ge=0, lt=1)]
"""The share of values that dropout sets to 0."""

Cycles = Annotated[list[Annotated[int, Field(ge=2)]], Field(max_length=4)]
"""Lengths of cycles in timesteps, the shortest first."""

Last = Annotated[int | None, Field(ge=1)]
"""The number of latest timesteps that a model sees; None for all."""


SPANS = (3, 6, 12, 24)
"""Timesteps of the short means with which a network compares its target.

Extremes are those of the longest, a day of hourly rows.
"""


def look_back(timesteps: int, last: int | None) -> int:
    """Return how many of an input's timesteps are seen.

    Raises:
        ValueError: `last` is more than `timesteps`.
    """
    if last is not None and last > timesteps:
        raise ValueError(
            f"`last` must be at most {timesteps} timesteps. Received: {last}"
        )
    return last or timesteps


def recent_changes(target: Array, last: int) -> list[Array]:
    """Return what a network would otherwise have to learn from many rows.

    Timesteps before the window do not count.

    Args:
        target: (n, timesteps) the target's values, float64.
        last: the number of latest timesteps.

    Returns:
        Arrays (n, last): the change of the target since the timestep before, then for
        each of `SPANS` the target less its mean over so many latest timesteps.
    """
    timesteps = target.shape[1]
    ends = np.arange(timesteps - last, timesteps) + 1
    now = target[:, -last:]
    sums = np.cumsum(np.pad(target, ((0, 0), (1, 0))), axis=1)  # (n, timesteps + 1)
    columns = [now - target[:, np.maximum(ends - 2, 0)]]
    for span in SPANS:
        begins = np.maximum(ends - span, 0)
        columns.append(now - (sums[:, ends] - sums[:, begins]) / (ends - begins))
    return columns


def recent_extremes(values: Array, last: int) -> list[Array]:
    """Return how far values lie from the extremes of the longest of `SPANS`.

    Timesteps before the window do not count.

    Args:
        values: (n, timesteps) or (n, timesteps, columns).
        last: the number of latest timesteps.

    Returns:
        Arrays (n, last) or (n, last, columns): each value less the lowest of so many
        latest timesteps, and less the highest.
    """
    padded = np.concatenate(
        [np.repeat(values[:, :1], SPANS[-1] - 1, axis=1), values], axis=1
    )
    spans = sliding_window_view(padded, SPANS[-1], axis=1)[:, -last:]
    # The last value of each span is the timestep's own.
    return [
        spans[..., -1] - spans.min(axis=-1),
        spans[..., -1] - spans.max(axis=-1),
    ]
