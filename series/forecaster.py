"""A fitted model, or a combination of several, that forecasts from rows.

It is saved as a folder of plain files.
"""

import hashlib
import shutil
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import series
from pipeline.data.examples import Array
from pipeline.data.series_options import ALONE
from pipeline.errors import UnrollError, UsageError
from pipeline.files import damaged, read_checked, read_npz, write_json, write_npz
from pipeline.training.job import Predict
from pipeline.training.recipe import Recipe
from pipeline.validation import one_of, validated
from series import intervals, seal
from series.combination import known_after, weighted_forecast
from series.options import Options
from series.question import timesteps_of
from series.reading import files
from series.recipes import recipe, require_own_model
from series.rows import History, Window, continued, histories, latest
from series.source import existing, plain_frame
from series.spec import ForecasterSpec, Member, Spec

SPEC = "forecaster.json"
"""The file of a `ForecasterSpec`."""

ARRAYS = "forecaster.npz"
"""The file of the forecasts at the origins, and of what was measured."""

CACHED = 64
"""Largest number of windows whose forecasts are kept; the last windows are kept."""

LONGEST = 100
"""Largest horizon that may be forecast, in horizons that models were trained for."""


NEVER = np.zeros(intervals.POSITIONS, bool)
"""No position of the cycle is closed."""


class OutsideRangeWarning(UserWarning):
    """A warning of a value far outside the trained range; the forecast is a guess.

    Attributes:
        series: the name of the series; "" for several, or for one without a name.
    """

    def __init__(self, text: str, series: str = "") -> None:
        super().__init__(text)
        self.series = series


class BaseForecaster(ABC):
    """What reads rows and forecasts what comes next, whatever its models.

    Attributes:
        spec: the forecaster as plain data.
    """

    spec: Spec

    @property
    def names(self) -> list[str]:
        """The names of the series."""
        return [*self.spec.fitted.series]

    def why(self, series: str) -> str:
        """Return in words which models forecast a series."""
        del series
        return self.spec.why

    @property
    @abstractmethod
    def models(self) -> list[str]:
        """The models that can forecast."""

    @abstractmethod
    def of_model(self, model: str, why: str) -> "BaseForecaster":
        """Return the forecaster by one of `models`, which `why` names in words.

        Raises:
            UsageError: there is no such model.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the forecaster into a folder; `seal.write` has to follow."""

    @abstractmethod
    def load_models(self) -> None:
        """Read the models now, not at the first forecast.

        Raises:
            UnrollError: weights are missing or damaged.
        """

    @abstractmethod
    def ahead(
        self,
        window: Window,
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> tuple[Array, Array]:
        """Forecast the timesteps after a window.

        Args:
            window: the last rows of a series.
            levels: coverages of the prediction intervals.
            horizon: number of timesteps; None for the horizon that the models were
                trained for.

        Returns:
            (horizon,) forecasts and (horizon, 2 * levels) their quantiles in ascending
            order, in the target's unit. No known value lies below
            `SeriesQuestion.lowest`; ends that are not known are infinite.

        Raises:
            UsageError: a level or the horizon is wrong.
        """

    @abstractmethod
    def latest(self, history: History) -> Window:
        """Return the last window of some rows.

        Raises:
            UnrollError: rows are too few, or there is a gap.
        """

    def read(
        self, paths: Sequence[Path], plan: Sequence[Path] = ()
    ) -> dict[str, Window]:
        """Read the last window of each series from files of the trained form.

        Args:
            paths: the files.
            plan: files of rows to come, with the columns that are known beforehand, for
                each series, or without the names of series for all.

        Raises:
            UnrollError: the rows cannot be used; the text says which and why.

        Warns:
            OutsideRangeWarning: a value is far outside the trained range, or a series
                is left out.
        """
        for path in [*paths, *plan]:
            existing(path)
        form = self.spec.question.csv
        return self._latest(
            files.read(paths, form), [files.read([path], form) for path in plan]
        )

    def windows(self, rows: pd.DataFrame) -> dict[str, Window]:
        """Return the last window of each series of rows in memory. Raises as `read`."""
        return self._latest(files.of_table(plain_frame(rows), self.spec.question.csv))

    def histories(
        self, read: files.FileRows, plans: Sequence[files.FileRows]
    ) -> dict[str, History]:
        """Return all rows of each series. Raises as `read`."""
        return histories(self.spec.questions, read, plans)

    def _latest(
        self, rows: files.FileRows, plans: Sequence[files.FileRows] = ()
    ) -> dict[str, Window]:
        found = self.histories(rows, plans)
        windows = dict[str, Window]()
        failed = UnrollError("no series has rows to forecast from")
        for name, history in found.items():
            try:
                window = self.latest(history)
            except UnrollError as error:
                if name == ALONE:
                    raise
                failed = error
                reason = str(error).removeprefix(f"{history.name}: ")
                text = f"{name} is left out: {reason}"
                warnings.warn(OutsideRangeWarning(text, name), stacklevel=3)
                continue
            if name != ALONE:
                window = replace(
                    window, unusual=[f"{name}: {text}" for text in window.unusual]
                )
            for text in window.unusual:
                warnings.warn(OutsideRangeWarning(text, name), stacklevel=3)
            windows[name] = window
        if not windows:
            raise failed
        ended = [f"{name}: {own.ended}" for name, own in windows.items() if own.ended]
        if ended:
            text = ended[0].removeprefix(f"{ALONE}: ")
            if len(windows) > 1:
                several = f"{len(ended):,} series, such as " if len(ended) > 1 else ""
                text = f"rows to come of {several}{text}"
            warnings.warn(OutsideRangeWarning(text), stacklevel=3)
        return windows

    def forecast(
        self,
        rows: pd.DataFrame,
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> pd.DataFrame:
        """Forecast the timesteps after rows in memory, for each series.

        Arguments and errors are those of `windows` and `after`.
        """
        return self.after(self.windows(rows), levels, horizon)

    def after(
        self,
        windows: Mapping[str, Window],
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> pd.DataFrame:
        """Forecast the timesteps after the windows of some series.

        Arguments and errors are those of `ahead`.

        Returns:
            A row for each series and timestep: unique_id, ds, y_hat, and for each
            level, such as 0.9, lo-90 and hi-90, in the target's unit. Timestamps have
            the time zone of the series if there is one. Ends are infinite if too few
            errors are known.
        """
        frames = []
        for name, window in windows.items():
            forecast, quantiles = self.ahead(window, levels, horizon)
            columns = {
                "unique_id": name or self.spec.name,
                "ds": window.times(len(forecast)),
                "y_hat": forecast,
            }
            for level in levels:
                percent = f"{100 * level:g}"
                # quantiles lie in order, the widest outermost
                wider = sum(other > level for other in levels)
                columns[f"lo-{percent}"] = quantiles[:, wider]
                columns[f"hi-{percent}"] = quantiles[:, -1 - wider]
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class _Past:
    """The errors of a series up to a window, and the forecast after it.

    Attributes:
        errors: (origins, steps) truth minus forecast, in model units.
        delay: (steps,) number of origins after which an error is known.
        forecast: (steps,) the forecast after the window.
        positions: (origins + 1, steps) the positions in the cycle; None if unknown.
        closed: (positions,) whether all values there are 0.
    """

    errors: Array
    delay: Array
    forecast: Array
    positions: Array | None
    closed: Array


@dataclass(frozen=True)
class Forecaster(BaseForecaster):
    """Models with all that a forecast from raw rows takes.

    Attributes:
        spec: the forecaster as plain data.
        arrays: `backtest.arrays`, from which weights and intervals are computed.
        weights: name of a member -> the folder of its weights.
        cache: digest of a window -> the members' forecasts, for the last `CACHED`
            windows. The same rows give the same bits, and run no model twice.
    """

    spec: ForecasterSpec
    arrays: dict[str, Array]
    weights: Mapping[str, Path]
    cache: dict[bytes, Array] = field(default_factory=dict, repr=False)

    @classmethod
    def checked(cls, folder: Path) -> "Forecaster":
        """Read a folder whose files were compared with their hashes (`seal.check`).

        Raises:
            UnrollError: a file is missing, damaged or too old, or a member is no model
                of Unroll's answers.
        """
        spec = read_checked(folder / SPEC, ForecasterSpec, seal.CURE)
        for member in spec.members:
            require_own_model(member.experiment)
            try:
                recipe(member.name, member.experiment)
            except UsageError as error:
                raise damaged(folder / SPEC, error, seal.CURE) from None
        arrays = read_npz(folder / ARRAYS, seal.CURE)
        try:
            _check(arrays, spec)
        except ValueError as error:
            raise damaged(folder / ARRAYS, error, seal.CURE) from None
        names = [member.name for member in spec.members]
        return cls(spec, arrays, {name: folder / "weights" / name for name in names})

    @property
    def models(self) -> list[str]:
        """The models that can forecast: the members."""
        return [member.name for member in self.spec.members]

    def load_models(self) -> None:
        """Read the models now."""
        _ = self.by_champions.predict

    def of_model(self, model: str, why: str) -> "Forecaster":
        """Return the forecaster by one of the members. Raises as that of the base."""
        one_of(model, self.models, "model")
        return self._of([model], why)

    @cached_property
    def by_champions(self) -> "Forecaster":
        """The forecaster without the members that were not chosen."""
        names = self.spec.champions or self.models
        return self if names == self.models else self._of(names, self.spec.why)

    def _of(self, names: Sequence[str], why: str) -> "Forecaster":
        places = [self.models.index(name) for name in names]
        members = [self.spec.members[place] for place in places]
        changed = {"members": members, "champions": [], "why": why}
        return Forecaster(
            self.spec.model_copy(update=changed),
            {**self.arrays, "forecasts": self.arrays["forecasts"][places]},
            self.weights,
        )

    @cached_property
    def predict(self) -> list[list[Predict]]:
        """For each member, a function for each seed.

        The models are loaded here, at the first forecast: to import what they need
        takes seconds, and who only reads an answer does not need them.

        Raises:
            UnrollError: weights are missing or damaged.
        """
        functions = []
        for member in self.spec.members:
            trained = recipe(member.name, member.experiment)
            folder = self.weights[member.name]
            paths = [folder / name for name in member.weights]
            functions.append([_loaded(trained, member, path) for path in paths])
        return functions

    def save(self, folder: Path) -> None:
        """Write forecaster.json, forecaster.npz and weights/ into a folder.

        `seal.write` has to follow, before `load`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC, self.spec.model_dump())
        write_npz(folder / ARRAYS, self.arrays)
        for member in self.spec.members:
            source = self.weights[member.name]
            target = folder / "weights" / member.name
            if target == source:
                continue
            target.mkdir(parents=True)
            for name in member.weights:
                for file in source.glob(f"{name}.*"):
                    shutil.copyfile(file, target / file.name)

    def of_members(self, window: Array) -> Array:
        """Return the forecast of each member after a window.

        Args:
            window: (timesteps, columns + calendar).

        Returns:
            (members, steps) in model units.
        """
        digest = hashlib.sha256(window.tobytes()).digest()
        if digest not in self.cache:
            if len(self.cache) >= CACHED:
                self.cache.pop(next(iter(self.cache)))
            self.cache[digest] = self._computed(window)
        return self.cache[digest]

    def _computed(self, window: Array) -> Array:
        windows = self.spec.fitted.windows
        calendar = series.calendar_columns(week=windows.week)
        forecasts = []
        for member, seeds in zip(self.spec.members, self.predict, strict=True):
            # (1, timesteps, columns + calendar)
            inputs = window[None, -member.timesteps :]
            if not member.experiment.calendar:
                inputs = inputs[:, :, :-calendar]
            by_seed = [
                np.broadcast_to(predict(inputs).reshape(-1), windows.horizon)
                for predict in seeds
            ]
            forecasts.append(np.mean(by_seed, axis=0, dtype=np.float64))
        return np.stack(forecasts)

    def latest(self, history: History) -> Window:
        """Return the last window of some rows."""
        until = np.datetime64(self.spec.until) if self.spec.until else None
        return latest(history, self.spec.timesteps, until, self.spec.stride)

    def ahead(
        self,
        window: Window,
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> tuple[Array, Array]:
        """Forecast the timesteps after a window.

        Weights and intervals are computed from the errors at the origins, and from the
        errors since the models were fitted.
        """
        require_levels(levels)
        if self.by_champions is not self:
            return self.by_champions.ahead(window, levels, horizon)
        count = steps_of(self.spec, horizon)
        past = self._errors(window)
        errors = past.errors
        forecast = past.forecast
        positions = past.positions
        # (steps, 2 * levels)
        offsets = intervals.quantiles(
            errors, levels, past.delay, len(errors), positions
        )[-1]
        trained = len(forecast)
        later = window
        while len(forecast) < count:
            later = continued(later, forecast[-trained:], len(forecast))
            following = self._errors(later).forecast
            forecast = np.concatenate([forecast, following])
        growth, nearest = beyond(count, trained)
        question = window.question
        ahead = question.positions(window.times(count))
        if positions is not None:
            sizes = intervals.position_sizes(
                np.abs(errors)[None], positions[None], past.delay
            )[0, -1]
            growth *= sizes[ahead] / sizes[ahead[nearest]]
        offsets = growth[:, None] * offsets[nearest]
        scale = question.scale
        forecast = forecast[:count] * scale.std + scale.mean
        quantiles = forecast[:, None] + offsets * scale.std
        forecast, quantiles = floored(forecast, quantiles, question.lowest)
        is_closed = past.closed[ahead]
        forecast = np.where(is_closed, 0.0, forecast)
        return forecast, np.where(is_closed[:, None], 0.0, quantiles)

    def _errors(self, window: Window) -> _Past:
        """Return the errors up to a window, and the forecast after it, in model units.

        Origins are of three kinds, in the order of time: those of the backtest; those
        between its last origin and the fit, without a forecast, since the models were
        fitted to these rows; and those since the fit, of which the window is the last.
        """
        question = window.question
        outputs = self.spec.fitted.windows.horizon
        delay = known_after(outputs, question.windows.step, self.spec.stride)
        number = [*self.spec.fitted.series].index(question.series)
        own = self.arrays["series_id"] == number
        between = np.full((delay[-1] - 1, outputs), np.nan)
        # (origins since the fit, timesteps, columns), and what was observed after them
        inputs = window.inputs[None]
        observed = np.full((1, outputs), np.nan)
        stamps = np.array([window.last])
        if window.since is not None:
            inputs = np.concatenate([window.since[0], inputs])
            observed = np.concatenate([window.since[1], observed])
            stamps = np.concatenate([window.since[2], stamps])
        since = np.stack([self.of_members(values) for values in inputs], axis=1)
        truth = np.concatenate([self.arrays["truth"][own], between, observed])
        past = self.arrays["forecasts"][:, own]
        unknown = np.zeros((len(since), *between.shape))
        combined = weighted_forecast(
            np.concatenate([past, unknown, since], axis=1),
            truth,
            delay,
            self.spec.objective,
        )
        zero = -question.scale.mean / question.scale.std
        combined = np.maximum(combined, zero if question.lowest == 0 else -np.inf)
        errors = truth - combined
        if "positions" not in self.arrays:  # of an earlier version
            return _Past(errors[:-1], delay, combined[-1], None, NEVER)
        times = question.on_clock(
            (stamps[:, None] + question.ahead * question.row).ravel()
        )
        positions = np.concatenate(
            [
                self.arrays["positions"][own],
                np.zeros(between.shape, int),
                question.positions(times).reshape(-1, outputs),
            ]
        )
        closed = intervals.closed(truth[None], positions[None], zero)[0]
        errors[closed[positions]] = np.nan
        return _Past(errors[:-1], delay, combined[-1], positions, closed)


def steps_of(spec: Spec, horizon: int | str | None) -> int:
    """Return the number of timesteps to forecast.

    Args:
        spec: the forecaster.
        horizon: rows, or a duration such as "24h"; None for the trained horizon.

    Raises:
        UsageError: the horizon is wrong.
    """
    trained = spec.fitted.windows.horizon
    if horizon is None:
        return trained
    asked = validated(Options, {"horizon": horizon}, "the forecast").horizon
    most = LONGEST * trained
    return timesteps_of("horizon", asked or 0, spec.fitted.cleaning, most)


def beyond(count: int, trained: int) -> tuple[Array, Array]:
    """Return how errors grow beyond the trained horizon.

    The last error grows as that of a random walk does: with the square root of the time
    ahead.

    Returns:
        (count,) the growth, 1 up to the trained horizon; and (count,) the trained step,
        from 0, whose error grows.
    """
    steps = np.arange(1, count + 1)
    return np.sqrt(np.maximum(steps / trained, 1.0)), np.minimum(steps, trained) - 1


def floored(forecast: Array, quantiles: Array, lowest: float) -> tuple[Array, Array]:
    """Return a forecast and its quantiles no lower than `lowest`; unknown ends stay."""
    known = np.isfinite(quantiles)
    quantiles = np.where(known, np.maximum(quantiles, lowest), quantiles)
    return np.maximum(forecast, lowest), quantiles


def _check(arrays: Mapping[str, Array], spec: ForecasterSpec) -> None:
    """Raise ValueError unless the arrays have the shapes of a forecaster."""
    if arrays.keys() - {"positions"} != {"truth", "forecasts", "series_id"}:
        raise ValueError("it must have the arrays truth, forecasts and series_id")
    truth = arrays["truth"]
    numbers = arrays["series_id"]
    steps = spec.fitted.windows.horizon
    count = len(spec.fitted.series)
    fits = truth.ndim == 2 and truth.shape[1] == steps and numbers.dtype.kind in "iu"
    fits = fits and numbers.shape == truth.shape[:1]
    fits = fits and {*numbers.tolist()} == {*range(count)}
    positions = arrays.get("positions", np.zeros(truth.shape, int))
    fits = fits and positions.shape == truth.shape and positions.dtype.kind in "iu"
    fits = fits and bool((positions % intervals.POSITIONS == positions).all())
    forecasts = arrays["forecasts"]
    fits = fits and forecasts.shape == (len(spec.members), *truth.shape)
    if not fits or truth.dtype.kind != "f" or forecasts.dtype.kind != "f":
        raise ValueError(
            f"its arrays must be of {len(spec.members)} models, {count} series and "
            f"{steps} steps"
        )


def _loaded(trained: Recipe, member: Member, path: Path) -> Predict:
    """Return a member's forecast with the weights of a file.

    The weights are tried on one window: a file from elsewhere may hold numbers of
    another model.

    Raises:
        UnrollError: the weights are missing, damaged or of another model.
    """
    predict = trained.load(member.problem.model_dump(), path, seal.CURE)
    if member.experiment.training.method == "none":
        return predict
    window = np.zeros((1, *member.problem.input_shape), np.float32)
    try:
        outputs = np.asarray(predict(window), np.float64)
        if outputs.size != member.problem.outputs or not np.isfinite(outputs).all():
            raise ValueError(f"{outputs.size} numbers are forecast, or none")
    # NumPy and scikit-learn raise their own errors.
    except Exception as error:  # noqa: BLE001
        raise damaged(path.with_name(f"{path.name}.npz"), error, seal.CURE) from None
    return predict


def require_levels(levels: object) -> None:
    """Raise UsageError unless `levels` are several levels (`require_level`)."""
    if not isinstance(levels, list | tuple | np.ndarray):
        raise UsageError(
            f"levels must be numbers such as (0.5, 0.9). Received: {levels!r}"
        )
    for level in levels:
        require_level(level)


def require_level(level: float) -> None:
    """Raise UsageError if a level is not in `intervals.LEVELS`."""
    if not isinstance(level, float) or round(level, 9) not in intervals.LEVELS:
        raise UsageError(
            "the level must be 0.5 to 0.99, a whole number of percent, such as 0.8. "
            f"Received: {level!r}"
        )
