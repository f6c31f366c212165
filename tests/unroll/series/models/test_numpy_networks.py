"""The NumPy networks learn what Keras' layers learn from the same batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.training.job import Job
from unroll.series.models import numpy_adam
from unroll.series.models.numpy_networks import LAYERS, Dense, Gru
from unroll.series.models.residual import Residual

UNITS = 5
OUTPUTS = 2


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
    ("layer", "sizes", "seen", "loss"),
    [
        ("Dense", [7, UNITS], np.s_[:, -1, :3], "mae"),
        ("GRU", [UNITS], np.s_[:, :, :3], "mse"),
        ("LSTM", [UNITS], np.s_[:, :, :3], "mae"),
    ],
)
def test_the_weights_after_some_steps_are_those_of_adam_in_keras(
    layer, sizes, seen, loss
):
    """Of 24 windows in batches of 7, one counts much more than the others, and some
    targets are missing. One more window with far values is forecast alone. The last
    value of the fourth column is what a window counts."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(25, 4, 4)).astype(np.float32)
    inputs[:, :, 2] = 4
    inputs[0, :, 0] = 40
    inputs[:, -1, 3] = [0, 900, *random.uniform(1, 4, 23)]
    naive = inputs[:, -1, :2]
    targets = naive + 3 * random.normal(size=(25, 2)).astype(np.float32)
    targets[::5, 1] = np.nan
    model = Residual(
        rows=lambda inputs: inputs[seen],
        naive=lambda inputs: inputs[:, -1, :2],
        layer=layer,
        sizes=sizes,
        outputs=OUTPUTS,
        weights=lambda inputs: inputs[:, -1, 3],
    )
    splits = dict.fromkeys(("train", "test"), Arrays(inputs, targets))
    data = Dataset("x", "forecast", "mae", splits, scored=())
    job = Job("x", data, lambda: model, (0, 1))
    trained = numpy_adam.train(
        job, epochs=5, batch_size=7, learning_rate=0.05, loss=loss
    )

    values = inputs[1:][seen].reshape(-1, 3)
    scaled = StandardScaler().fit(values).transform(inputs[seen].reshape(-1, 3))
    scaled = np.clip(scaled, -5, 5).reshape(inputs[seen].shape)
    residuals = (targets - naive)[1:]
    spread = np.nanstd(residuals)
    wanted = np.nan_to_num(residuals / spread)
    counts = np.minimum(inputs[1:, -1, 3] / inputs[1:, -1, 3].mean(), 10)
    counts = counts[:, None] * np.isfinite(residuals)
    # of its two biases the first two gates have one here
    one_bias = np.ones((2, 3 * UNITS))
    one_bias[1, : 2 * UNITS] = 0
    # it rises for a tenth of the 15 steps, and falls to 0
    progress = np.arange(1, 16) / 15
    falling = (1 + np.cos(np.pi * (progress - 0.1) / 0.9)) / 2
    rates = 0.05 * np.where(progress < 0.1, 10 * progress, falling)
    for seed, replicate in enumerate(trained.replicates):
        random = np.random.default_rng(seed)
        network = LAYERS[layer](3, sizes, OUTPUTS)
        theirs = keras_model(network, network.fresh(random)[0])
        orders = [random.permutation(24)[:21].reshape(3, 7) for _ in range(5)]
        adam = keras.optimizers.Adam(global_clipnorm=1.0)
        for rate, batch in zip(rates, np.concatenate(orders), strict=True):
            adam.learning_rate = rate
            with tf.GradientTape() as tape:
                errors = theirs(scaled[1:][batch]) - wanted[batch]
                losses = tf.abs(errors) if loss == "mae" else errors**2 / 2
                total = tf.reduce_mean(losses * counts[batch])
            gradients = tape.gradient(total, theirs.trainable_variables)
            if layer == "GRU":
                gradients[2] *= one_bias
            adam.apply(gradients, theirs.trainable_variables)
        expected = naive + spread * np.asarray(theirs(scaled))
        np.testing.assert_allclose(
            replicate.predictions["final_test"], expected, atol=1e-4
        )
