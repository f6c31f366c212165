import dataclasses
import math

import numpy as np
import pytest

from pipeline.data.dataset import PUBLISHED, Dataset
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError
from pipeline.evaluation.scores import (
    blocks,
    measures,
    seasonal_naive,
    statistics,
    steps_in_phase,
)
from tests.pipeline.evaluation.scored import evaluated, of, small

TRUE = np.arange(4.0)


def entry(run, dataset=None, **options):
    return evaluated(dataset or small(), {"e": run}, **options).experiments["e"]


@pytest.mark.parametrize(
    ("dataset", "predictions", "targets", "expected"),
    [
        (small(), (3.0, 5.0), (0.0, 0.0), {"mse": 17.0, "mae": 4.0}),
        (
            small(unit="°C"),
            (3.0, 5.0),
            (0.0, 0.0),
            {"mse": 17.0, "mae": 4.0, "mae_unit": 8.0, "rmse_unit": 2 * math.sqrt(17)},
        ),
        (
            small("classify"),
            (0.5, 0.5),
            (0.0, 1.0),
            {
                "accuracy": 0.5,
                "brier": 0.25,
                "binary_crossentropy": math.log(2),
            },
        ),
    ],
    ids=["a value", "with a unit", "a class"],
)
def test_a_data_set_is_measured_by_what_is_for_its_kind_and_in_its_unit(
    dataset, predictions, targets, expected
):
    values = measures(dataset, np.array(predictions), np.array(targets))
    assert values == pytest.approx(expected)


def test_statistics_over_seeds():
    stat = statistics([1.0, 2.0, 6.0])
    assert (stat.mean, stat.std, stat.min, stat.max, stat.values) == (
        3.0,
        math.sqrt(7.0),
        1.0,
        6.0,
        [1.0, 2.0, 6.0],
    )
    assert stat.mean_ci == pytest.approx(
        (3 - 4.3027 * math.sqrt(7 / 3), 3 + 4.3027 * math.sqrt(7 / 3)), abs=1e-3
    )
    reach = 4.3027 * math.sqrt(7 * 4 / 3)
    assert stat.prediction_interval == pytest.approx((3 - reach, 3 + reach), abs=1e-3)
    assert (statistics([2.5]).std, statistics([2.5]).mean_ci) == (None, None)
    assert statistics([2.5], varies=False).prediction_interval == (2.5, 2.5)
    assert [
        statistics([1.0, 2.0, 6.0], measure).mean_ci[0] >= 0 for measure in ("", "mse")
    ] == [False, True]
    assert statistics([0.9, 0.99, 0.5], "accuracy").mean_ci[1] == 1.0


@pytest.mark.parametrize(
    ("predicted", "kept"),
    [
        (np.zeros(60), 60),
        # Errors of 1 from step 20 on: 6 of 13 give 0.46, 7 of 13 give 0.54, first at
        # step 26.
        (np.repeat([0.0, 1.0], [20, 20]), 26),
        (np.full(20, 9.0), 12),  # the end of the first whole period, at the earliest
        (np.full(5, 9.0), 5),
    ],
)
def test_the_horizon_is_the_first_step_whose_last_period_is_worse_than_a_constant(
    predicted, kept
):
    assert steps_in_phase(predicted, np.zeros(len(predicted))) == kept


@pytest.mark.parametrize(("published", "variances"), [({}, 2), ({PUBLISHED: 2}, 3)])
def test_one_more_run_on_other_rows_has_as_many_as_the_document(published, variances):
    errors = np.array([1.0, 2.0, 3.0, 4.0])
    data = small(facts=published)
    same = [TRUE + np.sqrt(errors)] * 3
    of_test = entry(of({"final_train": same, "final_test": same}), data).final["test"]
    low, high = of_test["mse"].prediction_interval_new_rows
    of_mean = errors.std(ddof=1) / 2 / errors.mean()
    assert math.log(high / low) / 2 == pytest.approx(
        1.96 * of_mean * math.sqrt(variances), rel=1e-3
    )


def test_final_and_best_are_scored_on_every_split_and_seed():
    final = {"final_train": [TRUE + 1, TRUE + 2], "final_test": [TRUE, TRUE + 1]}
    scored = entry(
        of(
            final | {"best_train": [TRUE, TRUE], "best_test": [TRUE + 2, TRUE + 2]},
            best_epochs=[1, 4],
        )
    )
    assert scored.final["train"]["mse"].values == [1.0, 4.0]
    assert scored.final["test"]["mae"].mean == 0.5
    assert scored.best["test"]["mse"].values == [4.0, 4.0]
    assert scored.best_epoch.mean == 2.5
    summary = entry(of({}))
    assert (summary.final, summary.best, summary.parameters) == ({}, None, 3)


def test_groups_of_the_test_set_are_scored_apart_and_several_values_of_an_example_together():
    dataset = small(groups={"inside": np.array([0, 1]), "outside": np.array([2, 3])})
    groups = entry(
        of({"final_train": [TRUE], "final_test": [[0.0, 1.0, 3.0, 4.0]]}), dataset
    ).groups
    assert {name: scores["mse"].mean for name, scores in groups.items()} == {
        "inside": 0,
        "outside": 1,
    }
    pairs = np.array([[0.0, 1.0], [2.0, 3.0]])
    scored = entry(
        of({"final_train": [pairs], "final_test": [pairs + np.array([0, 2])]}),
        small(targets=pairs),
    )
    assert scored.final["test"]["mse"].mean == 2.0


def test_a_rollouts_horizon_is_a_median_within_what_can_be_seen_and_a_constant_has_none():
    true = np.sin(np.arange(60) / 2)
    free = {
        "three": [true, -true, np.where(np.arange(60) < 30, true, -true)],
        "flat": [np.zeros(60)],
    }
    runs = {
        name: of(
            dict.fromkeys(("final_train", "final_test"), [true] * len(each))
            | {"rollout": each}
        )
        for name, each in free.items()
    }
    scored = evaluated(small(targets=true, rollout=True), runs)
    assert scored.dataset.horizons == [12, 60]
    three = scored.experiments["three"].rollout
    assert three["mse"].values[:2] == [0, pytest.approx(4 * np.mean(true**2))]
    assert (three["horizon"].min, three["horizon"].max) == (12, 60)
    assert 30 < three["horizon"].median < 43
    assert "horizon" not in scored.experiments["flat"].rollout


@pytest.mark.parametrize(
    ("test", "match"),
    [
        (
            [[0.0, 1.0, 2.0]],
            r"final_test must have shape \(1, 4\).*\(1, 3\).*unroll train d e",
        ),
        (
            [[0.0, 1.0, 2.0, math.nan]],
            "final_test hold values that are not finite; run `unroll train d e`",
        ),
        (None, "the run of e has no predictions final_test; run `unroll train d e`"),
    ],
)
def test_predictions_that_are_not_one_number_for_each_example_are_named(test, match):
    run = of({"final_train": [TRUE]} | ({} if test is None else {"final_test": test}))
    with pytest.raises(UnrollError, match=rf"^.*{match}.*$"):
        entry(run)


def test_weeks_of_a_series_are_blocks_and_a_grid_is_one():
    series = Windows(
        np.zeros((900, 1)), np.arange(20, 880), lookback=4, step=2, delay=1, target=0
    )
    data = Dataset("d", "forecast", "mae", {"train": series, "test": series}, period=12)
    assert np.unique(blocks(data, "test"), return_counts=True)[1].tolist() == [
        148,
        168,
        168,
        168,
        168,
        40,
    ]
    assert set(blocks(dataclasses.replace(data, period=0), "test")) == {0}


def daily(days, *, series=1, delay=0, outputs=1, step_days=1):
    """Rows of several series, each day or several days apart."""
    stamps = np.datetime64("2020-01-01", "s") + np.arange(days) * np.timedelta64(
        step_days, "D"
    )
    own_rows = np.arange(14, days - delay - outputs)
    rows = np.concatenate([own_rows + own * days for own in range(series)])
    windows = Windows(
        np.zeros((days * series, 1)),
        rows,
        lookback=14,
        step=1,
        delay=delay,
        target=0,
        outputs=outputs,
    )
    return Dataset(
        "d",
        "forecast",
        "mae",
        {"train": windows, "test": windows},
        stamps=np.tile(stamps, series),
        series_id=np.repeat(np.arange(series), days) if series > 1 else None,
    )


@pytest.mark.parametrize(
    ("options", "examples"),
    [
        ({}, 7),
        ({"outputs": 28}, 28),
        ({"delay": 20, "outputs": 1}, 21),
        ({"step_days": 7}, 1),
        ({"step_days": 7, "outputs": 4}, 4),
        ({"series": 3}, 21),
    ],
)
def test_blocks_of_daily_and_weekly_rows_are_weeks_or_as_long_as_the_horizon(
    options, examples
):
    data = daily(14 + 84, **options)
    counts = np.unique(blocks(data, "test"), return_counts=True)[1]
    assert set(counts[1:-1]) == {examples}


@pytest.mark.parametrize(("examples", "known"), [(27, False), (28, True)])
def test_nothing_is_compared_on_test_rows_of_less_than_four_weeks(examples, known):
    data = daily(14 + 50)
    test = dataclasses.replace(
        data.splits["test"], rows=data.splits["test"].rows[:examples]
    )
    data = dataclasses.replace(data, splits={"train": test, "test": test})
    predicted = np.random.default_rng(0).normal(size=(2, 3, examples))
    runs = {
        name: of({"final_train": each, "final_test": each})
        for name, each in zip("ab", predicted, strict=True)
    }
    found = evaluated(data, runs)
    assert (found.difference("test", "a", "b") is not None) == known
    score = found.experiments["a"].final["test"]["mae"]
    assert (score.prediction_interval_new_rows is not None) == known
    assert found.few_weeks() != known
    assert found.dataset.days == examples - 1


@pytest.mark.parametrize(("step", "by_period"), [(1, 83), (2, 41.75)])
def test_the_days_of_a_series_are_from_its_first_target_to_its_last(step, by_period):
    days = 83
    # with the second of its targets, as many days from the first to the last
    rows = np.arange(14, 14 + 2 * days)
    series = Windows(
        np.zeros((rows[-1] + 1 + step, 1)),
        rows,
        lookback=2,
        step=step,
        delay=0,
        target=0,
        outputs=2,
    )
    data = Dataset("d", "forecast", "mae", {"train": series, "test": series}, period=2)
    predicted = np.random.default_rng(0).normal(size=(2, 3, len(rows), 2))
    runs = {
        name: of({"final_train": each, "final_test": each})
        for name, each in zip("ab", predicted, strict=True)
    }
    assert evaluated(data, runs).dataset.days == by_period
    assert evaluated(dataclasses.replace(data, period=0), runs).dataset.days is None
    hours = np.datetime64("2020-01-01") + np.arange(rows[-1] + 1 + step).astype(
        "timedelta64[h]"
    )
    assert evaluated(
        dataclasses.replace(data, stamps=hours), runs
    ).dataset.days == pytest.approx((2 * days - 1 + step) / 24)


def test_the_gap_is_how_much_worse_validation_is_and_an_epoch_is_noted_when_accuracy_first_was_so_high():
    examples = small("classify", targets=(0.0, 1.0)).splits["train"]
    data = Dataset(
        "d",
        "classify",
        "accuracy",
        dict.fromkeys(("train", "validation", "test"), examples),
    )
    right = [0.1, 0.9]
    wrong = [0.9, 0.9]
    history = [
        {"seed": seed, "epoch": epoch, "validation_accuracy": accuracy}
        for seed, accuracies in enumerate([(0.7, 0.85, 0.84), (0.8, 0.5, 0.82)])
        for epoch, accuracy in enumerate(accuracies, 1)
    ]
    points = {
        "final_train": [right, right],
        "final_validation": [right, wrong],
        "final_test": [right, right],
    }
    scored = entry(of(points, history=history), data)
    assert scored.gap.values == [0.0, 0.5]
    assert {level: stat.values for level, stat in scored.reached.items()} == {
        "80": [2, 1],
        "85": [2, 5],
    }


def test_what_has_learnt_from_a_share_of_train_is_scored_there_on_what_it_has_seen():
    run = of({"final_train": [TRUE[2:] + 1], "final_test": [TRUE]})
    scored = entry(run, share=0.5, trials=12)
    assert (scored.share, scored.trials, scored.final["train"]["mse"].mean) == (
        0.5,
        12,
        1.0,
    )


def hourly(values, *, gap=None, period=4, **options):
    series = np.asarray(values, np.float32)[:, None]
    timestamps = np.datetime64("2020-01-01", "s") + 3600 * np.arange(len(series))
    if gap:
        timestamps[gap:] += np.timedelta64(1, "h")
    windows = Windows(series, np.arange(3, 14), 2, 1, target=0, **options)
    splits = {"train": windows, "test": windows}
    return Dataset(
        "series", "forecast", "mae", splits, period=period, stamps=timestamps
    )


SQUARES = np.arange(20.0) ** 2
ONE_AHEAD = [SQUARES[row] - SQUARES[row - 4] for row in range(4, 14)]
NEXT = [SQUARES[row + 1] - SQUARES[row - 3] for row in range(3, 14)]


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({"delay": 0}, ONE_AHEAD),
        (
            {"delay": 4},
            [SQUARES[row + 4] - SQUARES[row - 4] for row in range(4, 14)],
            # five ahead: two seasons
        ),
        ({"delay": 0, "outputs": 2}, ONE_AHEAD + NEXT),
        (
            {"delay": 0, "period": 0, "gap": 9},
            [SQUARES[row] - SQUARES[row - 1] for row in range(3, 14) if row != 9],
        ),
    ],
    ids=[
        "the season before",
        "as late as it was known",
        "two outputs",
        "without days the last value, over no gap",
    ],
)
def test_mase_divides_by_the_error_of_the_season_before(options, errors):
    assert seasonal_naive(hourly(SQUARES, **options)) == pytest.approx(
        np.mean(errors), rel=1e-6
    )
    assert seasonal_naive(hourly(np.ones(20), delay=0)) is None, (
        "a season that never errs scales nothing"
    )
