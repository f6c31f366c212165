"""params.yaml and claims.yaml -> frozen, validated values. Nothing else reads these files."""

import math
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pydantic
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, ScalarEvent

from pipeline import registry
from pipeline.errors import UnrollError, UsageError


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", text):
        raise ValueError("must be small letters, digits and _, a letter first, at most 60 in all")
    return text


Name = Annotated[str, pydantic.AfterValidator(_name)]
Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]

LARGEST, MOST_VALUES, DEEPEST = 8 * 1024**2, 100_000, 30
"""The bytes of a file, how many values it may hold, and how deep. Anchors can make billions of a few lines."""

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or reverse what stands beside them. YAML has escapes for all of them."""


class _Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Open(_Frozen):
    """A section whose further keys are the options of the function that it names."""

    model_config = pydantic.ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the named function, not yet validated (see `registry.options`)."""
        return dict(self.model_extra or {})


class Source(_Open):
    """Where raw data comes from; `kind` is a module of `pipeline.sources`."""

    kind: Name


class Preparation(_Open):
    """How raw data becomes a supervised problem; `name` is a module of `pipeline.datasets`."""

    name: Name


class DatasetParams(_Frozen):
    """A source and its preparation."""

    source: Name
    preparation: Preparation


class Model(_Open):
    """A model; `family` is a module of `pipeline.models`, `name` an entry of its `MODELS`."""

    family: Name
    name: Name


class Training(_Open):
    """How the model is fitted; `method` is a module of `pipeline.training`."""

    method: Name


class Experiment(_Frozen):
    """A data set, a model, a training method and the seeds it is repeated with."""

    dataset: Name
    seeds: list[Seed] = pydantic.Field(min_length=1)
    model: Model
    training: Training

    @pydantic.field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("must hold every seed once")
        return seeds


class Params(_Frozen):
    """The whole of params.yaml. Names are checked against each other; options when they are used."""

    sources: dict[Name, Source]
    datasets: dict[Name, DatasetParams]
    experiments: dict[Name, Experiment]

    @pydantic.model_validator(mode="after")
    def _names(self) -> "Params":
        for name, dataset in self.datasets.items():
            registry.one_of(dataset.source, self.sources, f"params.yaml: datasets.{name}.source")
        for name, experiment in self.experiments.items():
            registry.one_of(experiment.dataset, self.datasets, f"params.yaml: experiments.{name}.dataset")
        return self

    def source(self, name: str) -> Source:
        """Raises UsageError with the valid names if there is no such source."""
        return self.sources[registry.one_of(name, self.sources, "the source")]

    def dataset(self, name: str) -> DatasetParams:
        """Raises UsageError with the valid names if there is no such data set."""
        return self.datasets[registry.one_of(name, self.datasets, "the data set")]

    def experiment(self, name: str) -> Experiment:
        """Raises UsageError with the valid names if there is no such experiment."""
        return self.experiments[registry.one_of(name, self.experiments, "the experiment")]

    def experiments_of(self, dataset: str) -> dict[str, Experiment]:
        """The experiments of one data set, in the order of params.yaml."""
        return {name: e for name, e in self.experiments.items() if e.dataset == dataset}


class Claim(_Frozen):
    """A figure that a document publishes.

    Attributes:
        document: the number of the document, such as "003".
        words: how the document puts the figure, in a few words.
        experiment: the experiment that rebuilds it.
        metric: a path into the experiment's metrics, such as `final.test.mse` or `parameters`.
        value: the published figure, or a shape (null: any length); absent where the document only compares.
        tolerance: how far a rebuilt figure may lie from `value` and still hold, in the metric's unit; the
            precision that the document's words imply.
        against: another experiment whose same metric this one is compared with instead of a value.
        relation: how it compares: `about` (within tolerance), `below` or `above` (by at least tolerance).
        note: what is behind the figure, shown beside the verdict.
    """

    document: str
    words: str
    experiment: Name
    metric: str
    value: float | list[int | None] | None = None
    tolerance: float = pydantic.Field(default=0.0, ge=0)
    against: Name | None = None
    relation: Literal["about", "below", "above"] = "about"
    note: str = ""

    @pydantic.model_validator(mode="after")
    def _one_reference(self) -> "Claim":
        if (self.value is None) == (self.against is None):
            raise ValueError("must have either value or against, and not both")
        return self


Validated = TypeVar("Validated", bound=pydantic.BaseModel)


def load(path: Path) -> Params:
    """Read and validate params.yaml.

    Raises:
        UsageError: the file is no plain YAML, or a value, a name or a key is wrong; the text names its place
            and what is valid.
        UnrollError: the file is missing or cannot be read.
    """
    return _validate(Params, _read(path), path.name)


def load_claims(path: Path) -> list[Claim]:
    """Read and validate claims.yaml, a list of claims. Errors as in `load`."""
    claims = _read(path)
    if not isinstance(claims, list):
        raise UsageError(f"{path.name}: the whole must be a list of claims. Received: {type(claims).__name__}")
    return [_validate(Claim, claim, f"{path.name}: claim {place}") for place, claim in enumerate(claims, 1)]


def dump(data: Mapping[str, Any], path: Path) -> None:
    """Write plain data as YAML that `read_plain` gives back, in the order given, atomically.

    Block style, as DVC leaves params.yaml behind when it changes a value (`dvc exp run -S`), so that such a
    change is one line of a diff. No anchors: what occurs twice is written twice.
    """
    from pipeline.storage import atomic_file

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _data: True
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yaml.dump(dict(data), file)


def read_plain(path: Path) -> Any:
    """The YAML as plain data, for the rule that scales params.yaml down. Errors as in `load`."""
    return _read(path)


def _read(path: Path) -> Any:
    try:
        text = _text(path)
        for place, problem in _bombs(text):
            raise UsageError(f"{path.name}, line {place} is not plain YAML: {problem}")
        data = YAML(typ="safe").load(text)
    except FileNotFoundError:
        raise UnrollError(
            f"{path} is missing; run this in the folder that holds it, or name that folder: unroll --root DIR ..."
        ) from None
    except OSError as error:
        raise UnrollError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} must be UTF-8; byte {error.start} is not") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = re.sub(" with value .*", "", registry.one_line(str(error.problem)))
        raise UsageError(f"{path.name}{line} is not plain YAML: {problem:.200}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is not plain YAML: {registry.one_line(str(error)):.200}") from None
    for problem in _not_plain(data, [], iter(range(MOST_VALUES))):
        raise UsageError(f"{path.name}: {problem}")
    return data


def _text(path: Path) -> str:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
        raise UnrollError(f"{path} cannot be read: it is not a file")
    if status.st_size > LARGEST:
        raise UsageError(f"{path.name} must have at most {LARGEST:,} bytes. Received: {status.st_size:,}")
    return path.read_text(encoding="utf-8-sig")


def _bombs(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of what would cost the parser its stack, or all memory and hours, once it makes values of it.

    The events of a text are read one by one; only to make values of them does the parser call itself.
    """
    depth = 0
    for count, event in enumerate(YAML(typ="safe").parse(text)):
        line = event.start_mark.line + 1
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST + 1:
            yield line, f"it is nested more than {DEEPEST} deep"
        elif count > 2 * MOST_VALUES:
            yield line, f"it holds more than {MOST_VALUES:,} values"
        elif getattr(event, "tag", None):
            yield line, f"the tag {event.tag:.80} is not for values; put text in quotes"
        elif isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
            yield line, "it merges mappings (<<); write out what is merged"


def _not_plain(data: Any, place: list[Any], budget: Iterator[int]) -> Iterator[str]:
    """What JSON cannot hold, or what anchors blow up: where it is and what to do."""
    where = ".".join(map(str, place)) or "the whole"
    if len(place) > DEEPEST or next(budget, None) is None:
        yield f"{where:.80} is too large; write out what its anchors (& and *) repeat"
    elif isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                yield f"{where}: the key {key!r:.80} must be text; put it in quotes"
            elif _HIDDEN.search(key):
                yield f"{where}: the key {key!a:.80} must not hold control characters"
            yield from _not_plain(value, [*place, key], budget)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _not_plain(value, [*place, index if place else f"item {index + 1}"], budget)
    elif isinstance(data, float) and not math.isfinite(data):
        yield f"{where} must be a finite number. Received: {data}"
    elif isinstance(data, int) and abs(data) >= 2**63:
        yield f"{where} must be below 2**63"
    elif isinstance(data, str) and _HIDDEN.search(data):
        yield f"{where} must not hold control characters. Received: {data!a:.80}"
    elif data is not None and not isinstance(data, str | int | float):
        yield f"{where} must be text or a number, but YAML reads {type(data).__name__}; put it in quotes"


def _validate(model: type[Validated], data: Any, where: str) -> Validated:
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise UsageError(f"{where}: {registry.explain(error, model, data)}") from None
