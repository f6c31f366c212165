"""What is searched: an experiment's own options, within ranges that are the same for
each data set.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from typing import Any, Literal, get_args, get_origin

import pydantic
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic.fields import FieldInfo

from pipeline.config.params import Experiment, own_name
from pipeline.errors import UsageError, one_line
from pipeline.training.recipe import recipe
from pipeline.validation import one_of

Space = dict[str, BaseDistribution]
"""Where an option stands in its experiment, such as "model.units" or, of a list,
"model.hidden.1" -> what is tried."""

FIXED = ("by_hand",)
"""Training methods with rules for one model: only their own options are searched."""

NETWORKS = (
    "learning_rate=0.001:0.01",
    "schedule=constant,cosine",
    "weight_decay=0,1e-4,1e-3,1e-2,0.1,0.3,1",
    "batch_size=32,64,128",
    "dropout=0,0.01,0.02,0.05,0.1,0.2,0.3",
    "embedding=8:64",
)
"""What is tried of every network, recurrent or not, so that no side is treated better.
"""

CELL = (*NETWORKS, "units=8:64", "layers=1:2", "hidden=16:128")

RANGES: dict[str, tuple[str, ...]] = {
    "linear": ("last=1:120", "ridge=1:100000"),
    "lags": (
        "last=1:72",
        "others=1:12",
        "trees=50:400",
        "leaves=4:32",
        "learning_rate=0.02:0.2",
        "examples=20:200",
    ),
    "kernel_ridge": (
        "last=1:72",
        "others=1:12",
        "gamma=0.01:4",
        "alpha=0.001:10",
        "scales=0,300",
    ),
    "mlp": (
        *NETWORKS,
        "hidden.1=16:256",
        "hidden.2=8:128",
        "activation=relu,tanh,sine",
        "last=4:72",
    ),
    "adaptive_filter": (
        *NETWORKS,
        "powers=8:64",
        "hidden=16:128",
        "activation=gelu,relu,tanh,sine",
    ),
    "transformer": (*NETWORKS, "heads=3:5", "size=6:12", "layers=2:4", "taps=1:12"),
    "tcn": (*NETWORKS, "filters=8:48", "kernel=2:5", "layers=2:5", "last=12:72"),
    "tfidf": ("c=1:100", "reviews=3:10"),
    **dict.fromkeys(("simple_rnn", "lstm", "gru", "min_gru"), CELL),
}
"""Model, or method with its own -> what is tried: OPTION=LOW:HIGH, or
OPTION=CHOICE,CHOICE.

A range of what an experiment has off (0 or nothing) is not tried, nor a `last` beyond
its range; a `last` ends with the input.
"""


SCALE = 4
"""A range whose ends are so many times apart is searched on a log scale."""


def family_space(name: str, experiment: Experiment, timesteps: int) -> Space:
    """The `RANGES` of an experiment's model, as far as it has such options; nothing
    where its model has none.
    """
    method = experiment.training.method
    family = method if method in RANGES else experiment.model.name
    parts = ("training",) if method in FIXED else ("model", "training")
    options = dict(_options(name, experiment))
    paths = {path.partition(".")[2]: path for path in options if path.startswith(parts)}
    searched: Space = {}
    for text in RANGES.get(family, ()):
        option, limits = text.split("=")
        if (path := paths.get(option)) is None:
            continue
        annotation, value = options[path]
        low, _, high = limits.partition(":")
        if high and (not value or (option == "last" and value > int(high))):
            continue
        if option == "last":
            limits = f"{low}:{min(int(high), timesteps)}"
        searched[path] = _distribution(text, annotation, limits)
    return searched


def space(
    name: str, experiment: Experiment, over: Sequence[str], timesteps: int
) -> Space:
    """What `unroll tune` tries: as `family_space`, with the experiment's own values; or
    `over`, these options alone.

    `over` has "OPTION", by the range of its model or all words that it can be, or with
    a range, "OPTION=LOW:HIGH", or choices, as in `RANGES`.

    Raises:
        UsageError: there is nothing to search, or an option or a range is wrong.
    """
    options = dict(_options(name, experiment))
    known = family_space(name, experiment, timesteps)
    if not over and not known:
        raise UsageError(
            f"{name} has no number with a known range; `unroll show {name}` prints its options for --over"
        )
    if not over:
        return {
            path: _widened(distribution, options[path][1])
            for path, distribution in known.items()
        }
    chosen: Space = {}
    for text in over:
        option, _, limits = text.partition("=")
        names = {
            path: {path, path.split(".")[1], ".".join(path.split(".")[:2])}
            for path in options
        }
        one_of(option, set().union(*names.values()), "--over")
        for path in (path for path in options if option in names[path]):
            annotation, value = options[path]
            if limits:
                chosen[path] = _distribution(f"--over {text}", annotation, limits)
            elif choices := _choices(annotation):
                chosen[path] = CategoricalDistribution(choices)
            elif path in known:
                chosen[path] = _widened(known[path], value)
            else:
                raise UsageError(
                    f"--over {option}: give a range, as in --over {option}=1:100; it is {value} now"
                )
    return chosen


def _widened(distribution: Any, value: Any) -> Any:
    """With a value among what is tried, so that the first trial is the experiment as it
    is.
    """
    if contains(distribution, value) or not value:
        return distribution
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution([*distribution.choices, value])
    wide = copy(distribution)
    wide.low = min(distribution.low, value)
    wide.high = max(distribution.high, value)
    return wide


def _options(
    name: str, experiment: Experiment
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Every option that can be searched, with its annotation and its value."""
    chosen = recipe(own_name(name), experiment)
    for part, call in (("model", chosen.build), ("training", chosen.method)):
        parameters = inspect.signature(call.func).parameters
        for option, value in call.keywords.items():
            annotation = parameters[option].annotation
            if isinstance(value, list):
                element = get_args(FieldInfo.from_annotation(annotation).annotation)[0]
                yield from (
                    (f"{part}.{option}.{path}", (element, number))
                    for path, number in enumerate(value, 1)
                )
            elif _choices(annotation) or {int, float} & {*_types(annotation)}:
                yield f"{part}.{option}", (annotation, value)


def _types(annotation: Any) -> tuple[Any, ...]:
    bare = FieldInfo.from_annotation(annotation).annotation
    return get_args(bare) or (bare,)


def _choices(annotation: Any) -> tuple[Any, ...]:
    bare = FieldInfo.from_annotation(annotation).annotation
    return (
        (False, True)
        if bare is bool
        else get_args(bare)
        if get_origin(bare) is Literal
        else ()
    )


def _distribution(text: str, annotation: Any, limits: str) -> BaseDistribution:
    """What is tried by the limits "LOW:HIGH" or "CHOICE,CHOICE"; `text` is what a
    message begins with.
    """
    whole = float not in _types(annotation)
    try:
        if "," in limits:
            adapter = pydantic.TypeAdapter(annotation)
            return CategoricalDistribution(
                [adapter.validate_strings(choice) for choice in limits.split(",")]
            )
        low, high = (
            int(limit) if whole else float(limit) for limit in limits.split(":")
        )
        for limit in (low, high):
            pydantic.TypeAdapter(annotation).validate_python(limit)
        if _choices(annotation) or not low < high < float("inf"):
            raise ValueError("LOW must be less than HIGH")
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"].replace("Input should", "LOW and HIGH must")
        raise UsageError(one_line(f"{text}: {reason}")) from None
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise UsageError(
            f"{text}: a range is LOW:HIGH, two {kind}, such as 1:100"
        ) from None
    log = low > 0 and high >= SCALE * low
    return (
        IntDistribution(int(low), int(high), log=log)
        if whole
        else FloatDistribution(low, high, log=log)
    )


def current_values(
    name: str, experiment: Experiment, searched: Iterable[str]
) -> dict[str, Any]:
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


def with_values(
    section: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """An experiment's section of params.yaml with other values: `values` has where each
    stands, as in `Space` -> it.
    """
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
            bounds = (
                f"{getattr(tried, 'low', 0):g} to {getattr(tried, 'high', 0):g}{log}"
            )
        yield f"  {path:{width}}  {bounds}; now {now[path]}"
