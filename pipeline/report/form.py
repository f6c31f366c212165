"""What `evaluate` writes for the page, checked: a damaged file is one line, and never a table with a hole."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from pipeline import registry
from pipeline.dataset import SPLITS
from pipeline.metrics import BETTER
from pipeline.storage import read_csv, read_json

Columns = dict[str, list[float]]
"""A table of numbers, by column."""

CURVES = {"epoch"} | {f"{split}_{what}" for split in SPLITS for what in ("loss", *BETTER)}
"""What a column of history.csv may be."""


class _Known(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Stat(_Known):
    mean: float
    std: float | None
    min: float
    max: float
    values: Annotated[list[float], pydantic.Field(min_length=1)]


class _Scores(_Known):
    mse: _Stat | None = None
    mae: _Stat | None = None
    mae_unit: _Stat | None = None
    rmse_unit: _Stat | None = None
    accuracy: _Stat | None = None
    loss: _Stat | None = None


class _Rollout(_Known):
    mse: _Stat
    horizon: _Stat


class _Layer(_Known):
    name: str
    type: str
    output: list[int | None]
    parameters: int


_Splits = dict[Literal["train", "validation", "test"], _Scores]


class _Entry(_Known):
    """An experiment of evaluation.json."""

    parameters: int
    layers: list[_Layer]
    baseline: bool
    epochs: int
    loss: str | None
    seeds: list[int]
    fingerprint: str
    best_epoch: _Stat | None
    final: _Splits
    best: _Splits | None
    groups: dict[str, _Scores]
    rollout: _Rollout | None


class _Scale(_Known):
    mean: float
    std: float
    unit: str
    quantity: str


class _About(_Known):
    """The data set of evaluation.json."""

    name: str
    kind: Literal["forecast", "regress", "classify"]
    metric: Literal["mse", "mae", "accuracy"]
    unit: str
    quantity: str
    scale: _Scale
    stand_in: bool
    floors: dict[str, float]
    examples: dict[str, int]
    input_shape: list[int]
    layout: Literal["windows", "points", "examples"]
    cycle: int
    facts: dict[str, Any]


class _Evaluation(_Known):
    dataset: _About
    experiments: dict[str, _Entry]


def evaluation(path: Path) -> Any:
    """What evaluation.json holds, as plain data.

    Raises:
        UnrollError: it is missing or no JSON.
        ValueError: it holds something else than `pipeline.evaluation.evaluate` gives.
    """
    plain = read_json(path)
    registry.checked(_Evaluation, plain)
    return plain


def history(path: Path, entries: Mapping[str, Any]) -> dict[str, Columns]:
    """Experiment -> its curves of history.csv, `epoch` among them.

    Raises:
        UnrollError: the file is missing or damaged.
        ValueError: it does not hold every epoch of every experiment of `entries`, in order.
    """
    found: dict[str, Columns] = {}
    for row in read_csv(path):
        columns = found.setdefault(row.pop("experiment", ""), {})
        for column, value in row.items():
            if value:
                columns.setdefault(column, []).append(float(value))
    epochs = {name: columns.get("epoch") for name, columns in found.items()}
    if epochs != {name: [*range(1, entry["epochs"] + 1)] for name, entry in entries.items() if entry["epochs"]}:
        raise ValueError(f"{path.name} does not hold the epochs that evaluation.json counts")
    for columns in found.values():
        for column, values in columns.items():
            if column not in CURVES or len(values) != len(columns["epoch"]):
                raise ValueError(f"{path.name} has a column {column!r} that is not whole or not known")
    return found


def table(path: Path, expected: Iterable[str]) -> Columns:
    """The columns of predictions.csv or rollout.csv, floats; none where the file has no lines.

    Raises:
        UnrollError: the file is missing or damaged.
        ValueError: it has lines, and other columns than `expected`.
    """
    rows = read_csv(path)
    if rows and set(rows[0]) != set(expected):
        raise ValueError(f"{path.name} has the columns {', '.join(rows[0])}")
    return {column: [float(row[column]) for row in rows] for column in (rows[0] if rows else {})}
