"""The models and training methods that `unroll.answer` tries, by name."""

from pipeline.config.model_card import ModelCard
from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.models import baselines
from pipeline.training.methods import boosting, least_squares, none
from pipeline.training.recipe import Recipe, assembled
from unroll.series.models import (
    numpy_adam,
    panel,
    poisson,
    residual,
    seasonal,
    statistical,
)

FAMILIES = {
    "baselines": baselines,
    "seasonal": seasonal,
    "statistical": statistical,
    "residual": residual,
    "panel": panel,
}
"""`model.family` of an experiment -> its module."""

METHODS = {
    "none": none,
    "least_squares": least_squares,
    "boosting": boosting,
    "numpy_adam": numpy_adam,
    "poisson": poisson,
}
"""`training.method` of an experiment -> its module."""


def require_own_model(experiment: Experiment) -> None:
    """Raise UnrollError unless a model is of a kind that `unroll.answer` tries.

    A file from somebody else must not name other code, such as the user's own.
    """
    model = experiment.model
    method = experiment.training.method
    if model.family not in FAMILIES or method not in METHODS:
        raise UnrollError(
            f"the answer has the model {model.family}.{model.name}, trained by "
            f"{method}, which `unroll.answer` never makes, so it is not loaded"
        )


def recipe(name: str, experiment: Experiment) -> Recipe:
    """Return the recipe of a model.

    Raises:
        UsageError: an option is wrong.
    """
    family = FAMILIES[experiment.model.family]
    return assembled(name, experiment, family, METHODS[experiment.training.method])


def card(experiment: Experiment) -> ModelCard:
    """Return what is said of a model: its kind and its title."""
    cards: dict[str, ModelCard] = FAMILIES[experiment.model.family].CARDS
    return cards[experiment.model.name]
