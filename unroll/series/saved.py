"""An answer: what was found about a series, its forecasts, and its folder.

`Answer.save` writes the folder, and `load` reads it. Who made it does not matter: every
file is checked before it is used (`seal`).
"""

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import pydantic

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import (
    atomic_folder,
    read_checked,
    read_json,
    read_parquet,
    write_json,
)
from pipeline.memory import limited
from pipeline.validation import Strict, one_of
from unroll.series import FILE, contributions, hierarchy, seal, sentence
from unroll.series.combination import ENSEMBLE
from unroll.series.forecaster import (
    ARRAYS,
    SPEC,
    Forecaster,
    quantiles_of,
    share_of,
)
from unroll.series.leaderboard import MEASURE, Board
from unroll.series.options import (
    MODELS,
    MOST_TIMESTEPS,
    Objective,
    Options,
    Title,
    argument,
)
from unroll.series.preparation import not_forecast
from unroll.series.reading.file_rows import FileRows
from unroll.series.rows import Window
from unroll.series.user_data import Data, RowsFile, rows_of

LEVELS = (0.5, 0.8, 0.9)
"""The usual coverages of prediction intervals."""

SCORES = ("change", "low", "high", "bias", "wql", "coverage")
"""Names of the scores in the columns of `Answer.models`, besides the errors."""

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

MONTH = pd.Timedelta(days=31)
"""The time whose forecasts are last month's."""

SECONDS = "seconds.json"
"""The file of CPU seconds, which differ from run to run."""

SHOWN = ("forecast.csv", "forecast.svg", "weeks.svg", "index.html")
"""The files for people, which `answer_page` writes."""


class Seconds(pydantic.RootModel[dict[str, float]]):
    """The content of seconds.json: name of a model -> CPU seconds."""

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


class Findings(Strict):
    """The content of answer.json.

    Attributes:
        form: the form of this file; that of Unroll 1.0.0 had none.
        name: the name of the series.
        files: the files of rows.
        asked: the options that the user gave.
        code: version and hash of the code.
        target: the column that is forecast.
        horizon: timesteps that are forecast at once.
        step: rows of the file in a timestep.
        board: the scores of all models, and who forecasts.
        titles: name of a model -> its title.
        models_left_out: name of a model -> why it was not fitted.
        mostly_zero: the number of series whose median is 0.
        series_left_out: name of a series -> why it is not forecast.
        integers: the type of unique_id where the user's column holds integers, such
            as "int64"; else empty.
    """

    form: Literal[2] = 2
    name: Title
    files: Annotated[list[RowsFile], pydantic.Field(min_length=1)]
    asked: Options
    code: str
    target: str
    horizon: Annotated[int, pydantic.Field(ge=1, le=MOST_TIMESTEPS)]
    step: Annotated[int, pydantic.Field(ge=1, le=MOST_TIMESTEPS)]
    board: Board
    titles: dict[str, str]
    models_left_out: dict[str, str]
    mostly_zero: Annotated[int, pydantic.Field(ge=0)]
    series_left_out: dict[str, str]
    integers: Annotated[
        str, pydantic.StringConstraints(pattern="^(u?int(8|16|32|64))?$")
    ]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Findings":
        """Check that the board names models that it has."""
        self.board.check()
        for name in [*self.board.models, *self.board.members]:
            if name not in self.titles and name != ENSEMBLE:
                raise ValueError(f"titles must have the model {name!r:.80}")
        return self

    @property
    def rows_ahead(self) -> int:
        """Rows that are forecast at once: the horizon, in rows of the file."""
        return self.horizon * self.step


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
        read_rows: the rows that it was made from; None if it was loaded.
    """

    findings: Findings
    forecasts: pd.DataFrame
    forecaster: Forecaster
    folder: Path
    seconds: Mapping[str, float]
    read_rows: FileRows | None = None

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
        """The scores of the models, and who forecasts."""
        return self.findings.board

    @property
    def unit(self) -> str:
        """The unit of `mae` in `models`; "" if it has none."""
        return self.board.unit

    @property
    def measure(self) -> str:
        """The column of `models` that `change` is about: "mae", or "rmse" of a mean."""
        return MEASURE[self.board.objective]

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
        count = len({*self.forecaster.names} - {*self.series_left_out})
        texts = [
            not_forecast(self.series_left_out, count),
            sentence.hint(self.board, found.titles, found.mostly_zero),
            sentence.of_known(self.forecaster.fitted.windows.future),
        ]
        return " ".join(filter(None, texts))

    @property
    def left_out(self) -> dict[str, str]:
        """Name of a model -> why it was not fitted; series -> why it is not forecast."""
        found = self.findings
        return {**found.models_left_out, **found.series_left_out}

    @property
    def series_left_out(self) -> dict[str, str]:
        """Name of a series -> why it is not forecast."""
        return self.findings.series_left_out

    @property
    def models(self) -> pd.DataFrame:
        """A row for each model, the best first.

        The columns are model, title, recurrent, mae and rmse, change, low, high, bias,
        wql, coverage, seconds and forecasts. `change` is that of the error beside it,
        `measure`, relative to the best model without recurrence; `low` and `high` are
        its 95 % interval. `bias` is that of the sum of all forecasts: -.1 is a tenth too
        low. `wql` is the weighted quantile loss. `coverage` is that of 90 % prediction
        intervals. `seconds` are CPU seconds. `forecasts` marks the model that
        forecasts. All scores are of the later half of the cutoffs, or of all cutoffs if
        series are short.
        """
        other = "rmse" if self.measure == "mae" else "mae"
        keys = ["recurrent", other, self.measure, *SCORES]
        rows = [
            {
                "model": name,
                "title": sentence.title(self.board, self.findings.titles, name),
                **{key: getattr(scores, key) for key in keys},
                "seconds": self.seconds.get(name),
                "forecasts": name == self.board.champion,
            }
            for name, scores in self.board.models.items()
        ]
        return pd.DataFrame(rows)

    def past(self, model: str | None = None) -> pd.DataFrame:
        """Return the rows of `forecasts` by the model that forecasts each series.

        Args:
            model: the model; by default the one that was chosen.
        """
        table = self.forecasts
        return table[table["model"] == (model or self.board.champion)]

    def scores(self, *, last_month: bool = False) -> pd.DataFrame:
        """Return the errors of each series, in the unit of the target.

        They are those of the model that forecasts, and of the best naive one.

        Args:
            last_month: whether the forecasts of the last month count, one after the
                other, or else the last one; by default those that compare models.

        Returns:
            A row for each series: unique_id, from and to (timestamps), values (how many
            were measured), y and y_hat (their sums), bias (of the sum: -.1 is a tenth
            too low; NaN if the sum is not above 0), mae, rmse, naive_mae and naive_rmse.
        """
        found = pd.DataFrame()
        for role, own in (("", self.past()), ("naive_", self.past(self.board.naive))):
            rows = own[own["y"].notna()]
            rows = _of_last_month(rows) if last_month else self.board.later(rows)
            errors = rows["y_hat"] - rows["y"]
            rows = rows.assign(mae=errors.abs(), squared=errors**2, start=rows["ds"])
            of_series = rows.groupby("unique_id", sort=False)
            if not role:
                found = of_series.agg(
                    {
                        "start": "min",
                        "ds": "max",
                        "mae": "size",
                        "y": "sum",
                        "y_hat": "sum",
                    }
                )
                found.columns = ["from", "to", "values", "y", "y_hat"]
                found["bias"] = found["y_hat"] / found["y"].where(found["y"] > 0) - 1
            found[f"{role}mae"] = of_series["mae"].mean()
            found[f"{role}rmse"] = of_series["squared"].mean() ** 0.5
        return found.reset_index()

    def forecast(
        self,
        frame: Data | None = None,
        levels: float | Sequence[float] = LEVELS,
        horizon: int | str | None = None,
        future: Data | None = None,
        model: str | None = None,
        by: str | Sequence[str] = (),
        service_level: float | Sequence[float] = (),
        quantiles: float | Sequence[float] = (),
    ) -> pd.DataFrame:
        """Forecast what comes after the last row whose target was measured.

        >>> answer.forecast(service_level=95)  # order-95: what to order
        >>> answer.forecast(by=["family", "store"], quantiles=[0.95])

        Args:
            frame: rows of the same form, as a DataFrame or a file; by default `rows`.
            levels: coverages of the prediction intervals, whole percents from 0.01
                to 0.99; one or several.
            horizon: rows ahead, or a duration such as "24h"; by default the horizon that
                models were trained for. Further timesteps are forecast from the
                forecasts before them, and their intervals grow with the square root of
                the time ahead.
            future: rows to come, with the columns that are known beforehand.
            model: the model that forecasts (`by_model`); by default the one that was
                chosen.
            by: a column of the rows, or several, whose values have sums of series: a
                family, a store. Each series has one value there.
            service_level: the share of periods in which what is ordered suffices, above
                0 and below 100 (%); one or several.
            quantiles: the same above 0 and below 1.

        Returns:
            A row for each series and timestep: unique_id, ds, y_hat, lo-90 and hi-90 for
            each level, and order-95 for each service level. With `by` a row for each sum
            and timestep: of all series, of each value, and of the values crossed. The
            columns of `by` stand in place of unique_id, where "total" means all values,
            and `series` counts what was added up. Quantiles are those of the sums.

        Raises:
            UnrollError: the rows cannot be used; the text says which and why.
            UnknownAheadError: a value that must be known beforehand is not.
            UsageError: a level, the horizon or the model is wrong.
        """
        levels = _several(levels)
        orders = [*map(share_of, _several(service_level)), *_several(quantiles)]
        rows, windows = self.read(frame, future, horizon)
        form = self.forecaster.fitted.csv
        of_series = (
            hierarchy.groups(rows.cells, form.series_id, _several(by)) if by else None
        )
        forecaster = self.by_model(model).forecaster
        table = forecaster.after(windows, levels, horizon, orders)
        if of_series is None:
            return typed(table, self.findings.integers)
        columns = quantiles_of(levels, orders)
        return hierarchy.sums(table, self.past(model), of_series, columns)

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
        if series is not None:
            one_of(series, self.forecaster.names, "series")
        _, windows = self.read(frame, future, series=series)
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

    @cached_property
    def rows(self) -> FileRows:
        """The rows that the answer was made from. Those of a loaded answer are read
        once, from its files, to which rows may have been added.

        Raises:
            UnrollError: a file is not the one that the answer was made from
                (`RowsFile.found`), or cannot be read.

        Warns:
            UserWarning: a file is not there, so its copy is read.
        """
        if self.read_rows is not None:
            return self.read_rows
        files = self.findings.files
        paths = [file.found(self.folder) for file in files]
        # a small file of Parquet may hold much; a CSV's size is limited
        is_packed = any(file.kept.endswith(".parquet") for file in files)
        with limited() if is_packed else nullcontext():
            return rows_of(paths, self.forecaster.fitted.csv)

    @cached_property
    def coming(self) -> tuple[dict[str, Window], pd.DataFrame]:
        """The last window of each series, and the forecast with intervals of `LEVELS`,
        for a page and a terminal. Of what is unusual `forecast` warns, not this.

        Raises:
            UnrollError: as `forecast`.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            _, windows = self.read()
        return windows, self.forecaster.after(windows, LEVELS)

    def read(
        self,
        frame: Data | None = None,
        future: Data | None = None,
        horizon: int | str | None = None,
        series: str | None = None,
    ) -> tuple[FileRows, dict[str, Window]]:
        """Return rows as they are written, and the last window of each series.

        Arguments and errors are those of `forecast`. Of a `series` that is named the
        others' rows are not prepared.
        """
        form = self.forecaster.fitted.csv
        rows = self.rows if frame is None else rows_of(frame, form)
        plans = future if isinstance(future, list | tuple) else [future]
        planned = [rows_of(plan, form) for plan in plans if plan is not None]
        wanted = [] if series is None else [series]
        return rows, self.forecaster.latest_of(rows, planned, horizon, wanted)

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
    def rows_ahead(self) -> int:
        """Rows that are forecast at once: the horizon, in rows of the file."""
        return self.findings.rows_ahead

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
        entries = [*path.glob("*")]
        others = [entry for entry in entries if entry.name[0] != "."]
        if others and not (path / FILE).exists():
            raise UsageError(
                f"{path} holds something else than an answer; name another folder"
            )
        there = None
        if not replace_other:
            with suppress(UnrollError):  # what cannot be read does not count
                there = findings_of(path)
        if there is not None:
            cure = "name another folder, or pass replace_other=True"
            asked = (self.target, self.rows_ahead, self.board.objective)
            require_same_question(path, there, *asked, cure)
        made = {entry.name for entry in self.folder.iterdir() if entry.name[0] != "."}
        replaced = {*made, *SHOWN, SECONDS, seal.FILE, *seal.names(path)}
        files = [file.seen_from(self.folder, path) for file in self.findings.files]
        findings = self.findings.model_copy(update={"files": files})
        with atomic_folder(path, path.parent) as new:
            hidden = shutil.ignore_patterns(".*")
            shutil.copytree(self.folder, new, ignore=hidden, dirs_exist_ok=True)
            write_json(new / FILE, findings.model_dump())
            seal.write(new, SECONDS, *SHOWN)
            for entry in entries:
                if entry.name not in replaced:
                    entry.replace(new / entry.name)
        return path


def _several(values: Any) -> list[Any]:
    """Return one value or several as a list."""
    return [values] if isinstance(values, str | float | int) else [*values]


def _of_last_month(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of the last month that follow one another, and the last one."""
    last = rows.groupby("unique_id")["cutoff"].transform("max")
    back = last - rows["cutoff"]
    span = (rows["ds"] - rows["cutoff"]).max()
    return rows[(back < MONTH) & (back % span == pd.Timedelta(0))]


def typed(table: pd.DataFrame, integers: str) -> pd.DataFrame:
    """Return a table whose unique_id is text with the type of `Findings.integers`."""
    return table.astype({"unique_id": integers}) if integers else table


def findings_of(folder: Path) -> Findings:
    """Read what an answer says, without the rest of it.

    Raises:
        UnrollError: the file is damaged, or of an earlier form; or the folder holds a
            link.
    """
    seal.require_plain(folder)
    data = read_json(folder / FILE, seal.CURE)
    if isinstance(data, dict) and "name" in data and "form" not in data:
        raise UnrollError(
            f"{folder} holds an answer of Unroll 1.0.0, which this version does not "
            "read; answer the series anew: `unroll answer FILE`"
        )
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
    findings = findings_of(path)
    kept = [file.kept for file in findings.files]
    seal.check(path, FILE, TABLE, SPEC, ARRAYS, *kept)
    with limited():  # not JSON: pydantic would abort this process
        forecasts = read_parquet(path / TABLE, COLUMNS, seal.CURE)
    seconds = dict[str, float]()
    if (path / SECONDS).is_file():
        seconds = read_checked(path / SECONDS, Seconds, seal.CURE).root
    return Answer(findings, forecasts, Forecaster.checked(path), path, seconds)


def require_same_question(
    folder: Path,
    there: Findings,
    target: str,
    rows: int,
    objective: Objective | None,
    cure: str,
) -> None:
    """Raise UsageError if a folder holds an answer for another target, horizon or
    objective.

    Args:
        folder: the folder.
        there: what the answer there says.
        target: the column that is asked for.
        rows: the horizon that is asked for, in rows of the file.
        objective: the objective that is asked for; None for any.
        cure: what the user can do.
    """
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
