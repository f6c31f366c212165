"""The options of an answer: as arguments of `unroll.answer`, or as flags of a command."""

import inspect
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import pydantic

from pipeline.validation import Strict, one_of

MODELS = 99
"""Most models that a message lists: all that an answer can have."""

Objective = Literal["mean", "median"]
"""What a forecast is: the mean, judged by squared errors, or the median, judged by
absolute errors."""

MOST_TIMESTEPS = 10_000
"""Largest horizon."""

Aggregate = Literal["mean", "sum"]
"""What a timestep of several rows is; see `Cleaning.aggregate`."""

MOST_LOOKBACK = 100_000
"""Largest lookback, in timesteps."""


NO_SPAN = "must be a number of rows, 1 or more, or a duration such as 24h or 3d"
"""What is said of a horizon or a lookback that is neither."""


def _whole(value: Any) -> Any:
    """Return a float such as 7.0 as an integer, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, pydantic.BeforeValidator(_whole), pydantic.Field(ge=1)]


def _rows(value: Any) -> Any:
    """Return a number of rows as an integer, and a duration as it is.

    Raises:
        ValueError: the value is neither.
    """
    digits = isinstance(value, str) and value.isdecimal()
    rows = int(value) if digits else _whole(value)
    if isinstance(rows, str):
        seconds_of(rows)
    elif not isinstance(rows, int) or rows < 1:
        raise ValueError(NO_SPAN)
    return rows


def seconds_of(text: str) -> float:
    """Return the seconds of a duration such as "24h" or "3d".

    Raises:
        ValueError: it is no duration above 0.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small letters
            seconds = float(pd.Timedelta(text).total_seconds())
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(NO_SPAN)
    return seconds


Span = Annotated[int | str, pydantic.BeforeValidator(_rows)]
"""A number of rows, or a duration."""


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _names(value: Any) -> Any:
    """Return one name or several as a list, with numbers as text."""
    values = [value] if isinstance(value, str | int | float) else value
    if isinstance(values, tuple | list):
        return [str(_plain(one)) for one in values]
    return values


Names = Annotated[list[str], pydantic.BeforeValidator(_names)]


AS_FLAGS: ContextVar[bool] = ContextVar("AS_FLAGS", default=False)
"""Whether texts name options as flags of a command, not as keywords of Python."""


@contextmanager
def naming_flags() -> Iterator[None]:
    """Let the texts that are made meanwhile name options as flags."""
    token = AS_FLAGS.set(True)
    try:
        yield
    finally:
        AS_FLAGS.reset(token)


def argument(name: str, value: object = None) -> str:
    """Return an option in the reader's words, with a value or without one.

    In Python `decimal=','` or `decimal=`, on the command line `--decimal ,` or
    `--decimal`.
    """
    if not AS_FLAGS.get():
        return f"{name}=" if value is None else f"{name}={value!r}"
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    if name == "day_first":
        return flag if value else "--month-first"
    return flag if value is None else f"{flag} {shlex.quote(str(value))}"


def is_title(text: str) -> bool:
    """Return whether a text can name a series, and so a folder and an MLflow model."""
    is_dots = set(text) <= {"."}
    return bool(re.fullmatch(r"[^/\\\x00-\x1f\x7f]{1,200}", text)) and not is_dots


def _title(text: str) -> str:
    if not is_title(text):
        raise ValueError(
            "must be a name of 1 to 200 characters without / and \\, and not dots alone"
        )
    return text


Title = Annotated[str, pydantic.AfterValidator(_title)]
"""The name of a series."""


class Options(Strict):
    """The options of an answer; what is left out is detected in the file, or proposed.

    They are the keywords of `unroll.answer` and the flags of the command. Numbers may be
    NumPy's. A single name may stand for a list of names.
    """

    model_config = pydantic.ConfigDict(use_attribute_docstrings=True)

    target: str | None = None
    """The column to forecast."""
    horizon: Span | None = None
    """Rows to forecast, or a duration such as 24h or 3d."""
    lookback: Span | None = None
    """Rows that a forecast sees, or a duration."""
    step: Count | None = None
    """Rows that become one timestep: 4 makes hours of quarters of an hour."""
    aggregate: Aggregate | None = None
    """What a timestep of several rows is: their mean, or the sum of amounts."""
    future: Names = pydantic.Field(default=[])
    """A column, or several, known beforehand."""
    holidays: str | None = None
    """A country, or a state, whose holidays count: DE, DE-BY, US ..."""
    missing: Names = pydantic.Field(default=[])
    """A number or word, or several, that means no value."""
    stamp: Names = pydantic.Field(default=[])
    """A column, or several, of timestamps."""
    stamp_format: Annotated[str, pydantic.Field(max_length=200)] | None = None
    """The format of timestamps, as strptime takes it."""
    day_first: bool | None = None
    """How to read 01/02/2024."""
    time_zone: str | None = None
    """The time zone of the timestamps: Europe/Berlin."""
    encoding: str | None = None
    """The encoding of the text, such as latin-1."""
    delimiter: str | None = None
    """The separator of columns; a space for any white space."""
    decimal: Literal[".", ","] | None = None
    """The mark before decimals."""
    keep_last: bool = False
    """Keep the last row although its day, week or month is not over."""
    objective: Literal["mean", "median"] | None = None
    """What is forecast: the mean (whoever orders goods needs it), or the median."""
    models: Names = pydantic.Field(default=[])
    """A model, or several, to try besides naive ones; by default all that suit."""
    without: Names = pydantic.Field(default=[])
    """A model, or several, that are not tried."""
    networks: bool = True
    """Try neural networks, too; they take most of the time."""
    minutes: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    """The time budget, after which other models are left out; by default none."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _as_python(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: _plain(value) for key, value in given.items()}

    def tried(self, names: Iterable[str], naive: Sequence[str]) -> list[str]:
        """Return those of some models that are tried; naive ones always are.

        Raises:
            UsageError: `models` or `without` names no such model.
        """
        every = [*names]
        for name in (*self.models, *self.without):
            both = f"{argument('models')} and {argument('without')}"
            one_of(name, every, both, most=MODELS)
        wanted = {*(self.models or every)} - {*self.without}
        return [name for name in every if name in wanted or name in naive]

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return self.model_dump(exclude_defaults=True)


OF_FITS = ("models", "without", "networks", "minutes", "name", "jobs")
"""The options that change how a question is answered, and not the question."""


class Arguments(Options):
    """The arguments of `unroll.answer` that can be checked before the rows are read."""

    name: Title | None = None
    """The name of the series; by default the name of the file."""
    jobs: Count | None = None
    """The number of models that are fitted at a time; by default one for each core."""


def explained(model: type[Options]) -> str:
    """Return a line for each option of a model, as in a docstring."""
    return "\n".join(
        f"        {name}: {field.description}"
        for name, field in model.model_fields.items()
    )


Function = TypeVar("Function", bound=Callable[..., Any])


def takes(
    model: type[Options],
    annotate: Callable[[str, Any, pydantic.fields.FieldInfo], Any] | None = None,
) -> Callable[[Function], Function]:
    """Let a function with `**options` name the fields of a model in its signature.

    So `help`, a notebook and Typer know the options, which are declared in the model
    alone.

    Args:
        model: the options.
        annotate: returns the annotation of an option by its name, type and field; by
            default it is the type.
    """
    types = get_type_hints(model)

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        parameters = list(signature.parameters.values())[:-1]
        for name, field in model.model_fields.items():
            kind = types[name]
            option = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=annotate(name, kind, field) if annotate else kind,
            )
            parameters.append(option)
        vars(function)["__signature__"] = signature.replace(parameters=parameters)
        return function

    return decorate
