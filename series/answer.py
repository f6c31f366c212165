"""The answer for a user's own series: the scores of all models, whether recurrence
helps, and the forecast.
"""

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import pandas as pd
import pydantic

from pipeline.errors import UnrollError, UsageError, one_line, printable
from pipeline.files import (
    atomic_folder,
    read_checked,
    read_parquet,
    write_json,
    write_parquet,
)
from pipeline.locks import alone
from pipeline.processes import Server
from pipeline.validation import Strict, one_of, validated
from series import FILE, accounts, contributions, fits, seal, sentence, windowed
from series.compared import Compared
from series.fits import Say, Workers
from series.forecaster import ARRAYS, SPEC, BaseForecaster, Forecaster
from series.late import FOLDER as LATE
from series.late import WithLate
from series.late import words as late_words
from series.leaderboard import ENSEMBLE, Board
from series.options import (
    MODELS,
    MOST_TIMESTEPS,
    Arguments,
    Objective,
    Options,
    Title,
    explained,
    is_title,
    takes,
)
from series.question import is_short, not_forecast, propose, too_far
from series.reading.detect import detect
from series.reading.profile import FileProfile, described
from series.reading.series_names import LONG_FORMAT
from series.rows import Window
from series.short import answer as short
from series.short.forecaster import SPEC as SHORT_SPEC
from series.short.forecaster import ShortForecaster
from series.source import Data, RowsFile, files_of, naming_the_frame, plain_name

LEVELS = (0.5, 0.8, 0.9)
"""The usual coverages of prediction intervals."""

SCORES = (
    "recurrent",
    "mae",
    "rmse",
    "bias",
    "wql",
    "change",
    "low",
    "high",
    "coverage",
)
"""Names of the scores in the columns of `Answer.models`."""

TABLE = "forecasts.parquet"
"""The file of the forecasts from all cutoffs of the past."""

COLUMNS = {
    "unique_id": "Oiu",
    "ds": "M",
    "cutoff": "M",
    "model": "O",
    "y": "f",
    "y_hat": "f",
}
"""The columns of `TABLE` -> the kinds of their values, as for `read_parquet`."""

SECONDS = "seconds.json"
"""The file of CPU seconds, which differ from run to run."""

SHOWN = ("forecast.csv", "forecast.svg", "weeks.svg", "index.html")
"""The files for people, which `page` writes."""


Choose: TypeAlias = Callable[[FileProfile], Options]
"""A function that chooses options by the profile of the files."""


class Seconds(pydantic.RootModel[dict[str, float]]):
    """The content of seconds.json: name of a model -> CPU seconds."""

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


class Late(Strict):
    """What was found about series that are too short or late for windows.

    Attributes:
        board: the scores of their models, and who forecasts.
        titles: name of a model -> its title.
        reasons: name of a series -> why it is not cut into windows.
    """

    board: Board
    titles: dict[str, str]
    reasons: dict[str, str]

    @property
    def title(self) -> str:
        """The model that forecasts, in words."""
        return sentence.title(self.board, self.titles, self.board.champion)


class Findings(Strict):
    """The content of answer.json.

    Attributes:
        name: the name of the series.
        files: the files of rows.
        target: the column that is forecast.
        horizon: timesteps that are forecast at once.
        board: the scores of all models, and who forecasts.
        titles: name of a model -> its title.
        models_left_out: name of a model -> why it was not fitted.
        series_left_out: name of a series -> why it is not forecast.
        mostly_zero: the number of forecast series whose median is 0; None in answers
            of an earlier version.
        late: what was found about series that are too short or late for windows; None
            if there are none.
        groups: a column that groups series, such as a family -> name of a series -> its
            word there.
        integers: the type of unique_id where the user's column holds integers, such
            as "int64"; else empty.
    """

    name: Title
    files: Annotated[list[RowsFile], pydantic.Field(min_length=1)]
    target: str
    horizon: Annotated[int, pydantic.Field(ge=1, le=MOST_TIMESTEPS)]
    board: Board
    titles: dict[str, str]
    models_left_out: dict[str, str]
    series_left_out: dict[str, str]
    mostly_zero: Annotated[int, pydantic.Field(ge=0)] | None = None
    late: Late | None = None
    groups: dict[str, dict[str, str]] = pydantic.Field(default={})
    integers: Annotated[
        str, pydantic.StringConstraints(pattern="^(u?int(8|16|32|64))?$")
    ]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Findings":
        """Check that the board names models that it has."""
        parts: list[Findings | Late] = [self]
        if self.late is not None:
            parts.append(self.late)
        for part in parts:
            part.board.check()
            for name in [*part.board.models, *part.board.members]:
                if name not in part.titles and name != ENSEMBLE:
                    raise ValueError(f"titles must have the model {name!r:.80}")
        return self


@dataclass(frozen=True, eq=False)
class Answer:
    """The findings about a series, as `answer` makes them and `load` reads them.

    Attributes:
        findings: the question, and the scores of all models.
        forecasts: the forecasts from all cutoffs of the past: unique_id, ds, cutoff,
            model, y, y_hat, a row for each value. y_hat is the mean over a network's
            seeds, y is NaN where nothing was measured. unique_id holds integers if it
            does in the user's DataFrame or Parquet file, else text. If the series has a
            time zone, ds and cutoff are in UTC, without a zone.
        forecaster: the best model, fitted to all rows.
        folder: the folder of the files. That of `answer` is temporary: it is removed with
            the answer.
        seconds: name of a model -> CPU seconds that its backtest took here.
    """

    findings: Findings
    forecasts: pd.DataFrame
    forecaster: BaseForecaster
    folder: Path
    seconds: Mapping[str, float]

    def __repr__(self) -> str:
        return f"Answer({self.name!r}: {self.sentence})"

    @property
    def name(self) -> str:
        """The name of the series."""
        return self.findings.name

    @property
    def target(self) -> str:
        """The column that is forecast."""
        return self.findings.target

    @property
    def board(self) -> Board:
        """The scores of all models, and who forecasts."""
        return self.findings.board

    @property
    def unit(self) -> str:
        """The unit of `mae` in `models`; "" if it has none."""
        return self.board.unit

    @property
    def outcome(self) -> str | None:
        """The outcome: "helps", "hurts", "no difference that matters" or "open".

        It says whether recurrence helps. It is None if no recurrent network was tried.
        """
        word = self.board.word
        return None if word is None else str(word)

    @property
    def sentence(self) -> str:
        """The answer in words: whether recurrence helps, and who forecasts."""
        return sentence.sentence(self.board, self.findings.titles)

    @property
    def hint(self) -> str:
        """Sentences on series that are not forecast, on what differs in the table, and on
        columns that are known beforehand; else empty.
        """
        found = self.findings
        late = ""
        count = len(self.forecaster.names)
        every = count + len(self.series_left_out)
        if found.late is not None:
            late = late_words(self.late, every, found.late.title)
        texts = [
            not_forecast(self.series_left_out, count),
            late,
            sentence.hint(self.board, found.titles, found.mostly_zero),
            sentence.of_known(self.forecaster.spec.fitted.windows.future),
        ]
        return " ".join(filter(None, texts))

    @property
    def left_out(self) -> dict[str, str]:
        """Name of a model -> why it was not fitted; series -> why it is not forecast."""
        return {**self.findings.models_left_out, **self.findings.series_left_out}

    @property
    def series_left_out(self) -> dict[str, str]:
        """Name of a series -> why it is not forecast."""
        return self.findings.series_left_out

    @property
    def of_board(self) -> pd.DataFrame:
        """The forecasts of all series that `board` scores; late ones have their own."""
        names = self.forecasts["unique_id"].astype(str)
        return self.forecasts[names.isin(self.board.deviations)]

    @property
    def late(self) -> dict[str, str]:
        """Name of a series that a simple model forecasts -> why."""
        return {} if self.findings.late is None else self.findings.late.reasons

    @property
    def models(self) -> pd.DataFrame:
        """A row for each model, the best first.

        The columns are model, title, recurrent, mae, rmse, bias, wql, change, low,
        high, coverage, seconds and forecasts. `bias` is that of the sum of all
        forecasts: -.1 is a tenth too low. `wql` is the weighted quantile loss. `change`
        is the error relative to that of the best model without recurrence, and `low`
        and `high` are its 95 % interval. `coverage` is that of 90 % prediction
        intervals. `seconds` are CPU seconds. `forecasts` marks the model that
        forecasts. All scores are of the later half of the cutoffs, or of all cutoffs if
        series are short.
        """
        rows = [
            {
                "model": name,
                "title": sentence.title(self.board, self.findings.titles, name),
                **{key: getattr(scores, key) for key in SCORES},
                "seconds": self.seconds.get(name),
                "forecasts": name == self.board.champion,
            }
            for name, scores in self.board.models.items()
        ]
        return pd.DataFrame(rows)

    def scores(self, by: str = "unique_id") -> pd.DataFrame:
        """Return the errors of the model that forecasts, and of the best naive one.

        They are those of the cutoffs that compare models, in the unit of the target.

        Args:
            by: "unique_id" for a row for each series; or a column of the file that has
                one value for each series, such as its family.

        Returns:
            A row for each value of `by`, as text, and one for the total: `by`, model,
            mae, rmse, bias (of the sum: -.1 is a tenth too low), values (how many were
            measured), naive_model, naive_mae, naive_rmse, naive_bias.

        Raises:
            UsageError: there is no such column.
        """
        own = self.of_board
        parts = [(self.board, self.board.later(own))]
        if self.findings.late is not None:
            late = self.forecasts.drop(own.index)
            parts.append((self.findings.late.board, late))
        judged = []
        for board, own in parts:
            for role, name in (("", board.champion), ("naive_", board.naive)):
                judged.append(own[own["model"] == name].assign(role=role))
        return accounts.scores(pd.concat(judged), by, self._groups(by))

    def sums(self, by: str, **arguments: Any) -> pd.DataFrame:
        """Return the sums of the forecasts of groups of series.

        They are plain sums, no reconciled forecasts, and have no intervals.

        Args:
            by: a column of the file that has one value for each series, such as its
                family.
            arguments: those of `forecast`.

        Returns:
            A row for each value of `by`, and for the total, at each timestep: `by`, ds,
            y_hat and series, the number of series that are summed up.

        Raises:
            UsageError: there is no such column.
        """
        groups = self._groups(by)
        return accounts.sums(self.forecast(**arguments), by, groups)

    def _groups(self, by: str) -> Mapping[str, str]:
        """Return name of a series -> its value of a column that groups series."""
        groups = self.findings.groups
        names = [name or self.forecaster.spec.name for name in self.forecaster.names]
        own = {name: name for name in names}
        column = self.forecaster.spec.question.csv.series_id or "unique_id"
        of_series = {"unique_id": own, column: own, **groups}
        one_of(by, [*of_series], "by")
        return of_series[by]

    def forecast(
        self,
        frame: Data | None = None,
        levels: float | Sequence[float] = LEVELS,
        horizon: int | str | None = None,
        future: Data | None = None,
        model: str | None = None,
    ) -> pd.DataFrame:
        """Forecast what comes after the last row whose target was measured.

        Args:
            frame: rows of the same form, as a DataFrame or a file; by default the rows
                of the answer, from its files as they are now.
            levels: coverages of the prediction intervals, whole percents from 0.5 to
                0.99; one or several.
            horizon: rows ahead, or a duration such as "24h"; by default the horizon that
                models were trained for. Further timesteps are forecast from the
                forecasts before them, and their intervals grow with the square root of
                the time ahead.
            future: rows to come, with the columns that are known beforehand.
            model: the model that forecasts (`by_model`); by default the one that was
                chosen.

        Returns:
            A row for each series and timestep: unique_id, ds, y_hat, and lo-90 and
            hi-90 for each level.

        Raises:
            UnrollError: the rows cannot be used; the text says which and why.
            UnknownAheadError: a value that must be known beforehand is not.
            UsageError: a level, the horizon or the model is wrong.
        """
        several = [levels] if isinstance(levels, float | int) else levels
        forecaster = self.by_model(model).forecaster
        windows = self._read(frame, future)
        return typed(
            forecaster.after(windows, several, horizon), self.findings.integers
        )

    def why(
        self,
        model: str | None = None,
        series: str | None = None,
        frame: Data | None = None,
        future: Data | None = None,
    ) -> pd.DataFrame:
        """Return what each group of inputs contributes to a forecast.

        Args:
            model: ridge regression, ETS or MSTL; by default the model that was chosen.
            series: the name of a series; by default all.
            frame: rows of the same form; by default the rows of the answer.
            future: rows to come, with the columns that are known beforehand.

        Returns:
            A row for each series and timestep: unique_id, ds, a column for each group,
            and their sum y_hat. Groups are level, last_values (their departures from the
            level), other_columns, known_columns, holidays and calendar; or level, trend
            and season. A column floor is there if a forecast was raised to 0.

        Raises:
            UnrollError: the rows cannot be used.
            UsageError: there is no such series or model, or the forecasts of the model
                are no such sums; the text names the models that have them.
        """
        windows = self._read(frame, future)
        if series is not None:
            one_of(series, [*windows], "series")
            windows = {series: windows[series]}
        return typed(self.why_after(windows, model), self.findings.integers)

    @property
    def explained(self) -> list[str]:
        """The models whose forecasts `why` explains, the best first."""
        has = contributions.explained(self.forecaster)
        return [name for name in self.board.models if name in has]

    def why_after(
        self, windows: Mapping[str, Window], model: str | None = None
    ) -> pd.DataFrame:
        """Return the table of `why` for windows that have been read."""
        name = model or self.board.champion
        return contributions.contributions(self.forecaster, name, windows)

    def _read(self, frame: Data | None, future: Data | None) -> dict[str, Window]:
        """Return the last window of each series; arguments as those of `forecast`."""
        plan = list[Path]()
        with tempfile.TemporaryDirectory() as scratch:
            rows = files_of(
                self.files if frame is None else frame, Path(scratch), "rows"
            )
            if future is not None:
                plan = files_of(future, Path(scratch), "future")
            with naming_the_frame(Path(scratch)):
                return self.forecaster.read(rows, plan)

    def by_model(self, model: str | None) -> "Answer":
        """Return the answer with the forecasts of a model of the table.

        The sentence stays about the model that was chosen.

        Args:
            model: one of `forecaster.models`; None for the model that was chosen.

        Raises:
            UsageError: there is no such model, or its weights were not kept.
        """
        board = self.board
        if model in {None, board.champion}:
            return self
        kept = sorted({*self.forecaster.models, board.champion})
        if model == ENSEMBLE and model in board.models:
            raise UsageError(
                "the combination was not chosen, so it cannot forecast. These can: "
                f"{', '.join(kept)}"
            )
        if model in board.models and model not in kept:
            raise UsageError(
                f"the weights of {model} were not kept, since it was not chosen; "
                f"models={model!r} in a new answer keeps them. These can forecast: "
                f"{', '.join(kept)}"
            )
        one_of(str(model), kept, "model", most=MODELS)
        title = sentence.title(board, self.findings.titles, str(model))
        return replace(self, forecaster=self.forecaster.of_model(str(model), title))

    @property
    def files(self) -> list[Path]:
        """The paths of the files of rows.

        Raises:
            UnrollError: a file is not there, or is not the one that the answer was made
                from (`RowsFile.found`).
        """
        return [file.found(self.folder) for file in self.findings.files]

    @property
    def rows_ahead(self) -> int:
        """Rows that are forecast at once: the horizon, in rows of the file."""
        timestep = self.forecaster.spec.fitted.cleaning.timestep
        return self.findings.horizon * timestep

    def save(
        self, folder: str | os.PathLike[str], *, replace_other: bool = False
    ) -> Path:
        """Write the answer into a folder, which `load` reads.

        An answer that is there is replaced. Hidden files, such as a cache, and files of
        the user's stay.

        Args:
            folder: the folder.
            replace_other: whether an answer for another target, horizon or objective is
                replaced.

        Raises:
            UsageError: the folder holds something else, such as an answer for another
                target, horizon or objective, or is a file.
        """
        path = Path(folder).resolve()
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file; name a folder to make")
        hidden = [*path.glob(".*")]
        others = [*path.glob("[!.]*")]
        if others and not (path / FILE).exists():
            raise UsageError(
                f"{path} holds something else than an answer; name another folder"
            )
        if not replace_other:
            cure = "name another folder, or pass replace_other=True"
            asked = (self.target, self.rows_ahead, self.board.objective)
            require_same_question(path, *asked, cure)
        own = [entry for entry in self.folder.iterdir() if entry.name[0] != "."]
        inside = {entry.name for entry in own}
        replaced = {*inside, *SHOWN, SECONDS, seal.FILE, *seal.names(path)}
        stay = hidden + [entry for entry in others if entry.name not in replaced]
        files = [
            file if file.path in inside else file.seen_from(self.folder, path)
            for file in self.findings.files
        ]
        findings = self.findings.model_copy(update={"files": files})
        with atomic_folder(path, path.parent) as new:
            for entry in own:
                copy = shutil.copytree if entry.is_dir() else shutil.copyfile
                copy(entry, new / entry.name)
            write_json(new / FILE, findings.model_dump())
            seal.write(new, SECONDS, *SHOWN)
            for entry in stay:
                entry.replace(new / entry.name)
        return path


@takes(Arguments)
def answer(
    data: Data,
    *,
    cache: str | os.PathLike[str] | None = None,
    say: Say | None = None,
    choose: Choose | None = None,
    **options: Any,
) -> Answer:
    """Compare models on a series at cutoffs of its past, and fit the best model.

    >>> answer = unroll.answer(frame, target="load", horizon=24)
    >>> print(answer.sentence)
    >>> answer.forecast(levels=0.9)

    Args:
        data: a DataFrame; the path of a CSV, Parquet or .xlsx file; or several files of one
            form. Several series are told apart by a column, such as unique_id.
        cache: a folder for fitted models, so that the same call goes on where it was
            stopped.
        say: called with lines of progress; by default they go to standard error.
        choose: called with the profile of the files; returns the options to go on with.
        options: see below. What is left out is proposed by the rows.

    Returns:
        An `Answer`: its `sentence`, its table of `models`, the `forecasts` from all
        cutoffs, `forecast()` for what comes next, and `save()`.

    Raises:
        UsageError: an argument is wrong; the text says what was expected and received.
        UnrollError: the rows cannot be used; the text says why and what would help.
    """
    asked = validated(Arguments, options, "unroll.answer")
    folder = Path(tempfile.mkdtemp(prefix="unroll-answer-"))
    kept = Path(cache) if cache else folder / ".cache"
    choose = choose or (lambda _: asked)
    try:
        seal.require_plain(kept)  # no lock behind a link
        busy = f"another process fits models in {kept}; wait until it has ended"
        with alone(kept / "lock", busy), naming_the_frame(folder):
            made = _answered(asked, data, folder, kept, say or _to_stderr, choose)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # `by_model` makes further answers with these forecasts, which need the folder, too.
    weakref.finalize(made.forecasts, shutil.rmtree, folder, ignore_errors=True)
    return made


answer.__doc__ = f"{answer.__doc__}\n    Options:\n{explained(Arguments)}\n"


def _answered(
    asked: Arguments, data: Data, folder: Path, kept: Path, say: Say, choose: Choose
) -> Answer:
    """Fit the candidates, judge them, and fit the best one to all rows.

    Args:
        asked: the options of `answer`.
        data: the rows.
        folder: an empty folder for the answer.
        kept: a folder for fitted models.
        say: called with lines of progress.
        choose: returns the options to go on with.
    """
    paths = files_of(data, folder, "rows")
    jobs = asked.jobs or os.cpu_count() or 1
    # the server imports while the rows are read
    with Server(fits.PRELOAD) as server:
        profile = detect(paths, asked)
        for line in described(profile):
            say(line)
        proposal = propose(profile, choose(profile))
        short_rows = is_short(profile, proposal)
        cause = too_far(profile, proposal) if short_rows else ""
        for line in filter(None, [*proposal.guesses, cause]):
            say(line)
        name = _name(asked, data, profile)
        work = Workers(server, jobs, asked.minutes, say)
        if short_rows:
            made = short.answered(name, profile, proposal, asked, kept, work)
        else:
            made = windowed.answered(name, profile, proposal, asked, folder, kept, work)
    findings = Findings(
        name=name,
        files=[RowsFile.of(path, folder) for path in paths],
        target=proposal.target,
        horizon=proposal.horizon,
        board=made.board,
        titles=made.titles,
        models_left_out=made.models_left_out,
        series_left_out={**made.series_left_out},
        mostly_zero=made.mostly_zero,
        late=None if made.late is None else _late(made.late, made.late_reasons),
        groups=accounts.groups(profile),
        integers=_integers(profile, name),
    )
    every = made.forecasts
    if made.late is not None:
        late = made.late.forecasts
        late = late[~late["unique_id"].isin(made.board.deviations)]
        every = pd.concat([every, late], ignore_index=True)
    forecasts = typed(every, findings.integers)
    made.forecaster.save(folder)
    write_parquet(folder / TABLE, forecasts)
    write_json(folder / SECONDS, {**made.seconds})
    write_json(folder / FILE, findings.model_dump())
    return Answer(findings, forecasts, made.forecaster, folder, made.seconds)


def _late(made: Compared, reasons: Mapping[str, str]) -> Late:
    return Late(board=made.board, titles=made.titles, reasons={**reasons})


def _name(asked: Arguments, data: Data, profile: FileProfile) -> str:
    """Return the name of the series: as asked, as the long format says, or the file's."""
    if asked.name is not None:
        return asked.name
    if len(profile.series) == 1 and is_title(profile.series[0]):
        return profile.series[0]
    return plain_name(data)


def _integers(profile: FileProfile, name: str) -> str:
    """Return the type of the series' names if they are integers in Parquet; else "".

    A single series may have another name.
    """
    if not profile.file.typed or not profile.series:
        return ""
    if profile.series_id is None and name != profile.series[0]:
        return ""
    import pyarrow as pa
    from pyarrow import parquet

    schema = parquet.read_schema(profile.file.paths[0])
    for column in (profile.series_id, *LONG_FORMAT):
        if column in schema.names:
            kind = schema.field(column).type
            return str(kind) if pa.types.is_integer(kind) else ""
    return ""


def typed(table: pd.DataFrame, integers: str) -> pd.DataFrame:
    """Return a table whose unique_id is text with the type of `Findings.integers`."""
    return table.astype({"unique_id": integers}) if integers else table


def load(folder: str | os.PathLike[str]) -> Answer:
    """Read an answer that `Answer.save` wrote.

    Raises:
        UnrollError: the folder holds no answer, or a file is damaged.
    """
    path = Path(folder).resolve()
    if not (path / FILE).is_file():
        raise UnrollError(
            f"{path} holds no {FILE}, so it is no answer; `unroll answer FILE` makes "
            "one"
        )
    seal.check(path, FILE, TABLE, *_files(path))
    findings = read_checked(path / FILE, Findings, seal.CURE)
    forecasts = read_parquet(path / TABLE, COLUMNS, seal.CURE)
    seconds = dict[str, float]()
    if (path / SECONDS).is_file():
        seconds = read_checked(path / SECONDS, Seconds, seal.CURE).root
    return Answer(findings, forecasts, _checked_forecaster(path), path, seconds)


def require_same_question(
    folder: Path, target: str, rows: int, objective: Objective | None, cure: str
) -> None:
    """Raise UsageError if a folder holds an answer for another target, horizon or
    objective.

    An answer that cannot be read does not count.

    Args:
        folder: the folder, which may be missing.
        target: the column that is asked for.
        rows: the horizon that is asked for, in rows of the file.
        objective: the objective that is asked for; None for any.
        cure: what the user can do.
    """
    try:
        there = load(folder)
    except UnrollError:
        return
    if (there.target, there.rows_ahead) != (target, rows):
        raise UsageError(
            one_line(
                f"{folder} holds the answer for {there.target}, {there.rows_ahead:,} "
                f"rows ahead. Asked was {target}, {rows:,} rows ahead; {cure}"
            )
        )
    if objective not in {None, there.board.objective}:
        raise UsageError(
            f"{folder} holds the answer for the {there.board.objective}. Asked was the "
            f"{objective}; {cure}"
        )


def load_forecaster(folder: Path) -> BaseForecaster:
    """Read a forecaster without the rest of its answer.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    seal.check(folder, *_files(folder))
    return _checked_forecaster(folder)


def _files(folder: Path) -> list[str]:
    """Return the names of the files of the forecaster in a folder."""
    is_short = (folder / SHORT_SPEC).is_file()
    names = [SHORT_SPEC if is_short else SPEC, ARRAYS]
    if (folder / LATE).is_dir():
        names += [f"{LATE}/{SHORT_SPEC}", f"{LATE}/{ARRAYS}"]
    return names


def _checked_forecaster(folder: Path) -> BaseForecaster:
    if (folder / SHORT_SPEC).is_file():
        return ShortForecaster.checked(folder)
    forecaster = Forecaster.checked(folder)
    if (folder / LATE).is_dir():
        late = ShortForecaster.checked(folder / LATE)
        return WithLate.of(forecaster, late)
    return forecaster


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
