"""The NumPy networks give what Keras' layers give: outputs and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from series.models.numpy_networks import Dense, Gru, Lstm

UNITS = 5
OUTPUTS = 2


def drawn(network, seeds=2):
    """Weights (seeds, size) of which none is 0."""
    random = np.random.default_rng(1)
    fresh = np.concatenate([network.fresh(random) for _ in range(seeds)])
    return fresh + random.normal(0, 0.1, fresh.shape).astype(np.float32)


def ours(network, flat, batches, gradient):
    """Outputs (seeds, batch, outputs), and gradients (seeds, size) of a weighted sum of
    them."""
    axes = (2, 0, 3, 1) if batches.ndim == 4 else (0, 2, 1)
    weights = network.views(flat)
    outputs, tape = network.forward(weights, batches.transpose(axes))
    gradients = np.zeros_like(flat)
    network.backward(
        weights, gradient.swapaxes(1, 2).copy(), tape, network.views(gradients)
    )
    return outputs.swapaxes(1, 2), gradients


def keras_model(network, flat):
    """The Keras model of one seed's weights."""
    weights = {name: array[0].T for name, array in network.views(flat[None]).items()}
    head = [weights["head"], weights["head_bias"][0]]
    if isinstance(network, Dense):
        model = keras.Sequential(
            [keras.layers.Dense(size, activation="relu") for size in (7, UNITS)]
        )
        inner = []
        for number in range(2):
            inner += [weights[f"kernel_{number}"], weights[f"bias_{number}"][0]]
        shape = (1, 3)
    elif isinstance(network, Gru):
        model = keras.Sequential([keras.layers.GRU(UNITS)])
        recurrent_bias = np.concatenate(
            [np.zeros(2 * UNITS, np.float32), weights["recurrent_bias"][0]]
        )
        inner = [
            weights["kernel"],
            weights["recurrent"],
            np.stack([weights["bias"][0], recurrent_bias]),
        ]
        shape = (1, 4, 3)
    else:
        model = keras.Sequential([keras.layers.LSTM(UNITS)])
        inner = [keras_gates(weights[name]) for name in ("kernel", "recurrent", "bias")]
        inner[2] = inner[2][0]
        shape = (1, 4, 3)
    model.add(keras.layers.Dense(OUTPUTS))
    model(np.zeros(shape, np.float32))
    model.set_weights([*inner, *head])
    return model


def keras_gates(columns):
    """Keras' order: input, forget, candidate, output."""
    entry, forget, exit_, candidate = np.split(columns, 4, axis=1)
    return np.concatenate([entry, forget, candidate, exit_], axis=1)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (Dense(3, [7, UNITS], OUTPUTS), (2, 6, 3)),
        (Gru(3, [UNITS], OUTPUTS), (2, 6, 4, 3)),
        (Lstm(3, [UNITS], OUTPUTS), (2, 6, 4, 3)),
    ],
    ids=["Dense", "GRU", "LSTM"],
)
def test_outputs_and_gradients_are_those_of_keras(network, shape):
    random = np.random.default_rng(0)
    flat = drawn(network)
    inputs = random.normal(size=shape).astype(np.float32)  # (seeds, batch, ...)
    gradient = random.normal(size=(2, 6, OUTPUTS)).astype(np.float32)
    outputs, gradients = ours(network, flat, inputs, gradient)
    for seed in range(2):
        model = keras_model(network, flat[seed])
        with tf.GradientTape() as tape:
            theirs = model(inputs[seed])
            total = tf.reduce_sum(theirs * gradient[seed])
        np.testing.assert_allclose(outputs[seed], theirs, atol=1e-6)
        of_keras = [
            np.asarray(array)
            for array in tape.gradient(total, model.trainable_variables)
        ]
        of_ours = keras_model(network, gradients[seed]).get_weights()
        # of its two biases the first two gates have one here
        if isinstance(network, Gru):
            of_keras[2] = of_keras[2].copy()
            of_keras[2][1, : 2 * UNITS] = 0
        for mine, other in zip(of_ours, of_keras, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-5)
