"""What a forecaster is, as plain data: its models, what is asked of each series, and why they were chosen."""

from typing import Any

from pipeline.config.params import Experiment
from pipeline.data.dataset import Scale
from pipeline.forecast.question import Question
from pipeline.validation import Strict


class Member(Strict):
    """A model that a forecast is made of: the mean of its seeds' "best" or "final" weights."""

    name: str
    experiment: Experiment
    problem: dict[str, Any]
    seeds: list[int]
    point: str

    @property
    def timesteps(self) -> int:
        """How far back it looks."""
        return int(self.problem["input_shape"][0])


class Part(Strict):
    """A series: what is asked of its rows, and the scale of its target."""

    question: Question
    scale: Scale


class Spec(Strict):
    """What forecaster.json holds.

    Attributes:
        name: of the experiment, or of the data set whose champion it is.
        members: whose median, weighted by their errors, is the forecast (`combination`).
        series: name of a series -> how its rows become inputs; one that is alone is `ALONE`.
        why: they were chosen.
        until: the last row that they were fitted to, where the errors since then are to count; else None.
        stride: rows from one origin to the next.
        judged: what the coverage comes from, in words.
    """

    name: str
    members: list[Member]
    series: dict[str, Part]
    why: str = "as asked"
    until: str | None = None
    stride: int = 1
    judged: str = ""

    @property
    def question(self) -> Question:
        """That of the first series; how a file is written and what is asked for is the same for all."""
        return next(iter(self.series.values())).question

    @property
    def scale(self) -> Scale:
        """That of the first series."""
        return next(iter(self.series.values())).scale

    @property
    def timesteps(self) -> int:
        """Of the member that looks back furthest."""
        return max(member.timesteps for member in self.members)

    @property
    def reach(self) -> int:
        """Rows that are looked at; of a model with `history` fewer do, down to those that a window takes."""
        return max(self.question.reach, (self.timesteps - 1) * self.question.step + 1)

    @property
    def seeds(self) -> int:
        """Of the member that has most."""
        return max(len(member.seeds) for member in self.members)
