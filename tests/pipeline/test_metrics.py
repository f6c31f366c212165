import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import metrics
from pipeline.metrics import BETTER, METRICS

numbers = st.floats(-1e3, 1e3, width=32)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20)
judged = st.lists(st.tuples(st.floats(0, 1, width=32), st.sampled_from([0.0, 1.0])), min_size=1, max_size=20)


def split(examples, dtype=np.float32):
    predictions, targets = zip(*examples, strict=True)
    return np.array(predictions, dtype), np.array(targets, dtype)


@given(pairs, st.sampled_from([np.float32, np.float64]))
def test_mse_and_mae_equal_a_loop(examples, dtype):
    count = len(examples)
    assert metrics.mse(*split(examples, dtype)) == pytest.approx(sum((p - t) ** 2 for p, t in examples) / count)
    assert metrics.mae(*split(examples, dtype)) == pytest.approx(sum(abs(p - t) for p, t in examples) / count)


@given(judged)
def test_accuracy_equals_a_loop(examples):
    right = sum((probability > 0.5) == bool(label) for probability, label in examples)
    assert metrics.accuracy(*split(examples)) == pytest.approx(right / len(examples))


@given(judged)
def test_binary_crossentropy_equals_a_loop(examples):
    total = 0.0
    for probability, label in examples:
        kept = min(max(probability, 1e-7), 1 - 1e-7)
        total -= math.log(kept if label else 1 - kept)
    assert metrics.binary_crossentropy(*split(examples)) == pytest.approx(total / len(examples))


@given(pairs)
def test_pairwise_mse_equals_two_loops(examples):
    predictions, targets = split(examples)
    differences = [(float(p) - float(t)) ** 2 for p in predictions for t in targets]
    found = metrics.pairwise_mse(predictions, targets)
    assert found == pytest.approx(sum(differences) / len(differences))
    assert found >= 0


def test_pairwise_mse_keeps_its_digits_far_from_zero():
    near = np.array([1.0, 2.0, 4.0])
    assert metrics.pairwise_mse(near + 1e8, near + 1e8) == pytest.approx(metrics.pairwise_mse(near, near))


def test_values_worked_out_by_hand():
    predictions, targets = np.array([1.0, 3.0]), np.array([0.0, 1.0])
    assert metrics.mse(predictions, targets) == 2.5
    assert metrics.mae(predictions, targets) == 1.5
    assert metrics.pairwise_mse(predictions, targets) == (1 + 0 + 9 + 4) / 4
    assert metrics.accuracy(np.array([0.5, 0.6, 0.4, 0.9]), np.array([0.0, 1.0, 1.0, 0.0])) == 0.5
    assert metrics.binary_crossentropy(np.array([0.0]), np.array([1.0])) == pytest.approx(-math.log(1e-7))


def test_sums_are_in_float64():
    predictions = np.full(3, 1e4 + 1, np.float32)
    assert (
        metrics.mse(predictions * np.float32(1e4), np.zeros(3, np.float32))
        == float(predictions[0] * np.float32(1e4)) ** 2
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("predictions", "targets"),
    [((3,), (4,)), ((3, 1), (3,)), ((3,), (3, 1)), ((3, 1), (3, 1)), ((3,), (1,)), ((0,), (0,)), ((), ())],
)
def test_a_shape_slip_is_an_error_that_names_both_shapes(metric, predictions, targets):
    with pytest.raises(ValueError, match="must both have shape") as caught:
        METRICS[metric](np.zeros(predictions), np.zeros(targets))
    assert f"Received: {predictions} and {targets}" in str(caught.value)


def test_better():
    assert BETTER["mse"](1, 2)
    assert BETTER["mae"](1, 2)
    assert BETTER["accuracy"](2, 1)
    assert not any(better(1, 1) for better in BETTER.values())  # the first of equals is kept
    assert not any(better(math.nan, 1) for better in BETTER.values())


def test_keras_makes_the_same_of_them():
    keras = pytest.importorskip("keras")
    random = np.random.default_rng(0)
    predictions, targets = random.random((2, 50), np.float32)
    labels = np.round(targets)
    flat = {"mse": keras.losses.MeanSquaredError(), "mae": keras.losses.MeanAbsoluteError()}
    for name, loss in flat.items():
        assert METRICS[name](predictions, targets) == pytest.approx(float(loss(targets, predictions)), rel=1e-5)
    crossentropy = float(keras.losses.BinaryCrossentropy()(labels[:, None], predictions[:, None]))
    assert metrics.binary_crossentropy(predictions, labels) == pytest.approx(crossentropy, rel=1e-5)
    accuracy = keras.metrics.BinaryAccuracy()
    accuracy.update_state(labels[:, None], predictions[:, None])
    assert metrics.accuracy(predictions, labels) == pytest.approx(float(accuracy.result()), rel=1e-5)
    # The slip of document 000: outputs (n, 1, 1) against targets (n,), which Keras lets through.
    broadcast = float(flat["mse"](targets, predictions[:, None, None]))
    assert metrics.pairwise_mse(predictions, targets) == pytest.approx(broadcast, rel=1e-5)
    assert abs(broadcast - metrics.mse(predictions, targets)) > 1e-3
