"""What is said of a model, beside the code that computes it.

Each module of `pipeline.models` has a dictionary `CARDS`: name of a model -> its card.
Cards change no result, nor do the functions `..._title` and `..._card` that they use. So
a fingerprint leaves them out (`provenance.fingerprint`), and an edited title trains nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipeline.config import named_modules
from pipeline.config.params import Experiment, Model
from pipeline.validation import one_of

ModelKind = Literal["recurrent", "network", "statistical", "naive"]
"""A network with recurrence or without, a fitted model that is no network, or a model
that learns nothing."""

Options = Mapping[str, Any]
"""The options of a model or of its training, as in params.yaml, without defaults."""

Words = str | Callable[[Options, Options], str]
"""Words, or a function that makes them from the options of model and training."""

Color = Literal[
    "gru", "lstm", "rnn", "dense", "convolution", "linear", "trees", "simple"
]
"""The models that share a colour in all plots."""


@dataclass(frozen=True)
class ModelCard:
    """What is said of a model.

    Attributes:
        kind: what the model is.
        gives: what the model's builder gives to a training method: "network" for a
            Keras model, else what its `features` return ("predictions", "features", ...).
            A method names what it takes (`TRAINS`).
        title: the model in a few words, such as "LSTM(32)"; "" for its name.
        family: the model without its sizes, such as "LSTM", for several searches of one
            model, each of which found other sizes; "" if the title names no sizes.
        detail: words that a full title has in addition: inputs, or how it is fitted.
        color: the model's colour in plots.
        ranges: option of model or training -> LOW:HIGH or choices that `unroll tune`
            tries, besides the ranges of all models (`tune.space.COMMON`); None for a
            model that is not searched.
        playable: whether the page's script can run the network.
        told: whether the model is told how the series of a generated data set are made.
    """

    kind: ModelKind
    gives: str = "network"
    title: Words = ""
    family: str = ""
    detail: Words = ""
    color: Color = "simple"
    ranges: Mapping[str, str] | None = None
    playable: bool = False
    told: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for a kind or a colour that there is not."""
        one_of(self.kind, get_args(ModelKind), "the kind of a model's card")
        one_of(self.color, get_args(Color), "the colour of a model's card")

    def short_title(self, experiment: Experiment) -> str:
        """Return the title of an experiment's model, such as "LSTM(32)"."""
        return _words(self.title, experiment) or experiment.model.name.replace("_", " ")

    def plural(self, experiment: Experiment) -> str:
        """Return the title of several models of this kind, such as "LSTMs"."""
        family = self.family or self.short_title(experiment)
        several = family if family.endswith("s") else f"{family}s"
        # A dense layer after the recurrent ones makes it another kind.
        if self.kind == "recurrent" and experiment.model.options.get("hidden"):
            return f"{several} with a dense layer"
        return several

    def full_title(self, experiment: Experiment) -> str:
        """Return the title of an experiment's model with its inputs and its fit."""
        return self.short_title(experiment) + _words(self.detail, experiment)


def _words(words: Words, experiment: Experiment) -> str:
    if isinstance(words, str):
        return words
    return words(experiment.model.options, experiment.training.model_dump())


def card(model: Model, where: str = "model", *, own_code: bool = True) -> ModelCard:
    """Return the card of a model.

    Args:
        model: the model's section of params.yaml.
        where: the section's place in params.yaml, for the error text.
        own_code: whether a user's module may be imported. A card without words stands
            for that of a module that must not be.

    Raises:
        UsageError: there is no such model.
    """
    family = named_modules.full_name(
        named_modules.MODELS, model.family, f"{where}.family"
    )
    if not own_code and not named_modules.is_ours(family):
        return ModelCard("network")
    cards = named_modules.module(
        named_modules.MODELS, model.family, f"{where}.family"
    ).CARDS
    one_of(model.name, cards, f"params.yaml: {where}.name")
    described: ModelCard = cards[model.name]
    return described
