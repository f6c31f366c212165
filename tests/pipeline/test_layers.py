"""No training hands Eigen a sum that Eigen would split by the size of a cache."""

import re
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import layers
from pipeline.data.problem import Problem
from pipeline.models import feedforward, recurrent
from pipeline.models.dense import build as perceptron
from pipeline.training.recurrence.network import LoopedModel

ROWS = 700
SERIES = Problem((12, 2))
EACH = Problem((12, 1), outputs=12, each_step=True)
EVERY = Problem((12, 2), outputs=24, every=True)


DOT = re.compile(
    r"= f32\[(?P<result>[\d,]*)\]\S*?(?P<order>[\d,]*)\} dot\(%(?P<left>[\w.-]+), "
    r"%(?P<right>[\w.-]+)\),.*? lhs_contracting_dims=\{(?P<of_left>\d)\}"
    r".*? rhs_contracting_dims=\{(?P<of_right>\d)\}"
)
"""A product in XLA's text, such as `= f32[9,8]{0,1} dot(%a, %b), lhs_contracting_dims=...`."""


def sums_of_eigen(model, rows, answer=None):
    """The lengths of the sums of a training's products that XLA asks Eigen for.

    Their left factor is transposed. If the result is stored by columns, its transpose
    is computed, whose left factor is the right one. Products with a vector are XLA's
    own.

    Args:
        model: a Keras model.
        rows: the examples of a batch.
        answer: inputs -> outputs in training; by default the model's own.
    """
    answer = answer or partial(model, training=True)

    @tf.function(jit_compile=True)
    def gradients(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(answer(inputs) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    return lengths_in(gradients, tf.zeros((rows, *model.input_shape[1:])))


def lengths_in(program, inputs):
    """The lengths of the sums that a compiled program asks Eigen for."""
    text = program.experimental_get_compiler_ir(inputs)(stage="optimized_hlo")
    shapes = dict(re.findall(r"%?([\w.-]+)(?: =|:) f32\[([\d,]*)\]", text))
    dots = list(DOT.finditer(text))
    assert len(dots) == text.count(" dot(") > 0
    lengths = []
    for dot in dots:
        left = "right" if dot["order"] == "0,1" else "left"
        shape = [int(size) for size in shapes[dot[left]].split(",")]
        axis = int(dot[f"of_{left}"])
        if "," in dot["result"] and axis < len(shape) - 1:
            lengths.append(shape[axis])
    return lengths


@pytest.mark.parametrize(
    ("build", "about", "options"),
    [
        (perceptron, SERIES, {"hidden": [9, 8], "activation": "gelu"}),
        (feedforward.adaptive_filter, EACH, {"powers": 8, "hidden": 9}),
        (feedforward.tcn, SERIES, {"filters": 8, "layers": 2}),
        (feedforward.convolutions, SERIES, {"kernels": [5, 3]}),
        (feedforward.dlinear, EVERY, {"average": 3}),
        (feedforward.transformer, EACH, {"layers": 1}),
        (recurrent.segments, EVERY, {"segment": 4, "units": 8}),
    ],
)
def test_long_sums_do_not_depend_on_a_cache(build, about, options):
    timesteps = about.input_shape[0]
    lengths = sums_of_eigen(build(about, **options), ROWS)
    assert all(length <= timesteps for length in lengths)


@pytest.mark.parametrize("pooling", ["last", "mean_max"])
@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU"])
def test_loops_and_their_heads_ask_eigen_for_nothing(cell, pooling):
    """A head's sum of 19 states, over 512 rows, was rounded by the size of a cache."""
    several = Problem((3, 2), outputs=10)
    model = recurrent.build(cell, several, units=19, pooling=pooling)
    network = LoopedModel(model)
    predict = tf.function(network.predict, jit_compile=True, autograph=False)
    assert lengths_in(predict, tf.zeros((512, 3, 2))) == []
    buffers = network.buffers(32, 3, 2)
    train = tf.autograph.experimental.do_not_convert(network.train)
    assert sums_of_eigen(model, 32, lambda inputs: train(inputs, buffers)[0]) == []


def test_keras_own_layer_would_depend_on_it():
    theirs = [keras.Input((9,)), keras.layers.Dense(8), keras.layers.Dense(2)]
    assert ROWS in sums_of_eigen(keras.Sequential(theirs), ROWS)


def dense(module):
    return module.Dense(5, activation="tanh")


def without_bias(module):
    return module.Dense(2, use_bias=False)


def gru(module):
    return keras.layers.RNN([module.GRUCell(4)])


@pytest.mark.parametrize(
    ("make", "shape"), [(dense, (4, 3)), (without_bias, (3,)), (gru, (4, 3))]
)
def test_outputs_and_gradients_are_those_of_keras(make, shape):
    ours = make(layers)
    theirs = make(keras.layers)
    random = np.random.default_rng(0)
    inputs = tf.Variable(random.standard_normal((6, *shape)), dtype=tf.float32)
    theirs(inputs)
    ours(inputs)
    weights = [random.standard_normal(w.shape) for w in theirs.trainable_variables]
    found = []
    for layer in (ours, theirs):
        for variable, numbers in zip(layer.trainable_variables, weights, strict=True):
            variable.assign(numbers)
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            loss = tf.reduce_sum(outputs**3)
        trained = [variable.value for variable in layer.trainable_variables]
        found.append([outputs, *tape.gradient(loss, [inputs, *trained])])
    for own, keras_own in zip(*found, strict=True):
        np.testing.assert_allclose(own, keras_own, rtol=1e-5, atol=1e-5)
