"""The NumPy networks give what Keras' layers give: outputs, gradients and, after some
steps, weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.training.job import Job
from series.models import numpy_adam
from series.models.numpy_networks import Dense, Gru, Lstm
from series.models.residual import Residual

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


def share(progress):
    """Of the highest rate: it rises for a tenth of the steps, and falls to 0."""
    if progress < 0.1:
        return 10 * progress
    return (1 + np.cos(np.pi * (progress - 0.1) / 0.9)) / 2


@pytest.mark.parametrize("loss", ["mae", "mse"])
def test_the_weights_after_some_steps_are_those_of_adam_in_keras(loss):
    """Of 24 windows in batches of 7, one counts much more than the others, and some
    targets are missing. One more window with a far value is forecast alone. The fourth
    column is what a window counts."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(25, 4)).astype(np.float32)
    inputs[:, 2] = 4
    inputs[0, 0] = 40
    inputs[:, 3] = [0, 900, *random.uniform(1, 4, 23)]
    targets = inputs[:, :2] + 3 * random.normal(size=(25, 2)).astype(np.float32)
    targets[::5, 1] = np.nan
    model = Residual(
        rows=lambda inputs: inputs[:, :3],
        naive=lambda inputs: inputs[:, :2],
        layer="Dense",
        sizes=[7, UNITS],
        outputs=OUTPUTS,
        weights=lambda inputs: inputs[:, 3],
    )
    examples = Arrays(inputs, targets)
    splits = {"train": examples, "test": examples}
    data = Dataset("x", "forecast", "mae", splits, scored=())
    job = Job("x", data, lambda: model, (0, 1))
    options = {"epochs": 10, "batch_size": 7, "learning_rate": 0.1, "loss": loss}
    replicates = numpy_adam.train(job, **options).replicates

    rows = inputs[1:, :3]
    std = np.append(rows[:, :2].std(axis=0), 1)
    scaled = np.clip((rows - rows.mean(axis=0)) / std, -5, 5)
    residuals = (targets - inputs[:, :2])[1:]
    spread = np.nanstd(residuals)
    measured = np.isfinite(residuals)
    wanted = np.where(measured, residuals, 0) / spread
    counts = np.minimum(inputs[1:, 3] / inputs[1:, 3].mean(), 10)[:, None] * measured
    for seed, replicate in enumerate(replicates):
        random = np.random.default_rng(seed)
        network = Dense(3, [7, UNITS], OUTPUTS)
        theirs = keras_model(network, network.fresh(random)[0])
        orders = [random.permutation(24)[:21].reshape(3, 7) for _ in range(10)]
        adam = keras.optimizers.Adam(global_clipnorm=1.0)
        for step, batch in enumerate(np.concatenate(orders), 1):
            adam.learning_rate = 0.1 * share(step / 30)
            with tf.GradientTape() as tape:
                errors = theirs(scaled[batch]) - wanted[batch]
                losses = tf.abs(errors) if loss == "mae" else errors**2 / 2
                total = tf.reduce_mean(losses * counts[batch])
            variables = theirs.trainable_variables
            adam.apply_gradients(
                zip(tape.gradient(total, variables), variables, strict=True)
            )
        outputs = theirs(np.clip((inputs[:, :3] - rows.mean(axis=0)) / std, -5, 5))
        expected = inputs[:, :2] + spread * np.asarray(outputs)
        found = replicate.predictions["final_test"]
        np.testing.assert_allclose(found, expected, atol=1e-4)
