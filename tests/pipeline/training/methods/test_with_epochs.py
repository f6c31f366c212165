"""What both methods with epochs promise: histories and weights that belong together, and a training that goes on."""

import types
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.metrics import score
from pipeline.models import dense, recurrent
from pipeline.training.methods import by_hand, gradient_descent
from pipeline.training.program import Program
from tests.support.training import job

MLP = partial(dense.build, hidden=[4], activation="tanh", output="tanh")
NODE = partial(recurrent.build, "SimpleRNN", units=1, head=False)
DROPOUT = partial(recurrent.build, "SimpleRNN", units=2, dropout=0.2, recurrent_dropout=0.2)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "train",
    [
        partial(by_hand.train, learning_rate=0.1, epochs=3),
        partial(gradient_descent.train, optimizer="sgd", loss="mse", epochs=3, batch_size=30),
    ],
    ids=["by_hand", "gradient_descent"],
)
def test_history_predictions_and_weights_belong_together(train, waves, tmp_path):
    lines = []
    callback = types.SimpleNamespace(epoch=lambda *line: lines.append(line))
    training = replace(job(waves, MLP, 3, 4), callbacks=(callback,))
    trained = train(training)
    assert [(seed, epoch) for seed, epoch, _ in lines] == [(s, e) for s in (3, 4) for e in (1, 2, 3)]
    for replicate in trained.replicates:
        scored = ["validation_loss", "validation_mse", "test_loss", "test_mse"]
        assert list(replicate.history[0]) == ["train_loss", *scored]
        scores = [line["validation_mse"] for line in replicate.history]
        assert replicate.best_epoch == 1 + int(np.argmin(scores))
        for point, epoch in (("final", 3), ("best", replicate.best_epoch)):
            error = score("mse", replicate.predictions[f"{point}_validation"], waves.splits["validation"].targets)
            assert error == scores[epoch - 1]
        assert replicate.history[-1]["train_loss"] < replicate.history[0]["train_loss"]
    model = training.build()
    trained.save(replicate.weights["best"], tmp_path / "a")
    model.load_weights(tmp_path / "a.weights.h5")
    expected = model(waves.splits["test"].inputs)[:, 0]
    np.testing.assert_allclose(replicate.predictions["best_test"], expected, rtol=1e-5, atol=1e-6)
    assert (trained.parameters, [layer["type"] for layer in trained.layers]) == (49, ["Flatten", "Dense", "Dense"])


@pytest.mark.usefixtures("eager")
def test_without_validation_no_epoch_is_the_best_and_a_rollout_feeds_predictions_back(sine_windows):
    training = job(sine_windows, MLP)
    (replicate,) = gradient_descent.train(training, optimizer="sgd", loss="mse", epochs=2, batch_size=30).replicates
    assert (replicate.best_epoch, list(replicate.weights)) == (None, ["final"])
    assert [list(line) for line in replicate.history] == [["train_loss"]] * 2
    first, second = replicate.predictions["rollout"][:2]
    assert first == replicate.predictions["final_test"][0]
    assert second != replicate.predictions["final_test"][1]


def learners(method, dataset):
    """One, and another with the same program where it takes seconds to compile."""
    if method == "by_hand":
        training = job(dataset, NODE)
        return [by_hand.RuleLearner(training, 0.1, *by_hand.rules("x", training.build())) for _ in range(2)]
    examples = dataset.splits["train"]
    program = Program(DROPOUT(problem(dataset)), examples, "rmsprop", 0.01, ["mse"])
    orders = partial(gradient_descent.epoch_orders, len(examples), 16, "batches", None)
    return [gradient_descent.ProgramLearner(job(dataset, DROPOUT), program, lambda _: 0.01, orders) for _ in range(2)]


@pytest.mark.parametrize("method", ["by_hand", "gradient_descent"])
def test_a_replicate_goes_on_from_any_epoch_and_depends_on_its_seed_alone(method, sine_windows):
    """Trained after another, or from its first epoch's state: the same bits. Another seed: others."""
    learner, again = learners(method, sine_windows)
    learner.begin(1)
    other = learner.epoch(1)
    learner.begin(2)
    lines, state = [learner.epoch(1)], [array.copy() for array in learner.state()]
    lines.append(learner.epoch(2))
    bits = [array.tobytes() for array in learner.state()]
    again.begin(2)
    assert again.epoch(1) == lines[0]
    again.begin(1)
    again.begin(2, 1, state)
    assert again.epoch(2) == lines[1]
    assert [array.tobytes() for array in again.state()] == bits
    assert other != lines[0] != lines[1]
    if method == "gradient_descent":  # dropout is drawn anew for every batch: the same one, unlearnt, loses otherwise
        program = again._program
        program.optimizer.learning_rate.assign(0.0)
        before = program.model.get_weights()
        losses = program.epoch(np.tile(np.arange(16, dtype=np.int32), (5, 1)))[:, 0]
        assert len(set(losses.tolist())) == 5
        assert all((one == two).all() for one, two in zip(before, program.model.get_weights(), strict=True))
