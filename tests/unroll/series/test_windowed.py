"""Rows of an answer's series as windows: each against a loop, one window at a time."""

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from pipeline.errors import UnrollError
from tests.support.options import typed
from tests.support.row_problems import START, naive, numbers, problems, written
from unroll.series import time_zones, windowed
from unroll.series.row_options import Cleaning
from unroll.series.series_table import SeriesTable

OPTIONS = {"target": "T", "train": 60, "lookback": 4}

EVERY_ROW = {"steps": st.just(1), "delays": st.just(1)}
"""Each row is an input, and the next value is the first to forecast."""


def cut(seconds, columns, **change):
    """The data set of rows at each of `seconds` after the start, with the columns as
    given."""
    for fixed in ("step", "delay", "sentinel"):
        change.pop(fixed, None)
    options = typed(OPTIONS | change)
    options.setdefault("cleaning", Cleaning())
    stamps = np.datetime64(START.replace(tzinfo=None), "ms") + 1000 * np.asarray(
        seconds
    )
    if options["csv"].time_zone:
        stamps = time_zones.to_utc(stamps, options["csv"].time_zone)
    values = np.column_stack([np.asarray(column, float) for column in columns.values()])
    values[values == -9999] = np.nan
    return windowed.cut("mine", SeriesTable(stamps, [*columns], values), **options)


@given(problem=problems(**EVERY_ROW))
def test_windows_are_those_of_a_naive_loop(problem):
    rows, columns = written(problem)
    blocks = {"train": problem["blocks"]["train"]}
    options = problem["options"]
    expected = naive(problem, blocks, overlap=True)
    del expected["validation"]
    try:
        dataset = cut(rows, columns, **options | blocks)
    except UnrollError:
        event("no room")
        assert not all(expected.values())
        return

    for split, windows in expected.items():
        inputs, targets = numbers(dataset, split)
        assert inputs.tolist() == [rows for rows, _ in windows]
        assert targets.reshape(len(targets), -1).tolist() == [
            rows for _, rows in windows
        ]


@given(
    problem=problems(**EVERY_ROW), row=st.integers(0, 159), value=st.floats(-1e6, 1e6)
)
def test_a_changed_later_row_changes_neither_scale_nor_what_came_before(
    problem, row, value
):
    seconds = problem["seconds"]
    options = problem["options"] | {"train": problem["blocks"]["train"]}
    p = np.sin(np.arange(len(seconds), dtype=float))
    p[problem["bad"]] = -9999.0
    columns = {"p": p, "T": np.cos(np.arange(len(seconds), dtype=float))}
    try:
        before = cut(seconds, columns, **options)
    except UnrollError:
        assume(False)
    test = before.splits["test"].rows.min() + before.splits["test"].delay
    row = test + row % (len(seconds) - test)
    columns["p"][row] = columns["T"][row] = value
    after = cut(seconds, columns, **options)

    assert (after.scale, after.fitted) == (before.scale, before.fitted)
    everything = np.arange(len(before.splits["train"]))
    for old, new in zip(
        before.splits["train"].take(everything),
        after.splits["train"].take(everything),
        strict=True,
    ):
        np.testing.assert_array_equal(old, new)


def test_the_scale_is_that_of_the_train_rows():
    values = np.random.default_rng(1).normal(8, 3, size=100)
    dataset = cut(3600 * np.arange(100), {"T": values, "flat": np.full(100, 0.1)})
    train = values[:60]
    assert dataset.scale.mean == pytest.approx(train.mean(), rel=1e-14)
    assert dataset.scale.std == pytest.approx(train.std(), rel=1e-14)
    statistics = dataset.fitted.series[""]
    assert (statistics.low, statistics.high) == (
        [train.min(), 0.1],
        [train.max(), 0.1],
    )
    assert dataset.fitted.cleaning.spacing == 3600


@pytest.mark.parametrize(
    ("seconds", "period"), [(3600, 24), (600, 144), (86_400, 0), (18_000, 0)]
)
def test_period_is_a_day_where_it_is_whole_timesteps(seconds, period):
    dataset = cut(seconds * np.arange(100), {"T": np.arange(100)}, lookback=1)
    assert dataset.period == period


def test_the_calendar_goes_with_its_row_by_the_wall_clock():
    seconds = 7000 * np.arange(80)
    plain = cut(seconds, {"T": np.arange(80)}, train=0.6)
    berlin = cut(seconds, {"T": np.arange(80)}, train=0.6, time_zone="Europe/Berlin")
    np.testing.assert_array_equal(
        berlin.splits["test"].series, plain.splits["test"].series
    )
    assert (plain.stamps - berlin.stamps == np.timedelta64(1, "h")).all()


def test_the_next_values_at_once_with_a_mask_of_filled_rows():
    hours = np.delete(np.arange(120), [30, 31])
    shape = {"horizon": 3, "fill": 2}
    dataset = cut(3600 * hours, {"T": hours, "p": -hours}, **shape)
    windows = dataset.splits["train"]
    first, (_, targets) = windows.rows, numbers(dataset, "train")
    measured = np.isin(first[:, None] + np.arange(3), [30, 31], invert=True)
    np.testing.assert_array_equal(
        targets, np.where(measured, first[:, None] + np.arange(3), -1)
    )
    assert dataset.fitted.columns == ["T", "p", "filled"]
    mask = windows.take(np.arange(len(windows)))[0][:, :, 2] > 0
    np.testing.assert_array_equal(
        mask, np.isin(first[:, None] + np.arange(-4, 0), [30, 31])
    )
    assert first.min() == 4, "no window sees a row from before the first"
    assert len(dataset.stamps) == 120, "two rows were put in"


def test_a_target_that_begins_late_or_lacks_half_of_its_cells_costs_its_rows_alone():
    hours = np.arange(240)
    target = np.arange(240.0)
    target[:100] = target[121:180:2] = np.nan
    options = {
        "missing": ["nan"],
        "fill": 2,
        "horizon": 2,
    }
    dataset = cut(3600 * hours, {"T": target, "p": -hours}, **options)
    assert len(dataset.stamps) == 140
    _, targets = numbers(dataset, "train")
    assert {*targets.ravel()} - {-1} == {*range(104, 121), *range(122, 160, 2)}, (
        "each measured value is forecast"
    )
