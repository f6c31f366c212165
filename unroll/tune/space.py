"""The search space: the options of an experiment that are tried, and their ranges.

The ranges are the same for each data set. A model's card has those of its own options.
"""

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pydantic
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic.fields import FieldInfo

from pipeline.config.model_card import card
from pipeline.config.params import Experiment, own_name
from pipeline.errors import UsageError
from pipeline.training.recipe import recipe
from pipeline.validation import one_of

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution

Space = dict[str, Distribution]
"""Place of an option in its experiment, such as "model.units" or, in a list,
"model.hidden.1" -> the values that are tried."""

COMMON = {
    "learning_rate": "0.001:0.01",
    "schedule": "constant,cosine",
    "weight_decay": "0,1e-4,1e-3,1e-2,0.1,0.3,1",
    "batch_size": "32,64,128",
    "dropout": "0,0.01,0.02,0.05,0.1,0.2,0.3,0.5",
    "input_dropout": "0,0.01,0.02,0.05,0.1,0.2,0.3,0.5",
    "embedding": "8:64",
    "word_dropout": "0,0.1,0.2,0.3",
    "last": "1:72",
    "others": "1:12",
    "changes": "false,true",
    "differences": "false,true",
    "extremes": "false,true",
    "residual": "false,true",
    "calendar": "false,true",
    "every_step": "false,true",
    "extra_targets": "false,true",
    "mirrored": "false,true",
}
"""Option -> range LOW:HIGH or choices, for every model that has the option. Recurrent
networks and other models share these ranges, so that neither is treated better: both
search the lookback, rows or features with differences, means and extremes, the
calendar, the residual to the last value, a loss at every step, extra targets and
mirrored train series."""

OF_WORDS = ("embedding", "word_dropout", "pooling", "direction")
"""Options that are searched only where inputs are words."""

OF_COLUMNS = ("extremes", "extra_targets")
"""Switches that are searched where inputs have several columns, even if they are off."""

SWITCH = "false,true"
"""The choices of an option that is on or off."""

EPOCHS = "training.epochs"
PATIENCE = "training.patience"

SCALE = 4
"""The ratio of a range's ends from which the range is searched on a log scale."""


class Option(NamedTuple):
    """The type of an option, and its value in the experiment."""

    annotation: Any
    value: Any


def space(
    name: str,
    experiment: Experiment,
    input_shape: tuple[int, ...],
    over: Sequence[str] = (),
) -> Space:
    """Return the search space of an experiment.

    An option that is off (0, None or false) is searched neither by a range nor as a
    switch, unless `over` names it or it is one of `OF_COLUMNS`: the data set may not
    have it. Nor is a `last` that exceeds its range.

    Args:
        name: the name of the experiment.
        experiment: the experiment of params.yaml.
        input_shape: the shape of its input: the timesteps, which are the highest
            `last`, and columns.
        over: search only these options, each over its range or over all its words.

    Raises:
        UsageError: there is nothing to search, or an option of `over` is wrong.
    """
    options = _options(name, experiment)
    ranges = _ranges(experiment, options, input_shape, off=bool(over))
    if over:
        ranges = _named(over, options, ranges)
    if not ranges:
        raise UsageError(
            f"{name} has no option with a known range (`unroll show {name}` prints the "
            "options)"
        )
    return {
        place: _distribution(options[place], limits) for place, limits in ranges.items()
    }


def _named(
    over: Sequence[str], options: Mapping[str, Option], ranges: Mapping[str, str]
) -> dict[str, str]:
    """Return place -> range or choices of the options of `--over`.

    Raises:
        UsageError: there is no such option, or it has no range.
    """
    named = {}
    for option in over:
        one_of(option, set().union(*map(_names, options)), "--over")
        for place in options:
            if option not in _names(place):
                continue
            annotation, value = options[place]
            if place == EPOCHS or (place == PATIENCE and value):
                raise UsageError(
                    f"--over {option}: a search chooses the epochs itself, and "
                    "patience is a part of them; leave it out"
                )
            named[place] = ",".join(_words(annotation)) or ranges.get(place, "")
            if not named[place]:
                raise UsageError(
                    f"--over {option}: neither the model's card nor "
                    f"unroll/tune/space.py has a range of it; it is {value} now"
                )
    return named


def _ranges(
    experiment: Experiment,
    options: Mapping[str, Option],
    input_shape: tuple[int, ...],
    *,
    off: bool,
) -> dict[str, str]:
    """Return place -> range or choices, from `COMMON` and the model's card.

    With `off` these include options that are off, or exceed their range.
    """
    own_ranges = card(experiment.model).ranges
    if own_ranges is None:
        return {}
    parts = ["training.", "rows.", "features.", "model.", ""]
    if experiment.training.method == "by_hand":  # its model is fixed
        parts = ["training."]
    embedding = options.get("model.embedding")
    has_words = embedding is not None and embedding.value
    of_columns = OF_COLUMNS if math.prod(input_shape[1:]) > 1 else ()
    ranges = {}
    for option, limits in {**COMMON, **own_ranges}.items():
        places = [part + option for part in parts if part + option in options]
        if (
            not places
            or (option in OF_WORDS and not has_words)
            or (
                option == "extra_targets"
                and not (experiment.rows or experiment.features)
            )
        ):
            continue
        low, _, high = limits.partition(":")
        value = options[places[0]].value
        is_off = not value and (high or limits == SWITCH) and option not in of_columns
        if not off and (is_off or (option == "last" and value > int(high))):
            continue
        ranges[places[0]] = limits
        if option == "last":
            # A network that reads a single row has nothing to remember.
            least = "2" if places[0] == "rows.last" else low
            ranges[places[0]] = f"{least}:{min(int(high), input_shape[0])}"
    return ranges


def _names(place: str) -> set[str]:
    """Return the names that `--over` accepts for the option at a place."""
    parts = place.split(".")
    return {place, ".".join(parts[:2]), parts[min(1, len(parts) - 1)]}


def _options(name: str, experiment: Experiment) -> dict[str, Option]:
    """Return place -> option, for all options of an experiment."""
    chosen = recipe(own_name(name), experiment)
    options = {
        "residual": Option(bool, experiment.residual),
        "calendar": Option(bool, experiment.calendar),
        "mirrored": Option(bool, experiment.mirrored),
    }
    calls = {
        "model": chosen.build,
        "training": chosen.method,
        "rows": chosen.rows,
        "features": chosen.features,
    }
    for part, call in calls.items():
        if call is None:
            continue
        parameters = inspect.signature(call.func).parameters
        for option, value in call.keywords.items():
            place = f"{part}.{option}"
            annotation = parameters[option].annotation
            if isinstance(value, list):
                element = get_args(_bare(annotation))[0]
                for index, number in enumerate(value, 1):
                    options[f"{place}.{index}"] = Option(element, number)
            else:
                options[place] = Option(annotation, value)
    return options


def _bare(annotation: Any) -> Any:
    """Return a type without its `Annotated` constraints."""
    return FieldInfo.from_annotation(annotation).annotation


def _words(annotation: Any) -> list[str]:
    """Return the words that an option accepts, if it accepts only words."""
    bare = _bare(annotation)
    if bare is bool:
        return ["false", "true"]
    return [*map(str, get_args(bare))] if get_origin(bare) is Literal else []


def _distribution(option: Option, limits: str) -> Distribution:
    """Return the distribution of "LOW:HIGH" or "A,B".

    It includes the experiment's own value, unless that is 0, which turns the option
    off.
    """
    annotation, value = option
    adapter = pydantic.TypeAdapter(annotation)
    mark = "," if "," in limits else ":"
    values = [adapter.validate_strings(limit) for limit in limits.split(mark)]
    if mark == ",":
        return CategoricalDistribution(list(dict.fromkeys([*values, value])))
    if value:
        values.append(value)
    low = min(values)
    high = max(values)
    log = low > 0 and high >= SCALE * low
    if isinstance(low, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def current_values(
    name: str, experiment: Experiment, places: Iterable[str]
) -> dict[str, Any]:
    """Return place -> the experiment's own value.

    Raises UsageError if the experiment does not have an option of its trials any more.
    """
    options = _options(name, experiment)
    for place in places:
        if place not in options:
            raise UsageError(
                f"the trials of {name} have {place}, and params.yaml does not; delete "
                f"results/trials/{name}.csv to search again"
            )
    return {place: options[place].value for place in places}


def rounded(drawn: Mapping[str, Any], searched: Space) -> dict[str, Any]:
    """Return the values of a trial, rounded to two digits within their ranges.

    So the values that are tried are short enough for params.yaml.
    """
    values = dict(drawn)
    for place, tried in searched.items():
        if not isinstance(tried, CategoricalDistribution):
            value = values[place]
            two_digits = type(value)(float(f"{value:.2g}"))
            values[place] = min(tried.high, max(tried.low, two_digits))
    return values


def with_values(
    section: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an experiment's section of params.yaml with other values.

    `values` are place -> value, with places as in `Space`.
    """
    after: dict[str, Any] = deepcopy(dict(section))
    for place, value in values.items():
        *parts, option = place.split(".")
        inner: Any = after
        for part in parts:
            inner = inner[part]
        if isinstance(inner, list):
            inner[int(option) - 1] = value
        else:
            inner[option] = value
    return after


def describe(searched: Space, now: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each option that is searched."""
    width = max(map(len, searched))
    for place, tried in searched.items():
        if isinstance(tried, CategoricalDistribution):
            bounds = ", ".join(map(str, tried.choices))
        else:
            bounds = f"{tried.low:g} to {tried.high:g}"
            if tried.log:
                bounds += " on a log scale"
        yield f"  {place:{width}}  {bounds}; now {now[place]}"
