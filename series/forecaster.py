"""A trained experiment that forecasts: from a workspace, or from a folder of plain files that needs nothing else."""

import hashlib
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import tables
from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data import row_files, series
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.data.problem import problem
from pipeline.data.series_options import ALONE
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_checked, read_npz, regular, write_json, write_npz
from pipeline.provenance import fingerprint
from pipeline.training import fitted_models, run_folder
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace
from series import backtest, intervals
from series.backtest import Origins
from series.combination import known_after, weighted_median_forecast
from series.rows import Window, histories, latest
from series.spec import ForecasterSpec, Member, fitted_of

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

CACHED = 64
"""Windows whose forecasts are cached, the last ones."""

ARRAYS = {"truth", "forecasts", "series_id"}
"""Of a `Forecaster`, at least."""


class OutsideRangeWarning(UserWarning):
    """A value that is far from all that was trained on, where a model's answer is a guess."""


@dataclass
class Members:
    """The models, with a cache of their forecasts: the same rows give the same bits, and run no model twice.

    Attributes:
        spec: what each is.
        predict: of each member one function for each seed.
        forecasts: digest of a window -> (members, steps) in model units, of the last `CACHED` windows.
    """

    spec: ForecasterSpec
    predict: Sequence[Sequence[fitted_models.Predict]]
    forecasts: dict[bytes, Array] = field(default_factory=dict, repr=False)

    def forecast(self, window: Array) -> Array:
        """(members, steps) in model units of a window (timesteps, columns + calendar); one window at a time."""
        if (digest := _digest(window)) not in self.forecasts:
            forecasts, windows = [], self.spec.fitted.windows
            for member, seeds in zip(self.spec.members, self.predict, strict=True):
                inputs = window[None, -member.timesteps :]
                if not member.experiment.calendar:
                    inputs = inputs[:, :, : -series.calendar_columns(week=windows.week)]
                by_seed = [np.broadcast_to(predict(inputs).reshape(-1), windows.horizon) for predict in seeds]
                forecasts.append(np.mean(by_seed, axis=0, dtype=np.float64))
            if len(self.forecasts) >= CACHED:
                self.forecasts.pop(next(iter(self.forecasts)))
            self.forecasts[digest] = np.stack(forecasts)
        return self.forecasts[digest]


@dataclass(frozen=True)
class Forecaster:
    """Models with all that it takes to forecast from raw rows.

    Attributes:
        spec: plain data.
        arrays: of rolling origins, as `Origins.arrays` gives them, from which weights and intervals are computed. Where
            they were saved, `windows` (windows, 32), digests, and `answers` (windows, members, steps), with which
            `members` begin their cache.
        weights: name of a member -> the folder of its weights.
        members: the models.
    """

    spec: ForecasterSpec
    arrays: dict[str, Array]
    weights: dict[str, Path]
    members: Members

    @classmethod
    def of(cls, workspace: Workspace, name: str) -> "Forecaster":
        """The forecaster of a trained experiment, such as waves/gru, by its weights.

        Its origins are those of validation and test, a day apart; of a series of one's own those of its backtest, and
        the weights are the last fit's there.

        Raises:
            UsageError: there is no such experiment, or its data set is no series with stamps.
            UnrollError: something is not built, or of an earlier build than something else.
        """
        every = params.load(workspace.params)
        experiment = every.experiment(name)
        about = experiment.dataset
        own_name = name.partition("/")[2]
        if every.dataset(about).preparation.name != "series":
            raise UsageError(f"{about} is no series with a time in each row, so there is no next value")
        prepared = workspace.prepared(about)
        data = datasets.load(prepared, calendar=experiment.calendar, share=experiment.share)
        run = run_folder.load_for(workspace.run(about, own_name), about, experiment.seeds)
        if run.summary.fingerprint.get("data") not in {None, fingerprint.folder(prepared)}:
            again = f"run `unroll repro evaluate@{about}`"
            raise UnrollError(f"{name} was trained on an earlier build of {about}; {again}")
        own, fitted = about in every.forecasts, fitted_of(data)
        table = tables.read_parquet(workspace.run(about, own_name) / backtest.TABLE) if own else _table(data, run)
        inputs = replace(data, splits={"train": backtest.with_lookback(experiment, backtest.windows(data))})
        member = Member(
            name=own_name,
            experiment=experiment,
            problem=asdict(problem(inputs)),
            seeds=run.summary.seeds if run.varies else run.summary.seeds[:1],
            point=run.points[-1],
        )
        spec = ForecasterSpec(
            name=name,
            dataset=about,
            members=[member],
            fitted=fitted,
            stride=backtest.stride(data),
            judged="rolling origins" if own else "origins of validation and test",
        )
        arrays = Origins.of(data, table).arrays([own_name])
        return cls.ready(spec, arrays, {own_name: workspace.run(about, own_name) / "weights"})

    @classmethod
    def load(cls, folder: Path) -> "Forecaster":
        """What `save` wrote, wherever it lies now. Raises UnrollError if a file is missing, damaged or too old."""
        arrays = read_npz(folder / "forecaster.npz")
        if not {*arrays} >= ARRAYS:
            raise UnrollError(f"{folder} was written by an older version of Unroll; fit it anew: `unroll repro`")
        spec = read_checked(folder / "forecaster.json", ForecasterSpec)
        return cls.ready(spec, arrays, {member.name: folder / "weights" / member.name for member in spec.members})

    @classmethod
    def ready(cls, spec: ForecasterSpec, arrays: dict[str, Array], weights: dict[str, Path]) -> "Forecaster":
        """A forecaster with its models loaded. Raises UnrollError if weights are missing or damaged."""
        predict = [
            [
                fitted_models.load(member.name, member.experiment, member.problem, path)
                for path in (weights[member.name] / f"seed_{seed}_{member.point}" for seed in member.seeds)
            ]
            for member in spec.members
        ]
        saved = dict(zip(map(bytes, arrays.get("windows", ())), arrays.get("answers", ()), strict=True))
        return cls(spec, arrays, weights, Members(spec, predict, saved))

    def save(self, folder: Path) -> None:
        """Write forecaster.json, forecaster.npz and weights/ into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "forecaster.json", self.spec.model_dump())
        write_npz(folder / "forecaster.npz", self.arrays)
        for member in self.spec.members:
            (folder / "weights" / member.name).mkdir(parents=True)
            for seed in member.seeds:
                for file in self.weights[member.name].glob(f"seed_{seed}_{member.point}.*"):
                    shutil.copyfile(regular(file), folder / "weights" / member.name / file.name)

    def ahead(self, window: Window, level: float = intervals.USUAL) -> tuple[Array, Array, Array]:
        """(steps,) what follows a window, and the ends of its intervals of this level; in the target's unit.

        The errors since the models were fitted count, too. Nothing lies below `SeriesQuestion.floor`.
        """
        require_level(level)
        errors, delay, forecast = self._errors(window)
        half_widths = intervals.adaptive(errors, level, delay, since=len(errors))[0][-1] * window.question.scale.std
        return forecast, np.maximum(forecast - half_widths, window.question.floor), forecast + half_widths

    def inside(self, window: Window, level: float = intervals.USUAL) -> Array:
        """(origins, steps) whether such intervals held the value at the origins so far, 1 or 0; NaN where unknown.

        Only origins before which enough errors were known have intervals.
        """
        require_level(level)
        errors, delay, _ = self._errors(window)
        inside = intervals.adaptive(errors, level, delay)[1]
        return inside[np.isfinite(inside).any(axis=1)]

    def _errors(self, window: Window) -> tuple[Array, Array, Array]:
        """(origins, steps) absolute errors up to a window in model units, after how many origins each is known, and
        (steps,) what follows the window in the target's unit.
        """
        question, scale, outputs = window.question, window.question.scale, self.spec.fitted.windows.horizon
        delay = known_after(outputs, question.windows.step, self.spec.stride)
        own = self.arrays["series_id"] == [*self.spec.fitted.series].index(question.series)
        # The models were fitted to the rows of the origins in between: of those nothing is known.
        between = np.full((delay[-1] - 1, outputs), np.nan)
        inputs, observed = window.since or ((), np.empty((0, outputs)))
        later = np.stack([self.members.forecast(values) for values in (*inputs, window.inputs)], axis=1)
        truth = np.concatenate([self.arrays["truth"][own], between, observed, np.full((1, outputs), np.nan)])
        past = self.arrays["forecasts"][:, own]
        forecasts = np.concatenate([past, np.zeros((len(later), *between.shape)), later], axis=1)
        combined = weighted_median_forecast(forecasts, truth, delay)
        combined = np.maximum(combined, (question.floor - scale.mean) / scale.std)
        return np.abs(combined - truth)[:-1], delay, combined[-1] * scale.std + scale.mean

    def answers(self, windows: Iterable[Window]) -> dict[str, Array]:
        """`windows` and `answers` of `arrays`: with them a forecast from these runs no model, nor imports any."""
        forecasts = {_digest(window.inputs): self.members.forecast(window.inputs) for window in windows}
        digests = np.array([[*digest] for digest in forecasts], np.uint8)
        return {"windows": digests, "answers": np.stack([*forecasts.values()])}

    def read(
        self, paths: Sequence[Path], progress: "Progress" = row_files.no_progress, plan: Sequence[Path] = ()
    ) -> dict[str, Window]:
        """The last window of each series in files of the form that the model was trained on. Raises as `forecast`.

        `plan` are files with what is known beforehand of the rows that come.
        """
        form, where = self.spec.question.csv, self.spec.question.where
        for path in [*paths, *plan]:
            if not path.is_file():
                raise UnrollError(f"{path} {'is a folder; name a file' if path.is_dir() else 'is not there'}")
        measured, known = ([row_files.RowFile(path, form, where) for path in files] for files in (paths, plan))
        return self._latest(measured, progress, known)

    def windows(self, rows: "pd.DataFrame") -> dict[str, Window]:
        """The last window of each series in rows in memory. Raises as `forecast`."""
        file = row_files.RowFile(Path("the table"), self.spec.question.csv, self.spec.question.where, rows)
        return self._latest([file], row_files.no_progress)

    def _latest(
        self, files: Sequence[row_files.RowFile], progress: "Progress", plan: Sequence[row_files.RowFile] = ()
    ) -> dict[str, Window]:
        until = np.datetime64(self.spec.until) if self.spec.until else None
        windows, failed = dict[str, Window](), UnrollError("")
        for name, history in histories(self.spec.questions, files, progress, plan).items():
            try:
                window = latest(history, self.spec.timesteps, until, self.spec.stride)
            except UnrollError as error:
                if name == ALONE:
                    raise
                failed = error
                warnings.warn(f"{name}: left out: {error}", OutsideRangeWarning, stacklevel=3)
                continue
            if name != ALONE:
                window = replace(window, unusual=[f"{name}: {text}" for text in window.unusual])
            for text in window.unusual:
                warnings.warn(text, OutsideRangeWarning, stacklevel=3)
            windows[name] = window
        if not windows:
            raise failed
        return windows

    def forecast(self, rows: "pd.DataFrame", level: float = intervals.USUAL) -> "pd.DataFrame":
        """Forecast what follows the last of some rows, of each series that they hold.

        Args:
            rows: in raw units, with the columns of the file that the model was trained on, others are ignored. At
                least `spec.question.reach` of them in a row, in any order; best `spec.reach`.
            level: of the interval: 0.5 to 0.99, a whole number of percent.

        Returns:
            A row for each step ahead: stamp, forecast, low and high, in the target's unit, and before them of several
            series the name; of a data set with a time zone stamps are aware of it. `low` and `high` are infinite where
            there are too few errors to go by.

        Raises:
            UnrollError: the rows cannot be used; one line says which and why.

        Warns:
            OutsideRangeWarning: a value is far outside of what was trained on.
        """
        return self.after(self.windows(rows), level)

    def after(self, windows: Mapping[str, Window], level: float = intervals.USUAL) -> "pd.DataFrame":
        """What follows the windows of some series, as `forecast`."""
        import pandas as pd

        column, tables = self.spec.fitted.csv.series_id, []
        for name, window in windows.items():
            forecast, low, high = self.ahead(window, level)
            values = {"stamp": window.ahead, "forecast": forecast, "low": low, "high": high}
            tables.append(pd.DataFrame(({column: name} if column else {}) | values))
        return pd.concat(tables, ignore_index=True)


def _table(data: Dataset, run: Run) -> "pd.DataFrame":
    """The forecasts of a run from its validation and test rows, a day apart, as `backtest.cross_validate` has them."""
    import pandas as pd

    tables, stride = [], backtest.stride(data)
    for split in ("validation", "test"):
        windows = data.splits.get(split)
        if isinstance(windows, Windows):
            chosen = (windows.rows[-1] - windows.rows) % stride == 0
            mean = run.predictions[f"{run.points[-1]}_{split}"].mean(axis=0, dtype=np.float64)
            origins = replace(windows, rows=windows.rows[chosen])
            tables.append(backtest.table(data, origins, mean[chosen]))
    return pd.concat(tables).assign(model=run.summary.experiment, seed=0)


def require_level(level: float) -> None:
    """Raises UsageError if a level is none of `intervals.LEVELS`."""
    if round(level, 9) not in intervals.LEVELS:
        raise UsageError(f"the level must be 0.5 to 0.99, a whole number of percent. Received: {level}")


def _digest(window: Array) -> bytes:
    return hashlib.sha256(window.tobytes()).digest()
