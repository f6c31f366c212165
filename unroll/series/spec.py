"""A forecaster as plain data: its models, and the preparation of series."""

import math
import zoneinfo
from dataclasses import asdict
from typing import Annotated, Literal

import pydantic

from pipeline.config.params import Experiment, Name, Seed
from pipeline.data import windowing
from pipeline.data.problem import Problem
from pipeline.data.windowing import Count
from pipeline.validation import Strict, Timestamp
from unroll.series.combination import known_after, require_memory
from unroll.series.options import Objective
from unroll.series.row_options import (
    ALONE,
    RECENT,
    Preprocessing,
)

Number = Annotated[int, pydantic.Field(ge=0, le=1_000_000)]
Timesteps = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]


MOST_INPUTS = 1 << 24
"""The most values of a window; a forecast may look at `rows.MOST` windows."""


class Shapes(Strict):
    """The `Problem` of a member: the shapes of its inputs and outputs.

    Attributes:
        input_shape: timesteps and columns.
        target: the column that is forecast.
        horizon: timesteps from the last input to the first target.
        period: timesteps of one natural cycle; 0 if there is none.
        calendar: the number of the last columns that hold the calendar.
        outputs: the number of values to predict.
        classify, vocabulary, each_step, every: what a series never has.
    """

    input_shape: Annotated[list[Timesteps], pydantic.Field(min_length=2, max_length=2)]
    target: Number = 0
    horizon: Timesteps = 1
    period: Number = 0
    calendar: Number = 0
    outputs: Timesteps = 1
    classify: Literal[False] = False
    vocabulary: Literal[0] = 0
    each_step: Literal[False] = False
    every: Literal[False] = False

    @classmethod
    def of(cls, problem: Problem) -> "Shapes":
        """Return the shapes of a problem."""
        return cls.model_validate(
            asdict(problem) | {"input_shape": [*problem.input_shape]}
        )


class Member(Strict):
    """A model of a forecaster, which forecasts the mean over its seeds.

    Attributes:
        name: the name of the model, which is also the name of its folder of weights.
        experiment: the model, and how it is trained.
        problem: the shapes of inputs and outputs.
        seeds: the seeds that the model was fitted with.
        point: the weights that are taken, "best" or "final".
    """

    name: Name
    experiment: Experiment
    problem: Shapes
    seeds: Annotated[list[Seed], pydantic.Field(min_length=1, max_length=10_000)]
    point: Literal["best", "final"]

    @property
    def timesteps(self) -> int:
        """The number of timesteps that the model looks back."""
        return self.problem.input_shape[0]

    @property
    def weights(self) -> list[str]:
        """For each seed the name of the file of its weights, without the suffix."""
        return [f"seed_{seed}_{self.point}" for seed in self.seeds]


class ForecasterSpec(Strict):
    """The content of forecaster.json: the models of some series.

    Attributes:
        dataset: the name of the data set, and of the answer.
        fitted: the preparation of the rows of each series.
        members: the models that were fitted to all rows.
        champions: the members that forecast if none is named. All members if it is
            empty.
        combined: the members of the combination; empty if not all of them were kept.
        shares: the weight of each of these, if it is fixed; otherwise they are weighted
            by their errors (`combination`).
        objective: what a forecast is, the mean or the median.
        stride: rows from one origin to the next.
        lag: rows of a recent change (`prediction_intervals.recent`).
        keep_last: whether the last row counts although its period is not over.
        why: the reason why these models forecast.
        until: the last row that the models were fitted to.
    """

    dataset: str
    fitted: Preprocessing
    members: Annotated[list[Member], pydantic.Field(min_length=1, max_length=100)]
    champions: list[str] = pydantic.Field(default=[])
    combined: list[str] = pydantic.Field(default=[])
    shares: dict[str, Annotated[float, pydantic.Field(gt=0, le=1)]] = pydantic.Field(
        default={}
    )
    objective: Objective = "median"
    stride: Count
    lag: Count = 1
    keep_last: bool = False
    why: str = "as asked"
    until: Timestamp

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "ForecasterSpec":
        """Check that series and members have the columns and steps of the windows."""
        self._require_columns()
        names = {member.name for member in self.members}
        unknown = {*self.champions, *self.combined, *self.shares} - names
        if unknown:
            raise ValueError(
                f"champions must be members. Received: {min(unknown)!r:.80}"
            )
        for member in self.members:
            self._require_shapes(member)
        zone = self.fitted.csv.time_zone
        if zone is not None and zone not in zoneinfo.available_timezones():
            raise ValueError(f"csv.time_zone must be a zone. Received: {zone!r:.80}")
        known = known_after(self.fitted.windows.horizon, self.stride)
        require_memory(len(self.members), known)
        return self

    def _require_columns(self) -> None:
        columns = self.fitted.columns
        csv = self.fitted.csv
        alone = [*self.fitted.series] == [ALONE]
        if not self.fitted.series or alone != (csv.series_id is None):
            raise ValueError(
                "fitted.series must have a series, named as csv.series_id names it, or "
                f"{ALONE!r} alone"
            )
        read = {*self.fitted.read}
        if not {csv.target, *self.fitted.windows.future} <= read or not csv.stamp:
            raise ValueError(
                f"fitted.columns must have the target {csv.target!r:.80} and "
                "windows.future, and then the columns that are made from others; "
                "csv.stamp must name a column"
            )
        for name, known in self.fitted.series.items():
            lengths = {len(values) for values in known.model_dump().values()}
            if lengths != {len(columns)} or min(known.std) <= 0:
                raise ValueError(
                    f"fitted.series.{name!s:.80} must have {len(columns)} values of "
                    "each statistic, and each std must be positive"
                )

    def _require_shapes(self, member: Member) -> None:
        columns = self.fitted.columns
        windows = self.fitted.windows
        calendar = member.problem.calendar
        expected = {
            "columns": len(columns) + calendar,
            "target": self.fitted.target,
            "outputs": windows.horizon,
        }
        found = {
            "columns": member.problem.input_shape[1],
            "target": member.problem.target,
            "outputs": member.problem.outputs,
        }
        if math.prod(member.problem.input_shape) > MOST_INPUTS:
            raise ValueError(f"members.{member.name}.problem.input_shape is too large")
        if len({*member.seeds}) < len(member.seeds):
            raise ValueError(f"members.{member.name}.seeds must differ")
        usual = windowing.calendar_columns(week=windows.week)
        if found != expected or calendar != usual * member.experiment.calendar:
            raise ValueError(
                f"members.{member.name}.problem must have {expected} and {usual} "
                f"columns of the calendar or none. Received: {found}"
            )

    @property
    def whole(self) -> bool:
        """Whether models see whole series, each up to its last row."""
        return self.fitted.windows.whole

    @property
    def timesteps(self) -> int:
        """The largest number of timesteps that a member looks back."""
        return max(member.timesteps for member in self.members)

    @property
    def reach(self) -> int:
        """The number of rows that the members and the intervals look at."""
        timestep = self.fitted.cleaning.timestep
        # timesteps may be cut in two
        reach = self.fitted.reach * timestep + 2 * (timestep - 1)
        return max(reach, self.timesteps * timestep, (self.lag + RECENT) * timestep)
