"""The rules of document 003 are gradient descent: they are compared with Keras' gradients, in float64."""

import types
from functools import partial

import keras
import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.errors import DivergedError, UnrollError
from pipeline.models import dense, recurrent
from pipeline.training.job import Job
from pipeline.training.methods import by_hand

MODELS = {
    "perceptron": partial(dense.build, hidden=[], output="tanh"),
    "hidden": partial(dense.build, hidden=[4], activation="tanh", output="tanh"),
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
    inputs, targets = waves.splits["train"].take(np.arange(45))
    learn(weights, inputs.reshape(45, -1), targets, 0.1)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    model.fit(inputs, targets[:, None], batch_size=1, epochs=1, shuffle=False, verbose=0)
    for by_rule, by_keras in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(by_rule, by_keras, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(forward(weights, inputs), model.predict(inputs, verbose=0)[:, 0], rtol=1e-9)


@pytest.mark.parametrize("kind", ["perceptron", "node"])
def test_training_scores_every_epoch_and_keeps_the_best_by_validation(kind, waves):
    told = []
    callback = types.SimpleNamespace(epoch=lambda *line: told.append(line))
    job = Job("x", waves, lambda: MODELS[kind](problem(waves)), (3, 4), (callback,))
    trained = by_hand.train(job, learning_rate=0.1, epochs=4)
    assert [(seed, epoch) for seed, epoch, _ in told] == [(s, e) for s in (3, 4) for e in (1, 2, 3, 4)]
    for replicate in trained.replicates:
        scored = ["validation_loss", "validation_mse", "test_loss", "test_mse"]
        assert list(replicate.history[0]) == ["train_loss", *scored]
        scores = [line["validation_mse"] for line in replicate.history]
        assert replicate.best_epoch == 1 + int(np.argmin(scores))
        error = np.mean((replicate.predictions["best_validation"] - waves.splits["validation"].targets) ** 2)
        assert error == pytest.approx(min(scores))
        error = np.mean((replicate.predictions["final_test"] - waves.splits["test"].targets) ** 2)
        assert error == pytest.approx(replicate.history[-1]["test_mse"])
    assert replicate.history[-1]["train_loss"] < replicate.history[0]["train_loss"]


@pytest.mark.parametrize("kind", ["hidden", "node"])
def test_a_replicate_goes_on_from_any_epoch_and_depends_on_its_seed_alone(kind, waves):
    job = Job("x", waves, lambda: MODELS[kind](problem(waves)), (1, 2))

    def learner():
        return by_hand.Learner(job, 0.1, *by_hand.rules("x", MODELS[kind](problem(waves))))

    one, again = learner(), learner()
    one.begin(1)
    other = one.epoch(1)
    one.begin(2)
    lines, state = [one.epoch(1)], [weights.copy() for weights in one.state()]
    lines.append(one.epoch(2))
    again.begin(2, 1, state)
    assert again.epoch(2) == lines[1]
    assert all((a == b).all() for a, b in zip(again.weights(), one.weights(), strict=True))
    assert other != lines[0] != lines[1]


@pytest.mark.parametrize(
    ("form", "options", "kinds"),
    [
        ("waves", {}, "Dense, GRU"),
        ("waves", {"layers": 2}, "Dense, RNN"),
        ("reviews", {"embedding": 2}, "Dense, Embedding, GRU"),
    ],
)
def test_another_model_is_refused(form, options, kinds, request):
    dataset = request.getfixturevalue(form)
    job = Job("x", dataset, lambda: recurrent.build("GRU", problem(dataset), units=2, **options), (0,))
    with pytest.raises(UnrollError, match=f"by_hand knows Dense layers with tanh.*Received: {kinds}"):
        by_hand.train(job, learning_rate=0.1, epochs=1)


def test_a_weight_that_is_not_finite_stops_training(waves):
    bad = waves.splits["train"].targets
    bad[7] = np.nan
    job = Job("x", waves, lambda: MODELS["perceptron"](problem(waves)), (0,))
    with pytest.raises(DivergedError, match=r"x: the loss is not a finite number in epoch 1, step 8 \(seed 0\)"):
        by_hand.train(job, learning_rate=0.1, epochs=2)


def test_several_outputs_are_refused(shape):
    dataset = shape("sequence_to_vector")
    job = Job("x", dataset, lambda: MODELS["perceptron"](problem(dataset)), (0,))
    with pytest.raises(UnrollError, match="with one output. Received: Dense"):
        by_hand.train(job, learning_rate=0.1, epochs=1)
