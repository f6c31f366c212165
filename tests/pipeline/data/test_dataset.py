import dataclasses
import json

import numpy as np
import pytest

from pipeline.data.dataset import Dataset, Scale, load, mirrored, save
from pipeline.data.examples import Arrays, Windows
from pipeline.errors import UnrollError, UsageError
from unroll.series.row_options import (
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
    Statistics,
)


def windowed() -> Dataset:
    series = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    blocks = {
        "train": np.arange(4, 30),
        "validation": np.arange(34, 44),
        "test": np.arange(48, 57),
    }
    return Dataset(
        name="station",
        kind="forecast",
        metric="mae",
        splits={
            s: Windows(series, rows, 4, 2, 3, 1, measured=np.arange(60) % 7 > 0)
            for s, rows in blocks.items()
        },
        scale=Scale(mean=9.25, std=8.5, unit="°C", quantity="temperature"),
        calendar=2,
        period=24,
        stand_in=True,
        facts={"protocol": "corrected", "columns": ["p", "T"]},
        stamps=np.datetime64("2009-01-01", "s") + np.arange(60),
        series_id=np.repeat([0, 1], 30),
        truth=np.where(np.arange(60) % 7, 0.5 * np.arange(60), np.nan),
        fitted=Preprocessing(
            csv=CsvFormat(target="T"),
            cleaning=Cleaning(spacing=600),
            windows=SeriesWindows(lookback=4),
            columns=["p", "T"],
            series={
                "": Statistics(
                    mean=[0.1, 9.25], std=[1.0, 8.5], low=[0, 1], high=[2, 3]
                )
            },
        ),
    )


def listed() -> Dataset:
    inputs = np.arange(6, dtype=np.int16).reshape(3, 2)
    targets = np.array([0, 1, 0.5])
    return Dataset(
        name="points",
        kind="classify",
        metric="accuracy",
        splits={split: Arrays(inputs, targets) for split in ("train", "test")},
        vocabulary=7,
        words=np.array(["", "", "…", "", "good", "bad", "film"]),
        groups={"inside": np.array([0, 2]), "outside": np.array([1])},
        scored=("test",),
        rollout=True,
        floors={"noise": 1 / 3},
    )


@pytest.mark.parametrize("make", [windowed, listed])
def test_what_is_saved_is_loaded_and_saved_again_to_the_same_bytes(make, tmp_path):
    first = make()
    save(first, tmp_path / "a")
    loaded = load(
        tmp_path / "a",
        calendar=bool(first.calendar),
        fitted=Preprocessing if first.fitted else None,
    )
    save(loaded, tmp_path / "b")
    save(make(), tmp_path / "c")
    for field in dataclasses.fields(Dataset):
        if field.name != "splits":
            np.testing.assert_equal(
                getattr(loaded, field.name), getattr(first, field.name)
            )
    assert list(loaded.splits) == list(first.splits)
    for split, examples in first.splits.items():
        everything = np.arange(len(examples))
        for before, after in zip(
            examples.take(everything),
            loaded.splits[split].take(everything),
            strict=True,
        ):
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
    a, b, c = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in "abc"
    )
    assert a == b == c


def test_splits_share_a_series_and_have_its_calendar_where_it_is_asked_for(tmp_path):
    save(windowed(), tmp_path)
    whole = load(tmp_path, calendar=True)
    without = load(tmp_path)
    series = windowed().splits["test"].series
    assert (whole.calendar, whole.input_shape) == (2, (2, 4))
    assert (without.calendar, without.input_shape) == (0, (2, 2))
    np.testing.assert_array_equal(without.splits["test"].series, series[:, :2])
    for loaded in (whole, without):
        assert loaded.splits["train"].series is loaded.splits["test"].series
        np.testing.assert_array_equal(
            loaded.splits["test"].targets, windowed().splits["test"].targets
        )


def test_what_cannot_be_saved_and_a_calendar_that_is_not_there_are_refused(tmp_path):
    odd = listed()
    odd.splits["test"].targets[1] = np.nan
    empty = dataclasses.replace(
        listed(), splits={"train": Arrays(np.zeros((0, 2)), np.zeros(0))}
    )
    for dataset, line in (
        (odd, "points: t.*_targets holds values that are not finite"),
        (
            empty,
            r"points: the train split is empty; check datasets.points in params.yaml",
        ),
    ):
        with pytest.raises(UnrollError, match=line):
            save(dataset, tmp_path)
    assert not list(tmp_path.iterdir())
    save(listed(), tmp_path)
    with pytest.raises(
        UsageError, match="points has no calendar, .*; leave calendar: true out"
    ):
        load(tmp_path, calendar=True)


def test_facts_that_do_not_fit_the_arrays_give_one_line(tmp_path):
    save(windowed(), tmp_path)
    path = tmp_path / "dataset.json"
    text = path.read_text(encoding="utf-8")
    for damage in (
        lambda facts: facts["splits"]["test"].update(lookback=60),
        lambda facts: facts["scale"].update(std=0),
        lambda facts: facts["examples"].update(test=8),
        lambda facts: facts.update(scored=["rest"]),
        lambda facts: facts.update(
            calendar=3
            # of four columns, the second is the target
        ),
    ):
        facts = json.loads(text)
        damage(facts)
        path.write_text(json.dumps(facts), encoding="utf-8")
        with pytest.raises(
            UnrollError, match=r"is damaged \(.*\); delete it and run `unroll repro`"
        ):
            load(tmp_path)


@pytest.mark.parametrize("make", [windowed, listed])
def test_a_share_of_train_is_its_last_examples(make, tmp_path):
    save(make(), tmp_path / "a")
    whole = load(tmp_path / "a")
    half = load(tmp_path / "a", share=0.5)
    train = whole.splits["train"]
    last = half.splits["train"]
    assert len(last) == round(len(train) / 2)
    for all_of_it, its_end in zip(
        train.take(np.arange(len(train))), last.take(np.arange(len(last))), strict=True
    ):
        np.testing.assert_array_equal(its_end, all_of_it[-len(last) :])
    assert len(half.splits["test"]) == len(whole.splits["test"])
    assert len(load(tmp_path / "a", share=0.001).splits["train"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lookback": 5}, r"`lookback` must be a multiple of `step`. Received: 5, 2"),
        ({"outputs": 0}, "`outputs` must be at least 1"),
        ({"target": 3}, r"`target` must be a column .* Received: \(20, 3\)"),
        ({"rows": np.array([3, 10])}, "windows that reach from -1 to 13"),
        ({"rows": np.array([4, 13]), "outputs": 3}, "windows that reach from 0 to 20"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(change, message):
    valid = {
        "series": np.zeros((20, 3)),
        "rows": np.array([4]),
        "lookback": 4,
        "step": 2,
        "delay": 3,
        "target": 0,
    }
    Windows(**valid)
    with pytest.raises(ValueError, match=message):
        Windows(**valid | change)


def test_mirrored_series_are_upside_down_backwards_and_both_with_the_target_at_their_end():
    series = np.array([[1.0, 2.0, 3.0, 5.0]])
    train = Arrays(series[:, :3, None], series[:, 3])
    data = Dataset("x", "forecast", "mse", {"train": train, "test": train})
    found = mirrored(data).splits
    inputs, targets = found["train"].take(np.arange(4))
    whole = np.column_stack([inputs[:, :, 0], targets]).tolist()
    assert whole == [[1, 2, 3, 5], [-1, -2, -3, -5], [5, 3, 2, 1], [-5, -3, -2, -1]]
    assert found["test"] is train
    with pytest.raises(UsageError, match="one column with one next value, which"):
        mirrored(windowed())
