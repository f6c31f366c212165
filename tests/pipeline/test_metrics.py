import math
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics import MEASURES, score
from pipeline.training.program import TensorOps

CLASSES = {"accuracy", "brier", "binary_crossentropy"}


def over(pairs, formula):
    return math.fsum(formula(p, t) for p, t in pairs) / len(pairs)


def surprise(probability, label):
    clipped = min(max(probability, 1e-7), 1 - 1e-7)
    return -math.log(clipped if label else 1 - clipped)


NAIVE = {
    "mse": lambda pairs: over(pairs, lambda p, t: (p - t) ** 2),
    "mae": lambda pairs: over(pairs, lambda p, t: abs(p - t)),
    "accuracy": lambda pairs: over(pairs, lambda p, t: (p > 0.5) == bool(t)),
    "brier": lambda pairs: over(pairs, lambda p, t: (p - t) ** 2),
    "binary_crossentropy": lambda pairs: over(pairs, surprise),
    "pairwise_mse": lambda pairs: over(
        [(p, t) for p, _ in pairs for _, t in pairs], lambda p, t: (p - t) ** 2
    ),
}

numbers = st.floats(-1e3, 1e3, width=32)
values = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20)


def classes(low=0.0):
    """Probabilities, none nearer than `low` to 0 or 1, and labels."""
    probabilities = st.floats(low, 1 - low, width=32)
    return st.lists(
        st.tuples(probabilities, st.sampled_from([0.0, 1.0])), min_size=1, max_size=20
    )


def in_tensorflow(name, predictions, targets, present):
    ops = TensorOps(tf.constant(present, tf.float32))
    return float(
        MEASURES[name].formula(tf.constant(predictions), tf.constant(targets), ops)
    )


@pytest.mark.parametrize("name", MEASURES)
@given(data=st.data(), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_measure_equals_a_loop_over_the_examples(name, data, dtype):
    pairs = data.draw(classes() if name in CLASSES else values)
    predictions, targets = np.array(pairs, dtype).T
    assert score(name, predictions, targets) == pytest.approx(NAIVE[name](pairs))


@pytest.mark.parametrize(
    "name", [name for name, measure in MEASURES.items() if measure.trains]
)
@given(data=st.data())
def test_tensorflow_makes_the_same_number_of_the_examples_that_are_present(name, data):
    pairs = data.draw(classes(2**-4) if name in CLASSES else values)
    absent = data.draw(st.integers(0, 3))
    predictions, targets = np.array(pairs + [(0.25, 1.0)] * absent, np.float32).T
    present = np.arange(len(predictions)) < len(pairs)
    expected = score(name, predictions[present], targets[present])
    assert in_tensorflow(name, predictions, targets, present) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_probability_of_zero_or_one_has_a_finite_loss_in_both():
    for probability, label in ((0, 1), (1, 0), (0, 0), (1, 1)):
        arrays = np.full(1, probability, np.float32), np.full(1, label, np.float32)
        loss = in_tensorflow("binary_crossentropy", *arrays, np.ones(1))
        # float32 has no 1 - 1e-7
        assert loss == pytest.approx(score("binary_crossentropy", *arrays), rel=0.2)


def test_sums_are_in_float64():
    far = np.array([1e8, 1e8 + 8], np.float32)
    assert score("mse", far, np.zeros(2, np.float32)) == (1e16 + (1e8 + 8) ** 2) / 2
    near = np.array([1.0, 2.0, 4.0])
    assert score("pairwise_mse", near + 1e8, near + 1e8) == pytest.approx(
        score("pairwise_mse", near, near)
    )


@pytest.mark.parametrize(
    ("predictions", "targets"),
    [((3,), (4,)), ((3, 1), (3,)), ((3, 1), (3, 1)), ((0,), (0,))],
)
def test_a_shape_slip_is_an_error_that_names_both_shapes(predictions, targets):
    with pytest.raises(
        ValueError, match=re.escape(f"Received: {predictions} and {targets}")
    ):
        score("mse", np.zeros(predictions), np.zeros(targets))
