import numpy as np
import pytest

from pipeline.data.preparations.waves import NOISE, leverage, prepare
from pipeline.errors import UnrollError
from pipeline.files import write_npz


def write(folder, **arrays):
    folder.mkdir(exist_ok=True)
    write_npz(folder / "waves.npz", arrays)
    return folder


def test_the_last_value_is_the_target(tmp_path):
    series = np.random.default_rng(0).normal(size=(9, 51))
    raw = write(tmp_path / "waves", train=series[:5], validation=series[5:7], test=series[7:])
    dataset = prepare("waves", raw)
    assert dataset.input_shape == (50, 1)
    assert dataset.scored == ("validation", "test")
    noise, attainable = dataset.floors.values()
    assert noise == pytest.approx(0.00083, abs=5e-6)
    assert attainable == pytest.approx(0.00099, abs=5e-6)
    for split, rows in (("train", series[:5]), ("validation", series[5:7]), ("test", series[7:])):
        np.testing.assert_array_equal(dataset.splits[split].inputs[:, :, 0], rows[:, :50])
        np.testing.assert_array_equal(dataset.splits[split].targets, rows[:, 50])


def test_who_knows_the_formula_comes_as_close_as_the_floor_says():
    """Least squares on the values in, from the true numbers on, predicts the next value with that error."""
    from scipy.optimize import least_squares

    random = np.random.default_rng(0)
    time = np.linspace(0, 1, 51)

    def wave(p):
        return 0.5 * np.sin((time - p[0]) * (10 + 10 * p[2])) + 0.2 * np.sin((time - p[1]) * (20 + 20 * p[3]))

    errors = []
    for true in random.random((200, 4)):
        series = wave(true) + NOISE * (random.random(51) - 0.5)
        fitted = least_squares(lambda p, series=series: (wave(p) - series)[:50], true).x
        errors.append((wave(fitted) - series)[50] ** 2)
    assert np.mean(errors) == pytest.approx(NOISE**2 / 12 * (1 + leverage(50)), rel=0.2)


def test_a_missing_or_damaged_file_gives_one_line(tmp_path):
    folder, good = tmp_path / "waves", np.zeros((2, 51))
    with pytest.raises(UnrollError, match=r"waves.npz is missing; run `unroll source waves`"):
        prepare("waves", folder)
    with pytest.raises(UnrollError, match=r"waves.npz has no array 'test'"):
        prepare("waves", write(folder, train=good, validation=good))
    with pytest.raises(UnrollError, match="must hold one series per row"):
        prepare("waves", write(folder, train=good, validation=good, test=np.zeros(51)))
    (folder / "waves.npz").write_bytes(b"PK")
    with pytest.raises(UnrollError, match="damaged"):
        prepare("waves", folder)
