import dataclasses
import json

import numpy as np
import pytest

from pipeline.data.dataset import Dataset, Scale, describe, load, save
from pipeline.data.examples import Arrays, Windows
from pipeline.errors import UnrollError, UsageError


def windowed() -> Dataset:
    series = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    blocks = {"train": np.arange(4, 30), "validation": np.arange(34, 44), "test": np.arange(48, 57)}
    return Dataset(
        name="station",
        kind="forecast",
        metric="mae",
        splits={s: Windows(series, rows, lookback=4, step=2, delay=3, target=1) for s, rows in blocks.items()},
        scale=Scale(mean=9.25, std=8.5, unit="°C", quantity="temperature"),
        period=24,
        stand_in=True,
        facts={"protocol": "corrected", "columns": ["p", "T"]},
        stamps=np.datetime64("2009-01-01", "s") + np.arange(60),
    )


def listed() -> Dataset:
    return Dataset(
        name="points",
        kind="classify",
        metric="accuracy",
        splits={
            s: Arrays(np.arange(6, dtype=np.int16).reshape(3, 2), np.array([0, 1, 0.5])) for s in ("train", "test")
        },
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
    loaded = load(tmp_path / "a")
    save(loaded, tmp_path / "b")
    save(make(), tmp_path / "c")

    for field in dataclasses.fields(Dataset):
        if field.name not in {"splits", "groups"}:
            np.testing.assert_equal(getattr(loaded, field.name), getattr(first, field.name))
    assert list(loaded.splits) == list(first.splits)
    for split, examples in first.splits.items():
        everything = np.arange(len(examples))
        for before, after in zip(examples.take(everything), loaded.splits[split].take(everything), strict=True):
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
    for group, indices in first.groups.items():
        np.testing.assert_array_equal(loaded.groups[group], indices)
    for name in ("arrays.npz", "dataset.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()


def test_a_series_that_splits_share_is_stored_and_loaded_once(tmp_path):
    save(windowed(), tmp_path)
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert sorted(arrays.files) == ["stamps", "test_rows", "train_rows", "train_series", "validation_rows"]
    loaded = load(tmp_path)
    assert loaded.splits["train"].series is loaded.splits["test"].series


def test_a_calendar_is_loaded_only_where_it_is_asked_for(tmp_path):
    series = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    splits = {name: dataclasses.replace(split, series=series) for name, split in windowed().splits.items()}
    save(dataclasses.replace(windowed(), splits=splits, calendar=2), tmp_path)
    told, without = load(tmp_path, calendar=True), load(tmp_path)
    assert (told.calendar, told.input_shape) == (2, (2, 4))
    assert (without.calendar, without.input_shape) == (0, (2, 2))
    np.testing.assert_array_equal(without.splits["test"].series, series[:, :2])
    assert without.splits["train"].series is without.splits["test"].series


def test_a_calendar_that_is_not_there_is_refused(tmp_path):
    save(windowed(), tmp_path)
    with pytest.raises(UsageError, match="station has no calendar, .*; leave calendar: true out"):
        load(tmp_path, calendar=True)


def test_a_data_set_is_described_without_its_arrays(tmp_path):
    save(windowed(), tmp_path)
    (tmp_path / "arrays.npz").unlink()
    described = describe(tmp_path)
    assert described.examples == {"train": 26, "validation": 10, "test": 9}
    assert (described.scale, described.facts) == (windowed().scale, windowed().facts)


def test_values_that_are_not_finite_are_refused(tmp_path):
    dataset = listed()
    dataset.splits["test"].targets[1] = np.nan
    with pytest.raises(UnrollError, match="points: test_targets holds values that are not finite"):
        save(dataset, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_split_is_refused(tmp_path):
    empty = {"train": Arrays(np.zeros((0, 2)), np.zeros(0))}
    with pytest.raises(UnrollError, match=r"points: the train split is empty; check datasets.points in params.yaml"):
        save(dataclasses.replace(listed(), splits=empty), tmp_path)


@pytest.mark.parametrize("name", ["arrays.npz", "dataset.json"])
def test_a_missing_file_gives_one_line(name, tmp_path):
    save(windowed(), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UnrollError, match=rf"{name} is missing; `unroll repro` builds it"):
        load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda facts: facts["splits"]["test"].update(lookback=60),
        lambda facts: facts["splits"]["test"].update(lookback=3),
        lambda facts: facts["splits"]["test"].update(series="none"),
        lambda facts: facts["splits"]["test"].pop("delay"),
        lambda facts: facts.pop("name"),
        lambda facts: facts.pop("scale"),
        lambda facts: facts.update(groups=["none"]),
        lambda facts: facts.update(surprise=1),
        lambda facts: facts.update(metric="mea"),
        lambda facts: facts["scale"].update(std=0),
        lambda facts: facts["examples"].update(test=8),
        lambda facts: facts.update(scored=["rest"]),
        lambda facts: facts["splits"].pop("train"),
        lambda facts: facts.update(calendar=1),  # of two columns, the second is the target
    ],
)
def test_facts_that_do_not_fit_the_arrays_give_one_line(damage, tmp_path):
    save(windowed(), tmp_path)
    path = tmp_path / "dataset.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    damage(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(UnrollError, match=r"is damaged \(.*\); delete it and run `unroll repro`"):
        load(tmp_path)
