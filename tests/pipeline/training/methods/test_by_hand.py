"""The rules of document 003 are gradient descent: they are compared with Keras' gradients, in float64."""

from functools import partial

import keras
import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.errors import DivergedError, UnrollError
from pipeline.models import dense, recurrent
from pipeline.training.methods import by_hand
from tests.support.training import job

MODELS = {
    "perceptron": partial(dense.build, hidden=[], output="tanh"),
    "two hidden": partial(dense.build, hidden=[4, 3], activation="tanh", output="tanh"),
    "node": partial(recurrent.build, "SimpleRNN", units=1, head=False),
}


@pytest.fixture
def double():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", MODELS)
def test_a_pass_equals_keras_with_batches_of_one(kind, waves):
    """Half the squared error here, the squared error there: so half the learning rate there."""
    model = MODELS[kind](problem(waves))
    learn, forward = by_hand.rules("x", model)
    weights = [w.astype(np.float64) for w in model.get_weights()]
    inputs, targets = waves.splits["train"].take(np.arange(9))
    learn(weights, inputs.reshape(9, -1), targets, 0.1)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", run_eagerly=True)
    model.fit(inputs, targets[:, None], batch_size=1, epochs=1, shuffle=False, verbose=0)
    for by_rule, by_keras in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(by_rule, by_keras, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(forward(weights, inputs), model(inputs)[:, 0], rtol=1e-9)


def test_another_model_or_one_with_several_outputs_is_refused(waves, shape):
    several = job(shape("sequence_to_vector"), MODELS["perceptron"])
    gru = job(waves, partial(recurrent.build, "GRU", units=2))
    for training, kinds in ((gru, "Dense, GRU"), (several, "Dense")):
        with pytest.raises(UnrollError, match=f"by_hand knows Dense layers with tanh.* one output. Received: {kinds}$"):
            by_hand.train(training, learning_rate=0.1, epochs=1)


def test_a_weight_that_is_not_finite_stops_training(waves):
    waves.splits["train"].targets[7] = np.nan
    with pytest.raises(DivergedError, match=r"x: the loss is not a finite number in epoch 1, step 8 \(seed 0\)"):
        by_hand.train(job(waves, MODELS["perceptron"]), learning_rate=0.1, epochs=2)
