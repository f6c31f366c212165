"""An experiment of params.yaml, with its names looked up and its options validated."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from pipeline.config.registry import METHODS, MODELS, module, options
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Arrays, Examples
from pipeline.data.problem import Problem, problem
from pipeline.errors import UsageError
from pipeline.training import keras_models
from pipeline.training.job import Callback, Checkpoint, Job, Trained
from pipeline.training.standardised import Moments, in_unit, moments, standardised
from pipeline.validation import one_of

AT_ONCE = 4096
"""Windows that are turned into features at once: bounds memory."""


@dataclass(frozen=True)
class Recipe:
    """How an experiment is built and trained.

    Attributes:
        name: of the experiment, within its data set.
        where: its place in params.yaml.
        build: the model's builder: call it with a `Problem`. What is trained and loaded
            is `model`.
        method: the training method: call it with a `Job`.
        seeds: of its replicates.
        network: whether the model is a Keras model, so that TensorFlow is needed.
        masks: whether the method takes windows some of whose targets are missing (its
            module's `MASKS`).
        standardise: whether the network is put between two fixed layers
            (`standardised`).
        in_unit: whether one is put behind it (`standardised.in_unit`).
        features: the builder of the model `lags`, whose features the network sees in
            place of windows; else None.
    """

    name: str
    where: str
    build: partial[Any]
    method: partial[Any]
    seeds: tuple[int, ...]
    network: bool
    masks: bool = False
    standardise: bool = False
    in_unit: bool = False
    features: Callable[[Problem], Any] | None = None

    def seen(self, about: Problem) -> tuple[Callable[[Array], Array], Problem]:
        """Inputs -> what the network sees of them, and the problem that it then has.

        With `features` windows (n, timesteps, columns) become (n, values) float32.

        Raises:
            UsageError: the data set has no windows with answers at their end, or they
                are too short.
        """
        if self.features is None:
            return lambda inputs: inputs, about
        where = f"params.yaml: {self.where}.features"
        if (
            about.vocabulary
            or about.each_step
            or about.every
            or len(about.input_shape) == 1
        ):
            raise UsageError(
                f"{where}: they are of windows whose one column is forecast; leave them out"
            )
        try:
            make = self.features(about).features
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        width = make(np.zeros((1, *about.input_shape))).shape[1]
        return lambda inputs: make(inputs).astype(np.float32), Problem(
            (width,), outputs=about.outputs
        )

    def model(self, about: Problem, known: Moments | None = None) -> Any:
        """A new model for a problem; its fixed layers have these moments, or those that
        are loaded as weights.
        """
        model = self.build(about)
        if self.in_unit:
            return in_unit(model, about, known.targets if known else None)
        return standardised(model, about, known) if self.standardise else model

    def job(
        self, data: Dataset, *callbacks: Callback, checkpoint: Checkpoint | None = None
    ) -> Job:
        """What `train` takes: the experiment on a data set. For a network it starts
        TensorFlow.

        Raises:
            UsageError: words are to be standardised, the data have no unit, or no such
                features.
        """
        about = problem(data)
        if self.features:
            make, about = self.seen(about)
            splits: dict[str, Examples] = {
                split: Arrays(_in_parts(make, examples), examples.targets)
                for split, examples in data.splits.items()
            }
            data = replace(data, splits=splits, calendar=0)
        if self.standardise and about.vocabulary:
            raise UsageError(
                f"params.yaml: {self.where}.standardise: words have no mean; leave it out"
            )
        if self.in_unit and not data.scale.unit:
            raise UsageError(
                f"params.yaml: {self.where}.in_unit: the data have no unit; leave it out"
            )
        if self.network:
            keras_models.start()
        known = moments(data.splits["train"]) if self.standardise else None
        if self.in_unit:
            known = Moments(
                np.empty((2, 0)), np.array([data.scale.mean, data.scale.std**2])
            )
        return Job(
            self.name,
            data,
            partial(self.model, about, known),
            self.seeds,
            callbacks,
            checkpoint,
        )

    def train(self, job: Job) -> Trained:
        """Train a job by the method.

        Raises:
            UsageError: the model's options do not fit the data set.
            UnrollError: as the method.
        """
        try:
            trained: Trained = self.method(job)
        except ValueError as error:
            raise UsageError(f"params.yaml: {self.where}: {error}") from None
        return trained


def recipe(name: str, experiment: Experiment) -> Recipe:
    """Look an experiment's names up and validate its options.

    Raises:
        UsageError: a name or an option is wrong; the text lists the valid ones.
    """
    where = f"experiments.{experiment.dataset}.{name}"
    model = experiment.model
    training = experiment.training
    family = module(MODELS, model.family, f"{where}.model.family")
    build = family.MODELS[
        one_of(model.name, family.MODELS, f"params.yaml: {where}.model.name")
    ]
    method = module(METHODS, training.method, f"{where}.training.method")
    kind = getattr(family, "KINDS", {}).get(model.name, "network")
    if kind not in method.TRAINS:
        raise UsageError(
            f"params.yaml: {where}.training.method: {training.method} is for models of the kind "
            f"{' or '.join(method.TRAINS)}. Received: {model.name}, of the kind {kind}"
        )
    for option in ("features", "standardise", "in_unit"):
        if getattr(experiment, option) and kind != "network":
            raise UsageError(
                f"params.yaml: {where}.{option} is for networks. Received: {model.name}; leave it out"
            )
    if experiment.standardise and experiment.in_unit:
        raise UsageError(
            f"params.yaml: {where}: standardise and in_unit exclude each other; leave one out"
        )
    return Recipe(
        name,
        where,
        partial(build, **options(build, model.options, f"{where}.model")),
        partial(
            method.train, **options(method.train, training.options, f"{where}.training")
        ),
        tuple(experiment.seeds),
        network=kind == "network",
        masks=getattr(method, "MASKS", False),
        standardise=experiment.standardise,
        in_unit=experiment.in_unit,
        features=_features(experiment, where),
    )


def _features(experiment: Experiment, where: str) -> partial[Any] | None:
    if experiment.features is None:
        return None
    lags = module(MODELS, "baselines", where).MODELS["lags"]
    return partial(lags, **options(lags, experiment.features, f"{where}.features"))


def _in_parts(make: Callable[[Array], Array], examples: Examples) -> Array:
    numbers = np.arange(len(examples))
    return np.concatenate(
        [
            make(examples.take(part)[0])
            for part in np.split(numbers, numbers[AT_ONCE::AT_ONCE])
        ]
    )
