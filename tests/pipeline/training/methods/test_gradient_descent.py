"""The compiled epoch is Keras' `fit`, in an order that is known."""

import types
from dataclasses import replace
from functools import partial
from itertools import islice

import keras
import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import score
from pipeline.models import dense, recurrent
from pipeline.training import keras_models
from pipeline.training import program as programs
from pipeline.training.job import Job
from pipeline.training.methods import gradient_descent
from pipeline.training.program import Program

GRU = partial(recurrent.build, "GRU", units=4)
DROPOUT = partial(recurrent.build, "SimpleRNN", units=2, dropout=0.2, recurrent_dropout=0.2)
WORDS = partial(recurrent.build, "SimpleRNN", units=4, embedding=3)
MLP = partial(dense.build, hidden=[8])
STACKED = partial(recurrent.build, "SimpleRNN", units=4, layers=2, activation="relu", sequences=True)
QUICK = {"optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16}


def job(dataset, build, seeds=(0,), **options):
    return Job("x", dataset, lambda: build(problem(dataset)), seeds, **options)


def in_order(examples, batch):
    rows = np.full(-(-examples // batch) * batch, -1, np.int32)
    rows[:examples] = np.arange(examples)
    return rows.reshape(-1, batch)


@pytest.mark.parametrize(
    ("form", "build", "optimizer", "loss"),
    [
        ("waves", GRU, "adam", "mse"),
        ("station", GRU, "rmsprop", "mae"),
        ("reviews", WORDS, "rmsprop", "binary_crossentropy"),
        ("points", MLP, "adam", "mse"),
        ("points", STACKED, "sgd", "mse"),
        ("points", STACKED, "adam", "pairwise_mse"),
    ],
)
def test_an_epoch_equals_keras_fit(form, build, optimizer, loss, request):
    """Two passes in the order of the data, the last batch partial: same losses, same weights as Keras.

    For stacked models the target has the output's shape, or as published one axis less: then Keras broadcasts
    the difference to all pairs of the batch, which is what `pairwise_mse` writes out. For words Keras is given the
    same network with one-hot vectors: of an `Embedding` its optimizers get parts of a repeated word's gradient.
    """
    dataset = request.getfixturevalue(form)
    train = dataset.splits["train"]
    accuracy = ["accuracy"] if dataset.kind == "classify" else []
    model = keras_models.seeded(lambda: build(problem(dataset)), 3)
    start = keras_models.values(model)
    program = Program(model, train, optimizer, 0.01, [loss, *accuracy])
    told = [program.epoch(in_order(len(train), 16)) for _ in range(2)]
    ours = keras_models.values(model)

    inputs, targets = train.take(np.arange(len(train)))
    if form == "reviews":
        vocabulary = model.layers[0].input_dim
        inputs = keras.utils.to_categorical(inputs, vocabulary)
        vectors = keras.layers.Dense(3, use_bias=False)
        model = keras.Sequential([keras.Input(inputs.shape[1:]), vectors, *model.layers[1:]])
    keras_models.assign(model, start)
    shape = (-1,) if loss == "pairwise_mse" else (-1, *model.output_shape[1:])
    model.compile(
        optimizer={"class_name": optimizer, "config": {"learning_rate": 0.01}},
        loss=loss.removeprefix("pairwise_"),
        metrics=accuracy,
        jit_compile=False,
    )
    history = model.fit(inputs, targets.reshape(shape), batch_size=16, epochs=2, shuffle=False, verbose=0).history
    for one, other in zip(ours, keras_models.values(model), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)
    counts = (in_order(len(train), 16) >= 0).sum(axis=1)
    for place, measure in enumerate(["loss", *accuracy]):
        means = [np.average(epoch[:, place], weights=counts) for epoch in told]
        np.testing.assert_allclose(means, history[measure], rtol=1e-4)


@pytest.mark.parametrize("name", ["sequence_to_sequence", "sequence_to_vector", "vector_to_sequence", "delayed"])
def test_an_epoch_with_several_outputs_equals_keras_fit(name, shape):
    """And predictions have the targets' shape, and are the model's."""
    dataset = shape(name)
    train = dataset.splits["train"]
    model = keras_models.seeded(lambda: GRU(problem(dataset)), 3)
    start = keras_models.values(model)
    program = Program(model, train, "adam", 0.01, ["mse"])
    losses = program.epoch(in_order(len(train), 16))[:, 0]
    ours, predicted = keras_models.values(model), program.predict(dataset.splits["test"])
    np.testing.assert_allclose(
        predicted, np.reshape(model(dataset.splits["test"].inputs), predicted.shape), rtol=1e-4, atol=1e-6
    )
    assert predicted.shape == dataset.splits["test"].targets.shape

    keras_models.assign(model, start)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", jit_compile=False)
    targets = train.targets.reshape(-1, *model.output_shape[1:])
    history = model.fit(train.inputs, targets, batch_size=16, epochs=1, shuffle=False, verbose=0).history
    for one, other in zip(ours, keras_models.values(model), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)
    np.testing.assert_allclose(np.average(losses, weights=[16, 16, 13]), history["loss"], rtol=1e-4)


def test_predictions_are_those_of_the_model_in_order(reviews, monkeypatch):
    """In batches, the last one partial, that the lengths of the texts put together."""
    monkeypatch.setattr(programs, "EVALUATION_BATCH", 35)
    model = keras_models.seeded(lambda: WORDS(problem(reviews)), 0)
    program = Program(model, reviews.splits["train"], "adam", 0.01, ["mse"])
    for examples in reviews.splits.values():
        expected = model(examples.inputs)[:, 0]
        np.testing.assert_allclose(program.predict(examples), expected, rtol=1e-5, atol=1e-6)


def test_the_old_rmsprop_has_its_epsilon_outside_of_the_root():
    slopes = np.array([1e-6, 0.5], np.float32)
    variable = keras.Variable(np.zeros(2, np.float32))
    optimizer = keras_models.optimizer("rmsprop_keras2", 0.01)
    square = expected = 0.0
    for _ in range(3):
        optimizer.apply([slopes], [variable])
        square = 0.9 * square + 0.1 * slopes**2
        expected -= 0.01 * slopes / (np.sqrt(square) + 1e-7)
    np.testing.assert_allclose(variable, expected, rtol=1e-5)


def test_history_predictions_and_weights_belong_together(station, monkeypatch):
    monkeypatch.setattr(programs, "EVALUATION_BATCH", 50)
    told = []
    callback = types.SimpleNamespace(epoch=lambda *line: told.append(line))
    trained = gradient_descent.train(
        job(station, GRU, (1, 2), callbacks=(callback,)),
        optimizer="rmsprop", loss="mae", epochs=3, batch_size=32, learning_rate=0.02,
    )  # fmt: skip
    assert [(seed, epoch) for seed, epoch, _ in told] == [(s, e) for s in (1, 2) for e in (1, 2, 3)]
    for replicate in trained.replicates:
        scores = [line["validation_mae"] for line in replicate.history]
        assert replicate.best_epoch == 1 + int(np.argmin(scores))
        for point, epoch in (("final", 3), ("best", replicate.best_epoch)):
            error = score("mae", replicate.predictions[f"{point}_validation"], station.splits["validation"].targets)
            assert error == scores[epoch - 1]
        model = GRU(problem(station))
        keras_models.assign(model, replicate.weights["best"])
        inputs, _ = station.splits["test"].take(np.arange(5))
        np.testing.assert_allclose(model(inputs)[:, 0], replicate.predictions["best_test"][:5], rtol=1e-5, atol=1e-6)
    assert trained.parameters == 3 * 4 * (3 + 4 + 2) + 5


def test_a_replicate_goes_on_from_any_epoch_and_depends_on_its_seed_alone(sine_windows):
    """Trained after another, or from its first epoch's state by a new program: the same bits. Another seed: others."""
    train = sine_windows.splits["train"]

    def learner():
        program = Program(DROPOUT(problem(sine_windows)), train, "rmsprop", 0.01, ["mse"])
        orders = partial(gradient_descent.epoch_orders, len(train), 16, "batches", None)
        return gradient_descent.Learner(job(sine_windows, DROPOUT), program, ["mse"], orders)

    def bits(learner):
        return [array.tobytes() for array in learner.state()]

    one = learner()
    one.begin(1)
    other = one.epoch(1)
    one.begin(2)
    lines, state = [one.epoch(1)], one.state()
    lines.append(one.epoch(2))
    again = learner()
    again.begin(2)
    assert again.epoch(1) == lines[0]
    again.begin(2, 1, state)
    assert again.epoch(2) == lines[1]
    assert bits(again) == bits(one)
    assert other != lines[0] != lines[1]


def test_dropout_is_drawn_anew_for_every_batch(waves):
    """The same batch twice, without learning: two losses, as the masks differ; without dropout one."""
    twice = np.tile(np.arange(16, dtype=np.int32), (2, 1))
    for build, equal in ((DROPOUT, False), (partial(DROPOUT, dropout=0.0, recurrent_dropout=0.0), True)):
        program = Program(build(problem(waves)), waves.splits["train"], "sgd", 0.0, ["mse"])
        first, second = program.epoch(twice)
        assert (first == second) == equal


def test_a_rollout_feeds_predictions_back_and_without_validation_no_epoch_is_the_best(sine_windows):
    series = sine_windows.splits["test"].series[:9]
    test = replace(sine_windows.splits["test"], series=series, rows=np.arange(5, 9))
    dataset = replace(sine_windows, splits=sine_windows.splits | {"test": test})
    replicate = gradient_descent.train(job(dataset, MLP), **QUICK).replicates[0]
    model = MLP(problem(dataset))
    keras_models.assign(model, replicate.weights["final"])
    values = series[:5, 0].tolist()
    for _ in range(4):
        values.append(float(model(np.array(values[-5:])[None, :, None])[0, 0]))
    np.testing.assert_allclose(replicate.predictions["rollout"], values[5:], rtol=1e-4, atol=1e-5)
    assert replicate.best_epoch is None
    assert list(replicate.weights) == ["final"]
    assert list(replicate.history[0]) == ["train_loss"]


def test_a_permutation_shows_every_example_once():
    for rows in islice(gradient_descent.epoch_orders(23, 5, "permutation", None, 0), 3):
        assert rows.shape == (5, 5)
        assert sorted(rows[rows >= 0]) == list(range(23))
        assert (rows.ravel()[-2:] == -1).all()


def test_batches_stay_whole_and_change_places():
    epochs = [rows.tolist() for rows in islice(gradient_descent.epoch_orders(20, 5, "batches", None, 0), 4)]
    whole = np.arange(20).reshape(4, 5).tolist()
    assert all(sorted(rows) == whole for rows in epochs)
    assert any(rows != whole for rows in epochs)


def test_draws_are_with_replacement_and_as_many_steps_as_asked():
    rows = next(gradient_descent.epoch_orders(50, 40, "draws", 30, 0))
    assert rows.shape == (30, 40)
    assert set(rows.ravel()) == set(range(50))
    assert next(gradient_descent.epoch_orders(50, 40, "draws", None, 0)).shape == (2, 40)


def test_orders_come_from_the_seed():
    first, again, other = (next(gradient_descent.epoch_orders(50, 10, "permutation", None, s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_steps_per_epoch_needs_draws(waves):
    with pytest.raises(UnrollError, match="x: steps_per_epoch needs order: draws. Received: permutation"):
        gradient_descent.train(job(waves, GRU), **QUICK, steps_per_epoch=3)


@pytest.mark.parametrize("change", [{"head": False}, {"sequences": True}, {"sequences": True, "head": False}])
def test_a_model_with_several_outputs_is_refused(waves, change):
    with pytest.raises(
        UnrollError,
        match=r"x: a model that is trained must have one output for each .* Received: outputs",
    ):
        gradient_descent.train(job(waves, partial(GRU, **change)), **QUICK)


def test_a_batch_is_no_larger_than_what_there_is(points, monkeypatch):
    """And so takes no more memory, whatever its size in params.yaml."""
    shapes = []
    monkeypatch.setattr(Program, "epoch", lambda _self, rows: shapes.append(rows.shape) or np.zeros((len(rows), 1)))
    gradient_descent.train(job(points, MLP), **QUICK | {"batch_size": 1_000_000})
    assert shapes == [(1, len(points.splits["train"]))] * 2


def test_draws_that_no_memory_holds_are_refused(waves):
    with pytest.raises(UnrollError, match="x: batch_size times steps_per_epoch must be at most 100,000,000"):
        gradient_descent.train(job(waves, GRU), **QUICK | {"batch_size": 1_000_000}, order="draws", steps_per_epoch=101)


def test_a_loss_that_is_not_finite_stops_and_names_epoch_and_step(waves):
    """A target too large for float32's square is met in the step whose batch holds it."""
    waves.splits["train"].targets[9] = 1e30
    rows = next(gradient_descent.epoch_orders(45, 16, "permutation", None, 5))
    step = 1 + int(np.argmax((rows == 9).any(axis=1)))
    with pytest.raises(DivergedError, match=rf"x: the loss is not a finite number in epoch 1, step {step} \(seed 5\)"):
        gradient_descent.train(job(waves, MLP, (5,)), **QUICK)


def test_golden_first_loss(waves):
    """The first loss of a seeded GRU. It may change when Keras' initialisers or the fixture do, and not otherwise."""
    model = keras_models.seeded(lambda: GRU(problem(waves)), 0)
    inputs, targets = waves.splits["train"].take(np.arange(45))
    assert score("mse", model(inputs).numpy()[:, 0], targets) == pytest.approx(0.15809356, rel=1e-6)
