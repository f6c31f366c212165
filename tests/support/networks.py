"""Networks with random weights for the page to run: three cells, one and two layers, values and words."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data.problem import problem
from pipeline.evaluation import networks, schema
from pipeline.models.recurrent import MODELS
from pipeline.training import keras_models, run_folder

PLAYED = {
    "waves": ("waves_perceptron", "simple_rnn", {"units": 6}),
    "imdb": ("imdb_rnn", "lstm", {"units": 4, "embedding": 3}),
    "jena_hourly": ("jena_hourly_gru", "gru", {"units": 5, "layers": 2}),
}
"""Data set -> an experiment of `fake_runs`, and what its network is here."""


def played_network(workspace, name, folder):
    """What `evaluate` would write of a trained network; and its first example's input gradients by timestep.

    Args:
        workspace: the fixture `evaluated`.
        name: of a data set in `PLAYED`.
        folder: for the weights.
    """
    data = datasets.load(workspace.prepared(name))
    if data.vocabulary:
        data = dataclasses.replace(data, words=np.array(["", *(f"<w{k}>" for k in range(1, 98)), "…"]))
    every = params.load(workspace.params)
    experiments = every.experiments_of(name)
    runs = {
        key: run_folder.load_for(workspace.run(name, key), name, section.seeds) for key, section in experiments.items()
    }
    key, cell, options = PLAYED[name]
    experiments[key] = experiments[key].model_copy(
        update={"model": params.Model.model_validate({"family": "recurrent", "name": cell, **options})}
    )
    models = [trained(MODELS[cell], problem(data), folder / key, seed, options) for seed in runs[key].summary.seeds]
    inputs, _ = data.splits["test"].take(np.arange(len(data.splits["test"])))
    predictions = np.stack([np.asarray(model(inputs.astype(np.float32)))[:, 0] for model in models])
    runs[key] = dataclasses.replace(runs[key], predictions={"best_test": predictions})
    if name == "waves":
        experiments.pop("waves_node")  # has a head in `fake_runs`
        trained(MODELS["simple_rnn"], problem(data), folder / "waves_node", 0, {"units": 1, "head": False})
    network = networks.network(
        data, every.dataset(name).preparation.name, runs, experiments, schema.load(workspace.evaluation(name)), folder
    )
    first = int(network.examples[0].split()[-1].replace(",", ""))
    return network, [input_gradients(model, inputs[first : first + 1]) for model in models]


def trained(build, about, folder, seed, options):
    model = keras_models.seeded(lambda: build(about, **options), seed)
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for variable in model.variables:
        variable.assign(variable + 0.3 * tf.random.stateless_normal(variable.shape, (seed, len(variable.shape))))
    keras_models.save_weights(model, keras_models.values(model), folder / "weights" / f"seed_{seed}_best")
    return model


def input_gradients(model, inputs):
    """The norm of the last output's gradient by the input (by the word's vector) at each timestep."""
    layers = list(model.layers)
    values = tf.constant(inputs, tf.float32)
    if type(layers[0]).__name__ == "Embedding":
        values = layers.pop(0)(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        output = values
        for layer in layers:
            output = layer(output)
    return tf.norm(tape.gradient(output, values)[0], axis=1).numpy().tolist()
