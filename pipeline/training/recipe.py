"""An experiment of params.yaml, with its names looked up and its options validated."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.config.params import Experiment
from pipeline.config.registry import METHODS, MODELS, module, options
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.errors import UsageError
from pipeline.training import keras_models
from pipeline.training.job import Callback, Checkpoint, Job, Trained
from pipeline.validation import one_of


@dataclass(frozen=True)
class Recipe:
    """How an experiment is built and trained.

    Attributes:
        name: of the experiment.
        build: the model's builder: call it with a `Problem`.
        method: the training method: call it with a `Job`.
        seeds: of its replicates.
        network: whether the model is a Keras model, so that TensorFlow is needed.
        masks: whether the method takes windows of whose targets some are missing (its module's `MASKS`).
    """

    name: str
    build: partial[Any]
    method: partial[Any]
    seeds: tuple[int, ...]
    network: bool
    masks: bool = False

    def job(self, data: Dataset, *callbacks: Callback, checkpoint: Checkpoint | None = None) -> Job:
        """What `train` takes: the experiment on a data set. For a network it starts TensorFlow."""
        if self.network:
            keras_models.start()
        return Job(self.name, data, partial(self.build, problem(data)), self.seeds, callbacks, checkpoint)

    def train(self, job: Job) -> Trained:
        """Train a job by the method.

        Raises:
            UsageError: the model's options do not fit the data set.
            UnrollError: as the method.
        """
        try:
            trained: Trained = self.method(job)
        except ValueError as error:
            raise UsageError(f"params.yaml: experiments.{self.name}: {error}") from None
        return trained


def recipe(name: str, experiment: Experiment) -> Recipe:
    """Look an experiment's names up and validate its options.

    Raises:
        UsageError: a name or an option is wrong; the text lists the valid ones.
    """
    place, model, training = f"experiments.{name}", experiment.model, experiment.training
    family = module(MODELS, model.family, f"{place}.model.family")
    build = family.MODELS[one_of(model.name, family.MODELS, f"params.yaml: {place}.model.name")]
    method = module(METHODS, training.method, f"{place}.training.method")
    kind = getattr(family, "KINDS", {}).get(model.name, "network")
    if kind not in method.TRAINS:
        raise UsageError(
            f"params.yaml: {place}.training.method: {training.method} is for models of the kind "
            f"{' or '.join(method.TRAINS)}. Received: {model.name}, of the kind {kind}"
        )
    return Recipe(
        name,
        partial(build, **options(build, model.options, f"{place}.model")),
        partial(method.train, **options(method.train, training.options, f"{place}.training")),
        tuple(experiment.seeds),
        network=kind == "network",
        masks=getattr(method, "MASKS", False),
    )
