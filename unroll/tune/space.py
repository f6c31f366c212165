"""What is searched: numbers of an experiment's own options, within the bounds of the signatures that they belong to."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin

import pydantic
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic.fields import FieldInfo

from pipeline.config.params import Experiment
from pipeline.errors import UsageError, one_line
from pipeline.training.recipe import recipe
from pipeline.validation import one_of

Space = dict[str, BaseDistribution]
"""Where an option stands in its experiment, such as "model.units" or, of a list, "model.hidden.1" -> what is tried."""

BUDGET = ("epochs", "batch_size", "steps_per_epoch", "patience", "rounds")
"""How long a training is: searched only where asked for, so that trials cost alike."""

FIXED = ("by_hand",)
"""Training methods with rules for one model: only their own options are searched."""

FACTOR, PENALTY_FACTOR, SMALLER, LARGER = 10.0, 1000.0, 4, 2
"""How far from its value a rate, a penalty and a size are searched. Twice the units take up to four times as long."""

PENALTY = 1e6
"""A number that may be larger has no natural scale: a penalty."""

DROPPED = 0.5
"""Of units that are dropped, at most, if the experiment does not drop more."""

FEW = 32
"""A count with a bound up to here, such as of layers, is searched one by one: up to one more than there are."""

NETWORKS = (
    "learning_rate=0.001:0.01",
    "schedule=constant,cosine",
    "weight_decay=0,1e-4,1e-3,1e-2,0.1,0.3,1",
    "batch_size=32,64,128",
    "dropout=0,0.01,0.02,0.05,0.1,0.2,0.3",
    "embedding=8:64",
)
"""What `unroll search` tries of every network, recurrent or not, so that no side is treated better."""

CELL = (*NETWORKS, "units=8:64", "layers=1:2")

RANGES: dict[str, tuple[str, ...]] = {
    "linear": ("last=1:120", "ridge=1:100000"),
    "lags": ("last=1:72", "others=1:12", "trees=50:400", "leaves=4:32", "learning_rate=0.02:0.2", "examples=20:200"),
    "kernel_ridge": ("last=1:72", "others=1:12", "gamma=0.01:4", "alpha=0.001:10", "scales=0,300"),
    "mlp": (*NETWORKS, "hidden.1=16:256", "hidden.2=8:128", "activation=relu,tanh,sine", "last=4:72"),
    "tcn": (*NETWORKS, "filters=8:48", "kernel=2:5", "layers=2:5", "last=12:72"),
    "tfidf": ("c=1:100", "reviews=3:10"),
    **dict.fromkeys(("simple_rnn", "lstm", "gru", "min_gru"), CELL),
}
"""Model, or method with its own -> what `unroll search` tries: OPTION=LOW:HIGH, or OPTION=CHOICE,CHOICE.

What an experiment has off (`last`, `others`, `embedding`) is not tried, nor a `last` beyond its range; a `last` ends
with the input.
"""


def space(name: str, experiment: Experiment, over: Sequence[str] = ()) -> Space:
    """What is searched for an experiment: a number that is off in it (0 or nothing) stays off, but for a share.

    `over`: only these options, with a range of one's own as "OPTION=LOW:HIGH", or choices as in `RANGES`.

    Raises:
        UsageError: there is nothing to search, or an option or a range is wrong.
    """
    known = dict(_options(name, experiment))
    if not over:
        fixed = {"model"} if experiment.training.method in FIXED else set()
        proposed = {
            path: _proposed(*option)
            for path, option in known.items()
            if path.split(".")[0] not in fixed and path.split(".")[1] not in BUDGET
        }
        if numbers := {path: tried for path, tried in proposed.items() if tried is not None}:
            return numbers
        raise UsageError(f"{name} has no number that could be tuned; `unroll show {name}` prints its options")
    chosen: Space = {}
    for text in over:
        option, _, limits = text.partition("=")
        names = {path: {path, path.split(".")[1], ".".join(path.split(".")[:2])} for path in known}
        one_of(option, set().union(*names.values()), "--over")
        for path in (path for path in known if option in names[path]):
            annotation, value = known[path]
            choices = _choices(annotation)
            if limits:
                tried: BaseDistribution | None = _limited(text, annotation, limits)
            else:
                tried = CategoricalDistribution(choices) if choices else _proposed(annotation, value)
            if tried is None:
                raise UsageError(f"--over {option}: it is off ({value}), so give a range, as in --over {option}=1:100")
            chosen[path] = tried
    return chosen


def family_space(name: str, experiment: Experiment, timesteps: int) -> Space:
    """What `unroll search` tries: the same `RANGES` for each data set, as far as the experiment has such options.

    Raises:
        UsageError: the model has no ranges.
    """
    method, over = experiment.training.method, []
    family = method if method in RANGES else experiment.model.name
    parts = ("training",) if method in FIXED else ("model", "training")
    known = {path.partition(".")[2]: (path, value) for path, (_, value) in _options(name, experiment)}
    for text in RANGES[one_of(family, RANGES, f"{name} has `trials`, so its model")]:
        option, limits = text.split("=")
        path, value = known.get(option, ("", None))
        if option in ("last", "others", "embedding"):
            low, high = map(int, limits.split(":"))
            if not value or (option == "last" and value > high):
                continue
            limits = f"{low}:{min(high, timesteps) if option == 'last' else high}"
        if path.startswith(parts):
            over.append(f"{path}={limits}")
    return space(name, experiment, over)


def _options(name: str, experiment: Experiment) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Every option that can be searched, with its annotation and its value."""
    chosen = recipe(name, experiment)
    for part, call in (("model", chosen.build), ("training", chosen.method)):
        parameters = inspect.signature(call.func).parameters
        for option, value in call.keywords.items():
            annotation = parameters[option].annotation
            if isinstance(value, list):
                element = get_args(FieldInfo.from_annotation(annotation).annotation)[0]
                yield from ((f"{part}.{option}.{path}", (element, number)) for path, number in enumerate(value, 1))
            elif _choices(annotation) or {int, float} & {*_types(annotation)}:
                yield f"{part}.{option}", (annotation, value)


def _types(annotation: Any) -> tuple[Any, ...]:
    bare = FieldInfo.from_annotation(annotation).annotation
    return get_args(bare) or (bare,)


def _choices(annotation: Any) -> tuple[Any, ...]:
    bare = FieldInfo.from_annotation(annotation).annotation
    return (False, True) if bare is bool else get_args(bare) if get_origin(bare) is Literal else ()


def _bounds(annotation: Any) -> dict[str, float]:
    """Such as {"ge": 1, "le": 4096}."""
    metadata = FieldInfo.from_annotation(annotation).metadata
    return {bound: getattr(limit, bound) for limit in metadata for bound in ("ge", "le", "lt") if hasattr(limit, bound)}


def _proposed(annotation: Any, value: Any) -> BaseDistribution | None:
    """What is tried for a number; None for one that is off, and for what is no number."""
    if _choices(annotation):
        return None
    bounds = _bounds(annotation)
    low, high = bounds.get("ge", 0), bounds.get("le", bounds.get("lt", float("inf")))
    if float in _types(annotation) and bounds.get("ge") == 0 and high <= 1:
        return FloatDistribution(0, max(DROPPED, value))
    if not value or value < 0:
        return None
    if float in _types(annotation):
        factor = PENALTY_FACTOR if high > PENALTY else FACTOR
        return FloatDistribution(max(low, rounded(value / factor)), min(high, rounded(value * factor)), log=True)
    if high <= FEW:
        return IntDistribution(max(1, int(low)), int(min(high, value + 1)))
    return IntDistribution(int(max(1, low, value // SMALLER)), int(min(high, value * LARGER)), log=True)


def _limited(text: str, annotation: Any, limits: str) -> BaseDistribution:
    """What is tried for "OPTION=LOW:HIGH", or for "OPTION=CHOICE,CHOICE"."""
    whole = float not in _types(annotation)
    try:
        if "," in limits:
            adapter = pydantic.TypeAdapter(annotation)
            return CategoricalDistribution([adapter.validate_strings(choice) for choice in limits.split(",")])
        low, high = (int(limit) if whole else float(limit) for limit in limits.split(":"))
        for limit in (low, high):
            pydantic.TypeAdapter(annotation).validate_python(limit)
        if _choices(annotation) or not low < high < float("inf"):
            raise ValueError("LOW must be less than HIGH")
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"].replace("Input should", "LOW and HIGH must")
        raise UsageError(one_line(f"--over {text}: {reason}")) from None
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise UsageError(f"--over {text}: a range is LOW:HIGH, two {kind}, such as 1:100") from None
    log = low > 0 and high >= SMALLER * low
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)


def current_values(name: str, experiment: Experiment, searched: Iterable[str]) -> dict[str, Any]:
    """The experiment's own values of what is searched."""
    known = dict(_options(name, experiment))
    return {path: known[path][1] for path in searched}


def contains(tried: Any, value: Any) -> bool:
    """Whether a value is among what is tried."""
    if choices := getattr(tried, "choices", None):
        return value in choices
    return value is not None and bool(tried.low <= value <= tried.high)


def rounded(value: float) -> float:
    """With two digits: what is tried is what can be written and read."""
    return type(value)(float(f"{value:.2g}"))


def rounded_within(value: Any, tried: BaseDistribution) -> Any:
    """A value that was drawn, `rounded` but within its range."""
    if isinstance(tried, IntDistribution | FloatDistribution):
        return min(tried.high, max(tried.low, rounded(value)))
    return value


def with_values(section: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment's section of params.yaml with other values: `values` has where each stands, as in `Space` -> it."""
    after: dict[str, Any] = deepcopy(dict(section))
    for path, value in values.items():
        part, option, *index = path.split(".")
        if index:
            after[part][option][int(index[0]) - 1] = value
        else:
            after[part][option] = value
    return after


def describe(searched: Space, now: Mapping[str, Any]) -> Iterator[str]:
    """What is searched, in words."""
    width = max(map(len, searched))
    for path, tried in searched.items():
        if choices := getattr(tried, "choices", None):
            bounds = ", ".join(map(str, choices))
        else:
            log = " on a log scale" if getattr(tried, "log", False) else ""
            bounds = f"{getattr(tried, 'low', 0):g} to {getattr(tried, 'high', 0):g}{log}"
        yield f"  {path:{width}}  {bounds}; now {now[path]}"
