"""The answer for a user's own series: the scores of all models, whether recurrence
helps, and the forecast.

`read`, `propose` and `answer` are called in this order. `answer` alone does all three.
"""

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import psutil
import pydantic

from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError, one_line, printable
from pipeline.files import (
    atomic_folder,
    read_checked,
    read_parquet,
    write_json,
    write_parquet,
)
from pipeline.processes import Server
from pipeline.provenance import fingerprint
from pipeline.validation import Strict, one_of, validated
from series import FILE, accounts, contributions, fits, seal, sentence
from series.combination import ENSEMBLE
from series.compared import Compared, compare
from series.fits import Say, Workers
from series.forecaster import ARRAYS, SPEC, Forecaster
from series.leaderboard import Board
from series.options import (
    MODELS,
    MOST_TIMESTEPS,
    OF_FITS,
    Arguments,
    Objective,
    Options,
    Title,
    argument,
    explained,
    is_title,
    takes,
)
from series.preparation import not_forecast, some_reasons
from series.question import Proposal
from series.question import propose as propose_options
from series.reading.detect import detect
from series.reading.profile import FileProfile, described
from series.reading.series_names import LONG_FORMAT
from series.rows import Window
from series.source import Data, RowsFile, paths_of, plain_name, rows_of

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

ROWS = "rows.parquet"
"""The file of the rows of a DataFrame."""

SHOWN = ("forecast.csv", "forecast.svg", "weeks.svg", "index.html")
"""The files for people, which `page` writes."""


class Seconds(pydantic.RootModel[dict[str, float]]):
    """The content of seconds.json: name of a model -> CPU seconds."""

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


class PartFindings(Strict):
    """What was found about some series.

    Attributes:
        board: the scores of all models, and who forecasts.
        titles: name of a model -> its title.
        models_left_out: name of a model -> why it was not fitted.
        mostly_zero: the number of series whose median is 0.
        late: name of a series -> why it is not cut into windows as others are.
    """

    board: Board
    titles: dict[str, str]
    models_left_out: dict[str, str]
    mostly_zero: Annotated[int, pydantic.Field(ge=0)]
    late: dict[str, str]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "PartFindings":
        """Check that the board names models that it has."""
        self.board.check()
        for name in [*self.board.models, *self.board.members]:
            if name not in self.titles and name != ENSEMBLE:
                raise ValueError(f"titles must have the model {name!r:.80}")
        return self

    @property
    def title(self) -> str:
        """The model that forecasts, in words."""
        return sentence.title(self.board, self.titles, self.board.champion)


class Findings(Strict):
    """The content of answer.json.

    Attributes:
        name: the name of the series.
        files: the files of rows.
        asked: the options that the user gave.
        code: version and hash of the code.
        target: the column that is forecast.
        horizon: timesteps that are forecast at once.
        parts: what was found about most series; and about those that are too short or
            late for windows, if there are some beside others.
        series_left_out: name of a series -> why it is not forecast.
        groups: a column that groups series, such as a family -> name of a series -> its
            word there.
        integers: the type of unique_id where the user's column holds integers, such
            as "int64"; else empty.
    """

    name: Title
    files: Annotated[list[RowsFile], pydantic.Field(min_length=1)]
    asked: Options
    code: str
    target: str
    horizon: Annotated[int, pydantic.Field(ge=1, le=MOST_TIMESTEPS)]
    parts: Annotated[list[PartFindings], pydantic.Field(min_length=1, max_length=2)]
    series_left_out: dict[str, str]
    groups: dict[str, dict[str, str]] = pydantic.Field(default={})
    integers: Annotated[
        str, pydantic.StringConstraints(pattern="^(u?int(8|16|32|64))?$")
    ]

    @property
    def titles(self) -> dict[str, str]:
        """Name of a model of most series -> its title."""
        return self.parts[0].titles


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
    forecaster: Forecaster
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
        """The scores of the models of most series, and who forecasts them."""
        return self.findings.parts[0].board

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
        count = len(self.forecaster.names)
        every = count + len(self.series_left_out)
        texts = [
            not_forecast(self.series_left_out, count),
            sentence.of_late(
                some_reasons(self.late), len(self.late), every, found.parts[-1].title
            ),
            sentence.hint(self.board, found.titles, found.parts[0].mostly_zero),
            sentence.of_known(self.forecaster.question.windows.future),
        ]
        return " ".join(filter(None, texts))

    @property
    def left_out(self) -> dict[str, str]:
        """Name of a model -> why it was not fitted; series -> why it is not forecast."""
        found = self.findings
        return {**found.parts[0].models_left_out, **found.series_left_out}

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
        return self.findings.parts[-1].late

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
        most = self.of_board
        rows = [most, self.forecasts.drop(most.index)]
        judged = []
        for part, own in zip(self.findings.parts, rows, strict=False):
            later = part.board.later(own)
            for role, name in (("", part.board.champion), ("naive_", part.board.naive)):
                judged.append(later[later["model"] == name].assign(role=role))
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
        return accounts.sums(self.forecast(**arguments), by, self._groups(by))

    def _groups(self, by: str) -> Mapping[str, str]:
        """Return name of a series -> its value of a column that groups series."""
        groups = self.findings.groups
        own = {name or self.name: name or self.name for name in self.forecaster.names}
        column = self.forecaster.question.csv.series_id or "unique_id"
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
            levels: coverages of the prediction intervals, whole percents from 0.01
                to 0.99; one or several.
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
        form = self.forecaster.question.csv
        rows = rows_of(self.files if frame is None else frame, form)
        plans = future if isinstance(future, list | tuple) else [future]
        planned = [rows_of(plan, form) for plan in plans if plan is not None]
        return self.forecaster.latest_of(rows, planned)

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
        if model == ENSEMBLE and model in {*board.models} - {*kept}:
            raise UsageError(
                "the combination was not chosen, so it cannot forecast. These can: "
                f"{', '.join(kept)}"
            )
        if model in board.models and model not in kept:
            raise UsageError(
                f"the weights of {model} were not kept, since it was not chosen; "
                f"{argument('models', model)} in a new answer keeps them. These can forecast: "
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
        return self.findings.horizon * self.forecaster.question.cleaning.timestep

    def save(
        self, folder: str | os.PathLike[str], *, replace_other: bool = False
    ) -> Path:
        """Write the answer into a folder, which `load` reads.

        An answer that is there is replaced. Hidden files and files of the user's stay.

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


@takes(Options)
def read(data: Data, **options: Any) -> FileProfile:
    """Read the rows of a series, and find out how they are written and spaced.

    Args:
        data: a DataFrame; the path of a CSV, Parquet or .xlsx file; or several files of
            one form. Several series are told apart by a column, such as unique_id.
        options: those of `answer`. What is left out is detected.

    Returns:
        The profile of the rows, for `propose` and `answer`.

    Raises:
        UsageError: an option is wrong, or something can be read in two ways; the text
            names the option that decides.
        UnrollError: the rows cannot be used; the text says why and what would help.
    """
    asked = validated(Options, options, "unroll.read")
    if isinstance(data, pd.DataFrame):
        return detect(rows_of(data, CsvFormat()), asked)
    return detect(paths_of(data), asked)


@takes(Options)
def propose(profile: FileProfile, **options: Any) -> Proposal:
    """Return the question that the rows are asked: target, horizon, lookback and more.

    Args:
        profile: the rows, as `read` returns them.
        options: those of `answer`, besides the ones that `read` got. What is left out is
            proposed; `Proposal.reasons` says why.

    Raises:
        UsageError: the target or another column does not exist, or rows and timesteps
            do not go together.
        UnrollError: no column can be forecast.
    """
    if not isinstance(profile, FileProfile):
        raise UsageError(
            f"the rows must be what unroll.read returns. Received: {profile!r:.60}"
        )
    every = {**profile.asked.given, **options}
    return propose_options(profile, validated(Options, every, "unroll.propose"))


@takes(Arguments)
def answer(
    data: Data | FileProfile,
    question: Proposal | None = None,
    *,
    say: Say | None = None,
    in_process: bool = False,
    **options: Any,
) -> Answer:
    """Compare models on a series at cutoffs of its past, and fit the best model.

    The same call goes on where it was stopped: fitted models lie in the user's cache
    folder.

    >>> answer = unroll.answer(frame, target="load", horizon=24)
    >>> print(answer.sentence)
    >>> answer.forecast(levels=0.9)

    The same in steps, to look at what is proposed before it is computed:

    >>> rows = unroll.read(frame)
    >>> question = unroll.propose(rows, target="load")
    >>> answer = unroll.answer(rows, question)

    Args:
        data: a DataFrame; the path of a CSV, Parquet or .xlsx file; several files of one
            form; or what `read` returns. Several series are told apart by a column, such
            as unique_id.
        question: what `propose` returns; by default it is proposed by the options. With
            a question only options of the fits are left: models, without, networks,
            minutes, name and jobs.
        say: called with lines of progress; by default they go to standard error.
        in_process: whether models are fitted in this process, one after the other, and
            not in processes of their own. A debugger sees them then.
        options: see below. What is left out is proposed by the rows.

    Returns:
        An `Answer`: its `sentence`, its table of `models`, the `forecasts` from all
        cutoffs, `forecast()` for what comes next, and `save()`.

    Raises:
        UsageError: an argument is wrong; the text says what was expected and received.
        UnrollError: the rows cannot be used; the text says why and what would help.
    """
    asked = _asked(question, options)
    folder = _scratch()
    say = say or _to_stderr
    try:
        # the server imports while the rows are read
        processes = nullcontext() if in_process else Server(fits.PRELOAD)
        with fits.kept() as kept, processes as server:
            profile = data
            if not isinstance(profile, FileProfile):
                profile = read(profile, **_options_of(asked))
                for line in described(profile):
                    say(line)
            proposal = question or propose(profile, **_options_of(asked))
            for line in proposal.guesses:
                say(line)
            jobs = asked.jobs or os.cpu_count() or 1
            workers = Workers(server, jobs, asked.minutes, say)
            name = _name(asked, profile)
            weights = folder / "weights"
            parts = compare(name, profile, proposal, asked, weights, kept, workers)
        made = _written(name, profile, proposal, asked, parts, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # `by_model` makes further answers with these forecasts, which need the folder, too.
    weakref.finalize(made.forecasts, shutil.rmtree, folder, ignore_errors=True)
    return made


answer.__doc__ = f"{answer.__doc__}\n    Options:\n{explained(Arguments)}\n"


def _asked(question: Proposal | None, options: Mapping[str, Any]) -> Arguments:
    """Return all options that the user gave, to `propose` and to `answer`.

    Raises:
        UsageError: an option is wrong, or belongs to the question that was proposed.
    """
    if question is None:
        return validated(Arguments, options, "unroll.answer")
    if not isinstance(question, Proposal):
        raise UsageError(
            f"question must be what unroll.propose returns. Received: {question!r:.60}"
        )
    late = [name for name in options if name not in OF_FITS]
    if late:
        raise UsageError(
            f"{late[0]} is part of the question; pass it to unroll.propose, or leave the "
            "question out"
        )
    every = {**question.asked.given, **options}
    return validated(Arguments, every, "unroll.answer")


def _options_of(asked: Arguments) -> dict[str, Any]:
    """Return the options that were given, without those of `answer` alone."""
    return asked.model_dump(exclude_defaults=True, exclude={"name", "jobs"})


def _scratch() -> Path:
    """Return a new temporary folder, and remove those of processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob("unroll-answer-*-*"):
        with suppress(ValueError, OSError):  # of an earlier version; gone meanwhile
            if not psutil.pid_exists(int(left.name.split("-")[2])):
                shutil.rmtree(left)
    return Path(tempfile.mkdtemp(prefix=f"unroll-answer-{os.getpid()}-"))


def _written(
    name: str,
    profile: FileProfile,
    proposal: Proposal,
    asked: Arguments,
    parts: Sequence[Compared],
    folder: Path,
) -> Answer:
    """Write what was found into the folder of an answer, and return the answer."""
    paths = list(profile.file.paths)
    if profile.file.in_memory:
        paths = [folder / ROWS]
        write_parquet(paths[0], profile.file.cells.reset_index(drop=True))
    most = parts[0]
    findings = Findings(
        name=name,
        files=[RowsFile.of(path, folder) for path in paths],
        asked=Options.model_validate(_options_of(asked)),
        code=fingerprint.package(),
        target=proposal.target,
        horizon=proposal.horizon,
        parts=[
            PartFindings(
                board=part.board,
                titles=part.titles,
                models_left_out=part.models_left_out,
                mostly_zero=part.mostly_zero,
                late={**part.late},
            )
            for part in parts
        ],
        series_left_out={**most.series_left_out},
        groups=accounts.groups(profile),
        integers=_integers(profile, name),
    )
    every = [most.forecasts]
    for part in parts[1:]:
        beside = ~part.forecasts["unique_id"].isin(most.board.deviations)
        every.append(part.forecasts[beside])
    forecasts = typed(pd.concat(every, ignore_index=True), findings.integers)
    forecaster = Forecaster(name, [part.part for part in parts])
    forecaster.save(folder)
    write_parquet(folder / TABLE, forecasts)
    write_json(folder / SECONDS, {**most.seconds})
    write_json(folder / FILE, findings.model_dump())
    return Answer(findings, forecasts, forecaster, folder, most.seconds)


def _name(asked: Arguments, profile: FileProfile) -> str:
    """Return the name of the series: as asked, as the long format says, or the file's."""
    if asked.name is not None:
        return asked.name
    if len(profile.series) == 1 and is_title(profile.series[0]):
        return profile.series[0]
    return plain_name(profile.file)


def _integers(profile: FileProfile, name: str) -> str:
    """Return the type of the series' names if they are integers in Parquet; else "".

    A single series may have another name.
    """
    if not profile.file.typed or not profile.series:
        return ""
    if profile.series_id is None and name != profile.series[0]:
        return ""
    cells = profile.file.cells
    for column in (profile.series_id, *LONG_FORMAT):
        if column in cells.columns:
            kind = cells[column].dtype
            return str(kind).lower() if pd.api.types.is_integer_dtype(kind) else ""
    return ""


def typed(table: pd.DataFrame, integers: str) -> pd.DataFrame:
    """Return a table whose unique_id is text with the type of `Findings.integers`."""
    return table.astype({"unique_id": integers}) if integers else table


def findings_of(folder: Path) -> Findings:
    """Read what an answer says, without the rest of it.

    Raises:
        UnrollError: the file is damaged, or the folder holds a link.
    """
    seal.require_plain(folder)
    return read_checked(folder / FILE, Findings, seal.CURE)


def load(folder: str | os.PathLike[str]) -> Answer:
    """Read an answer that `Answer.save` wrote.

    Raises:
        UnrollError: the folder holds no answer, or a file is damaged.
    """
    path = Path(folder).resolve()
    before = _number(path)
    try:
        return _read(path)
    except (UnrollError, FileNotFoundError):
        if _number(path) == before:
            raise
    return load(path)  # another process has just saved an answer there


def _number(folder: Path) -> int | None:
    """Return the system's number of a folder; None if it is not there."""
    return folder.stat().st_ino if folder.exists() else None


def _read(path: Path) -> Answer:
    """Read an answer, as `load` does."""
    if not (path / FILE).is_file():
        raise UnrollError(
            f"{path} holds no {FILE}, so it is no answer; `unroll answer FILE` makes "
            "one"
        )
    seal.check(path, FILE, TABLE, SPEC, ARRAYS)
    findings = read_checked(path / FILE, Findings, seal.CURE)
    forecasts = read_parquet(path / TABLE, COLUMNS, seal.CURE)
    seconds = dict[str, float]()
    if (path / SECONDS).is_file():
        seconds = read_checked(path / SECONDS, Seconds, seal.CURE).root
    return Answer(findings, forecasts, Forecaster.checked(path), path, seconds)


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


def load_forecaster(folder: Path) -> Forecaster:
    """Read a forecaster without the rest of its answer.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    seal.check(folder, SPEC, ARRAYS)
    return Forecaster.checked(folder)


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
