import datetime as dt
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from pipeline.data.preparations.series import Csv, Repair, from_table, prepare
from pipeline.data.row_options import Cleaning, Thinned
from pipeline.data.row_table import RowTable
from pipeline.data.timestamps import to_utc
from pipeline.errors import UnrollError, UsageError
from tests.support.options import typed

START = dt.datetime(2020, 3, 1, tzinfo=dt.UTC)
OPTIONS = {"file": "series.csv", "stamp": ["when"], "target": "T"}
OPTIONS |= {"train": 60, "validation": 20, "lookback": 4, "delay": 2}
PUBLISHED = {"protocol": "as_published", "batch_size": 8}


def prepared(seconds, columns, **change):
    """The data set of rows at each of `seconds` after the start, with the columns as
    given."""
    options = typed(OPTIONS | change)
    csv = options.pop("csv")
    options.setdefault("cleaning", Cleaning())
    stamps = np.datetime64(START.replace(tzinfo=None), "ms") + 1000 * np.asarray(
        seconds
    )
    if csv.time_zone:
        stamps = to_utc(stamps, csv.time_zone)
    values = np.column_stack([np.asarray(column, float) for column in columns.values()])
    return from_table("mine", RowTable(stamps, [*columns], values), csv, **options)


def from_file(folder: Path, **change):
    """The data set of a file with a row an hour."""
    stamps = np.datetime64("2020-03-01", "h") + np.arange(100)
    columns = {"T": np.arange(100), "flat": 0.1, "large": 1e306 * np.arange(100)}
    pd.DataFrame({"when": stamps} | columns).to_csv(folder / "series.csv", index=False)
    options = typed(OPTIONS | change)
    csv = options["csv"].model_dump(include={"file", "target", "drop"})
    options["csv"] = Csv(**csv, stamp="when")
    sentinel = options.pop("cleaning", Cleaning()).sentinel
    return prepare("mine", folder, **options, cleaning=Repair(sentinel=sentinel))


def hour_and_season(seconds):
    """(rows, 4) the calendar of rows so many seconds after the start, one by one."""
    rows = []
    for second in seconds:
        stamp = START + dt.timedelta(seconds=int(second))
        day = (
            2
            * math.pi
            * (stamp.hour * 3600 + stamp.minute * 60 + stamp.second)
            / 86_400
        )
        year = 2 * math.pi * stamp.timestamp() / (365.2425 * 86_400)
        rows.append([math.sin(day), math.cos(day), math.sin(year), math.cos(year)])
    return np.array(rows)


def numbers(dataset, split):
    """The row numbers behind a split's inputs and targets, where every value of T is
    its row's number; -1 for no value.

    Returns (windows, timesteps) and (windows, ...), read from the values that a model
    would see.
    """
    windows = dataset.splits[split]
    inputs, targets = windows.take(np.arange(len(windows)))
    return (
        np.nan_to_num(
            np.rint(values.astype(float) * dataset.scale.std + dataset.scale.mean),
            nan=-1,
        ).astype(int)
        for values in (inputs[:, :, windows.target], targets)
    )


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
        cleaning={"sentinel": -9999.0},
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


@st.composite
def problems(draw):
    """A series with gaps, repeated stamps and sentinels, and how to cut it."""
    length = draw(st.integers(40, 160))
    spaces = np.full(length, 600)
    spaces[draw(st.lists(st.integers(1, length - 1), max_size=4))] += draw(
        st.sampled_from([-1, 1, 600, 90_000])
    )
    step = draw(st.integers(1, 4))
    part = [
        st.integers(12, length // 2)
        | st.integers(30, 60).map(lambda percent: percent / 100)
    ]
    part += [
        st.integers(8, length // 4 + 8)
        | st.integers(15, 30).map(lambda percent: percent / 100)
    ]
    indices = st.integers(0, length - 1)
    return {
        "seconds": np.cumsum(spaces),
        "again": draw(st.lists(indices, max_size=4)),
        "bad": sorted(draw(st.sets(indices, max_size=8))),
        "bad_targets": sorted(draw(st.sets(indices, max_size=4))),
        "order": np.random.default_rng(draw(st.integers(0, 99))).permutation(length),
        "options": {
            "train": draw(part[0]),
            "validation": draw(part[1]),
            "step": step,
            "lookback": step * draw(st.integers(1, 3)),
            "delay": draw(st.integers(1, 8)),
            "horizon": draw(st.integers(1, 3)),
            "overlap": draw(st.booleans()),
            "partial": draw(st.booleans()),
            "spacing": 600,
            "sentinel": -9999.0,
            "missing": ["nan"],
        },
    }


def naive(seconds, bad, bad_targets, options):
    """What `corrected` promises, one window at a time: split -> (the row numbers seen
    as inputs, the targets')."""
    length = len(seconds)
    step = options["step"]
    sizes = options["train"], options["validation"]
    first, second = (
        size if size >= 1 else round(100 * size) * length // 100 for size in sizes
    )
    second += first
    # The first row from which every column has had a good value.
    start = max(min(set(range(length)) - set(column)) for column in (bad, bad_targets))

    def seen(row):
        return row if row not in bad_targets else seen(row - 1)

    def windows(low, high):
        for begin in range(start if options["overlap"] else low, high):
            inputs = range(begin, begin + options["lookback"], step)
            targets = [
                inputs[-1] + options["delay"] + later * step
                for later in range(options["horizon"])
            ]
            measured = [row for row in targets if row not in bad_targets]
            if (
                targets[0] < low
                or targets[-1] >= high
                or len(measured) < (1 if options["partial"] else len(targets))
            ):
                continue
            if all(
                seconds[row + 1] - seconds[row] == 600
                for row in range(begin, targets[-1])
            ):
                yield (
                    [seen(row) for row in inputs],
                    [row if row in measured else -1 for row in targets],
                )

    blocks = {
        "train": (start, first),
        "validation": (first, second),
        "test": (second, length),
    }
    return {split: list(windows(*block)) for split, block in blocks.items()}


@given(problem=problems())
def test_corrected_windows_are_those_of_a_naive_loop_and_nothing_crosses(problem):
    seconds = problem["seconds"]
    bad = problem["bad"]
    bad_targets = problem["bad_targets"]
    p = np.arange(len(seconds), dtype=float)
    target = np.arange(len(seconds), dtype=float)
    p[bad], target[bad_targets] = np.nan, -9999.0
    # Rows stand in any order; a stamp that comes again has other values, which must not
    # be seen.
    order = problem["order"]
    again = np.array(problem["again"], int)
    columns = {
        name: np.append(values[order], np.full(len(again), 5e6))
        for name, values in (("p", p), ("T", target))
    }
    expected = naive(seconds, bad, bad_targets, problem["options"])
    rows = np.append(seconds[order], seconds[again])
    try:
        dataset = prepared(rows, columns, **problem["options"])
    except UnrollError:
        event("no room")
        assert not all(expected.values())
        return

    assert dataset.facts["repeated stamps"] == len(again)
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
    options = problem["options"]
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

    assert (after.scale, after.fitted) == (before.scale, before.fitted)
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
    assert (dataset.fitted.series[""].low, dataset.fitted.series[""].high) == (
        [train.min(), 0.1],
        [train.max(), 0.1],
    )
    assert dataset.fitted.cleaning.spacing == 3600
    assert series.dtype == np.float32
    np.testing.assert_allclose(series[:60, 0].astype(float).std(), 1, rtol=1e-6)
    # a column that never changes is centred, no more
    np.testing.assert_allclose(series[:, 1], 0, atol=1e-15)


def test_the_calendar_goes_with_its_row_by_the_wall_clock():
    seconds = 7000 * np.arange(80)
    dataset = prepared(seconds, {"T": np.arange(80)}, train=0.6, validation=0.2)
    series = dataset.splits["test"].series
    assert dataset.calendar == 4
    np.testing.assert_allclose(series[:, 1:], hour_and_season(seconds), atol=2e-7)
    berlin = prepared(
        seconds,
        {"T": np.arange(80)},
        train=0.6,
        validation=0.2,
        time_zone="Europe/Berlin",
    )
    np.testing.assert_array_equal(berlin.splits["test"].series, series)
    assert (dataset.stamps - berlin.stamps == np.timedelta64(1, "h")).all()


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


def test_the_next_values_at_once_with_a_mask_and_the_target_of_long_before():
    hours = np.delete(np.arange(120), [30, 31])
    shape = {
        "validation": 30,
        "horizon": 3,
        "delay": None,
        "fill": 2,
        "target_lags": [6],
    }
    dataset = prepared(3600 * hours, {"T": hours, "p": -hours}, **shape)
    windows = dataset.splits["train"]
    first, (_, targets) = windows.rows, numbers(dataset, "train")
    np.testing.assert_array_equal(targets, first[:, None] + np.arange(3))
    assert not {30, 31} & {*targets.ravel()}
    assert dataset.facts["columns"] == ["T", "p", "filled", "T 6 rows before"]
    mask = windows.take(np.arange(len(windows)))[0][:, :, 2] > 0
    np.testing.assert_array_equal(
        mask, np.isin(first[:, None] + np.arange(-4, 0), [30, 31])
    )
    assert first.min() == 4 + 6, "no window sees a row from before the first"
    facts = dataset.facts
    assert (
        facts["values at once"],
        facts["horizon in hours"],
        facts["rows put in"],
    ) == (3, 3.0, 2)


def test_a_target_that_begins_late_or_lacks_half_of_its_cells_costs_its_rows_alone():
    hours = np.arange(240)
    target = np.arange(240.0)
    target[:100] = target[121:180:2] = np.nan
    options = {
        "missing": ["nan"],
        "fill": 2,
        "partial": True,
        "overlap": True,
        "horizon": 2,
        "delay": 1,
    }
    dataset = prepared(3600 * hours, {"T": target, "p": -hours}, **options)
    assert dataset.facts["rows"] == 140
    _, targets = numbers(dataset, "train")
    assert {*targets.ravel()} - {-1} == {*range(104, 121), *range(122, 160, 2)}, (
        "each measured value is forecast"
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
    options = typed(OPTIONS)
    options["csv"] = Csv(file="series.csv", stamp="when", target="T")
    with pytest.raises(UnrollError, match=r" rows have 100 different timestamps; "):
        prepare("mine", tmp_path, **options)


@pytest.mark.parametrize("change", [{"train": 60.5}, {"lookback": 5, "step": 2}])
def test_numbers_that_do_not_fit_are_errors(change, tmp_path):
    with pytest.raises(ValueError, match=r"must be .* Received: "):
        from_file(tmp_path, drop=["large"], **change)
