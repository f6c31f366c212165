from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from pipeline.data.preparations import series
from pipeline.data.preparations.series import Csv, Repair, Thinned, prepare
from pipeline.data.row_table import RowTable
from pipeline.data.windowing import WindowSpec
from pipeline.errors import UnrollError, UsageError
from tests.support.row_problems import (
    START,
    hour_and_season,
    naive,
    numbers,
    problems,
    written,
)

OPTIONS = {"train": 60, "validation": 20, "lookback": 4, "delay": 2}
PUBLISHED = {"protocol": "as_published", "batch_size": 8}
SECTIONS = {"cleaning": Repair, "windows": WindowSpec}


def sections(change):
    """Options, given flat, as `prepare` takes them."""
    options = OPTIONS | change
    return {
        name: model(
            **{key: options.pop(key) for key in {*options} & {*model.model_fields}}
        )
        for name, model in SECTIONS.items()
    } | options


def prepared(seconds, columns, **change):
    """The data set of rows at each of `seconds` after the start, with the columns as
    given."""
    rest = {"protocol": "corrected", "batch_size": None, "thinned": None}
    stamps = np.datetime64(START.replace(tzinfo=None), "ms") + 1000 * np.asarray(
        seconds
    )
    values = np.column_stack([np.asarray(column, float) for column in columns.values()])
    table = RowTable(stamps, [*columns], values)
    return series._of_table("mine", table, "T", **rest | sections(change))


def from_file(folder: Path, target="T", drop=(), **change):
    """The data set of a file with a row an hour."""
    stamps = np.datetime64("2020-03-01", "h") + np.arange(100)
    columns = {"T": np.arange(100), "flat": 0.1, "large": 1e306 * np.arange(100)}
    pd.DataFrame({"when": stamps} | columns).to_csv(folder / "series.csv", index=False)
    csv = Csv(file="series.csv", stamp="when", target=target, drop=[*drop])
    return prepare("mine", folder, csv=csv, **sections(change))


def generator(data, target, *, lookback, step, delay, low, high, batch):
    """One ordered cycle of the documents' generator, in words: a loop that starts again
    near its end."""
    if high is None:
        high = len(data) - delay - 1
    inputs = []
    targets = []
    at = low + lookback
    while True:
        if at + batch >= high:
            if targets:
                break
            at = low + lookback
        end = min(at + batch, high)
        for row in range(at, end):
            inputs.append([data[past] for past in range(row - lookback, row, step)])
            targets.append(data[row + delay][target])
        at = end
    return np.array(inputs), np.array(targets)


@pytest.mark.parametrize(
    ("lookback", "step", "delay", "sizes"),
    [(12, 1, 4, (40, 21, 50)), (18, 3, 6, (61, 40, 47))],
)
def test_keras_utility_gives_the_windows_of_keras_own_function(
    lookback, step, delay, sizes
):
    train, validation, _ = sizes
    length = sum(sizes)
    steps = lookback // step
    ahead = lookback + delay - step
    temperature = np.random.default_rng(0).normal(size=length)
    temperature[7] = -9999.0  # nothing is handled
    seconds = 600 * np.arange(length)
    seconds[20:] += 40_000
    options = {
        "lookback": lookback,
        "step": step,
        "delay": delay,
        "train": train,
        "validation": validation,
    }

    dataset = prepared(seconds, {"T": temperature}, **options, protocol="keras_utility")

    normal = (temperature - temperature[:train].mean()) / temperature[:train].std()
    # As keras.utils.timeseries_dataset_from_array(data[:-ahead], data[ahead:], steps,
    # ...) has it.
    second = train + validation
    blocks = {
        "train": (0, train),
        "validation": (train, second),
        "test": (second, length - ahead),
    }
    for split, (start, stop) in blocks.items():
        firsts = np.arange(start, stop - (steps - 1) * step)
        inputs, targets = dataset.splits[split].take(
            np.arange(len(dataset.splits[split]))
        )
        expected = normal[firsts[:, None] + step * np.arange(steps)]
        np.testing.assert_allclose(inputs[:, :, 0], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            targets, normal[firsts + ahead], rtol=1e-5, atol=1e-6
        )
    assert [
        dataset.facts[f"rows to {what}"]
        for what in ("train on", "validate on", "test on")
    ] == [*sizes]


@pytest.mark.parametrize(
    ("lookback", "step", "delay", "batch", "sizes"),
    [
        (24, 6, 144, 128, (300, 310, 450)),
        (24, 1, 24, 16, (100, 41, 120)),
        (6, 3, 5, 10, (30, 37, 43)),
    ],
)
def test_as_published_is_the_generator_slips_included(
    lookback, step, delay, batch, sizes
):
    train, validation, test = sizes
    length = train + validation + test
    data = np.column_stack(
        [np.random.default_rng(0).normal(size=length), np.arange(length)]
    )
    data[7, 0] = -9999.0  # nothing is handled
    seconds = 600 * np.arange(length)
    seconds[20:] += 40_000
    seconds[31] = seconds[30]
    shape = {"lookback": lookback, "step": step, "delay": delay}
    options = {
        "train": train,
        "validation": validation,
        "protocol": "as_published",
        "batch_size": batch,
    }

    dataset = prepared(seconds, {"p": data[:, 0], "T": data[:, 1]}, **shape, **options)

    mean = data[:train].mean(axis=0)
    std = data[:train].std(axis=0)
    normal = np.column_stack([(data - mean) / std, hour_and_season(seconds)])
    second = train + validation
    expected = {
        "validation": generator(
            normal, 1, **shape, batch=batch, low=train + 1, high=second
        ),
        "test": generator(normal, 1, **shape, batch=batch, low=second + 1, high=None),
        # What it draws from: every row once, in batches of one (the last row, too, that
        # an ordered cycle drops).
        "train": generator(normal, 1, **shape, batch=1, low=0, high=train + 1),
    }
    for split, (inputs, targets) in expected.items():
        windows = dataset.splits[split]
        got_inputs, got_targets = windows.take(np.arange(len(windows)))
        np.testing.assert_allclose(got_inputs, inputs, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(got_targets, targets, rtol=1e-6, atol=1e-6)
        rows, ahead = numbers(dataset, split)
        assert set(ahead - rows[:, -1]) == {delay + step} == {windows.horizon}
    assert dataset.facts["repeated stamps"] == 1
    # the documents': 25, and not 24
    assert dataset.facts["horizon in hours"] == (delay + step) / 6

    cleaned = prepared(
        seconds,
        {"p": data[:, 0], "T": data[:, 1]},
        **shape,
        **options,
        sentinel=-9999.0,
    )
    data[7, 0] = data[6, 0]
    mean, std = data[:train].mean(axis=0), data[:train].std(axis=0)
    windows = cleaned.splits["train"]
    rows, _ = numbers(cleaned, "train")
    np.testing.assert_allclose(
        windows.take(np.arange(len(windows)))[0][:, :, :2],
        ((data - mean) / std)[rows],
        rtol=1e-5,
        atol=1e-5,
    )
    assert cleaned.facts["sentinels"] == 1


@pytest.mark.parametrize(
    ("protocol", "rows"),
    [
        ({"protocol": "as_published", "batch_size": 8}, 400),
        ({"protocol": "as_published", "batch_size": 8}, 398),
        ({"protocol": "keras_utility"}, 391),
    ],
)
def test_a_thinned_file_gives_those_windows_of_the_whole_file_that_it_holds(
    protocol, rows
):
    seconds = 600 * np.arange(400)
    seconds[50:] += 40_000
    row = np.arange(400)
    blocks = {"train": 0.4, "validation": 101, **protocol}
    long = {"lookback": 12, "step": 3, "delay": 9}
    short = {"lookback": 4, "step": 1, "delay": 3}

    whole = prepared(seconds[:rows], {"T": row[:rows]}, **long, **blocks)
    thinned = prepared(
        seconds[::3],
        {"T": row[::3]},
        **short,
        **blocks,
        thinned=Thinned(every=3, rows=rows),
    )

    for split in whole.splits:
        inputs, targets = numbers(whole, split)
        held = inputs[:, 0] % 3 == 0
        assert held.any()
        own_inputs, own_targets = numbers(thinned, split)
        np.testing.assert_array_equal(own_inputs, inputs[held])
        np.testing.assert_array_equal(own_targets, targets[held])
    train = whole.facts["rows to train on"]
    assert thinned.scale.mean == pytest.approx(row[:train:3].mean())
    same = [words for words in whole.facts if "rows to" in words or "batches" in words]
    assert [thinned.facts[words] for words in same] == [
        whole.facts[words] for words in same
    ]
    assert thinned.facts["horizon in hours"] == whole.facts["horizon in hours"]
    assert thinned.facts["rows of the whole file"] == rows


@given(problem=problems())
def test_corrected_windows_are_those_of_a_naive_loop_and_nothing_crosses(problem):
    rows, columns = written(problem)
    expected = naive(problem, problem["blocks"])
    try:
        dataset = prepared(rows, columns, **problem["options"] | problem["blocks"])
    except UnrollError:
        event("no room")
        assert not all(expected.values())
        return

    assert dataset.facts["repeated stamps"] == len(problem["again"])
    for split, windows in expected.items():
        inputs, targets = numbers(dataset, split)
        assert inputs.tolist() == [rows for rows, _ in windows]
        assert targets.reshape(len(targets), -1).tolist() == [
            rows for _, rows in windows
        ]


@given(problem=problems(), row=st.integers(0, 159), value=st.floats(-1e6, 1e6))
def test_a_changed_later_row_changes_neither_scale_nor_what_came_before(
    problem, row, value
):
    seconds = problem["seconds"]
    options = problem["options"] | problem["blocks"]
    p = np.sin(np.arange(len(seconds), dtype=float))
    p[problem["bad"]] = -9999.0
    columns = {"p": p, "T": np.cos(np.arange(len(seconds), dtype=float))}
    try:
        before = prepared(seconds, columns, **options)
    except UnrollError:
        assume(False)
    test = before.splits["test"].rows.min() + before.splits["test"].delay
    row = test + row % (len(seconds) - test)
    columns["p"][row] = columns["T"][row] = value
    after = prepared(seconds, columns, **options)

    assert after.scale == before.scale
    for split in ("train", "validation"):
        everything = np.arange(len(before.splits[split]))
        for old, new in zip(
            before.splits[split].take(everything),
            after.splits[split].take(everything),
            strict=True,
        ):
            np.testing.assert_array_equal(old, new)


def test_the_scale_is_that_of_the_train_rows():
    values = np.random.default_rng(1).normal(8, 3, size=100)
    dataset = prepared(3600 * np.arange(100), {"T": values, "flat": np.full(100, 0.1)})
    series = dataset.splits["train"].series
    train = values[:60]
    assert dataset.scale.mean == pytest.approx(train.mean(), rel=1e-14)
    assert dataset.scale.std == pytest.approx(train.std(), rel=1e-14)
    assert dataset.facts["seconds between rows"] == 3600
    assert series.dtype == np.float32
    np.testing.assert_allclose(series[:60, 0].astype(float).std(), 1, rtol=1e-6)
    # a column that never changes is centred, no more
    np.testing.assert_allclose(series[:, 1], 0, atol=1e-15)


def test_the_calendar_goes_with_its_row():
    seconds = 7000 * np.arange(80)
    dataset = prepared(seconds, {"T": np.arange(80)}, train=0.6, validation=0.2)
    assert dataset.calendar == 4
    np.testing.assert_allclose(
        dataset.splits["test"].series[:, 1:], hour_and_season(seconds), atol=2e-7
    )


@pytest.mark.parametrize(
    ("seconds", "step", "period"),
    [(600, 6, 24), (600, 1, 144), (86_400, 1, 0), (3600, 5, 0)],
)
def test_period_is_a_day_where_it_is_whole_timesteps(seconds, step, period):
    shape = {"lookback": step, "delay": 1, "step": step}
    assert (
        prepared(seconds * np.arange(100), {"T": np.arange(100)}, **shape).period
        == period
    )


BAD = [
    (
        {"train": 90, "validation": 10},
        "100 rows are too few for a test block after 90 to train on and 10 to validate",
    ),
    (
        {"train": 0.8, "validation": 0.2},
        "100 rows are too few for a test block after 80",
    ),
    (
        {"lookback": 19},
        "the validation block has no room for a window of 19 rows and a target 2 rows on, with 0 gaps",
    ),
    (
        {"delay": 60},
        "the train block has no room for a window of 4 rows and a target 60 rows on",
    ),
    (
        {"batch_size": 8},
        r"params.yaml: datasets.mine.preparation.batch_size has no effect; only as_published",
    ),
    (
        {"protocol": "as_published"},
        r"params.yaml: datasets.mine.preparation.batch_size is missing",
    ),
    (
        {"thinned": Thinned(every=6, rows=600)},
        r"params.yaml: datasets.mine.preparation.thinned has no effect; only as_publ",
    ),
    (
        {"thinned": Thinned(every=6, rows=601), "protocol": "keras_utility"},
        "100 rows are fewer than every 6th of 601, which are 101",
    ),
    (PUBLISHED | {"lookback": 40}, "the validation block has no room"),
    (
        {"target": "flat"},
        "the target 'flat' is 0.1 in each of the 60 train rows, so there is nothing to learn",
    ),
    ({"sentinel": 0.1}, "column 'flat' holds no value in the 60 train rows; drop it"),
    (
        {"target": "Temp"},
        r"params.yaml: .*mine.preparation.csv.target: series.csv has no column of numbers 'Temp'. It has: T, f",
    ),
    ({"target": "large"}, "column 'large' holds numbers too large for a mean; drop it"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_cannot_be_prepared_gives_one_line(change, message, tmp_path):
    drop = [] if change.get("target") == "large" else ["large"]
    with pytest.raises(UnrollError, match=message) as caught:
        from_file(tmp_path, drop=drop, **change)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError) == message.startswith("params.yaml")


@pytest.mark.parametrize("lengths", [(100, 100), (100, 30, 30), (100, 12)])
def test_a_file_of_several_series_is_not_taken_for_one(lengths, tmp_path):
    hours = np.datetime64("2020-03-01", "h") + np.arange(100)
    stamps = np.concatenate([hours[:length] for length in lengths])
    table = pd.DataFrame({"when": stamps, "T": np.arange(len(stamps))})
    table.to_csv(tmp_path / "series.csv", index=False)
    csv = Csv(file="series.csv", stamp="when", target="T")
    with pytest.raises(UnrollError, match=r" rows have 100 different timestamps; "):
        prepare("mine", tmp_path, csv=csv, **sections({}))


@pytest.mark.parametrize("change", [{"train": 60.5}, {"lookback": 5, "step": 2}])
def test_numbers_that_do_not_fit_are_errors(change, tmp_path):
    with pytest.raises(ValueError, match=r"must be .* Received: "):
        from_file(tmp_path, drop=["large"], **change)
