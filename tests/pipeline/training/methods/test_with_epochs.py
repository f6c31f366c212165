"""Both methods with epochs: histories, weights and a training that goes on; and the
rules of document 003."""

import types
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import score
from pipeline.models import dense, recurrent
from pipeline.training.methods import by_hand
from pipeline.training.methods import keras as keras_method
from pipeline.training.program import Program
from tests.support.training import job

MLP = partial(dense.build, hidden=[4], activation="tanh", output="tanh")
NODE = partial(recurrent.build, "SimpleRNN", units=1, head=False)
DROPOUT = partial(
    recurrent.build, "SimpleRNN", units=2, dropout=0.2, recurrent_dropout=0.2
)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "train",
    [
        partial(by_hand.train, learning_rate=0.1, epochs=3),
        partial(
            keras_method.train, optimizer="sgd", loss="mse", epochs=3, batch_size=30
        ),
    ],
    ids=["by_hand", "keras"],
)
def test_history_predictions_and_weights_belong_together(train, waves, tmp_path):
    lines = []
    callback = types.SimpleNamespace(epoch=lambda *line: lines.append(line))
    training = replace(job(waves, MLP, 3, 4), callbacks=(callback,))
    trained = train(training)
    assert [(seed, epoch) for seed, epoch, _ in lines] == [
        (s, e) for s in (3, 4) for e in (1, 2, 3)
    ]
    for replicate in trained.replicates:
        scored = ["validation_loss", "validation_mse", "test_loss", "test_mse"]
        assert list(replicate.history[0]) == ["train_loss", *scored]
        scores = [line["validation_mse"] for line in replicate.history]
        assert replicate.best_epoch == 1 + int(np.argmin(scores))
        for point, epoch in (("final", 3), ("best", replicate.best_epoch)):
            error = score(
                "mse",
                replicate.predictions[f"{point}_validation"],
                waves.splits["validation"].targets,
            )
            assert error == scores[epoch - 1]
        assert replicate.history[-1]["train_loss"] < replicate.history[0]["train_loss"]
    model = training.build()
    trained.save(replicate.weights["best"], tmp_path / "a")
    model.load_weights(tmp_path / "a.weights.h5")
    expected = model(waves.splits["test"].inputs)[:, 0]
    np.testing.assert_allclose(
        replicate.predictions["best_test"], expected, rtol=1e-5, atol=1e-6
    )
    assert (trained.parameters, [layer["type"] for layer in trained.layers]) == (
        49,
        ["Flatten", "Dense", "Dense"],
    )


@pytest.mark.usefixtures("eager")
def test_without_validation_no_epoch_is_the_best_and_a_rollout_feeds_predictions_back(
    sine_windows,
):
    (replicate,) = keras_method.train(
        job(sine_windows, MLP), optimizer="sgd", loss="mse", epochs=2, batch_size=30
    ).replicates
    assert (replicate.best_epoch, list(replicate.weights)) == (None, ["final"])
    assert [list(line) for line in replicate.history] == [["train_loss"]] * 2
    first, second = replicate.predictions["rollout"][:2]
    assert first == replicate.predictions["final_test"][0]
    assert second != replicate.predictions["final_test"][1]


def learners(method, dataset):
    """One, and another with the same program where it takes seconds to compile."""
    if method == "by_hand":
        training = job(dataset, NODE)
        return [
            by_hand.RuleLearner(training, 0.1, *by_hand.rules("x", training.build()))
            for _ in range(2)
        ]
    examples = dataset.splits["train"]
    program = Program(DROPOUT(problem(dataset)), examples, "rmsprop", 0.01, ["mse"])
    orders = partial(keras_method.epoch_orders, len(examples), 16, "batches", None)
    return [
        keras_method.ProgramLearner(
            job(dataset, DROPOUT), program, lambda _: 0.01, orders
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize("method", ["by_hand", "keras"])
def test_a_replicate_goes_on_from_any_epoch_and_depends_on_its_seed_alone(
    method, sine_windows
):
    """Trained after another, or from its first epoch's state: the same bits. Another
    seed: others."""
    learner, again = learners(method, sine_windows)
    learner.begin(1)
    other_seed = learner.epoch(1)
    learner.begin(2)
    first = learner.epoch(1)
    state = [array.copy() for array in learner.state()]
    second = learner.epoch(2)
    bits = [array.tobytes() for array in learner.state()]
    again.begin(2)
    assert again.epoch(1) == first
    again.begin(2, 1, state)
    assert again.epoch(2) == second
    assert [array.tobytes() for array in again.state()] == bits
    assert other_seed != first != second
    # dropout is drawn anew for every batch: the same one, unlearnt, loses otherwise
    if method == "keras":
        program = again._program
        program.optimizer.learning_rate.assign(0.0)
        before = program.model.get_weights()
        losses = program.epoch(np.tile(np.arange(16, dtype=np.int32), (5, 1)))[:, 0]
        assert len(set(losses.tolist())) == 5
        assert all(
            (w == old).all()
            for w, old in zip(program.model.get_weights(), before, strict=True)
        )


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
    """Half the squared error here, the squared error there: so half the learning rate
    there."""
    model = MODELS[kind](problem(waves))
    learn, forward = by_hand.rules("x", model)
    weights = [w.astype(np.float64) for w in model.get_weights()]
    inputs, targets = waves.splits["train"].take(np.arange(9))
    learn(weights, inputs.reshape(9, -1), targets, 0.1)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", run_eagerly=True)
    model.fit(
        inputs, targets[:, None], batch_size=1, epochs=1, shuffle=False, verbose=0
    )
    for by_rule, by_keras in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(by_rule, by_keras, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(forward(weights, inputs), model(inputs)[:, 0], rtol=1e-9)


def test_another_model_or_one_with_several_outputs_is_refused(waves, shape):
    several = job(shape("sequence_to_vector"), MODELS["perceptron"])
    gru = job(waves, partial(recurrent.build, "GRU", units=2))
    for training, kinds in ((gru, "Dense, GRU"), (several, "Dense")):
        with pytest.raises(
            UnrollError,
            match=f"by_hand knows Dense layers with tanh.* one output. Received: {kinds}$",
        ):
            by_hand.train(training, learning_rate=0.1, epochs=1)


def test_a_weight_that_is_not_finite_stops_training(waves):
    waves.splits["train"].targets[7] = np.nan
    with pytest.raises(
        DivergedError,
        match=r"x: the loss is not a finite number in epoch 1 \(seed 0\)",
    ):
        by_hand.train(job(waves, MODELS["perceptron"]), learning_rate=0.1, epochs=2)
