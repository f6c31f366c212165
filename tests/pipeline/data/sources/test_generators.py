"""Sources that are formulas: each value is that of the document, from streams that are
independent of each other."""

import math

import numpy as np
import pytest

from pipeline.data.sources import sine, sines, waves
from pipeline.files import read_npz, read_table


def test_the_sine_sets_are_those_of_the_document(folder, context):
    sine.produce(folder, context)
    points = {
        file.stem: read_table(file, x=float, y=float) for file in folder.iterdir()
    }
    sets = {name: table["x"].tolist() for name, table in points.items()}
    for name, table in points.items():
        assert table["y"].tolist() == pytest.approx(
            [math.sin(value) for value in sets[name]], abs=1e-15
        )
    assert (len(sets["interpolation_train"]), len(sets["interpolation_test"])) == (
        1000,
        100,
    )
    assert sets["extrapolation_train"] == [step / 2 for step in range(200)]
    assert sets["extrapolation_test"] == [90 + step / 2 for step in range(220)]
    x = sets["interpolation_train"]
    assert -3 * math.pi < min(x) < -9
    assert 9 < max(x) < 3 * math.pi


def test_waves_follow_the_documents_formula_and_score_about_what_it_says():
    drawn = waves.generate(np.random.default_rng(5), 4)
    random = np.random.default_rng(5)
    frequency1, frequency2, offset1, offset2 = random.random((4, 4))
    noise = random.random((4, 51))
    for row in range(4):
        for step in range(51):
            value = 0.5 * np.sin(
                (step / 50 - offset1[row]) * (frequency1[row] * 10 + 10)
            )
            value += 0.2 * np.sin(
                (step / 50 - offset2[row]) * (frequency2[row] * 20 + 20)
            )
            value += 0.1 * (noise[row, step] - 0.5)
            assert np.isclose(drawn[row, step], value, rtol=0, atol=1e-14)
    many = waves.generate(np.random.default_rng(0), 50_000)
    assert 0.020 < np.mean((many[:, 49] - many[:, 50]) ** 2) < 0.0212, (
        "the last value for the next"
    )


def test_sines_are_what_their_numbers_say_but_for_noise(folder, context):
    sines.produce(folder, context, train=30, validation=10, test=20)
    arrays = read_npz(folder / "sines.npz")
    for split, count in (("train", 30), ("validation", 10), ("test", 20)):
        series = arrays[f"{split}_series"]
        made_of = arrays[f"{split}_waves"]
        assert made_of.shape == (count, 2, 3)
        clean = np.array(
            [
                sum(a * np.sin(f * np.arange(40) + p) for a, f, p in both)
                for both in made_of
            ]
        )
        assert np.abs(series - clean).max() <= 0.05
    assert not (arrays["train_series"][:10] == arrays["validation_series"]).any()


def test_a_seed_gives_the_same_values_and_one_size_leaves_the_other_parts_alone(
    context, tmp_path
):
    def produced(folder, **options):
        (tmp_path / folder).mkdir()
        waves.produce(tmp_path / folder, context, **options)
        return read_npz(tmp_path / folder / "waves.npz")

    first = produced("a")
    same = produced("b")
    other = produced("c", seed=4)
    sizes = produced("d", train=10, test=20)
    assert {split: len(array) for split, array in first.items()} == {
        "train": 7000,
        "validation": 2000,
        "test": 2000,
    }
    for split, array in first.items():
        np.testing.assert_array_equal(same[split], array)
        assert not (other[split] == array).any()
    np.testing.assert_array_equal(sizes["validation"], first["validation"])
