"""An experiment of params.yaml, with its names looked up and its options validated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline import registry
from pipeline.errors import UsageError
from pipeline.params import Experiment
from pipeline.run import Trained


@dataclass(frozen=True)
class Recipe:
    """An experiment whose names are looked up and whose options are validated.

    Attributes:
        build: the model's builder.
        model: its options, defaults included.
        train: the training method.
        training: its options, defaults included.
    """

    build: Callable[..., Any]
    model: dict[str, Any]
    train: Callable[..., Trained]
    training: dict[str, Any]


def recipe(name: str, experiment: Experiment) -> Recipe:
    """Look an experiment's names up and validate its options.

    Raises:
        UsageError: a name or an option is wrong; the text lists the valid ones.
    """
    place = f"experiments.{name}"
    family = registry.module("models", experiment.model.family, f"params.yaml: {place}.model.family")
    registry.one_of(experiment.model.name, family.MODELS, f"params.yaml: {place}.model.name")
    build = family.MODELS[experiment.model.name]
    method = registry.module("training", experiment.training.method, f"params.yaml: {place}.training.method")
    kind = getattr(family, "KINDS", {}).get(experiment.model.name, "network")
    if kind not in method.TRAINS:
        raise UsageError(
            f"params.yaml: {place}.training.method: {experiment.training.method} is for models of the kind "
            f"{' or '.join(method.TRAINS)}. Received: {experiment.model.name}, of the kind {kind}"
        )
    return Recipe(
        build,
        registry.options(build, experiment.model.options, f"{place}.model"),
        method.train,
        registry.options(method.train, experiment.training.options, f"{place}.training"),
    )
