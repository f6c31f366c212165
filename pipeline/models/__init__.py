"""Model families. Each module is a `model.family` of params.yaml and has `MODELS`, name
-> builder.

A builder takes a `Problem` and keyword-only options. Their types are the schema of the
options in params.yaml. Options that several builders have are defined here.
"""

from typing import Annotated

from pydantic import Field

from pipeline.data.problem import Problem

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


def check_timesteps(problem: Problem, name: str) -> None:
    """Raise ValueError unless inputs are timesteps of values, and targets are values.

    `name` is the model's name.
    """
    if problem.vocabulary or problem.classify or len(problem.input_shape) != 2:
        raise ValueError(
            f"{name} needs timesteps of values, and targets that are values"
        )


def check_embedding(problem: Problem, embedding: int) -> None:
    """Raise ValueError for words without an embedding, or an embedding without words."""
    if bool(problem.vocabulary) != bool(embedding):
        raise ValueError(
            "`embedding` must be set where inputs are words, and only there"
        )
