import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.examples import Arrays, Windows


@given(
    steps=st.integers(1, 6),
    step=st.integers(1, 4),
    delay=st.integers(-3, 12),
    outputs=st.integers(1, 3),
    spare=st.integers(1, 20),
    features=st.integers(1, 3),
    data=st.data(),
)
def test_take_equals_a_naive_loop(steps, step, delay, outputs, spare, features, data):
    delay = max(delay, 1 - step)
    lookback, reach = steps * step, max(delay + (outputs - 1) * step, 0)
    length = lookback + reach + spare
    series = np.arange(length * features, dtype=np.float32).reshape(length, features)
    target = data.draw(st.integers(0, features - 1))
    rows = np.array(data.draw(st.lists(st.integers(lookback, length - 1 - reach), min_size=1, max_size=9)))
    windows = Windows(series, rows, lookback, step, delay, target, outputs)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)), dtype=int)

    inputs, targets = windows.take(chosen)

    assert inputs.shape == (len(chosen), *windows.input_shape) == (len(chosen), steps, features)
    assert targets.shape == ((len(chosen),) if outputs == 1 else (len(chosen), outputs))
    assert inputs.dtype == targets.dtype == series.dtype
    np.testing.assert_array_equal(targets, windows.targets[chosen])
    for example, place in enumerate(chosen):
        row = int(rows[place])
        for timestep in range(steps):
            for feature in range(features):
                assert inputs[example, timestep, feature] == series[row - lookback + timestep * step][feature]
        for output, found in enumerate(np.atleast_1d(targets[example])):
            assert found == series[row + delay + output * step][target]
        assert row + delay - int(inputs[example, -1, 0]) // features == windows.horizon


def test_a_batch_is_all_that_is_copied():
    series = np.zeros((400_000, 14), np.float32)
    windows = Windows(series, np.arange(1440, 300_000), lookback=1440, step=6, delay=144, target=1)
    assert windows.series is series
    assert windows.take(np.arange(128))[0].nbytes == 128 * 240 * 14 * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lookback": 5}, r"`lookback` must be a multiple of `step`. Received: 5, 2"),
        ({"step": 0}, "multiple of `step`"),
        ({"lookback": 0}, "multiple of `step`"),
        ({"outputs": 0}, "`outputs` must be at least 1"),
        ({"target": 3}, r"`target` must be a column .* Received: \(20, 3\)"),
        ({"series": np.zeros(20)}, r"Received: \(20,\)"),
        ({"rows": np.array([3, 10])}, "windows that reach from -1 to 13"),
        ({"rows": np.array([4, 17])}, "windows that reach from 0 to 20"),
        ({"rows": np.array([4, 22]), "delay": -3}, "windows that reach from 0 to 20"),
        ({"rows": np.array([4, 13]), "outputs": 3}, "windows that reach from 0 to 20"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(change, message):
    valid = {"series": np.zeros((20, 3)), "rows": np.array([4]), "lookback": 4, "step": 2, "delay": 3, "target": 0}
    Windows(**valid)
    with pytest.raises(ValueError, match=message):
        Windows(**valid | change)


def test_arrays_take_and_refuse():
    inputs, targets = np.arange(12).reshape(4, 3), np.arange(4.0)
    examples = Arrays(inputs, targets)
    assert (len(examples), examples.input_shape) == (4, (3,))
    some, wanted = examples.take(np.array([3, 0]))
    assert (some.tolist(), wanted.tolist()) == ([[9, 10, 11], [0, 1, 2]], [3, 0])
    assert Arrays(inputs, inputs).take(np.array([1]))[1].tolist() == [[3, 4, 5]]
    for wrong in (targets[:3], targets[:, None]):
        with pytest.raises(
            ValueError, match=r"one value for each of `inputs`, or several. Received: inputs \(4, 3\), t"
        ):
            Arrays(inputs, wrong)
