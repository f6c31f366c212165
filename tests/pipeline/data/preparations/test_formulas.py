"""The data sets that are formulas: sine, waves and the four shapes."""

import numpy as np
import pytest

from pipeline.data.preparations import shapes, sine_points, sine_windows, waves
from pipeline.data.sources import sine, sines
from pipeline.files import read_npz, write_npz

SERIES = np.random.default_rng(0).normal(size=(9, 51))


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    sine.produce(folder, None, points=50, test_points=20)
    sines.produce(folder, None, train=30, validation=10, test=20)
    write_npz(
        folder / "waves.npz",
        {"train": SERIES[:5], "validation": SERIES[5:7], "test": SERIES[7:]},
    )
    return folder


def test_extrapolation_tells_train_points_in_the_test_set_apart_and_interpolation_has_none(
    raw,
):
    dataset = sine_points.prepare("sine", raw, part="extrapolation")
    train = dataset.splits["train"]
    test = dataset.splits["test"]
    assert (dataset.input_shape, dataset.kind, dataset.metric, dataset.scored) == (
        (1,),
        "regress",
        "mse",
        (),
    )
    np.testing.assert_array_equal(train.inputs[:, 0], np.arange(0, 100, 0.5))
    np.testing.assert_array_equal(test.targets, np.sin(np.arange(90, 200, 0.5)))
    assert (
        test.inputs[dataset.groups["inside"], 0].tolist()
        == np.arange(90, 100, 0.5).tolist()
    )
    assert (
        test.inputs[dataset.groups["outside"], 0].tolist()
        == np.arange(100, 200, 0.5).tolist()
    )
    # what a constant 0 scores
    assert np.mean(test.targets**2) == pytest.approx(0.5002, abs=5e-5)
    assert sine_points.prepare("sine", raw, part="interpolation").groups == {}


def test_sine_windows_equal_a_naive_loop(raw):
    dataset = sine_windows.prepare("windows", raw, lookback=20)
    for split, start, count in (("train", 0, 180), ("test", 90, 200)):
        inputs, targets = dataset.splits[split].take(np.arange(count))
        assert (len(dataset.splits[split]), inputs.shape) == (count, (count, 20, 1))
        series = np.sin(start + np.arange(count + 20) / 2)
        for example in range(count):
            np.testing.assert_array_equal(
                inputs[example, :, 0], series[example : example + 20]
            )
            assert targets[example] == series[example + 20]
    assert dataset.rollout
    # the first test target is at x = 100, beyond every train x
    assert dataset.groups == {}
    assert np.mean((inputs[:, -1, 0] - targets) ** 2) == pytest.approx(0.123, abs=5e-4)
    short = sine_windows.prepare("windows", raw, lookback=5).groups
    assert len(short["inside"]) == 15  # x = 92.5 to 99.5
    np.testing.assert_array_equal(np.concatenate([*short.values()]), np.arange(215))


def test_the_last_value_of_a_wave_is_its_target(raw):
    dataset = waves.prepare("waves", raw)
    assert (dataset.input_shape, dataset.scored) == ((50, 1), ("validation", "test"))
    assert [*dataset.floors.values()] == pytest.approx([0.00083, 0.00099], abs=5e-6)
    for split, rows in (
        ("train", SERIES[:5]),
        ("validation", SERIES[5:7]),
        ("test", SERIES[7:]),
    ):
        np.testing.assert_array_equal(
            dataset.splits[split].inputs[:, :, 0], rows[:, :50]
        )
        np.testing.assert_array_equal(dataset.splits[split].targets, rows[:, 50])


def test_the_four_shapes(raw):
    series = read_npz(raw / "sines.npz")["test_series"]
    names = (
        "sequence_to_sequence",
        "sequence_to_vector",
        "vector_to_sequence",
        "delayed",
    )
    datasets = [shapes.prepare("d", raw, shape=shape, delay=3) for shape in names]
    same, later, vector, delayed = (dataset.splits["test"] for dataset in datasets)
    np.testing.assert_array_equal(same.inputs[:, 1:, 0], series[:, 1:30])
    np.testing.assert_array_equal(same.targets, series[:, 1:31])
    np.testing.assert_array_equal(later.targets, series[:, 30:])
    assert vector.inputs.shape == (20, 6)
    np.testing.assert_array_equal(vector.targets, series)
    np.testing.assert_array_equal(delayed.targets[:, 3:], delayed.inputs[:, :-3, 0])
    assert not delayed.targets[:, :3].any()
    assert [dataset.each_step for dataset in datasets] == [True, False, False, True]


def test_what_does_not_fit_the_series_is_refused(raw):
    with pytest.raises(
        ValueError,
        match=r"`lookback` must be below the 200 values of train. Received: 200",
    ):
        sine_windows.prepare("windows", raw, lookback=200)
    with pytest.raises(
        ValueError, match="`lookback` and `ahead` must be at most 40 in all"
    ):
        shapes.prepare("d", raw, shape="delayed", lookback=31)
