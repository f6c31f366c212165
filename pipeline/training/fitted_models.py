"""The weights of a run -> a function that predicts. What each training method leaves is
read back here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from pipeline.config.registry import METHODS, module
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.errors import UnrollError
from pipeline.files import damaged, read_npz
from pipeline.training import keras_models
from pipeline.training.recipe import Recipe, recipe

Predict = Callable[[Array], Array]
"""Inputs (n, timesteps, features) float32 -> (n,) or (n, values), in model units."""


def load(
    name: str, experiment: Experiment, fields: Mapping[str, Any], path: Path
) -> Predict:
    """A trained model, of an experiment and its `Problem` as plain data; `path` is of
    its weights, without the suffix.

    Raises:
        UnrollError: the weights are missing or damaged, or those of a method that
            forecasts nothing.
    """
    chosen = recipe(name, experiment)
    problem = Problem(**{**fields, "input_shape": tuple(fields["input_shape"])})
    if chosen.network:
        return _network(chosen, problem, path)
    file = path.with_name(f"{path.name}.npz")
    weights = read_npz(file).get("weights")
    if weights is None:
        raise damaged(file, ValueError("it has no array weights"))
    baseline: Any = chosen.build(problem)
    method = experiment.training.method
    if method == "none":
        return lambda inputs: np.asarray(baseline.features(inputs))
    if method == "least_squares":
        from pipeline.training.methods.least_squares import design

        return lambda inputs: design(baseline, inputs) @ weights
    if method == "least_absolute":
        slopes, constant = (
            (weights[:-1], weights[-1]) if baseline.intercept else (weights, 0.0)
        )
        return lambda inputs: (
            np.asarray(baseline.features(inputs), np.float64) @ slopes + constant
        )
    if method == "boosting":
        from pipeline.training.methods import boosting

        return boosting.load(baseline, weights, chosen.method.keywords["strategy"])
    trained_by = module(METHODS, method, f"experiments.{name}.training.method")
    if hasattr(trained_by, "load"):
        try:
            forecasts: Predict = trained_by.load(baseline, weights)
        except ValueError as error:
            raise damaged(file, error) from None
        return forecasts
    raise UnrollError(
        f"{name}: the training method {method} leaves nothing that forecasts"
    )


def _network(chosen: Recipe, problem: Problem, path: Path) -> Predict:
    keras_models.start()
    import tensorflow as tf

    seen, problem = chosen.seen(problem)
    model = chosen.model(problem)
    file = path.with_name(path.name + keras_models.SUFFIX)
    try:
        model.load_weights(file)
    except (OSError, ValueError, KeyError) as error:
        raise UnrollError(
            f"{file} is missing or damaged ({error!s:.100}); run `unroll train {chosen.name}`"
        ) from None
    # One trace for any number of examples.
    shape = tf.TensorSpec((None, *problem.input_shape), tf.float32)
    call = tf.function(
        lambda inputs: model(inputs, training=False), input_signature=[shape]
    )
    return lambda inputs: np.asarray(call(seen(inputs))).reshape(len(inputs), -1)
