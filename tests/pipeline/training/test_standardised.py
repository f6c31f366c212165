"""A network that standardises is the plain one on standardised examples, in the data
set's own units."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Arrays
from pipeline.data.problem import problem
from pipeline.errors import UsageError
from pipeline.training import keras_models
from pipeline.training.inputs import moments
from pipeline.training.program import Program
from pipeline.training.recipe import recipe
from pipeline.training.recurrence.network import LoopedModel

GRU = {"family": "recurrent", "name": "gru", "units": 4}
TCN = {"family": "feedforward", "name": "tcn", "layers": 1, "filters": 4}
MLP = {"family": "dense", "name": "mlp", "hidden": [6]}
CELSIUS = Scale(mean=9.0, std=8.0, unit="°C")
TRAINING = {
    "method": "keras",
    "optimizer": "adam",
    "loss": "mse",
    "epochs": 2,
    "batch_size": 32,
}


def chosen(model, **changes):
    section = {
        "dataset": "x",
        "standardise": True,
        "model": model,
        "training": TRAINING,
        "seeds": 1,
    } | changes
    return recipe("x", Experiment.model_validate(section))


def moved(dataset):
    """The same in other units, with a column that is constant."""
    splits = {}
    for split, examples in dataset.splits.items():
        inputs = 40 * examples.inputs + 7
        inputs[..., -1] = 0.1 if inputs.shape[-1] > 1 else inputs[..., -1]
        splits[split] = Arrays(inputs, 3 * examples.targets - 1)
    return replace(dataset, splits=splits)


@pytest.mark.parametrize(
    ("form", "model", "looped"),
    [
        ("vector_to_sequence", GRU, True),
        ("sequence_to_sequence", TCN, False),
        ("sequence_to_vector", MLP, False),
    ],
)
@pytest.mark.usefixtures("eager")
def test_it_is_the_plain_network_on_standardised_examples(form, model, looped, shape):
    """Its predictions, and after an epoch those of Keras on targets that are
    standardised, too."""
    dataset = moved(shape(form))
    train = dataset.splits["train"]
    inputs, targets = train.take(np.arange(len(train)))
    columns = inputs.reshape(-1, inputs.shape[-1])
    deviations = np.where(np.ptp(columns, axis=0) > 0, columns.std(axis=0), 1)
    standard = ((inputs - columns.mean(axis=0)) / deviations).astype(np.float32)
    ours = keras_models.seeded(chosen(model).job(dataset).build, 0)
    plain = keras_models.seeded(
        lambda: chosen(model, standardise=False).model(problem(dataset)), 0
    )
    assert (
        keras_models.parameters(ours)
        == keras_models.parameters(plain)
        == plain.count_params()
    )
    kinds = [
        "Normalization",
        *[row["type"] for row in keras_models.layers(plain)],
        "Normalization",
    ]
    assert [row["type"] for row in keras_models.layers(ours)] == kinds
    assert bool(LoopedModel(ours).loops) == looped
    # as if the loss were of standardised targets
    program = Program(ours, train, "sgd", 0.1 / targets.var(), ["mse"])

    def expected():
        return targets.mean() + targets.std() * np.reshape(
            plain(standard), targets.shape
        )

    np.testing.assert_allclose(program.predict(train), expected(), rtol=1e-4, atol=1e-5)
    rows = np.arange(len(train), dtype=np.int32).reshape(2, -1)
    program.epoch(rows)
    plain.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    answers = ((targets - targets.mean()) / targets.std()).reshape(
        -1, *plain.output_shape[1:]
    )
    plain.fit(standard, answers, batch_size=rows.shape[1], shuffle=False, verbose=0)
    for mine, theirs in zip(
        ours.trainable_variables, plain.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(program.predict(train), expected(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flags", [{}, {"standardise": False, "in_unit": True}])
@pytest.mark.usefixtures("eager")
def test_weights_on_disk_hold_the_moments_or_the_unit(flags, station, tmp_path):
    celsius = replace(station, scale=CELSIUS)
    inputs, _ = celsius.splits["test"].take(np.arange(len(celsius.splits["test"])))
    ours = keras_models.seeded(chosen(GRU, **flags).job(celsius).build, 0)
    keras_models.save_weights(ours, keras_models.values(ours), tmp_path / "seed_0")
    options = {"dataset": "x", "standardise": True, "model": GRU, "training": TRAINING}
    fields = {**vars(problem(celsius)), "input_shape": list(celsius.input_shape)}
    trained = recipe("x", Experiment.model_validate(options | flags))
    predict = trained.load(fields, tmp_path / "seed_0")
    np.testing.assert_allclose(predict(inputs), ours(inputs), rtol=1e-4)


@pytest.mark.parametrize("model", [GRU | {"head_dropout": 0.5}, TCN])
@pytest.mark.usefixtures("eager")
def test_a_network_may_answer_in_the_unit_of_the_data(model, station):
    """What it says is that of the plain network, taken for degrees."""
    celsius = replace(station, scale=CELSIUS)
    inputs, _ = celsius.splits["test"].take(np.arange(len(celsius.splits["test"])))
    in_unit = chosen(model, standardise=False, in_unit=True)
    degrees = keras_models.seeded(
        lambda: chosen(model, standardise=False).model(problem(celsius)), 0
    )(inputs)
    ours = keras_models.seeded(in_unit.job(celsius).build, 0)
    np.testing.assert_allclose(9 + 8 * ours(inputs), degrees, rtol=1e-4, atol=1e-5)
    assert bool(LoopedModel(ours).loops) == (model is not TCN)
    with pytest.raises(
        UsageError,
        match=r"experiments.\w+.x.in_unit: the data have no unit; leave it out$",
    ):
        in_unit.job(replace(celsius, scale=Scale()))
    line = (
        r"experiments.\w+.x: standardise and in_unit exclude each other; leave one out$"
    )
    with pytest.raises(UsageError, match=line):
        chosen(model, in_unit=True)


@pytest.mark.parametrize("changes", [{}, {"outputs": 2}, {"outputs": 2, "every": True}])
def test_windows_have_the_moments_of_what_they_hold(station, changes):
    train = replace(station.splits["train"], **changes)
    inputs, targets = train.take(np.arange(len(train)))
    ours = moments(train)
    np.testing.assert_allclose(
        ours.inputs, [inputs.mean(axis=(0, 1)), inputs.var(axis=(0, 1))], rtol=1e-4
    )
    np.testing.assert_allclose(ours.targets, [targets.mean(), targets.var()], rtol=1e-4)
    measured = np.arange(len(train.series)) % 3 > 0
    if not train.every:
        some = replace(train, measured=measured)
        np.testing.assert_allclose(
            moments(some).targets[0], np.nanmean(some.targets), rtol=1e-4
        )


def test_a_probability_is_not_turned_back(random):
    split = Arrays(random.random((30, 5)), random.integers(0, 2, 30).astype(float))
    classes = Dataset(
        "x", "classify", "accuracy", {"train": split, "test": split}, scored=()
    )
    network = chosen(MLP | {"output": "sigmoid"}).job(classes).build()
    assert [row["type"] for row in keras_models.layers(network)] == [
        "Normalization",
        "Dense",
        "Dense",
    ]


def test_words_and_models_without_layers_are_refused(reviews):
    line = r"^params.yaml: experiments.\w+.x.standardise: words have no mean; leave it out$"
    with pytest.raises(UsageError, match=line):
        chosen(GRU | {"embedding": 3}).job(reviews)
    line = (
        r"experiments.\w+.x.standardise is for networks. Received: linear; leave it out"
    )
    with pytest.raises(UsageError, match=line):
        chosen(
            {"family": "baselines", "name": "linear"},
            training={"method": "least_squares"},
        )
