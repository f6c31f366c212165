"""The compiled epoch is Keras' `fit`, in an order that is known."""

import types
from dataclasses import replace
from functools import partial
from itertools import islice

import keras
import numpy as np
import pytest

from pipeline.data.examples import Arrays
from pipeline.data.problem import Problem, at_each_step, problem
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import score
from pipeline.models import dense, feedforward, recurrent
from pipeline.training import epochs as loop
from pipeline.training import keras_models
from pipeline.training import program as programs
from pipeline.training.epochs import Checkpoint
from pipeline.training.job import Job
from pipeline.training.methods import keras as keras_method
from pipeline.training.program import Program
from tests.support.training import job

GRU = partial(recurrent.build, "GRU", units=4)
WORDS = partial(recurrent.build, "SimpleRNN", units=4, embedding=3)
MLP = partial(dense.build, hidden=[8])
STACKED = partial(
    recurrent.build, "SimpleRNN", units=4, layers=2, activation="relu", sequences=True
)
QUICK = {"optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16}


@pytest.mark.parametrize(
    ("form", "build", "optimizer", "loss"),
    [
        ("station", GRU, "rmsprop", "mae"),
        ("reviews", WORDS, "rmsprop", "binary_crossentropy"),
        ("points", MLP, "sgd", "mse"),
        ("points", STACKED, "adam", "pairwise_mse"),
        *(
            (form, GRU, "adam", "mse")
            for form in ("sequence_to_sequence", "vector_to_sequence")
        ),
    ],
)
def test_an_epoch_equals_keras_fit(form, build, optimizer, loss, request, monkeypatch):
    """In the order of the data, in two batches, the last one partial: same losses,
    weights and predictions as Keras.

    For stacked models the target has the output's shape, or as published one axis less:
    then Keras broadcasts the difference to all pairs of the batch, which is what
    `pairwise_mse` writes out. For words Keras is given the same network with one-hot
    vectors: of an `Embedding` its optimizers get parts of a repeated word's gradient.
    """
    # the last one partial; texts are put together by length
    monkeypatch.setattr(programs, "EVALUATION_BATCH", 35)
    compiled = form == "reviews"  # of which the epoch has most parts
    if not compiled:
        request.getfixturevalue("eager")
    dataset = (
        request.getfixturevalue("shape")(form)
        if "_to_" in form
        else request.getfixturevalue(form)
    )
    train = dataset.splits["train"]
    epochs = 1 + compiled
    batch = len(train) * 2 // 3
    accuracy = ["accuracy"] if dataset.kind == "classify" else []
    model = keras_models.seeded(lambda: build(problem(dataset)), 3)
    start = keras_models.values(model)
    program = Program(model, train, optimizer, 0.01, [loss, *accuracy])
    rows = np.pad(
        np.arange(len(train), dtype=np.int32),
        (0, -len(train) % batch),
        constant_values=-1,
    )
    measured = [program.epoch(rows.reshape(2, batch)) for _ in range(epochs)]
    ours = keras_models.values(model)
    if loss != "pairwise_mse":
        for examples in (
            dataset.splits.values() if compiled else [dataset.splits["test"]]
        ):
            inputs, targets = examples.take(np.arange(len(examples)))
            expected = np.reshape(model(inputs), targets.shape)
            np.testing.assert_allclose(
                program.predict(examples), expected, rtol=1e-4, atol=1e-6
            )
            if not compiled:  # texts are not predicted one by one, as a rollout does
                np.testing.assert_allclose(
                    program.predict_one(inputs[:1]), expected[:1], rtol=1e-4, atol=1e-6
                )

    inputs, targets = train.take(np.arange(len(train)))
    if form == "reviews":
        inputs = keras.utils.to_categorical(inputs, model.layers[0].input_dim)
        vectors = keras.layers.Dense(3, use_bias=False)
        model = keras.Sequential(
            [keras.Input(inputs.shape[1:]), vectors, *model.layers[1:]]
        )
    keras_models.assign(model, start)
    targets = targets.reshape(
        (-1,) if loss == "pairwise_mse" else (-1, *model.output_shape[1:])
    )
    theirs = keras.optimizers.get(
        {"class_name": optimizer, "config": {"learning_rate": 0.01}}
    )
    model.compile(
        theirs, loss.removeprefix("pairwise_"), metrics=accuracy, run_eagerly=True
    )
    history = model.fit(
        inputs, targets, batch_size=batch, epochs=epochs, shuffle=False, verbose=0
    ).history
    for mine, theirs in zip(ours, keras_models.values(model), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=2e-6)
    for column, measure in enumerate(["loss", *accuracy]):
        means = [
            np.average(epoch[:, column], weights=[batch, len(train) - batch])
            for epoch in measured
        ]
        np.testing.assert_allclose(means, history[measure], rtol=1e-4)


def test_the_old_rmsprop_has_its_epsilon_outside_of_the_root_and_weights_decay():
    gradients = np.array([1e-6, 0.5], np.float32)
    variable = keras.Variable(np.zeros(2, np.float32))
    optimizer = keras_models.optimizer("rmsprop_keras2", 0.01, weight_decay=0.1)
    square = expected = 0.0
    for _ in range(3):
        optimizer.apply([gradients], [variable])
        square = 0.9 * square + 0.1 * gradients**2
        expected -= 0.01 * (0.1 * expected + gradients / (np.sqrt(square) + 1e-7))
    np.testing.assert_allclose(variable, expected, rtol=1e-5)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("schedule", "rates", "weight_decay", "activation"),
    [
        ({"halve_after": 2}, (0.01, 0.01, 0.005, 0.0025), 0.0, "relu"),
        (
            {"schedule": "cosine"},
            0.005 + 0.005 * np.cos(np.arange(4) * np.pi / 4),
            0.3,
            "sine",
        ),
    ],
)
def test_rates_and_weight_decay_are_those_of_keras(
    schedule, rates, weight_decay, activation, points
):
    inputs, targets = points.splits["train"].take(
        np.arange(len(points.splits["train"]))
    )
    options = {
        "optimizer": "adam",
        "loss": "mse",
        "batch_size": len(inputs),
        "learning_rate": 0.01,
    }
    build = partial(dense.build, hidden=[8], activation=activation)
    trained = keras_method.train(
        job(points, build), epochs=4, weight_decay=weight_decay, **schedule, **options
    )
    model = keras_models.seeded(lambda: build(problem(points)), 0)
    model.compile(
        keras.optimizers.AdamW(weight_decay=weight_decay), "mse", run_eagerly=True
    )
    for rate in rates:
        model.optimizer.learning_rate = rate
        model.fit(inputs, targets, batch_size=len(inputs), verbose=0)
    for ours, theirs in zip(
        trained.replicates[0].weights["final"], keras_models.values(model), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def at_every_step(dataset, build, *seeds, **options):
    """The experiment `x`, of a model that answers at each timestep."""
    about = at_each_step(problem(dataset))
    return Job("x", dataset, partial(build, about, **options), seeds or (0,))


@pytest.mark.usefixtures("eager")
def test_at_every_step_the_loss_is_that_of_the_last_timestep_and_a_fading_one_of_the_others(
    waves,
):
    """A linear map at each timestep, whose gradient is known, in whole batches."""
    inputs, targets = waves.splits["train"].take(np.arange(45))
    training = at_every_step(waves, dense.build, hidden=[])
    (replicate,) = keras_method.train(
        training,
        optimizer="sgd",
        loss="mse",
        epochs=8,
        batch_size=45,
        learning_rate=0.1,
        every_step=True,
    ).replicates

    def seen(values):
        """Up to each timestep, with zeros before the first: (n, 10, 10)."""
        padded = np.pad(values[:, :, 0], [(0, 0), (9, 0)])
        return np.stack([padded[:, step : step + 10] for step in range(10)], axis=1)

    following = np.append(inputs[:, 1:, 0], targets[:, None], axis=1)
    start = keras_models.seeded(training.build, 0)
    kernel, bias = (weights.astype(float) for weights in start.get_weights())
    losses = []
    for weight in (1, 1, 1, 1, 1, 0.75, 0.5, 0.25):
        errors = seen(inputs) @ kernel[:, 0] + bias - following
        losses.append((errors[:, -1] ** 2).mean())
        slopes = 2 * errors / 45
        slopes[:, :-1] *= weight / 9
        kernel -= 0.1 * np.einsum("nst,ns->t", seen(inputs), slopes)[:, None]
        bias -= 0.1 * slopes.sum()
    ours = replicate.weights["final"]
    np.testing.assert_allclose(ours[0], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours[1], bias, rtol=1e-4, atol=1e-6)
    history = [line["train_loss"] for line in replicate.history]
    np.testing.assert_allclose(history, losses, rtol=1e-4)
    test = waves.splits["test"]
    expected = test.inputs[:, :, 0] @ kernel[:, 0] + bias
    np.testing.assert_allclose(
        replicate.predictions["final_test"], expected, rtol=1e-4, atol=1e-6
    )
    error = score("mse", replicate.predictions["final_test"], test.targets)
    assert error == replicate.history[-1]["test_mse"]


def test_extra_targets_count_in_a_fading_loss_and_in_nothing_else(station):
    """A linear map of vectors, whose gradient is known, in whole batches."""
    random = np.random.default_rng(0)
    train = Arrays(random.normal(size=(45, 4)), random.normal(size=(45, 3)))
    test = Arrays(random.normal(size=(21, 4)), random.normal(size=21))
    splits = {"train": train, "validation": test, "test": test}
    data = replace(station, splits=splits, metric="mse")
    build = partial(dense.build, Problem((4,), outputs=3), hidden=[])
    job = Job("x", data, build, (0,))
    (replicate,) = keras_method.train(
        job,
        optimizer="sgd",
        loss="mse",
        epochs=8,
        batch_size=45,
        learning_rate=0.1,
        extra_targets=True,
    ).replicates
    start = keras_models.seeded(build, 0)
    kernel, bias = (weights.astype(float) for weights in start.get_weights())
    losses = []
    for weight in (1, 1, 1, 1, 1, 0.75, 0.5, 0.25):
        errors = train.inputs @ kernel + bias - train.targets
        losses.append((errors[:, -1] ** 2).mean())
        slopes = 2 * errors / 45
        slopes[:, :-1] *= weight / 2
        kernel -= 0.1 * train.inputs.T @ slopes
        bias -= 0.1 * slopes.sum(axis=0)
    ours = replicate.weights["final"]
    np.testing.assert_allclose(ours[0], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours[1], bias, rtol=1e-4, atol=1e-6)
    history = [line["train_loss"] for line in replicate.history]
    np.testing.assert_allclose(history, losses, rtol=1e-4)
    predicted = replicate.predictions["final_test"]
    expected = (test.inputs @ kernel + bias)[:, -1]
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-6)
    error = score("mse", predicted, test.targets)
    assert error == replicate.history[-1]["validation_mse"]


@pytest.mark.usefixtures("eager")
def test_after_the_fade_an_epoch_at_every_step_is_one_of_the_last_step(waves):
    train = waves.splits["train"]
    rows = next(keras_method.epoch_orders(45, 48, "permutation", None, 5))
    about = problem(waves)
    results = []
    for form in (about, at_each_step(about)):
        model = keras_models.seeded(partial(GRU, form), 3)
        program = Program(
            model, train, "adam", 0.01, ["mse", "mae"], every_step=form.each_step
        )
        measured = program.epoch(rows)
        predicted = program.predict(waves.splits["test"])
        assert predicted.shape == (21,)
        results.append([measured, predicted, *keras_models.values(model)])
    for usual, faded in zip(*results, strict=True):
        np.testing.assert_allclose(faded, usual, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("eager")
def test_a_network_trained_at_every_step_is_rolled_out(sine_windows):
    training = at_every_step(sine_windows, dense.build, hidden=[])
    options = QUICK | {"epochs": 1, "every_step": True}
    (replicate,) = keras_method.train(training, **options).replicates
    test = sine_windows.splits["test"]
    assert replicate.predictions["rollout"].shape == (len(test),)
    kernel, bias = replicate.weights["final"]
    first = test.series[:5, 0] @ kernel[:, 0] + bias[0]
    second = np.append(test.series[1:5, 0], first) @ kernel[:, 0] + bias[0]
    np.testing.assert_allclose(
        replicate.predictions["rollout"][:2], [first, second], rtol=1e-4
    )


@pytest.mark.usefixtures("eager")
def test_a_training_at_every_step_goes_on_within_the_fade(waves, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 0.0)
    monkeypatch.setattr(loop, "PAUSE", 0.0)
    training = at_every_step(waves, dense.build, 3, hidden=[4], dropout=0.1)
    options = QUICK | {"epochs": 8, "batch_size": 45, "every_step": True}
    (unbroken,) = keras_method.train(training, **options).replicates

    class StoppedError(Exception):
        pass

    def stop(_seed, epoch, _values):
        if epoch == 4:
            raise StoppedError

    resumptions = []
    first = types.SimpleNamespace(epoch=stop)
    second = types.SimpleNamespace(
        epoch=lambda *_: None,
        resumed=lambda histories: resumptions.append(len(histories[3])),
    )
    first_try, second_try = (
        replace(
            training,
            callbacks=(callback,),
            checkpoint=Checkpoint(tmp_path / "x.npz", "x"),
        )
        for callback in (first, second)
    )
    with pytest.raises(StoppedError):
        keras_method.train(first_try, **options)
    (resumed,) = keras_method.train(second_try, **options).replicates
    assert resumptions == [3]
    assert resumed.history == unbroken.history
    for point, weights in unbroken.weights.items():
        for mine, other in zip(resumed.weights[point], weights, strict=True):
            assert mine.tobytes() == other.tobytes()
    for name, predictions in unbroken.predictions.items():
        assert resumed.predictions[name].tobytes() == predictions.tobytes()


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (MLP, {"loss": "pairwise_mse"}, "every_step and extra_targets need a loss"),
        (
            lambda problem: feedforward.tcn(replace(problem, input_shape=(5, 1))),
            {},
            r".* one output for each of .* the shape \(None, 5, 1\)",
        ),
    ],
)
def test_what_cannot_be_trained_at_every_step_is_refused(
    waves, build, options, message
):
    with pytest.raises(UnrollError, match=f"x: {message}"):
        keras_method.train(
            at_every_step(waves, build), **QUICK | options, every_step=True
        )


def test_an_order_shows_every_example_once_or_draws_as_many_as_asked():
    orders = keras_method.epoch_orders
    for rows in islice(orders(23, 5, "permutation", None, 0), 3):
        assert rows.shape == (5, 5)
        assert sorted(rows[rows >= 0]) == list(range(23))
        assert (rows.ravel()[-2:] == -1).all()
    batches = next(orders(20, 5, "batches", None, 0)).tolist()
    whole = np.arange(20).reshape(4, 5).tolist()
    assert sorted(batches) == whole != batches, "batches stay whole and change places"
    rows = next(orders(50, 40, "draws", 30, 0))
    assert rows.shape == (30, 40)
    assert set(rows.ravel()) == set(range(50))
    assert next(orders(50, 40, "draws", None, 0)).shape == (2, 40)
    first, again, other = (
        next(orders(50, 10, "permutation", None, seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert not (first == other).all()


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            {},
            {"steps_per_epoch": 3},
            "steps_per_epoch needs order: draws. Received: permutation",
        ),
        (
            {},
            {"schedule": "cosine", "halve_after": 1},
            "halve_after needs schedule: constant. Received: cosine",
        ),
        (
            {"sequences": True},
            {},
            "a model that is trained must have one output for each .* Received: outputs",
        ),
        (
            {"head": False},
            {},
            "a model that is trained must have one output for each .* Received: outputs",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(waves, model, options, message):
    with pytest.raises(UnrollError, match=f"x: {message}"):
        keras_method.train(job(waves, GRU, **model), **QUICK | options)


@pytest.mark.usefixtures("eager")
def test_gradients_say_how_much_the_output_depends_on_each_timestep(station):
    """As finite differences of the chosen weights' predictions do."""
    build = partial(recurrent.build, "SimpleRNN", units=3)
    options = QUICK | {"epochs": 1}
    trained = keras_method.train(job(station, build), **options, gradients=True)
    (replicate,) = trained.replicates
    model = keras_models.seeded(lambda: build(problem(station)), 0)
    keras_models.assign(model, replicate.weights["best"])
    inputs, _ = station.splits["test"].take(np.arange(55))
    inputs = inputs.astype(np.float32)
    found = []
    for step in range(6):
        by_value = []
        for column in range(3):
            moved = np.zeros_like(inputs)
            moved[:, step, column] = 0.01
            ends = [np.asarray(model(inputs + sign * moved)) for sign in (1, -1)]
            by_value.append((ends[0] - ends[1])[:, 0] / 0.02)
        found.append(np.linalg.norm(by_value, axis=0).mean())
    gradients = replicate.predictions["gradients"]
    np.testing.assert_allclose(gradients, found, rtol=0.02, atol=1e-5)
    assert [float(f"{value:.3g}") for value in gradients] == [*gradients]
    plain = keras_method.train(job(station, build), **options).replicates[0]
    assert "gradients" not in plain.predictions


@pytest.mark.parametrize("form", ["reviews", "sequence_to_vector"])
def test_gradients_are_of_one_value_and_timesteps_of_values(form, request):
    several = form == "sequence_to_vector"
    data = request.getfixturevalue("shape" if several else form)
    with pytest.raises(UnrollError, match="x: gradients needs one target, and inputs"):
        keras_method.train(
            job(data(form) if several else data, WORDS), **QUICK, gradients=True
        )


@pytest.mark.usefixtures("eager")
def test_a_loss_that_is_not_finite_stops_and_names_epoch_and_step(waves):
    """A target too large for float32's square is met in the step whose batch holds it."""
    waves.splits["train"].targets[9] = 1e30
    rows = next(keras_method.epoch_orders(45, 16, "permutation", None, 5))
    step = 1 + int(np.argmax((rows == 9).any(axis=1)))
    with pytest.raises(
        DivergedError,
        match=(
            rf"x: the loss is not a finite number in epoch 1, step {step} \(seed 5\); "
            r"lower experiments\.waves\.x\.training\.learning_rate in params\.yaml"
        ),
    ):
        keras_method.train(job(waves, MLP, 5), **QUICK)


def test_golden_first_loss(waves):
    """The first loss of a seeded GRU. It may change when Keras' initialisers or the
    fixture do, and not otherwise."""
    model = keras_models.seeded(lambda: GRU(problem(waves)), 0)
    inputs, targets = waves.splits["train"].take(np.arange(45))
    assert score("mse", model(inputs).numpy()[:, 0], targets) == pytest.approx(
        0.15809356, rel=1e-6
    )
