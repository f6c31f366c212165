import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.evaluation import plot_data
from pipeline.data.dataset import Dataset, Scale
from pipeline.errors import UnrollError
from pipeline.evaluation.scores import Run, evaluate, horizon, measures, statistics
from pipeline.data.examples import Arrays, Windows

FINITE = {"allow_nan": False, "allow_infinity": False}


def small(kind="forecast", targets=(0.0, 1.0, 2.0, 3.0), unit="", **options):
    targets = np.array(targets)
    examples = Arrays(np.zeros((len(targets), 2, 1)), targets)
    metric = "accuracy" if kind == "classify" else "mse"
    return Dataset("d", kind, metric, {"train": examples, "test": examples}, Scale(5.0, 2.0, unit), **options)


def of(predictions, best_epochs=None, name="e", baseline=False, history=()):
    seeds = list(range(len(next(iter(predictions.values()))))) if predictions else [0]
    facts = {
        "seeds": seeds,
        "best_epochs": best_epochs,
        "parameters": 3,
        "layers": [],
        "epochs": 2,
        "loss": "mse",
        "fingerprint": {"params": "a", "data": "b", "code": "c"},
    }
    return Run(name, baseline, facts, list(history), {key: np.array(each) for key, each in predictions.items()})


pairs = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[arrays.arrays(np.float64, n, elements=st.floats(-1e3, 1e3, **FINITE))] * 2)
)


@given(pairs)
def test_errors_equal_a_naive_loop(pair):
    predictions, targets = pair
    found = measures(small(unit="°C"), predictions, targets)
    differences = [float(p) - float(t) for p, t in zip(predictions, targets, strict=True)]
    mse = sum(d * d for d in differences) / len(differences)
    mae = sum(abs(d) for d in differences) / len(differences)
    assert found["mse"] == pytest.approx(mse)
    assert found["mae"] == pytest.approx(mae)
    assert found["mae_unit"] == pytest.approx(2 * mae)
    assert found["rmse_unit"] == pytest.approx(2 * math.sqrt(mse))


@given(st.lists(st.tuples(st.floats(0, 1, **FINITE), st.booleans()), min_size=1, max_size=30))
def test_classification_equals_a_naive_loop(examples):
    predictions, labels = np.array([p for p, _ in examples]), np.array([float(label) for _, label in examples])
    found = measures(small("classify"), predictions, labels)
    right = sum((p > 0.5) == label for p, label in examples)
    kept = [(min(max(p, 1e-7), 1 - 1e-7), label) for p, label in examples]
    loss = sum(-math.log(p if label else 1 - p) for p, label in kept) / len(kept)
    assert found["accuracy"] == pytest.approx(right / len(examples))
    assert found["loss"] == pytest.approx(loss, rel=1e-6)


def test_a_probability_of_one_half_is_class_0():
    assert measures(small("classify"), np.array([0.5, 0.5]), np.array([0.0, 1.0]))["accuracy"] == 0.5


def test_metrics_are_computed_in_float64():
    predictions, targets = np.full(1000, 1.0, np.float32), np.full(1000, 1.0 + 2**-20, np.float32)
    assert measures(small(), predictions, targets)["mse"] == 2**-40


def test_without_a_unit_there_are_no_metrics_in_it():
    assert set(measures(small(), np.zeros(2), np.ones(2))) == {"mse", "mae"}


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (3,), ()])
@pytest.mark.parametrize("kind", ["forecast", "classify"])
def test_a_shape_slip_is_an_error_not_a_broadcast(kind, shape):
    with pytest.raises(ValueError, match="must both have shape"):
        measures(small(kind), np.zeros(shape), np.zeros(4))


def test_statistics_over_seeds():
    stat = statistics([1.0, 2.0, 6.0])
    assert stat == {"mean": 3.0, "std": math.sqrt(7.0), "min": 1.0, "max": 6.0, "values": [1.0, 2.0, 6.0]}


def test_one_seed_has_no_spread():
    assert statistics([2.5])["std"] is None


def test_the_horizon_of_a_perfect_run_is_its_length():
    truth = np.sin(np.arange(0, 30, 0.5))
    assert horizon(truth, truth) == 60


def test_the_horizon_is_the_first_step_whose_last_period_is_worse_than_a_constant():
    # Errors of 1 from step 20 on: 6 of 13 give 0.46, 7 of 13 give 0.54, first at step 26.
    truth, predicted = np.zeros(40), np.zeros(40)
    predicted[20:] = 1.0
    assert horizon(predicted, truth) == 26


def test_a_horizon_ends_at_the_first_whole_period_at_the_earliest():
    assert horizon(np.full(20, 9.0), np.zeros(20)) == 12


def test_a_run_shorter_than_a_period_keeps_its_length():
    assert horizon(np.full(5, 9.0), np.zeros(5)) == 5


def test_final_and_best_are_scored_on_every_split_and_seed():
    true = np.arange(4.0)
    run = of(
        {
            "final_train": [true + 1, true + 2],
            "final_test": [true, true + 1],
            "best_train": [true, true],
            "best_test": [true + 2, true + 2],
        },
        best_epochs=[1, 4],
    )
    entry = evaluate(small(), [run])["experiments"]["e"]
    assert entry["final"]["train"]["mse"]["values"] == [1.0, 4.0]
    assert entry["final"]["test"]["mae"]["mean"] == 0.5
    assert entry["best"]["test"]["mse"]["values"] == [4.0, 4.0]
    assert entry["best_epoch"]["mean"] == 2.5


def test_groups_are_parts_of_the_test_set():
    dataset = small(groups={"inside": np.array([0, 1]), "outside": np.array([2, 3])})
    run = of({"final_train": [np.arange(4.0)], "final_test": [[0.0, 1.0, 3.0, 4.0]]})
    groups = evaluate(dataset, [run])["experiments"]["e"]["groups"]
    assert groups["inside"]["mse"]["mean"] == 0
    assert groups["outside"]["mse"]["mean"] == 1


def test_a_rollout_is_scored_against_the_test_targets():
    dataset = small(rollout=True)
    run = of({"final_train": [np.arange(4.0)], "final_test": [np.arange(4.0)], "rollout": [np.arange(4.0) + 2]})
    entry = evaluate(dataset, [run])["experiments"]["e"]
    assert entry["rollout"]["mse"]["mean"] == 4.0
    assert entry["rollout"]["horizon"]["mean"] == 4.0


def test_a_model_that_was_built_for_its_summary_has_no_metrics():
    entry = evaluate(small(), [of({})])["experiments"]["e"]
    assert entry["final"] == {}
    assert entry["parameters"] == 3


@pytest.mark.parametrize(
    ("test", "match"),
    [
        ([[0.0, 1.0, 2.0]], r"final_test must have shape \(1, 4\).*\(1, 3\).*unroll train e"),
        ([[[0.0], [1.0], [2.0], [3.0]]], r"must have shape \(1, 4\).*\(1, 4, 1\)"),
        ([[0.0, 1.0, 2.0, math.nan]], "final_test hold values that are not finite; run `unroll train e`"),
        ([[0.0, 1.0, 2.0, math.inf]], "not finite"),
    ],
)
def test_predictions_of_another_shape_or_not_finite_are_named(test, match):
    with pytest.raises(UnrollError, match=match) as error:
        evaluate(small(), [of({"final_train": [np.arange(4.0)], "final_test": test})])
    assert "\n" not in str(error.value)


def test_a_missing_split_is_named():
    with pytest.raises(UnrollError, match="the run of e has no predictions final_test; run `unroll train e`"):
        evaluate(small(), [of({"final_train": [np.arange(4.0)]})])


def test_the_evaluation_is_plain_data_in_the_order_of_the_runs():
    true = np.arange(4.0)
    runs = [of({"final_train": [true], "final_test": [true]}, name=name) for name in ("z", "a", "m")]
    evaluation = evaluate(small(), runs)
    assert list(evaluation["experiments"]) == ["z", "a", "m"]
    assert json.loads(json.dumps(evaluation, allow_nan=False)) == evaluation


def test_compact_metrics_hold_no_nulls_and_a_spread_only_over_seeds():
    true = np.arange(4.0)
    two = of({"final_train": [true, true], "final_test": [true + 1, true + 2]}, name="two")
    one = of({"final_train": [true], "final_test": [true + 1]}, name="one")
    few = plot_data.compact(evaluate(small(), [two, one, of({}, name="summary")]))
    assert few["two"] == {"parameters": 3, "test": 2.5, "test_spread": math.sqrt(4.5)}
    assert few["one"] == {"parameters": 3, "test": 1.0}
    assert few["summary"] == {"parameters": 3}


def test_history_is_the_mean_over_seeds():
    history = [
        {"seed": 0, "epoch": 1, "train_loss": 1.0, "validation_loss": 5.0},
        {"seed": 0, "epoch": 2, "train_loss": 2.0},
        {"seed": 1, "epoch": 1, "train_loss": 3.0, "validation_loss": 7.0},
        {"seed": 1, "epoch": 2, "train_loss": 4.0},
    ]
    rows, columns = plot_data.history([of({}, history=history), of({}, name="none")])
    assert columns == ["experiment", "epoch", "train_loss", "validation_loss"]
    assert rows == [
        {"experiment": "e", "epoch": 1, "train_loss": 2.0, "validation_loss": 6.0},
        {"experiment": "e", "epoch": 2, "train_loss": 3.0, "validation_loss": None},
    ]


def test_an_excerpt_is_in_the_unit_of_the_data_and_of_the_best_epoch():
    run = of({"final_test": [np.zeros(4)], "best_test": [np.arange(4.0)]}, best_epochs=[2])
    rows, columns = plot_data.predictions(small(unit="°C"), [run, of({}, name="summary")])
    assert columns == ["index", "truth", "e"]
    assert rows[1] == {"index": 1, "truth": 7.0, "e": 7.0}


def test_an_excerpt_of_points_is_in_the_order_of_x():
    examples = Arrays(np.array([[3.0], [1.0], [2.0]]), np.array([30.0, 10.0, 20.0]))
    dataset = Dataset("d", "regress", "mse", {"train": examples, "test": examples})
    rows, _ = plot_data.predictions(dataset, [of({"final_test": [[3.0, 1.0, 2.0]]})])
    found = [(row["x"], row["truth"], row["e"]) for row in rows]
    assert found == [(1.0, 10.0, 1.0), (2.0, 20.0, 2.0), (3.0, 30.0, 3.0)]


def test_an_excerpt_of_a_series_spans_ten_days_and_keeps_the_place_of_gaps():
    series = np.arange(2000.0)[:, None]
    rows = np.concatenate([np.arange(144, 200), np.arange(800, 1700)])
    windows = Windows(series, rows, 144, 6, 0, 0)
    dataset = Dataset("d", "forecast", "mae", {"train": windows, "test": windows}, period=24)
    found, _ = plot_data.predictions(dataset, [])
    index = [row["index"] for row in found]
    assert index[:3] == [0, 6, 12]
    assert index[-1] < 10 * 144
    assert [i for i in index if 54 < i < 656] == []
    assert all(row["truth"] == 144 + row["index"] for row in found)


def test_classes_are_not_rescaled():
    run = of({"final_test": [[0.25, 0.75, 0.5, 0.0]]})
    rows, _ = plot_data.predictions(dataclasses.replace(small("classify"), scale=Scale(9.0, 9.0)), [run])
    assert [row["e"] for row in rows] == [0.25, 0.75, 0.5, 0.0]
