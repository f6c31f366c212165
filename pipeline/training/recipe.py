"""Recipes, which build, train and read back the experiments of params.yaml.

A recipe has the names of the experiment looked up and its options validated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pipeline.config.named_modules import METHODS, MODELS, module, options
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, mirrored, without_calendar
from pipeline.data.examples import Array
from pipeline.data.problem import Problem, asks_next_value, at_each_step, problem
from pipeline.errors import UnrollError, UsageError
from pipeline.files import REBUILD, damaged, read_npz
from pipeline.training import keras_models
from pipeline.training.epochs import Checkpoint
from pipeline.training.inputs import (
    BESIDE,
    Moments,
    View,
    moments,
    rows,
    with_extra_targets,
    with_fixed_layers,
)
from pipeline.training.job import Callback, Job, Predict, Trained
from pipeline.validation import one_of


@dataclass(frozen=True)
class Recipe:
    """The functions that build and train an experiment, with their options.

    Attributes:
        name: the experiment's name within its data set.
        experiment: the experiment.
        build: the builder of the model, called with a `Problem`. Training and loading
            use `model`, which may add fixed layers.
        method: the training method, called with a `Job`.
        seeds: the seeds of the replicates.
        network: whether the model is a Keras model, so that TensorFlow is needed.
        read: the method's `load`, which reads a baseline's weights; None if the method
            has none.
        masks: whether the method takes windows some of whose targets are missing (its
            module's `MASKS`).
        features: the builder of the model `lags`, whose features the network sees in
            place of windows; None if it does not.
        rows: the builder of the rows that the network sees in place of windows
            (`inputs.rows`); None if it does not.
        every_step: whether the network answers at each timestep. Predictions are its
            answers at the last timestep.
        extra_targets: whether the network also learns extra targets
            (`inputs.with_extra_targets`), which are outputs before its prediction.
    """

    name: str
    experiment: Experiment
    build: partial[Any]
    method: partial[Any]
    seeds: tuple[int, ...]
    network: bool
    read: Callable[..., Predict] | None = None
    masks: bool = False
    features: partial[Any] | None = None
    rows: partial[Predict] | None = None
    every_step: bool = False
    extra_targets: bool = False

    @property
    def where(self) -> str:
        """The experiment's place in params.yaml."""
        return f"experiments.{self.experiment.dataset}.{self.name}"

    def model(self, about: Problem, known: Moments | None = None) -> Any:
        """Return a new model for a problem.

        `known` are the moments of the fixed layers; None if weights are loaded next.
        """
        if self.every_step:
            about = at_each_step(about)
        model = self.build(about)
        if not self.network:
            view = self._view(about)
            return replace(model, base=view.naive) if view else model
        standardise = self.experiment.standardise
        if standardise or self.experiment.in_unit:
            return with_fixed_layers(model, about, known, standardise=standardise)
        return model

    def job(
        self, data: Dataset, *callbacks: Callback, checkpoint: Checkpoint | None = None
    ) -> Job:
        """Return the experiment's job on a data set. For a network start TensorFlow.

        Raises:
            UsageError: the data set or another option does not fit `standardise`,
                `in_unit`, `mirrored`, `features`, `rows`, `residual`, `every_step` or
                `extra_targets`; or TensorFlow cannot be used as models need it
                (`keras_models.start`).
        """
        if self.experiment.mirrored:
            data = mirrored(data)
        about = problem(data)
        naive: dict[str, Array] = {}
        view = self._view(about) if self.network else None
        if self.every_step and (view or not asks_next_value(data)):
            raise UsageError(
                f"params.yaml: {self.where}.training.every_step: the target must be the "
                "next value of an input of one column, without features, rows and "
                "residual; leave it out"
            )
        if view:
            about = view.problem
            splits: dict[str, Any] = {}
            for name, examples in data.splits.items():
                splits[name], forecasts = view.examples(examples)
                if forecasts is not None:
                    naive[name] = forecasts
            if self.extra_targets:
                splits["train"] = with_extra_targets(
                    splits["train"], without_calendar(data).splits["train"]
                )
            data = replace(data, splits=splits, calendar=0)
        if self.experiment.standardise and about.vocabulary:
            raise UsageError(
                f"params.yaml: {self.where}.standardise: words have no mean; leave it "
                "out"
            )
        if self.experiment.in_unit and not data.scale.unit:
            raise UsageError(
                f"params.yaml: {self.where}.in_unit: the data have no unit; leave it "
                "out"
            )
        if self.network:
            keras_models.start()
        known = None
        if self.experiment.standardise:
            known = moments(data.splits["train"])
        elif self.experiment.in_unit:
            known = Moments(None, np.array([data.scale.mean, data.scale.std**2]))
        build = partial(self.model, about, known)
        return Job(
            self.name, data, build, self.seeds, callbacks, checkpoint, naive=naive
        )

    def train(self, job: Job) -> Trained:
        """Train a job.

        Raises:
            UsageError: the model's options do not fit the data set.
            UnrollError: like the training method.
        """
        try:
            trained: Trained = self.method(job)
        except ValueError as error:
            raise UsageError(f"params.yaml: {self.where}: {error}") from None
        # A network with `residual` has predicted how much targets differ from these.
        for replicate in trained.replicates:
            for name in replicate.predictions:
                split = name.partition("_")[2]
                if split in job.naive:
                    replicate.predictions[name] += job.naive[split]
        return trained

    def load(
        self, fields: Mapping[str, Any], path: Path, cure: str = REBUILD
    ) -> Predict:
        """Read a trained model back.

        Args:
            fields: the model's `Problem` as plain data.
            path: the file of its weights, without the suffix.
            cure: what helps if the weights are damaged.

        Returns:
            Inputs (n, timesteps, features) float32 -> (n,) or (n, values), in model
            units. A network always gives (n, values).

        Raises:
            UnrollError: the weights are missing or damaged, or the training method
                leaves nothing that forecasts.
        """
        about = Problem(**{**fields, "input_shape": tuple(fields["input_shape"])})
        if self.network:
            return self._load_network(about, path)
        if self.read is None:
            method = self.method.func.__module__.rpartition(".")[2]
            raise UnrollError(
                f"{self.name}: the training method {method} leaves nothing that "
                "forecasts"
            )
        file = path.with_name(f"{path.name}.npz")
        weights = read_npz(file, cure).get("weights")
        if weights is None or weights.dtype.kind not in "fiu":
            raise damaged(file, ValueError("it has no array weights of numbers"), cure)
        beside = path.with_name(f"{path.name}.learnt.npz")
        learnt = [read_npz(beside, cure)] if beside.exists() else []
        try:
            return self.read(self.model(about), weights, *learnt)
        except (ValueError, KeyError) as error:
            raise damaged(file, error, cure) from None

    def _load_network(self, about: Problem, path: Path) -> Predict:
        keras_models.start()
        import tensorflow as tf

        view = self._view(about)
        if view:
            about = view.problem
        model = self.model(about)
        file = path.with_name(path.name + keras_models.SUFFIX)
        try:
            model.load_weights(file)
        except (OSError, ValueError, KeyError) as error:
            raise UnrollError(
                f"{file} is missing or damaged ({error!s:.100}); run `unroll train "
                f"{self.experiment.dataset} {self.name}`"
            ) from None
        # This signature needs one trace for any number of examples.
        shape = tf.TensorSpec((None, *about.input_shape), tf.float32)
        call = tf.function(
            lambda inputs: model(inputs, training=False), input_signature=[shape]
        )

        def predict(inputs: Array) -> Array:
            seen = view.make(inputs) if view else inputs
            outputs = np.asarray(call(seen)).reshape(len(inputs), -1)
            if self.every_step or self.extra_targets:
                outputs = outputs[:, -1:]
            if view and view.naive:
                outputs = outputs + view.naive(inputs)[:, None]
            return outputs

        return predict

    def _view(self, about: Problem) -> View | None:
        """Return what the network sees; None if it sees the windows as they are.

        Raises:
            UsageError: the data set does not fit.
        """
        options = {
            "features": self.features,
            "rows": self.rows,
            "residual": self.experiment.residual,
            "training.extra_targets": self.extra_targets,
        }
        used = [option for option, value in options.items() if value]
        if not used:
            return None
        try:
            make = self.rows(about) if self.rows else None
            if self.features:
                make = self.features(about).features
            return View.of(
                about,
                make,
                residual=self.experiment.residual,
                beside=BESIDE if self.extra_targets else (),
            )
        except ValueError as error:
            raise UsageError(f"params.yaml: {self.where}.{used[0]}: {error}") from None


def recipe(name: str, experiment: Experiment) -> Recipe:
    """Return the recipe of an experiment: look its names up and validate its options.

    Raises:
        UsageError: a name or an option is wrong; the message lists the valid ones.
    """
    where = f"experiments.{experiment.dataset}.{name}"
    family = module(MODELS, experiment.model.family, f"{where}.model.family")
    method = module(METHODS, experiment.training.method, f"{where}.training.method")
    return assembled(name, experiment, family, method)


def assembled(
    name: str, experiment: Experiment, family: ModuleType, method: ModuleType
) -> Recipe:
    """Return the recipe of an experiment, from the modules of its model and its method.

    Raises:
        UsageError: as `recipe`.
    """
    where = f"experiments.{experiment.dataset}.{name}"
    model = experiment.model
    training = experiment.training
    one_of(model.name, family.MODELS, f"params.yaml: {where}.model.name")
    one_of(model.name, family.CARDS, f"{family.__name__}: CARDS")
    build = family.MODELS[model.name]
    kind = family.CARDS[model.name].gives
    if kind not in method.TRAINS:
        raise UsageError(
            f"params.yaml: {where}.training.method: {training.method} is for models of "
            f"the kind {' or '.join(method.TRAINS)}. Received: {model.name}, of the "
            f"kind {kind}"
        )
    for option in ("features", "rows", "residual", "standardise", "in_unit"):
        takes = kind == "network"
        users = "networks"
        if option == "residual":
            takes = takes or getattr(method, "RESIDUAL", False)
            users = "networks, boosting and kernel_ridge"
        if getattr(experiment, option) and not takes:
            raise UsageError(
                f"params.yaml: {where}.{option} is for {users}. Received: "
                f"{model.name}; leave it out"
            )
    if experiment.standardise and experiment.in_unit:
        raise UsageError(
            f"params.yaml: {where}: standardise and in_unit exclude each other; leave "
            "one out"
        )
    if experiment.features is not None and experiment.rows is not None:
        raise UsageError(
            f"params.yaml: {where}: features and rows exclude each other; leave one out"
        )
    see_features = None
    see_rows = None
    if experiment.features is not None:
        lags = module(MODELS, "baselines", where).MODELS["lags"]
        chosen = options(lags, experiment.features, f"{where}.features")
        see_features = partial(lags, **chosen)
    if experiment.rows is not None:
        see_rows = partial(rows, **options(rows, experiment.rows, f"{where}.rows"))
    of_model = options(build, model.options, f"{where}.model")
    of_method = options(method.train, training.options, f"{where}.training")
    return Recipe(
        name,
        experiment,
        partial(build, **of_model),
        partial(method.train, **of_method),
        tuple(experiment.seeds),
        network=kind == "network",
        read=getattr(method, "load", None),
        masks=getattr(method, "MASKS", False),
        features=see_features,
        rows=see_rows,
        every_step=of_method.get("every_step", False),
        extra_targets=of_method.get("extra_targets", False),
    )
