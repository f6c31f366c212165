from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Arrays, Windows
from pipeline.evaluation import plot_data
from tests.pipeline.evaluation.scored import of, small


def test_history_has_every_seed_and_of_a_long_training_the_first_the_best_and_the_last_epoch():
    lines = [(0, 1, 1.0, 5.0), (0, 2, 2.0, 6.0), (1, 1, 3.0, 7.0), (1, 2, 4.0, 9.0)]
    history = [dict(zip(("seed", "epoch", "train_loss", "test_loss"), line, strict=True)) for line in lines]
    table = plot_data.history({"a": of({}, history=history), "none": of({}), "b": of({}, history=history[:1])})
    assert list(table.columns) == ["experiment", "seed", "epoch", "train_loss", "test_loss"]
    assert table.to_numpy().tolist() == [*(["a", *line] for line in lines), ["b", *lines[0]]]
    assert list(plot_data.history({"none": of({})}).columns) == ["experiment", "seed", "epoch"]
    lines = [{"seed": seed, "epoch": epoch, "train_loss": 1 / epoch} for seed in (0, 1) for epoch in range(1, 1001)]
    table = plot_data.history({"e": of({"final_test": [[0.0]] * 2}, history=lines, best_epochs=[777, 3])})
    assert table.groupby("seed")["epoch"].agg(["count", "min", "max"]).to_numpy().tolist() == [[101, 1, 1000]] * 2
    assert {(0, 777), (1, 3)} <= {*zip(table["seed"], table["epoch"], strict=True)}


def test_an_excerpt_is_in_the_unit_of_the_data_and_of_the_best_epoch_and_digits_are_six():
    run = of({"final_test": [np.zeros(4)], "best_test": [np.arange(4.0)]}, best_epochs=[2])
    table = plot_data.predictions(small(unit="°C"), {"e": run, "summary": of({})})
    assert table.to_dict("list") == {"index": [0, 1, 2, 3], "truth": [5, 7, 9, 11], "e": [5, 7, 9, 11]}
    classes = small("classify", scale=Scale(mean=9.0, std=9.0))
    table = plot_data.predictions(classes, {"e": of({"final_test": [[0.25, 2 / 3, 0.5, 0.0]]})})
    assert plot_data.rounded(table)["e"].tolist() == [0.25, 0.666667, 0.5, 0.0], "a probability has no unit"


def test_an_excerpt_of_points_is_in_the_order_of_x():
    examples = Arrays(np.array([[3.0], [1.0], [2.0]]), np.array([30.0, 10.0, 20.0]))
    dataset = Dataset("d", "regress", "mse", {"train": examples, "test": examples})
    table = plot_data.predictions(dataset, {"e": of({"final_test": [[3.0, 1.0, 2.0]]})})
    assert table[["x", "truth", "e"]].to_numpy().tolist() == [[1.0, 10.0, 1.0], [2.0, 20.0, 2.0], [3.0, 30.0, 3.0]]


def test_an_excerpt_of_a_series_spans_ten_days_and_keeps_the_place_of_gaps():
    rows = np.concatenate([np.arange(144, 200), np.arange(800, 1700)])
    windows = Windows(np.arange(2000.0)[:, None], rows, 144, 6, 0, 0)
    dataset = Dataset("d", "forecast", "mae", {"train": windows, "test": windows}, period=24)
    table = plot_data.predictions(dataset, {})
    index = table["index"].tolist()
    assert index[:3] == [0, 6, 12]
    assert 1300 < index[-1] < 10 * 144
    assert [i for i in index if 54 < i < 656] == []
    assert (table["truth"] == 144 + table["index"]).all()


def test_several_values_of_an_example_follow_one_another_and_of_a_window_the_last_is_shown():
    pairs = np.array([[0.0, 1.0], [2.0, 3.0]])
    table = plot_data.predictions(small(targets=pairs, scale=Scale()), {"e": of({"final_test": [pairs + 1]})})
    assert table.to_dict("list") == {"index": [0, 1, 2, 3], "truth": [0, 1, 2, 3], "e": [1, 2, 3, 4]}
    windows = Windows(np.arange(9.0)[:, None], np.arange(2, 7), 2, 1, 0, 0, outputs=3)
    dataset = Dataset("d", "forecast", "mae", {"train": windows, "test": windows})
    assert plot_data.predictions(dataset, {})["truth"].tolist() == [4, 5, 6, 7, 8]


def test_input_gradients_are_means_over_seeds():
    lines = [(0, "start", 0, 1.0), (0, "best", 0, 3.0), (1, "start", 0, 2.0), (1, "best", 0, 5.0)]
    slopes = pd.DataFrame(lines, columns=["seed", "point", "distance", "slope"])
    table = plot_data.input_gradients({"a": replace(of({}), input_gradients=slopes), "none": of({})})
    assert table.to_numpy().tolist() == [["a", "start", 0, 1.5], ["a", "best", 0, 4.0]]
    assert plot_data.input_gradients({"none": of({})}) is None


def test_free_runs_lie_beside_the_truth():
    run = of({"rollout": [[9.0, 8.0, 7.0, 6.0], [0.0, 0.0, 0.0, 0.0]]})
    table = plot_data.rollouts(small(rollout=True), {"e": run, "other": of({})})
    assert table.to_dict("list") == {"step": [1, 2, 3, 4], "truth": [0, 1, 2, 3], "e": [9, 8, 7, 6]}


def hourly(rows=24 * 60):
    """Sixty days from New Year's Eve 2019, 20:00 on; windows of two rows, the target an hour after them."""
    values = np.random.default_rng(0).normal(size=(rows, 2))
    windows = Windows(values, np.arange(2, rows - 1), 2, 1, 1, 1)
    stamps = np.datetime64("2019-12-31T20:00:00", "s") + 3600 * np.arange(rows)
    scale = Scale(mean=10.0, std=2.0, unit="°C")
    return Dataset("d", "forecast", "mae", {"train": windows, "test": windows}, scale=scale, period=24, stamps=stamps)


def test_errors_by_hour_and_month_equal_a_loop():
    data = hourly()
    truth = data.splits["test"].targets
    predicted = truth + np.random.default_rng(1).normal(size=(3, len(truth)))
    table = plot_data.errors(data, {"e": of({"final_test": predicted}), "summary": of({})})
    times = pd.DatetimeIndex(data.stamps[np.arange(2, 24 * 60 - 1) + 1])
    for row in table.itertuples():
        there = [i for i, time in enumerate(times) if getattr(time, row.by) == row.at]
        naive = np.mean([2.0 * abs(predicted[seed, i] - truth[i]) for seed in range(3) for i in there])
        assert (row.examples, row.e) == (len(there), pytest.approx(naive, rel=1e-5))
    assert table["by"].value_counts().to_dict() == {"hour": 24, "month": 3}
    assert list(table.columns) == ["by", "at", "examples", "e"]


def test_a_series_is_shown_whole_in_parts_and_its_beginning_row_by_row():
    data = hourly()
    table = plot_data.series(data)
    values = data.splits["train"].series[:, 1] * 2 + 10
    whole, beginning = (table[table["part"] == part] for part in ("whole", "beginning"))
    np.testing.assert_allclose(beginning["mean"], values[:240], rtol=1e-5)
    assert beginning["time"].iloc[1] - beginning["time"].iloc[0] == 3600
    assert len(whole) == plot_data.PARTS
    assert whole["low"].min() == pytest.approx(values.min(), rel=1e-5)
    assert whole["high"].max() == pytest.approx(values.max(), rel=1e-5)
    assert (whole["low"] <= whole["mean"]).all()
    assert whole["time"].iloc[0] == data.stamps[0].astype(int)
    excerpt = plot_data.predictions(data, {})
    assert excerpt["time"].iloc[0] == data.stamps[3].astype(int)


def test_reliability_counts_every_seeds_predictions_in_their_bins():
    said = np.array([[0.05, 0.95, 1.0, 0.31], [0.09, 0.35, 0.99, 0.0]])
    table = plot_data.reliability(small("classify", targets=np.array([0, 1, 1, 0])), {"e": of({"final_test": said})})
    assert plot_data.rounded(table).to_numpy().tolist() == [
        ["e", 0.0, 0.1, 3, 0.0466667, 0.0],
        ["e", 0.3, 0.4, 2, 0.33, 0.5],
        ["e", 0.9, 1.0, 3, 0.98, 1.0],
    ]


def test_mistakes_are_the_reviews_that_a_model_is_surest_of_and_wrong():
    reviews = Arrays(np.array([[0, 1, 2, 4], [1, 5, 6, 4], [0, 0, 1, 5], [0, 1, 4, 6]]), np.array([1.0, 0, 0, 1]))
    words = np.array(["", "", "…", "", "good", "bad", "film"])
    data = Dataset("d", "classify", "accuracy", {"train": reviews, "test": reviews}, words=words)
    sure = np.array([[0.1, 0.8, 0.2, 0.9], [0.3, 1.0, 0.2, 0.9]])
    table = plot_data.mistakes(data, {"e": of({"final_test": sure}), "majority": of({"final_test": [np.ones(4)]})})
    assert table.to_numpy().tolist() == [
        ["e", 1, 0, 0.9, "bad film good"],
        ["e", 0, 1, 0.2, "… good"],
    ]


def test_there_is_a_table_only_of_what_a_data_set_has():
    runs = {"e": of({"final_test": [np.arange(4.0)], "rollout": [np.arange(4.0)]})}
    assert [*plot_data.tables(small(), runs)] == ["predictions"]
    assert [*plot_data.tables(small(rollout=True), runs)] == ["predictions", "rollout"]
    assert [*plot_data.tables(hourly(), {})] == ["predictions", "series", "errors"]
