"""The content of params.yaml as frozen, validated values.

Entries are filled in from templates.yaml. The data sets of official.yaml are built in a
project of their own (`unroll.official`); what shows results reads them, too. No other
module reads these three files.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic

from pipeline.config import named_modules, plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import Strict, one_of, validated
from pipeline.workspace import Workspace

TEMPLATES = "templates.yaml"
"""The file beside params.yaml with the templates that entries name by `like`."""

OFFICIAL = "official.yaml"
"""The file beside params.yaml with the data sets that need Jena's official file."""

MOST_SEEDS = 10_000

NAME = "[a-z][a-z0-9_]{0,59}"


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ValueError(
            "must be small letters, digits and _, a letter first, at most 60 in all"
        )
    return text


def _seeds(value: Any) -> Any:
    if type(value) is int and value > MOST_SEEDS:
        raise ValueError(f"must be a number of seeds up to {MOST_SEEDS:,}, or a list")
    if type(value) is int and value > 0:
        return list(range(value))
    return value


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must hold every seed once")
    return seeds


Name = Annotated[str, pydantic.AfterValidator(_name)]
RunName = Annotated[str, pydantic.StringConstraints(pattern=f"^{NAME}/{NAME}$")]
"""The full name of an experiment: data set and experiment, such as waves/gru."""

Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]
Seeds = Annotated[
    list[Seed],
    pydantic.Field(min_length=1, max_length=MOST_SEEDS),
    pydantic.BeforeValidator(_seeds),
    pydantic.AfterValidator(_distinct),
]
"""A list of seeds, or their number: 3 stands for the seeds 0, 1 and 2."""


def own_name(run: str) -> str:
    """Return an experiment's name within its data set: gru of waves/gru."""
    return run.partition("/")[2]


class _Open(Strict):
    """A section that names a function; its other keys are the function's options."""

    model_config = pydantic.ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The options of the named function; `named_modules.options` validates them."""
        return dict(self.model_extra or {})


class Source(_Open):
    """A source of raw data; `kind` is a module of `pipeline.data.sources`."""

    kind: Name


class Files(Strict):
    """A source of the kind `local`: a file of the user, which DVC watches.

    `path` is relative to the folder of params.yaml.
    """

    path: str


class Preparation(_Open):
    """A preparation, which makes a supervised problem of raw data.

    `name` is a module of `pipeline.data.preparations`.
    """

    name: Name


class Model(_Open):
    """A model; `family` is a module of `pipeline.models`, `name` an entry of its
    `MODELS`.
    """

    family: Name
    name: Name


class Training(_Open):
    """A training of a model; `method` is a module of `pipeline.training.methods`."""

    method: Name


class DatasetParams(Strict):
    """A data set: a source, its preparation, and defaults for its experiments.

    Attributes:
        source: a key of `sources` or `files`.
        like: always None after `load`; the template's values have been filled in.
        preparation: the preparation of the source.
        floor: the least error on test that any model can have, where a formula has
            attained it (docs/decisions/verdicts.md); 0 if it is not known.
        seeds, training: defaults for experiments with the same training method. An
            experiment may replace each option.
    """

    source: Name
    like: str | list[str] | None = pydantic.Field(default=None, exclude=True)
    preparation: Preparation
    floor: float = pydantic.Field(default=0.0, ge=0)
    seeds: Seeds = pydantic.Field(default=[0])
    training: Training | None = None


class Experiment(Strict):
    """An experiment: a model trained on a data set, once for each seed.

    Attributes:
        dataset: the data set that it learns from.
        like: always None after `load`; the template's values have been filled in.
        calendar: whether the inputs hold the hour and the season of each row.
        features: the values that a network sees in place of each window: options of the
            model `lags`.
        rows: the rows that a network reads in place of each window: options of
            `training.inputs.rows`.
        residual: whether a network, trees or a kernel ridge learn how much the target
            differs from the last value of its window. Predictions are of the target all
            the same.
        standardise: whether a network's inputs and targets are standardised by the
            train examples. Predictions are in model units all the same.
        in_unit: whether a network's outputs are in the unit of the data, such as °C, as
            in document 006. Predictions are in model units all the same.
        mirrored: whether each train series is learnt from upside down and backwards,
            too, with the target as its last value.
        share: the fraction of the train examples, the last ones, to learn from. It is
            below 1 for a curve over the size of the data.
        trials: the number of trials that chose its options on validation
            (results/trials). It is 0 if a document or a person chose them.
        repeats: the experiment of the same model and data set whose search is repeated
            here with other random options; None for a first search.
        converged: whether more epochs would not improve it on validation, as far as a
            search has shown.
        seeds: the seeds to repeat the training with.
        model: the model.
        training: the training method and its options.
    """

    dataset: Name
    like: str | list[str] | None = pydantic.Field(default=None, exclude=True)
    calendar: bool = False
    features: dict[str, pydantic.JsonValue] | None = None
    rows: dict[str, pydantic.JsonValue] | None = None
    residual: bool = False
    standardise: bool = False
    in_unit: bool = False
    mirrored: bool = False
    share: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    trials: Annotated[int, pydantic.Field(ge=0)] = 0
    repeats: Name | None = None
    converged: bool = True
    seeds: Seeds = pydantic.Field(default=[0])
    model: Model
    training: Training

    def trial(self, epochs: int | None, seeds: list[int] | None) -> "Experiment":
        """Return the experiment with another number of epochs, other seeds, or both.

        Raises:
            UsageError: its training method has no epochs.
        """
        training = self.training
        if epochs is not None:
            if "epochs" not in training.options:
                raise UsageError(
                    f"the training method {training.method} has no epochs; "
                    "leave out --epochs"
                )
            training = Training.model_validate(
                training.model_dump() | {"epochs": epochs}
            )
        return self.model_copy(
            update={"training": training, "seeds": seeds or self.seeds}
        )


class Params(Strict):
    """The whole of params.yaml.

    Names are checked against each other. Options are checked when they are used.

    Attributes:
        project: the name of the project, by which several projects share a store of
            MLflow; by default the name of its folder.
        sources: name -> source; `files` are added to them.
        files: name -> a source of the kind `local`.
        datasets: name -> data set.
        experiments: data set -> name -> experiment.
    """

    project: str = ""
    sources: dict[Name, Source] = pydantic.Field(default={})
    files: dict[Name, Files] = pydantic.Field(default={})
    datasets: dict[Name, DatasetParams] = pydantic.Field(default={})
    experiments: dict[Name, dict[Name, Experiment]] = pydantic.Field(default={})
    _file: Path | None = None

    def of(self, file: Path) -> "Params":
        """Return these params, which know that they are the content of a file."""
        self._file = file
        return self

    @pydantic.model_validator(mode="after")
    def _complete(self) -> "Params":
        """Check the names, and add `files` to `sources`."""
        for name, source in self.sources.items():
            if source.kind == "local":
                raise ValueError(
                    f"sources.{name}: a file of your own belongs to `files`, "
                    "where DVC sees its edits"
                )
        for name, files in self.files.items():
            if name in self.sources:
                raise ValueError(f"files.{name} has the name of a source; rename it")
            self.sources[name] = Source.model_validate(
                {"kind": "local"} | files.model_dump()
            )
        for name, dataset in self.datasets.items():
            one_of(dataset.source, self.sources, f"params.yaml: datasets.{name}.source")
        for name, experiment in self.runs.items():
            if experiment.repeats is not None:
                self._check_repeats(name, experiment, experiment.repeats)
        return self

    def _check_repeats(self, name: str, experiment: Experiment, repeated: str) -> None:
        """Check that an experiment repeats a search of the same model."""
        where = f"experiments.{name.replace('/', '.')}.repeats"
        same = self.experiments_of(name.partition("/")[0])
        first = same[one_of(repeated, same, f"params.yaml: {where}")]
        if first.model.name != experiment.model.name or not first.trials:
            raise ValueError(
                f"{where} must name an experiment with `trials` and the model "
                f"{experiment.model.name}. Received: {repeated}"
            )

    @property
    def runs(self) -> dict[str, Experiment]:
        """Full name, such as waves/gru -> experiment, in the order of params.yaml."""
        return {
            f"{dataset}/{name}": experiment
            for dataset, experiments in self.experiments.items()
            for name, experiment in experiments.items()
        }

    def source(self, name: str) -> Source:
        """Return a source. Raises UsageError if there is no source of this name."""
        return self.sources[one_of(name, self.sources, "the source")]

    def producer(self, name: str) -> partial[Any]:
        """Return the function that produces a source, with its options.

        It takes an empty folder and a `Context`. Raises UsageError if an option is
        wrong.
        """
        section = self.source(name)
        found = named_modules.module(
            named_modules.SOURCES, section.kind, f"sources.{name}.kind"
        )
        return _with_options(found.produce, section, f"sources.{name}")

    def preparer(self, name: str) -> partial[Any]:
        """Return the function that prepares a data set, with its options.

        It takes the data set's name and the folder of its source. Raises UsageError if
        an option is wrong.
        """
        section = self.dataset(name).preparation
        where = f"datasets.{name}.preparation"
        found = named_modules.module(
            named_modules.PREPARATIONS, section.name, f"{where}.name"
        )
        return _with_options(found.prepare, section, where)

    def source_stage(self, name: str) -> str:
        """Return the name of DVC's stage that fetches a source."""
        return f"{'file' if name in self.files else 'source'}@{name}"

    def dataset(self, name: str) -> DatasetParams:
        """Return a data set. Raises UsageError if there is no data set of this name."""
        elsewhere = {}
        if name not in self.datasets and self._file is not None:
            elsewhere = official(self._file).get("datasets", {})
        if name in elsewhere:
            raise UsageError(
                f"{name} belongs to {OFFICIAL}; `unroll official` builds it"
            )
        return self.datasets[one_of(name, self.datasets, "the data set")]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment by its full name, such as waves/gru.

        Raises UsageError if there is no experiment of this name.
        """
        runs = self.runs
        return runs[one_of(name, runs, "the experiment")]

    def experiments_of(self, dataset: str, only: str = "") -> dict[str, Experiment]:
        """Return the experiments of a data set, in the order of params.yaml.

        Their keys are the names within the data set, such as gru. With `only`, it is
        this experiment alone.

        Raises UsageError if there is no such data set or experiment.
        """
        self.dataset(dataset)
        experiments = self.experiments.get(dataset, {})
        if only:
            one_of(only, experiments, f"the experiment of {dataset}")
            return {only: experiments[only]}
        return experiments


def _with_options(
    function: Callable[..., Any], section: _Open, where: str
) -> partial[Any]:
    return partial(function, **named_modules.options(function, section.options, where))


def load(path: Path) -> Params:
    """Read and validate params.yaml.

    From then on the registries find the user's modules beside it (`named_modules.use`).

    Raises:
        UsageError: the file is no plain YAML, or a value, a name or a key is wrong. The
            text names the place and what is valid.
        UnrollError: the file is missing or cannot be read.
    """
    named_modules.use(path.parent)
    return parse(plain_yaml.read(path), templates(path)).of(path)


def load_all(path: Path) -> Params:
    """Read and validate params.yaml and official.yaml as one, to show results.

    Errors are as in `load`.
    """
    named_modules.use(path.parent)
    return parse_all(path)


def parse_all(path: Path) -> Params:
    """Return `load_all` of files whose registries are not used.

    Names of params.yaml come first, and hide those of official.yaml.
    """
    own = parse(plain_yaml.read(path), templates(path))
    theirs = parse(official(path), templates(path))
    return Params.model_construct(
        sources={**own.sources, **theirs.sources, **own.sources},
        files=own.files,
        datasets={**own.datasets, **theirs.datasets, **own.datasets},
        experiments={**own.experiments, **theirs.experiments, **own.experiments},
    )


def official(path: Path) -> dict[str, Any]:
    """Return the sections of official.yaml beside params.yaml; none without this file.

    Raises:
        UsageError: the file is no plain YAML, or no mapping of mappings.
    """
    return _beside(path, OFFICIAL)


def built_by(workspace: Workspace, stage: str) -> str:
    """Return a clause with the command that builds a stage and what it depends on."""
    of_official = official(workspace.params).get("datasets", {})
    command = "official" if stage.partition("@")[2] in of_official else f"repro {stage}"
    return f"`{workspace.program} {command}` builds it"


def require_prepared(workspace: Workspace, name: str, stage: str) -> None:
    """Raise UnrollError, with the command for a stage, if a data set is not prepared."""
    folder = workspace.prepared(name)
    if not folder.is_dir():
        raise UnrollError(
            f"{folder.relative_to(workspace.root)} is missing; "
            f"{built_by(workspace, stage)}"
        )


def templates(path: Path) -> dict[str, Any]:
    """Return the entries of templates.yaml beside params.yaml; none without this file.

    Raises:
        UsageError: the file is no plain YAML, or no mapping of mappings.
    """
    return _beside(path, TEMPLATES)


def _beside(path: Path, name: str) -> dict[str, Any]:
    file = path.with_name(name)
    entries = plain_yaml.read(file) if file.exists() else {}
    if not isinstance(entries, dict):
        raise UsageError(f"{name} must be a mapping: name -> what it stands for")
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            raise UsageError(f"{name}: {key} must be a mapping, as in params.yaml")
    return entries


def parse(sections: Any, from_templates: Mapping[str, Any]) -> Params:
    """Validate the sections of params.yaml. Errors as in `load`."""
    return validated(Params, complete(sections, from_templates), "params.yaml")


class _Sections(Strict):
    """The sections of params.yaml before they are completed."""

    project: Any = ""
    sources: Any = pydantic.Field(default={})
    files: Any = pydantic.Field(default={})
    datasets: dict[Any, dict[Any, Any]] = pydantic.Field(default={})
    experiments: dict[Any, dict[Any, dict[Any, Any]]] = pydantic.Field(default={})


def complete(sections: Any, from_templates: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of params.yaml with each entry completed.

    An entry takes missing values from its templates, then from its data set.

    Raises:
        UsageError: a section or an entry is no mapping, `like` names no template and no
            experiment of the same data set, an entry is like itself, or experiments do
            not stand under their data set.
    """
    given = validated(_Sections, sections, "params.yaml")
    datasets = {
        name: _filled(entry, from_templates, [f"datasets.{name}"])
        for name, entry in given.datasets.items()
    }
    experiments = {}
    for dataset, entries in given.experiments.items():
        one_of(dataset, datasets, "params.yaml: the data set under `experiments`")
        own = {f"{dataset}/{name}": entry for name, entry in entries.items()}
        known = {**from_templates, **own}
        usual = {
            key: datasets[dataset][key]
            for key in ("seeds", "training")
            if key in datasets[dataset]
        }
        completed = {}
        for name, entry in entries.items():
            experiment = _filled(entry, known, [f"experiments.{dataset}.{name}"])
            if _method(usual) and _method(experiment) in (None, _method(usual)):
                experiment = merged(usual, experiment)
            completed[name] = merged({"dataset": dataset}, experiment)
        experiments[dataset] = completed
    return {**sections, "datasets": datasets, "experiments": experiments}


def _method(section: Mapping[str, Any]) -> Any:
    """Return the name of a section's training method, or None."""
    training = section.get("training")
    return training.get("method") if isinstance(training, Mapping) else None


def merged(base: Any, over: Any) -> Any:
    """Return two mappings merged at any depth; values of `over` replace those of
    `base`. Return `over` if one of the two is no mapping.
    """
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys()}
    return {**base, **over, **both}


def _filled(entry: Mapping[str, Any], known: Mapping[str, Any], path: list[str]) -> Any:
    """Return an entry with the values of the entries that it is `like`.

    Of several such entries the last one wins. `path` holds the names that lead to the
    entry.
    """
    like = entry.get("like", [])
    base: Any = {}
    for name in like if isinstance(like, list) else [like]:
        # Data sets and experiments have a dot or a slash in their place; templates not.
        file = "params.yaml" if {".", "/"} & {*path[-1]} else TEMPLATES
        one_of(str(name), known, f"{file}: {path[-1]}.like")
        if name in path[1:]:
            way = ", ".join(path[1:])
            raise UsageError(f"params.yaml: {name} is like itself, by way of {way}")
        base = merged(base, _filled(known[name], known, [*path, name]))
    return merged(base, {key: value for key, value in entry.items() if key != "like"})
