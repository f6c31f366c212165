import numpy as np
import pytest

from pipeline.data.preparations import sine_points, sine_windows
from pipeline.errors import UnrollError


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "sine"
    folder.mkdir()
    random = np.random.default_rng(0)
    tables = {
        "interpolation_train": random.uniform(-9, 9, 50),
        "interpolation_test": random.uniform(-9, 9, 20),
        "extrapolation_train": np.arange(0, 100, 0.5),
        "extrapolation_test": np.arange(90, 200, 0.5),
    }
    for name, x in tables.items():
        lines = [f"{a!r},{b!r}" for a, b in zip(x.tolist(), np.sin(x).tolist(), strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(["x,y", *lines, ""]), encoding="utf-8")
    return folder


def test_extrapolation_tells_train_points_in_the_test_set_apart(raw):
    dataset = sine_points.prepare("sine", raw, part="extrapolation")
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert (len(train), len(test)) == (200, 220)
    assert dataset.input_shape == (1,)
    assert (dataset.kind, dataset.metric, dataset.scored) == ("regress", "mse", ())
    np.testing.assert_array_equal(train.inputs[:, 0], np.arange(0, 100, 0.5))
    np.testing.assert_array_equal(test.targets, np.sin(np.arange(90, 200, 0.5)))
    assert test.inputs[dataset.groups["inside"], 0].tolist() == np.arange(90, 100, 0.5).tolist()
    assert test.inputs[dataset.groups["outside"], 0].tolist() == np.arange(100, 200, 0.5).tolist()
    assert np.mean(test.targets**2) == pytest.approx(0.5002, abs=5e-5)  # what a constant 0 scores


def test_interpolation_has_no_groups(raw):
    dataset = sine_points.prepare("sine", raw, part="interpolation")
    assert dataset.groups == {}
    assert {split: len(examples) for split, examples in dataset.splits.items()} == {"train": 50, "test": 20}


def test_windows_are_every_stretch_of_the_series_and_its_next_value(raw):
    dataset = sine_windows.prepare("windows", raw, lookback=20)
    for split, start, count in (("train", 0, 180), ("test", 90, 200)):
        inputs, targets = dataset.splits[split].take(np.arange(count))
        assert len(dataset.splits[split]) == count
        assert inputs.shape == (count, 20, 1)
        series = np.sin(start + np.arange(count + 20) / 2)
        for example in range(count):
            np.testing.assert_array_equal(inputs[example, :, 0], series[example : example + 20])
            assert targets[example] == series[example + 20]
    assert dataset.rollout
    assert dataset.groups == {}  # the first test target is at x = 100, beyond every train x
    assert np.mean((inputs[:, -1, 0] - targets) ** 2) == pytest.approx(0.123, abs=5e-4)


def test_short_windows_have_targets_inside_the_range_of_train(raw):
    dataset = sine_windows.prepare("windows", raw, lookback=5)
    assert len(dataset.groups["inside"]) == 15  # x = 92.5 to 99.5
    assert len(dataset.groups["outside"]) == 200
    np.testing.assert_array_equal(np.concatenate([*dataset.groups.values()]), np.arange(215))


def test_a_window_longer_than_the_series_is_refused(raw):
    with pytest.raises(ValueError, match=r"`lookback` must be below the 200 values of train. Received: 200"):
        sine_windows.prepare("windows", raw, lookback=200)


def test_a_damaged_or_missing_file_gives_one_line(raw):
    (raw / "extrapolation_test.csv").write_text("x\n1\n", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"extrapolation_test\.csv is damaged \(it has no column y\); delete it"):
        sine_points.prepare("sine", raw, part="extrapolation")
    (raw / "extrapolation_test.csv").unlink()
    with pytest.raises(UnrollError, match=r"extrapolation_test\.csv is missing"):
        sine_windows.prepare("windows", raw, lookback=20)
