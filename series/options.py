"""The options of an answer: as arguments, as flags of a command, or in params.yaml."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from pipeline.validation import Strict

MOST_TIMESTEPS = 10_000
"""Largest horizon."""


def _whole(value: Any) -> Any:
    """Return a float such as 7.0 as an integer, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, pydantic.BeforeValidator(_whole), pydantic.Field(ge=1)]


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _names(value: Any) -> Any:
    """Return one name or several as a list, with numbers as text."""
    values = [value] if isinstance(value, str | int | float) else value
    if isinstance(values, tuple | list):
        return [str(_plain(one)) for one in values]
    return values


Names = Annotated[list[str], pydantic.BeforeValidator(_names)]


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

    Numbers may be NumPy's. A single name may stand for a list of names.

    Attributes:
        target: the column to forecast.
        horizon: timesteps to forecast.
        lookback: timesteps that a forecast sees.
        step: rows of a timestep.
        future: columns whose later values are known beforehand.
        holidays: the country whose holidays are known, such as "DE".
        missing: numbers and words that mean no value.
        stamp: the columns of the timestamp.
        stamp_format: the format of the timestamp, as `strptime` takes it.
        day_first: whether 01/02/2024 is in February.
        time_zone: the zone of the clock that the timestamps show.
        encoding: the encoding of a text file.
        delimiter: the mark between the columns of a text file.
        decimal: the mark before decimals in a text file.
        networks: whether neural networks are tried.
        minutes: the time budget; None for no limit.
    """

    target: str | None = None
    horizon: Annotated[Count, pydantic.Field(le=MOST_TIMESTEPS)] | None = None
    lookback: Annotated[Count, pydantic.Field(le=100_000)] | None = None
    step: Count | None = None
    future: Names = pydantic.Field(default=[])
    holidays: str | None = None
    missing: Names = pydantic.Field(default=[])
    stamp: Names = pydantic.Field(default=[])
    stamp_format: str | None = None
    day_first: bool | None = None
    time_zone: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    networks: bool = True
    minutes: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _as_python(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: _plain(value) for key, value in given.items()}

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return self.model_dump(exclude_defaults=True)


class Arguments(Options):
    """The arguments of `unroll.answer` that can be checked before the rows are read.

    Attributes:
        name: the name of the series.
        jobs: number of models that are fitted at a time.
    """

    name: Title | None = None
    jobs: Count | None = None
