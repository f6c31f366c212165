"""Series of a longer file that are too short, or begin too late, for its windows.

They are forecast by a simple model (`series.short`), beside the others' forecaster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.examples import Array
from pipeline.errors import UnknownAheadError, UnrollError
from series import intervals
from series.compared import Compared
from series.fits import Workers
from series.forecaster import BaseForecaster
from series.options import Arguments
from series.question import Proposal, some_reasons
from series.reading import files, timestamp_formats
from series.reading.profile import FileProfile
from series.rows import History, Window
from series.short import answer as short
from series.spec import Spec

FOLDER = "late"
"""The folder of the forecaster of late series, in that of the others."""


@dataclass(frozen=True)
class WithLate(BaseForecaster):
    """The forecaster of most series, and that of late ones.

    Attributes:
        spec: that of the forecaster of most series.
        most: the forecaster of most series.
        late: the forecaster of late series.
    """

    spec: Spec
    most: BaseForecaster
    late: BaseForecaster

    @classmethod
    def of(cls, most: BaseForecaster, late: BaseForecaster) -> "WithLate":
        """Return both forecasters as one."""
        return cls(most.spec, most, late)

    @property
    def names(self) -> list[str]:
        """The names of all series."""
        return [*{**dict.fromkeys(self.most.names), **dict.fromkeys(self.late.names)}]

    def why(self, series: str) -> str:
        """Return in words which models forecast a series."""
        return self._of(series).spec.why

    @property
    def models(self) -> list[str]:
        """The models that can forecast most series."""
        return self.most.models

    def of_model(self, model: str, why: str) -> "WithLate":
        """Return both by one of the models of most series.

        Late series keep their simple model if they have not the one that is asked for.
        """
        late = self.late
        if model in late.models:
            late = late.of_model(model, why)
        return WithLate.of(self.most.of_model(model, why), late)

    def save(self, folder: Path) -> None:
        """Write both forecasters into a folder."""
        self.most.save(folder)
        self.late.save(folder / FOLDER)

    def load_models(self) -> None:
        """Read the models now."""
        self.most.load_models()
        self.late.load_models()

    def latest(self, history: History) -> Window:
        """Return the last window of some rows."""
        return self._of(history.question.series).latest(history)

    def ahead(
        self,
        window: Window,
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> tuple[Array, Array]:
        """Forecast the timesteps after a window."""
        return self._of(window.question.series).ahead(window, levels, horizon)

    def _of(self, series: str) -> BaseForecaster:
        return self.late if series in self.late.names else self.most

    def histories(
        self, read: files.FileRows, plans: Sequence[files.FileRows]
    ) -> dict[str, History]:
        """Return all rows of each series that has any; late ones have no plan."""
        found = dict[str, History]()
        ids = read.cells.get(self.spec.question.csv.series_id)
        there = {*(self.names if ids is None else timestamp_formats.as_text(ids))}
        for part, own_plans in ((self.most, plans), (self.late, ())):
            if there & {*part.names}:
                form = part.spec.question.csv
                found |= part.histories(replace(read, form=form), own_plans)
        return found or self.most.histories(read, plans)


def _broken_off(forecaster: BaseForecaster, profile: FileProfile) -> dict[str, str]:
    """Return name of a series whose last rows give no window -> why."""
    read = replace(profile.file, form=forecaster.spec.question.csv)
    reasons = dict[str, str]()
    try:
        found = forecaster.histories(read, ())
    except UnknownAheadError:  # said when the user asks for a forecast
        return reasons
    for name, history in found.items():
        try:
            forecaster.latest(history)
        except UnrollError as error:
            reasons[name] = str(error).removeprefix(f"{history.name}: ")
    return reasons


def words(reasons: Mapping[str, str], used: int, title: str) -> str:
    """Return a sentence on late series; "" if there are none.

    Args:
        reasons: name of a late series -> why it is late.
        used: the number of all series.
        title: the model that forecasts them.
    """
    count = len(reasons)
    if not count:
        return ""
    return (
        f"{count:,} of {used:,} series {'is' if count == 1 else 'are'} too short or too "
        f"late for these models, and forecast by {title} ({some_reasons(reasons)})."
    )


def added(
    made: Compared,
    profile: FileProfile,
    proposal: Proposal,
    kept: Path,
    workers: Workers,
) -> Compared:
    """Return what was found, with forecasts of the series that have none.

    Args:
        made: what was found about series that are cut into windows.
        profile: the profile of the files, with their rows.
        proposal: the question.
        kept: a folder for forecasts.
        workers: what fits models.
    """
    reasons = {**made.series_left_out}
    if profile.series_id:
        reasons |= _broken_off(made.forecaster, profile)
    if not reasons:
        return made
    others = {name: "" for name in profile.series if name not in reasons}
    asked = replace(proposal, leave_out=others, cycles=proposal.cycles[:1])
    # a fit of ETS to a long series takes seconds
    simple = Arguments(networks=False, models=["theta"])
    name = made.forecaster.spec.name
    try:
        late = short.answered(name, profile, asked, simple, kept / FOLDER, workers)
    except UnrollError:  # even a simple model has too few rows
        return replace(made, series_left_out=reasons)
    forecast = {name: reasons[name] for name in late.forecaster.names}
    return replace(
        made,
        forecaster=WithLate.of(made.forecaster, late.forecaster),
        series_left_out=late.series_left_out,
        late=late,
        late_reasons=forecast,
    )
