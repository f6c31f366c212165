"""params.yaml as frozen, validated values, templates filled in. Nothing else reads that file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic

from pipeline.config import extensions, plain_yaml
from pipeline.errors import UsageError
from pipeline.validation import Strict, one_of, validated


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", text):
        raise ValueError("must be small letters, digits and _, a letter first, at most 60 in all")
    return text


def _seeds(value: Any) -> Any:
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must hold every seed once")
    return seeds


Name = Annotated[str, pydantic.AfterValidator(_name)]
Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]
Seeds = Annotated[
    list[Seed],
    pydantic.Field(min_length=1, max_length=10_000),
    pydantic.BeforeValidator(_seeds),
    pydantic.AfterValidator(_distinct),
]
"""Written as how many there are, which are then 0, 1, 2, ..., or as a list."""


class _Open(Strict):
    """A section whose further keys are the options of the function that it names."""

    model_config = pydantic.ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the named function, not yet validated (see `registry.options`)."""
        return dict(self.model_extra or {})


class Source(_Open):
    """Where raw data comes from; `kind` is a module of `pipeline.data.sources`."""

    kind: Name


class Files(Strict):
    """A file of the user's own, which DVC watches: a source of the kind `local`.

    Attributes:
        path: of the file, from params.yaml's folder; or of a folder.
        pattern: of the files in the folder that belong together, such as "station_*.csv".
    """

    path: str
    pattern: str | None = None


class Preparation(_Open):
    """How raw data becomes a supervised problem; `name` is a module of `pipeline.data.preparations`."""

    name: Name


class Model(_Open):
    """A model; `family` is a module of `pipeline.models`, `name` an entry of its `MODELS`."""

    family: Name
    name: Name


class Training(_Open):
    """How the model is fitted; `method` is a module of `pipeline.training.methods`."""

    method: Name


class DatasetParams(Strict):
    """A source and its preparation, and how experiments on it are trained if they don't say.

    Attributes:
        source: a key of `sources`.
        like: nothing any more: `complete` has put in its place what templates say.
        preparation: makes the problem.
        seeds, training: for the experiments with the same training method; each may say otherwise, option by option.
    """

    source: Name
    like: str | list[str] | None = pydantic.Field(default=None, exclude=True)
    preparation: Preparation
    seeds: Seeds = pydantic.Field(default=[0])
    training: Training | None = None


class Experiment(Strict):
    """A data set, a model, a training method and the seeds that it is repeated with.

    Attributes:
        calendar: whether the model is told the hour and the season of each row, beside what was measured.
        features: options of the model `lags`, whose values a network then sees of each window in place of the window.
        standardise: whether a network sees its inputs by mean and deviation of the train inputs, and learns its targets
            by those of the train targets; its predictions are in model units as without.
        in_unit: whether a network's own outputs are in the unit of the data, such as °C, as document 006 has them; its
            predictions are in model units as without.
        share: of the train examples that it learns from, the last ones: less than all for a curve of the data's size.
        trials: on validation that its options were chosen by (results/trials); 0 for a document's, or those of a hand.
        converged: whether more epochs do not make it better on validation, as far as a search has seen.
    """

    dataset: Name
    like: str | list[str] | None = pydantic.Field(default=None, exclude=True)
    calendar: bool = False
    features: dict[str, pydantic.JsonValue] | None = None
    standardise: bool = False
    in_unit: bool = False
    share: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    trials: Annotated[int, pydantic.Field(ge=0)] = 0
    converged: bool = True
    seeds: Seeds = pydantic.Field(default=[0])
    model: Model
    training: Training

    def trial(self, epochs: int | None, seeds: list[int] | None) -> "Experiment":
        """The experiment with another number of epochs, other seeds, or both.

        Raises:
            UsageError: its training method has no epochs.
        """
        training = self.training
        if epochs is not None:
            if "epochs" not in training.options:
                raise UsageError(f"the training method {training.method} has no epochs; leave out --epochs")
            training = Training.model_validate(training.model_dump() | {"epochs": epochs})
        return self.model_copy(update={"training": training, "seeds": seeds or self.seeds})


class Forecast(Strict):
    """A series of one's own, whose models forecast from rolling origins; named as its data set.

    Attributes:
        origins: at most: one a day, the last one at the end. Half a year of them rank models.
        refits: how often each model is fitted anew on the way.
    """

    origins: Annotated[int, pydantic.Field(ge=2, le=1000)] = 182
    refits: Annotated[int, pydantic.Field(ge=1, le=100)] = 3


class Params(Strict):
    """The whole of params.yaml. Names are checked against each other; options when they are used.

    Attributes:
        sources: those of `files`, too.
    """

    sources: dict[Name, Source] = pydantic.Field(default={})
    templates: dict[Name, dict[str, Any]] = pydantic.Field(default={})
    files: dict[Name, Files] = pydantic.Field(default={})
    datasets: dict[Name, DatasetParams] = pydantic.Field(default={})
    experiments: dict[Name, Experiment] = pydantic.Field(default={})
    forecasts: dict[Name, Forecast] = pydantic.Field(default={})

    @pydantic.model_validator(mode="after")
    def _complete(self) -> "Params":
        """Check the names, and take files as sources."""
        for name, source in self.sources.items():
            if source.kind == "local":
                raise ValueError(f"sources.{name}: a file of your own belongs to `files`, where DVC sees its edits")
        for name, files in self.files.items():
            if name in self.sources:
                raise ValueError(f"files.{name} has the name of a source; rename it")
            self.sources[name] = Source.model_validate({"kind": "local"} | files.model_dump())
        for name, dataset in self.datasets.items():
            one_of(dataset.source, self.sources, f"params.yaml: datasets.{name}.source")
        for name, experiment in self.experiments.items():
            one_of(experiment.dataset, self.datasets, f"params.yaml: experiments.{name}.dataset")
        for name in self.forecasts:
            one_of(name, self.datasets, "params.yaml: the data set that `forecasts` names")
        return self

    def source(self, name: str) -> Source:
        """Raises UsageError with the valid names if there is no such source."""
        return self.sources[one_of(name, self.sources, "the source")]

    def source_stage(self, name: str) -> str:
        """What DVC calls the stage that fetches a source."""
        return f"{'file' if name in self.files else 'source'}@{name}"

    def dataset(self, name: str) -> DatasetParams:
        """Raises UsageError with the valid names if there is no such data set."""
        return self.datasets[one_of(name, self.datasets, "the data set")]

    def experiment(self, name: str) -> Experiment:
        """Raises UsageError with the valid names if there is no such experiment."""
        return self.experiments[one_of(name, self.experiments, "the experiment")]

    def forecast(self, name: str) -> Forecast:
        """Raises UsageError with the valid names if the data set has no entry in `forecasts`."""
        return self.forecasts[one_of(name, self.forecasts, "the data set with an entry in `forecasts`")]

    def experiments_of(self, dataset: str) -> dict[str, Experiment]:
        """The experiments of one data set, in the order of params.yaml."""
        return {name: e for name, e in self.experiments.items() if e.dataset == dataset}


def load(path: Path) -> Params:
    """Read and validate params.yaml. From here on its names may be those of modules beside it (`extensions`).

    Raises:
        UsageError: the file is no plain YAML, or a value, a name or a key is wrong; the text names its place
            and what is valid.
        UnrollError: the file is missing or cannot be read.
    """
    extensions.use(path.parent)
    return validated(Params, complete(plain_yaml.read(path)), path.name)


class _Entry(pydantic.BaseModel, strict=True):
    """What `complete` reads of an entry."""

    like: str | list[str] = []
    dataset: str = ""
    training: dict[str, Any] = {}


_SECTIONS = pydantic.TypeAdapter(dict[str, dict[str, _Entry]])


def complete(sections: Any) -> Any:
    """The sections of params.yaml, every entry with all that it says itself, by its templates or by its data set.

    What is no sections of entries comes back as it is: whoever validates it says what is wrong.

    Raises:
        UsageError: `like` names no template and no entry of the same section, or an entry is like itself.
    """
    try:
        _SECTIONS.validate_python(sections)
    except pydantic.ValidationError:
        return sections
    templates = sections.get("templates", {})
    filled = {
        section: {name: _filled(entry, entries | templates, (f"{section}.{name}",)) for name, entry in entries.items()}
        for section, entries in sections.items()
        if section != "templates"
    }
    for name, experiment in filled.get("experiments", {}).items():
        dataset = filled.get("datasets", {}).get(experiment.get("dataset"), {})
        usual = {key: dataset[key] for key in ("seeds", "training") if key in dataset}
        method = usual.get("training", {}).get("method")
        if method and experiment.get("training", {}).get("method", method) == method:
            filled["experiments"][name] = merged(usual, experiment)
    return filled


def merged(base: Any, over: Any) -> Any:
    """`over`, and of a mapping also what only `base` has, at any depth."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **over, **{key: merged(base[key], over[key]) for key in base.keys() & over.keys()}}
    return over


def _filled(entry: Mapping[str, Any], models: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """An entry with what it takes from those that it is like, of several what the last says; `path` leads to it."""
    like: str | list[str] = entry.get("like", [])
    base: Any = {}
    for name in [like] if isinstance(like, str) else like:
        one_of(name, models, f"params.yaml: {path[-1]}.like")
        if name in path[1:]:
            raise UsageError(f"params.yaml: {name} is like itself, by way of {', '.join(path[1:])}")
        base = merged(base, _filled(models[name], models, (*path, name)))
    return merged(base, {key: value for key, value in entry.items() if key != "like"})
