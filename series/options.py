"""The options of an answer: as arguments, as flags of a command, or in params.yaml."""

from typing import Annotated, Any, Literal

import pydantic

from pipeline.validation import Strict

Count = Annotated[int, pydantic.Field(ge=1)]


class Options(Strict):
    """The options of an answer; what is left out is detected in the file, or proposed.

    Attributes:
        target: the column to forecast.
        horizon: timesteps to forecast.
        lookback: timesteps that a forecast sees.
        step: rows of a timestep.
        future: columns whose later values are known beforehand.
        holidays: the country whose holidays are known, such as "DE".
        missing: numbers and words that mean no value.
        stamp: the columns of the timestamp.
        stamp_format: of the timestamp, as `strptime` takes it.
        day_first: whether 01/02/2024 is in February.
        time_zone: the zone of the clock that the timestamps show.
        encoding, delimiter, decimal: of the text.
        networks: whether neural networks are tried.
        minutes: the time budget; None: as long as it takes.
    """

    target: str | None = None
    horizon: Annotated[Count, pydantic.Field(le=10_000)] | None = None
    lookback: Annotated[Count, pydantic.Field(le=100_000)] | None = None
    step: Count | None = None
    future: list[str] = pydantic.Field(default=[])
    holidays: str | None = None
    missing: list[str] = pydantic.Field(default=[])
    stamp: list[str] = pydantic.Field(default=[])
    stamp_format: str | None = None
    day_first: bool | None = None
    time_zone: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    networks: bool = True
    minutes: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return self.model_dump(exclude_defaults=True)
