"""A supervised problem on disk: `data/prepared/NAME/arrays.npz` and `dataset.json`."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.errors import UnrollError
from pipeline.storage import read_json, read_npz, write_json, write_npz
from pipeline.windows import Array, Arrays, Examples, Windows

Kind = Literal["forecast", "regress", "classify"]
Metric = Literal["mse", "mae", "accuracy"]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Scale:
    """How a target in model units becomes a value in the data's unit: value = target * std + mean.

    Attributes:
        mean, std: in `unit`, over the train rows only.
        unit: such as "°C"; empty where the data have none.
        quantity: what is predicted, such as "temperature".
    """

    mean: float = 0.0
    std: float = 1.0
    unit: str = ""
    quantity: str = "value"


@dataclass(frozen=True)
class Dataset:
    """A supervised problem.

    Attributes:
        name: the key in params.yaml.
        kind: what is asked: `forecast` a later value, `regress` a value, `classify` into 0 or 1.
        metric: the measure that this data set is compared by, in model units.
        splits: "train", "validation" (not for every data set) and "test" examples.
        scale: of the targets.
        vocabulary: the number of words where inputs are word numbers, else 0.
        groups: parts of the test set that are scored apart: name -> (n,) indices into it.
        scored: the splits that are scored after every epoch.
        period: timesteps of one natural cycle of the inputs (a day, say), 0 where there is none.
        rollout: whether one-step predictions are also fed back, over the length of the test series.
        floors: best scores that are possible or known in closed form: words -> value of `metric`.
        stand_in: whether the raw data were generated in place of the real ones.
        facts: what a reader wants to know of the preparation: words -> value, plain data.
    """

    name: str
    kind: Kind
    metric: Metric
    splits: dict[str, Examples]
    scale: Scale = field(default_factory=Scale)
    vocabulary: int = 0
    groups: dict[str, Array] = field(default_factory=dict)
    scored: tuple[str, ...] = ("validation",)
    period: int = 0
    rollout: bool = False
    floors: dict[str, float] = field(default_factory=dict)
    stand_in: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input."""
        return self.splits["train"].input_shape


def save(dataset: Dataset, folder: Path) -> None:
    """Write `arrays.npz` and `dataset.json` into `folder`; the same data set gives the same bytes.

    Raises:
        UnrollError: a split is empty, or a value of an array is not finite.
    """
    arrays: dict[str, Array] = {}
    layout: dict[str, Any] = {}
    stored: dict[int, str] = {}
    for split, examples in dataset.splits.items():
        if not len(examples):
            raise UnrollError(
                f"{dataset.name}: the {split} split is empty; check datasets.{dataset.name} in params.yaml"
            )
        if isinstance(examples, Windows):
            key = stored.setdefault(id(examples.series), f"{split}_series")
            arrays.setdefault(key, examples.series)
            arrays[f"{split}_rows"] = examples.rows
            layout[split] = {
                "series": key,
                "lookback": examples.lookback,
                "step": examples.step,
                "delay": examples.delay,
                "target": examples.target,
            }
        else:
            arrays[f"{split}_inputs"], arrays[f"{split}_targets"] = examples.inputs, examples.targets
            layout[split] = {}
    for group, indices in dataset.groups.items():
        arrays[f"group_{group}"] = indices
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnrollError(f"{dataset.name}: {key} holds values that are not finite; check its source")
    facts = {field.name: getattr(dataset, field.name) for field in fields(dataset)}
    facts |= {"scale": asdict(dataset.scale), "splits": layout, "groups": list(dataset.groups)}
    facts["examples"] = {split: len(examples) for split, examples in dataset.splits.items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "arrays.npz", arrays)
    write_json(folder / "dataset.json", facts)


def load(folder: Path) -> Dataset:
    """Read what `save` wrote.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    facts, arrays = read_json(folder / "dataset.json"), read_npz(folder / "arrays.npz")
    try:
        splits: dict[str, Examples] = {}
        for split, layout in facts.pop("splits").items():
            if layout:
                series = arrays[layout.pop("series")]
                splits[split] = Windows(series=series, rows=arrays[f"{split}_rows"], **layout)
            else:
                splits[split] = Arrays(arrays[f"{split}_inputs"], arrays[f"{split}_targets"])
        facts.pop("examples")
        groups = {group: arrays[f"group_{group}"] for group in facts.pop("groups")}
        scored = tuple(facts.pop("scored"))
        return Dataset(splits=splits, scale=Scale(**facts.pop("scale")), groups=groups, scored=scored, **facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnrollError(f"{folder} is damaged ({error}); delete it and run `unroll repro`") from None
