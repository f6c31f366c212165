"""How far the metrics of two builds lie apart, against the tolerances that were measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import read_json

Tolerances = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Data set -> experiment -> metric in results/metrics/DATASET/EXPERIMENT.json -> how far it may lie off."""


@dataclass(frozen=True)
class Deviation:
    """A metric that two builds do not give the same value.

    Attributes:
        committed: the value in the first build, in the metric's unit; None where it has none.
        rebuilt: that in the second.
        tolerance: how far they may lie apart; None where that was not measured.
    """

    dataset: str
    experiment: str
    metric: str
    committed: float | None
    rebuilt: float | None
    tolerance: float | None

    @property
    def difference(self) -> float | None:
        """How far apart, in the metric's unit; None where one of them is missing."""
        return None if self.committed is None or self.rebuilt is None else abs(self.rebuilt - self.committed)

    @property
    def within(self) -> bool:
        """Whether it is within tolerance. Without one, only the same value is, which is no deviation."""
        return self.difference is not None and self.tolerance is not None and self.difference <= self.tolerance


def tolerances(path: Path) -> Tolerances:
    """What bench/tolerances.json allows; nothing where there is no such file. Raises UnrollError if it is damaged."""
    data = read_json(path) if path.exists() else {"tolerances": {}}
    if not isinstance(data, dict) or not isinstance(data.get("tolerances"), dict):
        raise UnrollError(f"{path} is damaged; `make bench BENCH=tolerances` writes it anew")
    found: Tolerances = data["tolerances"]
    return found


def deviations(dataset: str, committed: Path, rebuilt: Path, allowed: Tolerances) -> list[Deviation]:
    """Every metric of a data set that two builds' folders of metrics do not give the same value, by experiment.

    Raises:
        UnrollError: a file is damaged.
    """
    before, after = (dict(numbers(folder)) for folder in (committed, rebuilt))
    return [
        Deviation(dataset, *key, before.get(key), after.get(key), allowed.get(dataset, {}).get(key[0], {}).get(key[1]))
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def numbers(metrics: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """The experiment, the name and the value of each number in a data set's folder of metrics.

    Raises:
        UnrollError: a file is damaged.
    """
    for file in sorted(metrics.glob("*.json")):
        for name, value in read_json(file).items():
            if value is not None:
                yield (file.stem, name), value
