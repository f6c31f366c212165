import numpy as np

from bench.sceptic.rows import View, each, rows, start
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows

SERIES = np.random.default_rng(0).normal(size=(40, 3))


def test_a_step_is_answered_from_what_was_known_by_then():
    steps = Arrays(SERIES[None, :6, :1], SERIES[None, :6, 0])
    data = Dataset("a", "regress", "mse", {"train": steps}, each_step=True)
    inputs, targets = rows(data, "train", np.arange(1), View(last=3))
    assert each(data) == len(inputs) == 6
    for step in range(6):
        known = [
            SERIES[back, 0] if back >= 0 else 0 for back in (step - 2, step - 1, step)
        ]
        assert inputs[step].tolist() == [*known, step]
        assert targets[step] == SERIES[step, 0]


def test_a_column_of_a_benchmark_is_answered_from_its_own_past_less_its_last_value():
    windows = Windows(
        SERIES,
        np.array([4, 6]),
        lookback=4,
        step=1,
        delay=0,
        target=0,
        outputs=2,
        every=True,
    )
    data = Dataset("a", "forecast", "mse", {"train": windows})
    inputs, targets = rows(data, "train", np.arange(2), View(last=2))
    assert each(data) == 3
    for row, (first, column) in enumerate(
        (first, column) for first in (4, 6) for column in range(3)
    ):
        past = SERIES[first - 2 : first, column]
        last = SERIES[first - 1, column]
        assert inputs[row].tolist() == (past - last).tolist()
        assert (
            targets[row].tolist() == (SERIES[first : first + 2, column] - last).tolist()
        )


def test_a_window_is_seen_as_values_as_changes_or_as_differences_and_means():
    windows = Windows(SERIES, np.array([20]), lookback=12, step=1, delay=2, target=1)
    data = Dataset("a", "forecast", "mse", {"train": windows}, calendar=1, period=5)
    target = SERIES[8:20, 1]
    other = SERIES[8:20, 0]
    calendar = SERIES[19, 2]

    def seen(view):
        inputs, targets = rows(data, "train", np.arange(1), view)
        return inputs[0], targets[0, 0]

    inputs, answer = seen(View(last=3, others=2))
    np.testing.assert_allclose(inputs, [*target[-3:], *other[-2:], calendar])
    assert answer == SERIES[22, 1]
    inputs, answer = seen(View(last=3, change=True))
    np.testing.assert_allclose(
        inputs, [*target[-3:] - target[-1], 0, other[-1], target[-1], calendar]
    )
    assert answer == SERIES[22, 1] - target[-1]
    assert seen(View(calendar=False))[0].tolist() == [target[-1], other[-1]]
    inputs, _ = seen(View(last=8, others=2, summary=True))
    changes = [target[-1] - target[-1 - step] for step in (1, 2, 3, 5, 6, 8)]
    means = [target[-step:].mean() for step in (2, 3, 5, 6, 8)]
    changes_of_other = [other[-1] - other[-2], other[-1] - other[-3]]
    seen_of_both = [
        other[-1],
        target[-1],
        *changes,
        *means,
        *changes_of_other,
        other[-2:].mean(),
        calendar,
    ]
    np.testing.assert_allclose(inputs, seen_of_both)
    options, choices = start(data)
    assert options.keys() == choices.keys()
    assert View(**options) == View(last=12, others=5)
