"""A supervised problem, and its files in `data/prepared/NAME`.

The files are `arrays.npz`, `dataset.json` and, of an answer's series, `fitted.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data.examples import Array, Arrays, Examples, Windows
from pipeline.errors import UnrollError, UsageError
from pipeline.files import damaged, read_checked, read_npz, write_json, write_npz
from pipeline.metrics import Metric
from pipeline.validation import Strict

Kind = Literal["forecast", "regress", "classify"]
SPLITS = ("train", "validation", "test")
FITTED = "fitted.json"

PUBLISHED = "examples in the document's test"
"""The fact of a data set whose document drew its own test examples: their number."""

ROWS = ("stamps", "series_id", "truth", "words")
"""Optional attributes of a `Dataset` that are stored as arrays of the same name."""

OTHERWISE = {"splits", "groups", "scored", "scale", "examples"}
"""Attributes of a `Description` that a `Dataset` lacks or has in another form."""

CUT = ("lookback", "step", "delay", "target", "outputs", "every")
"""Attributes of `Windows` that are stored in dataset.json."""


class Scale(Strict):
    """The scale of targets: value in the data's unit = target * std + mean.

    Attributes:
        mean, std: mean and deviation of the train rows, in `unit`.
        unit: the unit, such as "°C"; empty if the data have none.
        quantity: the predicted quantity, such as "temperature".
    """

    mean: float = 0.0
    std: Annotated[float, pydantic.Field(gt=0)] = 1.0
    unit: str = ""
    quantity: str = "value"


@dataclass(frozen=True)
class Dataset:
    """A supervised problem.

    Attributes:
        name: the key in params.yaml.
        kind: the task: `forecast` a later value, `regress` a value, or `classify` into
            0 or 1.
        metric: the measure for comparisons on this data set, in model units.
        splits: the examples of "train", "test" and, for most data sets, "validation".
        scale: the scale of the targets.
        vocabulary: the number of words if inputs are word numbers, else 0.
        calendar: the number of the series' last columns that hold the hour and the
            season (`load`).
        groups: name -> indices (n,) of a part of the test set that is also scored on
            its own.
        scored: the splits that are scored after every epoch.
        period: timesteps of one natural cycle of the inputs, such as a day; 0 if there
            is none.
        rollout: whether one-step predictions are also fed back, over the length of the
            test series.
        each_step: whether an example has a target for each timestep of its input. The
            model answers each from the input up to that timestep.
        floors: description -> the best possible or known value of `metric`.
        stand_in: whether the raw data were generated in place of the real ones.
        facts: description -> a fact about the preparation, as plain data.
        stamps: (rows,) datetime64[s], the timestamp of each row of the windows' series;
            None if it is not known.
        series_id: (rows,) int, the number of each row's series; None if there is one
            series.
        truth: (rows,) float64, the observed target of each row in its unit, NaN if it
            was not observed; None if all windows have all their targets.
        words: (vocabulary,) str, the word of each word number; None if inputs are no
            words.
        fitted: what turns new rows into inputs, of an answer's series.
    """

    name: str
    kind: Kind
    metric: Metric
    splits: dict[str, Examples]
    scale: Scale = field(default_factory=Scale)
    vocabulary: int = 0
    calendar: int = 0
    groups: dict[str, Array] = field(default_factory=dict)
    scored: tuple[str, ...] = ("validation",)
    period: int = 0
    rollout: bool = False
    each_step: bool = False
    floors: dict[str, float] = field(default_factory=dict)
    stand_in: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    stamps: Array | None = None
    series_id: Array | None = None
    truth: Array | None = None
    words: Array | None = None
    fitted: Strict | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input."""
        return self.splits["train"].input_shape


class Description(Strict):
    """The content of dataset.json: a data set without its arrays."""

    name: str
    kind: Kind
    metric: Metric
    splits: dict[str, dict[str, Any]]
    scale: Scale
    vocabulary: Annotated[int, pydantic.Field(ge=0)]
    calendar: Annotated[int, pydantic.Field(ge=0)]
    groups: list[str]
    scored: list[str]
    period: Annotated[int, pydantic.Field(ge=0)]
    rollout: bool
    each_step: bool
    floors: dict[str, float]
    stand_in: bool
    facts: dict[str, Any]
    examples: dict[str, int]


def save(dataset: Dataset, folder: Path) -> None:
    """Write a data set's files into `folder`; the same data set gives the same bytes.

    Raises:
        UnrollError: a split is empty, or a value of an array is not finite.
    """
    arrays: dict[str, Array] = {}
    layout: dict[str, Any] = {}
    stored: dict[int, str] = {}
    for split, examples in dataset.splits.items():
        if not len(examples):
            raise UnrollError(
                f"{dataset.name}: the {split} split is empty; "
                f"check datasets.{dataset.name} in params.yaml"
            )
        if isinstance(examples, Arrays):
            arrays[f"{split}_inputs"] = examples.inputs
            arrays[f"{split}_targets"] = examples.targets
            layout[split] = {}
            continue
        # Splits of one series share it.
        key = stored.setdefault(id(examples.series), f"{split}_series")
        arrays[key] = examples.series
        arrays[f"{split}_rows"] = examples.rows
        cut = {name: getattr(examples, name) for name in CUT}
        layout[split] = {"series": key, **cut}
    for group, indices in dataset.groups.items():
        arrays[f"group_{group}"] = indices
    arrays |= {
        key: getattr(dataset, key) for key in ROWS if getattr(dataset, key) is not None
    }
    if "stamps" in arrays:
        arrays["stamps"] = arrays["stamps"].astype("datetime64[s]").astype(np.int64)
    for key, array in arrays.items():
        if key != "truth" and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnrollError(
                f"{dataset.name}: {key} holds values that are not finite; "
                "check its source"
            )
    facts = {
        each.name: getattr(dataset, each.name)
        for each in fields(dataset)
        if each.name not in {"fitted", *ROWS}
    }
    facts |= {
        "scale": dataset.scale.model_dump(),
        "splits": layout,
        "groups": list(dataset.groups),
        "examples": {split: len(each) for split, each in dataset.splits.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "arrays.npz", arrays)
    write_json(folder / "dataset.json", facts)
    if dataset.fitted is not None:
        write_json(folder / FITTED, dataset.fitted.model_dump())


def describe(folder: Path) -> Description:
    """Return the description of a data set.

    Raises UnrollError if the file is missing or damaged.
    """
    return read_checked(folder / "dataset.json", Description)


def load(
    folder: Path,
    *,
    calendar: bool = False,
    share: float = 1.0,
    fitted: type[Strict] | None = None,
) -> Dataset:
    """Read what `save` wrote.

    Args:
        folder: `data/prepared/NAME`.
        calendar: whether the inputs keep the calendar's columns. The examples are the
            same either way, so models with and without a calendar can be compared.
        share: the fraction of the train examples to keep: the last ones, which are next
            to the other splits.
        fitted: the class of `Dataset.fitted`; None for data sets without it.

    Raises:
        UsageError: the data set has no calendar to keep.
        UnrollError: a file is missing or damaged.
    """
    description = describe(folder)
    arrays = read_npz(folder / "arrays.npz")
    if calendar and not description.calendar:
        raise UsageError(
            f"{description.name} has no calendar, which rows with stamps have; "
            "leave calendar: true out"
        )
    try:
        splits = {
            split: _examples(split, layout, arrays)
            for split, layout in description.splits.items()
        }
        _require_agreement(description, splits)
        if "stamps" in arrays:
            arrays["stamps"] = arrays["stamps"].astype("datetime64[s]")
        optional: dict[str, Any] = {key: arrays.get(key) for key in ROWS}
        if fitted is not None:
            optional["fitted"] = read_checked(folder / FITTED, fitted)
        dataset = Dataset(
            **description.model_dump(exclude=OTHERWISE),
            splits=splits,
            groups={name: arrays[f"group_{name}"] for name in description.groups},
            scored=tuple(description.scored),
            scale=description.scale,
            **optional,
        )
        if not calendar:
            dataset = without_calendar(dataset)
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(folder, error) from None
    return shortened(dataset, share)


def _examples(
    split: str, layout: Mapping[str, Any], arrays: Mapping[str, Array]
) -> Examples:
    if not layout:
        return Arrays(arrays[f"{split}_inputs"], arrays[f"{split}_targets"])
    measured = None
    if "truth" in arrays:
        measured = np.isfinite(arrays["truth"])
    cut = {name: layout[name] for name in CUT}
    series = arrays[layout["series"]]
    return Windows(series, arrays[f"{split}_rows"], measured=measured, **cut)


def _require_agreement(
    description: Description, splits: Mapping[str, Examples]
) -> None:
    """Raise ValueError if dataset.json and arrays.npz are not of one data set."""
    counts = {split: len(examples) for split, examples in splits.items()}
    if counts != description.examples:
        raise ValueError(f"it has {counts} examples, not {description.examples}")
    if not {"train", "test", *description.scored} <= splits.keys() <= {*SPLITS}:
        raise ValueError(f"its splits are {', '.join(splits)}")


def on_validation(dataset: Dataset) -> Dataset:
    """Return the data set with its validation split in place of its test split.

    Raises:
        UsageError: it has no validation split.
    """
    if "validation" not in dataset.splits:
        raise UsageError(
            f"{dataset.name} has no validation split to choose by, and nothing is "
            "chosen on test; docs/tune.md shows how to try a change by hand"
        )
    splits = {**dataset.splits, "test": dataset.splits["validation"]}
    return replace(
        dataset, splits=splits, scored=("validation",), groups={}, rollout=False
    )


def shortened(dataset: Dataset, share: float) -> Dataset:
    """Return the data set with only the last `share` of its train examples, at least
    one.
    """
    if share == 1:
        return dataset
    train = dataset.splits["train"]
    first = len(train) - max(1, round(share * len(train)))
    if isinstance(train, Windows):
        last: Examples = replace(train, rows=train.rows[first:])
    else:
        last = Arrays(train.inputs[first:], train.targets[first:])
    return replace(dataset, splits={**dataset.splits, "train": last})


def mirrored(dataset: Dataset) -> Dataset:
    """Return the data set with each train series also upside down, backwards and both.

    A series is an input with its target behind it. Where phases are uniform, all four
    are as likely.

    Raises:
        UsageError: an example is no series with one next value.
    """
    train = dataset.splits["train"]
    if (
        isinstance(train, Windows)
        or train.input_shape[1:] != (1,)
        or train.targets.ndim > 1
    ):
        raise UsageError(
            "mirrored is for inputs of one column with one next value, which "
            f"{dataset.name} does not have; leave it out"
        )
    series = np.concatenate([train.inputs[:, :, 0], train.targets[:, None]], axis=1)
    every = np.concatenate([series, -series, series[:, ::-1], -series[:, ::-1]])
    return replace(
        dataset,
        splits={
            **dataset.splits,
            "train": Arrays(every[:, :-1, None], every[:, -1]),
        },
    )


def without_calendar(dataset: Dataset) -> Dataset:
    """Return the same examples without the calendar's columns.

    They are views of the series, which the splits share as before.
    """
    if not dataset.calendar:
        return dataset
    measured: dict[int, Array] = {}
    splits = dict(dataset.splits)
    for split, cut in splits.items():
        if isinstance(cut, Windows):
            columns = cut.series[:, : -dataset.calendar]
            series = measured.setdefault(id(cut.series), columns)
            splits[split] = replace(cut, series=series)
    return replace(dataset, splits=splits, calendar=0)
