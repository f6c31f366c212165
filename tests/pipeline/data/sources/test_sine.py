import csv
import math

import pytest

from pipeline.config import registry
from pipeline.data.sources import sine
from pipeline.errors import UsageError


def columns(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["x", "y"]
    return [float(row["x"]) for row in rows], [float(row["y"]) for row in rows]


def test_the_sets_are_those_of_the_document(folder, context):
    sine.produce(folder, context, seed=0)
    sets = {file.stem: columns(file) for file in folder.iterdir()}
    assert {name: len(x) for name, (x, _) in sets.items()} == {
        "interpolation_train": 1000,
        "interpolation_test": 100,
        "extrapolation_train": 200,
        "extrapolation_test": 220,
    }
    for x, y in sets.values():
        assert y == pytest.approx([math.sin(value) for value in x], abs=1e-15)
    assert sets["extrapolation_train"][0] == [step / 2 for step in range(200)]
    assert sets["extrapolation_test"][0] == [90 + step / 2 for step in range(220)]
    x = sets["interpolation_train"][0]
    assert -3 * math.pi < min(x) < -9
    assert 9 < max(x) < 3 * math.pi


def test_a_seed_gives_the_same_bytes_and_one_size_leaves_the_other_part_alone(folder, context, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    sine.produce(folder, context, seed=3)
    sine.produce(again, context, seed=3, points=500)
    same = {file.name for file in folder.iterdir() if file.read_bytes() == (again / file.name).read_bytes()}
    assert same == {"interpolation_test.csv", "extrapolation_train.csv", "extrapolation_test.csv"}
    sine.produce(again, context, seed=3)
    assert all(file.read_bytes() == (again / file.name).read_bytes() for file in folder.iterdir())
    sine.produce(again, context, seed=4)
    assert (folder / "interpolation_test.csv").read_bytes() != (again / "interpolation_test.csv").read_bytes()


@pytest.mark.parametrize("section", [{"seed": -1}, {"points": 0}, {"points": 1.5}, {"noise": 1}])
def test_a_wrong_option_is_named(section):
    with pytest.raises(UsageError, match=next(iter(section))):
        registry.options(sine.produce, section, "sources.sine")
