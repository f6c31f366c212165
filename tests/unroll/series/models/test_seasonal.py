"""What seasonal models see of a window, and what trees say of all values ahead."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.data.problem import Problem
from pipeline.models.baselines import Direct
from pipeline.training.job import Job
from pipeline.training.methods import boosting
from unroll.series.models import seasonal, statistical

DAY = 4
HORIZON = 3


AHEAD = (2, 3, 4)
LONG = Problem((31, 9), target=1, horizon=2, outputs=3, period=DAY, calendar=6)
"""Another column, the target, one that is known beforehand, and the calendar."""


@pytest.fixture
def inputs():
    """Two windows, whose last rows are of a Tuesday and of a Sunday."""
    values = np.random.default_rng(0).normal(size=(2, 31, 9))
    values[:, -1, 3:5] = [[0, 1], [-1, 0]]
    values[:, -1, 7:] = [[np.sin(1.0), np.cos(1.0)], [np.sin(6.0), np.cos(6.0)]]
    return values


def repeats(values, cycle):
    """The values at most seven whole cycles before each value ahead, as many of each."""
    latest = [len(values) - 1 + step - cycle * -(-step // cycle) for step in AHEAD]
    found = [values[place::-cycle] for place in latest]
    count = min(7, *map(len, found))
    return [one[:count] for one in found]


def seen_ahead(
    window, period, base, cycles, *, own=False, recent=6, known=0, season=True
):
    """The features of each value ahead, and what trees correct, from a loop.

    Rows lie a day apart where there is no period.
    """
    days = [step / (period or 1) for step in AHEAD]
    target = window[:, 1]
    shortest = cycles[0] if cycles else 1
    corrected = [target[-7:].mean()] * 3
    if base == "cycle":
        corrected = [one[0] for one in repeats(target, shortest)]
        target = target[shortest:] - target[:-shortest]
    cycles = [cycle for cycle in cycles if cycle + 2 <= len(target)]
    first = cycles[0] if cycles else 7
    if base == "mean":
        corrected = [target[-first:].mean()] * 3
    spans = {min(span, len(target)) for span in (max(2, first // 8), first, 2 * first)}
    if 2 * first > len(target):
        spans.add(first // 2)
    spans = sorted({*spans, *cycles[1:]})
    hour = np.arctan2(*window[-1, 3:5])
    week = np.arctan2(*window[-1, 7:])
    others = [window[:, column] for column in range(3 - known) if column != 1]
    rows = []
    for number, step in enumerate(AHEAD):
        turn = 2 * np.pi * days[number]
        row = [step, round((hour + (turn if period else 0)) % (2 * np.pi), 3)]
        row += [*window[-1, 5:7]] * season
        later = round((week + turn / 7 + 1e-4) % (2 * np.pi), 3)
        row += [later, int(later * 7 / (2 * np.pi))]
        for cycle in cycles:
            same = repeats(target, cycle)[number]
            row += [*same, same.mean(), same[:3].mean(), np.median(same)]
        row += [*target[-recent:][::-1], *(target[-span:].mean() for span in spans)]
        if cycles:
            before = target[-spans[0] - first : -first].mean()
            row.append(target[-1] - target[-1 - first])
            row.append(target[-spans[0] :].mean() - before)
        for other in [] if own else others:
            row += [other[-1], other[-first:].mean()]
            row += [repeats(other, first)[number][0]] * bool(cycles)
        rows.append(row + [window[number - 3, 2]] * known)
    return rows, corrected


@pytest.mark.parametrize(
    ("period", "options"),
    [
        (DAY, {"base": "mean", "cycles": [DAY, 12, 30], "known": 1}),
        (DAY, {"base": "mean", "cycles": [], "season": False}),
        (0, {"base": "cycle", "cycles": [7, 14], "own": True, "recent": 40}),
        (DAY, {"base": "mean", "cycles": [16, 3], "recent": 2}),
    ],
)
def test_trees_see_what_a_naive_loop_finds_for_each_value_ahead(
    inputs, period, options
):
    problem = replace(LONG, period=period)
    seen, corrected = seasonal.boosting(problem, **options).features(inputs)
    for number, window in enumerate(inputs):
        rows, naive = seen_ahead(window, period, **options)
        np.testing.assert_allclose(seen[number], rows, atol=1e-5)
        np.testing.assert_allclose(corrected[number], naive, atol=1e-6)


@pytest.mark.parametrize("season", [True, False])
def test_a_ridge_sees_the_past_what_is_known_and_harmonics_of_the_week(inputs, season):
    options = {"last": 5, "others": 2, "known": 1, "season": season}
    seen = seasonal.linear(LONG, **options).features(inputs)
    for found, window in zip(seen, inputs, strict=True):
        week = np.arctan2(*window[-1, 7:])
        turns = np.array([1, 2, 3, 6, 7, 8, 13, 14, 15, 21]) * week
        daily = [*np.cos(turns), *np.sin(turns)]
        year = window[-1, 5:7]
        expected = [*window[-5:, 1], *window[-2:, 0], *window[-5:, 2], *daily]
        if season:
            expected += [*year, *np.outer(daily, year).ravel()]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_trees_of_all_values_ahead_are_those_of_a_library():
    """A third of the targets was not measured; of several values ahead each is left out
    by itself."""
    random = np.random.default_rng(1)
    features = random.normal(size=(200, 3, 4)).astype(np.float32)
    targets = features.sum(axis=2) ** 2
    masked = np.where(random.random((200, 3)) < 0.3, np.nan, targets)
    base = features[:, :, 0]
    model = Direct(lambda inputs: (inputs, inputs[:, :, 0].copy()))
    splits = {"train": Arrays(features, masked), "test": Arrays(features, targets)}
    data = Dataset("x", "forecast", "mae", splits, scored=())
    job = Job("x", data, lambda: model, (0,))
    trained = boosting.train(job, trees=30, leaves=4, learning_rate=0.3, examples=5)
    measured = np.isfinite(masked)
    errors = boosting._untied(masked - base).astype(np.float64)
    library = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=30,
        max_leaf_nodes=4,
        min_samples_leaf=5,
        early_stopping=False,
        random_state=0,
        learning_rate=0.3,
    ).fit(features[measured], errors[measured])
    expected = base + library.predict(features.reshape(600, 4)).reshape(200, 3)
    np.testing.assert_allclose(
        trained.replicates[0].predictions["final_test"], expected, atol=1e-6
    )


@pytest.mark.parametrize(("cycle", "timesteps"), [(0, 2), (5, 12), (7, 14)])
def test_statistical_models_of_few_values_give_numbers(cycle, timesteps):
    window = np.random.default_rng(0).normal(size=(1, timesteps, 1))
    short = Problem((timesteps, 1), outputs=HORIZON)
    models = [
        statistical.ets(short, cycle=cycle, trend=trend) for trend in (True, False)
    ]
    for model in (*models, statistical.mstl(short, cycles=[max(2, cycle)])):
        assert np.isfinite(model.features(window)).all()
