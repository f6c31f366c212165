import numpy as np
import pandas as pd
import pytest

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.evaluation import plot_data
from pipeline.files import read_json
from tests.pipeline.evaluation.scored import of, small


def test_history_has_every_seed_and_of_a_long_training_the_first_the_best_and_the_last_epoch():
    lines = [(0, 1, 1.0, 5.0), (0, 2, 2.0, 6.0), (1, 1, 3.0, 7.0), (1, 2, 4.0, 9.0)]
    history = [
        dict(zip(("seed", "epoch", "train_loss", "test_loss"), line, strict=True))
        for line in lines
    ]
    table = plot_data.history(
        {"a": of({}, history=history), "none": of({}), "b": of({}, history=history[:1])}
    )
    assert list(table.columns) == [
        "experiment",
        "seed",
        "epoch",
        "train_loss",
        "test_loss",
    ]
    assert table.to_numpy().tolist() == [
        *(["a", *line] for line in lines),
        ["b", *lines[0]],
    ]
    assert list(plot_data.history({"none": of({})}).columns) == [
        "experiment",
        "seed",
        "epoch",
    ]
    lines = [
        {"seed": seed, "epoch": epoch, "train_loss": 1 / epoch}
        for seed in (0, 1)
        for epoch in range(1, 1001)
    ]
    table = plot_data.history(
        {"e": of({"final_test": [[0.0]] * 2}, history=lines, best_epochs=[777, 3])}
    )
    assert (
        table.groupby("seed")["epoch"].agg(["count", "min", "max"]).to_numpy().tolist()
        == [[101, 1, 1000]] * 2
    )
    assert {(0, 777), (1, 3)} <= {*zip(table["seed"], table["epoch"], strict=True)}


def test_predictions_are_in_the_unit_of_the_data_and_of_the_best_epoch_and_classes_have_none():
    pairs = np.arange(8.0).reshape(4, 2)
    run = of({"final_test": [np.zeros((4, 2))], "best_test": [pairs]}, best_epochs=[2])
    table = plot_data.predictions(
        small("regress", pairs, "°C"), {"e": run, "summary": of({})}, ["e", "summary"]
    )
    assert table[table["part"] == 2].to_numpy().tolist() == [
        [2, 1, 17, 17],
        [2, 2, 19, 19],
    ]
    assert (
        plot_data.predictions(
            small("classify"), {"e": of({"final_test": [np.zeros(4)]})}, ["e"]
        )
        is None
    )
    assert plot_data.rounded(pd.DataFrame({"e": [2 / 3]}))["e"].tolist() == [0.666667]


def test_examples_are_the_best_the_median_and_the_worst_of_two_models_behind_what_they_were_given():
    truth = np.arange(5.0)
    examples = Arrays(np.arange(15.0).reshape(5, 3, 1), truth)
    dataset = Dataset("d", "forecast", "mse", {"train": examples, "test": examples})
    off = np.array([3.0, 0.0, 1.0, 2.0, 9.0])
    runs = {
        "one": of({"final_test": [truth + off, truth]}),
        "two": of({"final_test": [truth - off]}),
    }
    table = plot_data.predictions(dataset, runs, ["one", "two"])
    assert table["index"].tolist() == [-2, -1, 0, 1] * 3
    assert table["truth"].tolist() == [3, 4, 5, 1, 9, 10, 11, 3, 12, 13, 14, 4]
    assert table["one"].dropna().tolist() == [1, 5, 13]
    assert table["two"].dropna().tolist() == [1, 1, -5]


@pytest.mark.parametrize("outputs", [1, 3])
def test_weeks_of_a_series_are_the_best_the_median_and_the_worst_and_no_target_comes_twice(
    outputs,
):
    day = 24
    weeks = 5
    rows = np.arange(day, day + 7 * day * weeks + 50)
    windows = Windows(np.arange(2000.0)[:, None], rows, day, 1, 0, 0, outputs=outputs)
    stamps = np.datetime64("2019-12-31T20:00:00", "s") + 3600 * np.arange(2000)
    dataset = Dataset(
        "d",
        "forecast",
        "mae",
        {"train": windows, "test": windows},
        period=day,
        stamps=stamps,
    )
    off = np.array([0.0, 5, 1, 4, 3, 2])[rows // (7 * day)]
    run = of(
        {"final_test": [windows.targets + (off if outputs == 1 else off[:, None])]}
    )
    table = plot_data.predictions(dataset, {"e": run}, ["e"])
    errors = (table["e"] - table["truth"]).abs().groupby(table["part"])
    assert errors.min().tolist() == errors.max().tolist() == [1, 4, 5], (
        "week 0 and 5 are not whole"
    )
    assert (
        table.groupby("part")["truth"].agg(["nunique", "count"]).to_numpy().tolist()
        == [[7 * day] * 2] * 3
    )
    assert (table["time"].diff().dropna() % 3600 == 0).all()


def test_less_than_three_weeks_are_ten_days_that_keep_the_place_of_gaps():
    rows = np.concatenate([np.arange(144, 200), np.arange(800, 1700)])
    windows = Windows(np.arange(2000.0)[:, None], rows, 144, 6, 0, 0)
    stamps = np.datetime64("2019-12-31T20:00:00", "s") + 600 * np.arange(2000)
    dataset = Dataset(
        "d",
        "forecast",
        "mae",
        {"train": windows, "test": windows},
        period=24,
        stamps=stamps,
    )
    table = plot_data.predictions(
        dataset, {"e": of({"final_test": [windows.targets]})}, ["e"]
    )
    index = table["index"].tolist()
    assert table["time"].iloc[0] == stamps[144].astype(int)
    assert index[:3] == [0, 6, 12]
    assert 1300 < index[-1] < 10 * 144
    assert [i for i in index if 54 < i < 656] == []
    assert (table["truth"] == 144 + table["index"]).all()


def test_of_errors_that_a_run_keeps_there_is_the_mean_of_each_week():
    rows = np.arange(60, 110)
    windows = Windows(np.zeros((130, 3)), rows, 24, 1, 0, 0, outputs=4, every=True)
    data = Dataset("d", "forecast", "mae", {"test": windows}, period=2)
    errors = np.random.default_rng(0).random((3, 50, 2))
    of_row = pd.DataFrame(
        {"week": rows // 14 - 4, "kept": errors[:, :, 1].mean(axis=0)}
    )
    weeks = plot_data.weeks(
        data, {"kept": of({"final_test": errors}), "summary": of({})}
    )
    pd.testing.assert_frame_equal(weeks, of_row.groupby("week", as_index=False).mean())


def test_gradients_count_back_from_the_last_timestep_of_networks_of_any_lookback():
    both = np.array([[1.0, 3.0, 5.0], [3.0, 5.0, 7.0]])
    runs = {
        "gru": of({"gradients": both}),
        "lstm": of({"gradients": both[:1, 1:]}),
        "mlp": of({"final_test": both}),
    }
    table = plot_data.gradients(runs)
    assert [*table.columns] == ["back", "gru", "lstm"]
    assert table["back"].tolist() == [0, 1, 2]
    assert table["gru"].tolist() == [6.0, 4.0, 2.0], "the mean over the seeds"
    assert table["lstm"].dropna().tolist() == [5.0, 3.0]
    assert plot_data.gradients({"mlp": runs["mlp"]}) is None


def test_mistakes_are_the_reviews_that_a_model_is_surest_of_and_wrong():
    reviews = Arrays(
        np.array([[0, 1, 2, 4], [1, 5, 6, 4], [0, 0, 1, 5], [0, 1, 4, 6]]),
        np.array([1.0, 0, 0, 1]),
    )
    words = np.array(["", "", "…", "", "good", "bad", "film"])
    data = Dataset(
        "d", "classify", "accuracy", {"train": reviews, "test": reviews}, words=words
    )
    sure = np.array([[0.1, 0.8, 0.2, 0.9], [0.3, 1.0, 0.2, 0.9]])
    table = plot_data.mistakes(
        data,
        {"e": of({"final_test": sure}), "majority": of({"final_test": [np.ones(4)]})},
    )
    assert table.to_numpy().tolist() == [
        ["e", 1, 0, 0.9, "bad film good"],
        ["e", 0, 1, 0.2, "… good"],
    ]


@pytest.mark.parametrize(
    "name", ["imdb", "jena_hourly", "sine_extrapolation", "sine_windows", "waves"]
)
def test_evaluations_and_their_tables_have_the_numbers_that_are_committed(
    evaluated, name, data_regression
):
    """Of a table the mean of the sums up to each row, which tells orders apart."""
    folder = evaluated.evaluation(name)
    found = read_json(folder / "evaluation.json")
    for entry in found["experiments"].values():
        del entry["fingerprint"]
    for path in sorted(folder.rglob("*.csv")):
        numbers = pd.read_csv(path).select_dtypes("number")
        found[path.name] = numbers.fillna(0).cumsum().mean().to_dict()
    data_regression.check(found, round_digits=7)
