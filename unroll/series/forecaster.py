"""Fitted models that forecast from rows: one, or a combination of several.

A forecaster is saved as a folder of plain files.
"""

import shutil
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from pipeline.data.examples import Array
from pipeline.errors import UsageError
from pipeline.files import damaged, read_checked, read_npz, write_json, write_npz
from pipeline.training.job import Predict
from pipeline.training.recipe import Recipe
from pipeline.validation import one_of, validated
from unroll.series import combination, prediction_intervals, seal
from unroll.series.combination import (
    ENSEMBLE,
    MOST_WAITING,
    known_after,
    weighted_forecast,
)
from unroll.series.models.recipes import recipe, require_own_model
from unroll.series.options import Options, argument
from unroll.series.prediction_intervals import PastErrors
from unroll.series.preparation import some_reasons
from unroll.series.question import timesteps_of
from unroll.series.reading import file_rows
from unroll.series.reading.series_names import natural
from unroll.series.row_options import ALONE, POSITIONS, Preprocessing
from unroll.series.rows import Window, continued, latest
from unroll.series.spec import (
    ForecasterSpec,
    Member,
)
from unroll.series.user_data import rows_of

SPEC = "forecaster.json"
"""The file of a `ForecasterSpec`."""

ARRAYS = "forecaster.npz"
"""The file of the forecasts at the origins, and of what was measured."""

CACHED = 64
"""Largest number of windows whose forecasts are kept; the last windows are kept."""

LONGEST = 100
"""Largest horizon that may be forecast, in horizons that models were trained for."""

AHEAD = "ahead"
"""The array (series, members, steps) of what members forecast after the answer's rows.

To fit models of whole series again would give the same."""

SEEN = "seen"
"""The array (rows, columns) of the rows that `AHEAD` follows, one series after the other."""

COUNTS = "counts"
"""The array (series,) of the number of rows of each series in `SEEN`."""


class OutsideRangeWarning(UserWarning):
    """A warning of a value far outside the trained range; the forecast is a guess.

    Attributes:
        series: the name of the series; "" for several, or for one without a name.
    """

    def __init__(self, text: str, series: str = "") -> None:
        super().__init__(text)
        self.series = series


@dataclass(frozen=True)
class Forecaster:
    """Some models with all that a forecast from raw rows takes.

    Attributes:
        spec: the models as plain data.
        arrays: `backtest.arrays`, from which weights and intervals are computed; of
            whole series `AHEAD`, `SEEN` and `COUNTS`, too.
        weights: name of a member -> the folder of its weights.
        cache: the rows of a window -> the members' forecasts, for the last `CACHED`
            windows. The same rows give the same bits, and run no model twice.
        shared: levels -> the quantiles of the errors of all series.
    """

    spec: ForecasterSpec
    arrays: dict[str, Array]
    weights: Mapping[str, Path]
    cache: dict[bytes, Array] = field(default_factory=dict, repr=False)
    shared: dict[tuple[float, ...], Array] = field(default_factory=dict, repr=False)

    @classmethod
    def checked(cls, folder: Path) -> "Forecaster":
        """Read a folder whose files were compared with their hashes (`seal.check`).

        Raises:
            UnrollError: a file is missing, damaged or too old, or a member is no model
                of Unroll's answers.
        """
        spec = read_checked(folder / SPEC, ForecasterSpec, seal.CURE)
        arrays = read_npz(folder / ARRAYS, seal.CURE)
        for member in spec.members:
            require_own_model(member.experiment)
            try:
                recipe(member.name, member.experiment)
            except UsageError as error:
                raise damaged(folder / SPEC, error, seal.CURE) from None
        try:
            _check(arrays, spec)
        except ValueError as error:
            raise damaged(folder / ARRAYS, error, seal.CURE) from None
        weights = {
            member.name: folder / "weights" / member.name for member in spec.members
        }
        return cls(spec, arrays, weights)

    def save(self, folder: Path) -> None:
        """Write forecaster.json, forecaster.npz and weights/ into a folder.

        `seal.write` has to follow, before `checked`.
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

    @property
    def name(self) -> str:
        """The name of the answer."""
        return self.spec.dataset

    @property
    def fitted(self) -> Preprocessing:
        """How rows are prepared."""
        return self.spec.fitted

    @property
    def why(self) -> str:
        """Which models forecast, in words."""
        return self.spec.why

    @property
    def reach(self) -> int:
        """The number of rows that the models look at."""
        return self.spec.reach

    @property
    def delay(self) -> Array:
        """(steps,) number of origins after which an error is known."""
        return known_after(self.fitted.windows.horizon, self.spec.stride)

    @property
    def names(self) -> list[str]:
        """The names of the series."""
        return [*self.spec.fitted.series]

    @property
    def members(self) -> list[str]:
        """The names of the members."""
        return [member.name for member in self.spec.members]

    @property
    def models(self) -> list[str]:
        """The models that can forecast: the members, and perhaps their combination."""
        return [*self.members, *([ENSEMBLE] if self.spec.combined else [])]

    @cached_property
    def by_champions(self) -> "Forecaster":
        """The forecaster without the members that were not chosen."""
        names = self.spec.champions or self.members
        return self if names == self.members else self.of_models(names, self.why)

    def of_model(self, model: str, why: str) -> "Forecaster":
        """Return the forecaster by one of `models`, which `why` names in words.

        Raises:
            UsageError: there is no such model.
        """
        one_of(model, self.models, "model")
        names = self.spec.combined if model == ENSEMBLE else [model]
        return self.of_models(names, why)

    def of_models(self, names: Sequence[str], why: str) -> "Forecaster":
        """Return the forecaster with some of its members, which `why` names in words."""
        places = [self.members.index(name) for name in names]
        members = [self.spec.members[place] for place in places]
        shares = self.spec.shares if len(names) > 1 else {}
        changed = {
            "members": members,
            "champions": [],
            "combined": [],
            "shares": shares,
            "why": why,
        }
        arrays = {**self.arrays, "forecasts": self.arrays["forecasts"][places]}
        if AHEAD in arrays:
            arrays[AHEAD] = arrays[AHEAD][:, places]
        return Forecaster(self.spec.model_copy(update=changed), arrays, self.weights)

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

    @cached_property
    def _threads(self) -> ThreadpoolController:
        """The threads of the libraries that are loaded when models first forecast."""
        return ThreadpoolController()

    @cached_property
    def known(self) -> dict[bytes, Array]:
        """The rows of the answer's whole series -> forecasts (members, steps)."""
        if AHEAD not in self.arrays:
            return {}
        ends = np.cumsum(self.arrays[COUNTS])
        by_series = np.split(self.arrays[SEEN], ends[:-1])
        rows = [own[-self.spec.timesteps :].tobytes() for own in by_series]
        return dict(zip(rows, self.arrays[AHEAD], strict=True))

    def of_members(self, window: Array) -> Array:
        """Return the forecast of each member after a window.

        Args:
            window: (timesteps, columns + calendar).

        Returns:
            (members, steps) in model units.
        """
        rows = window[np.isfinite(window).all(axis=1)].tobytes()
        if rows in self.known:
            return self.known[rows]
        if rows not in self.cache:
            if len(self.cache) >= CACHED:
                self.cache.pop(next(iter(self.cache)))
            self.cache[rows] = self._computed(window)
        return self.cache[rows]

    def _computed(self, window: Array) -> Array:
        horizon = self.spec.fitted.windows.horizon
        forecasts = []
        for member, seeds in zip(self.spec.members, self.predict, strict=True):
            # (1, timesteps, columns + calendar)
            inputs = window[None, -member.timesteps :, : member.problem.input_shape[1]]
            # For one window, threads of trees wait longer for each other than they work.
            with self._threads.limit(limits=1, user_api="openmp"):
                outputs = [predict(inputs).reshape(-1) for predict in seeds]
            by_seed = [np.broadcast_to(values, horizon) for values in outputs]
            forecasts.append(np.mean(by_seed, axis=0, dtype=np.float64))
        return np.stack(forecasts)

    def ahead(
        self,
        window: Window,
        levels: Sequence[float] = (prediction_intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> tuple[Array, Array]:
        """Forecast the timesteps after a window.

        Weights and intervals are computed from the errors at the origins, and from the
        errors since the models were fitted.

        Args:
            window: the last rows of a series.
            levels: coverages of the prediction intervals.
            horizon: number of rows, or a duration; None for the horizon that the models
                were trained for.

        Returns:
            (horizon,) forecasts and (horizon, 2 * levels) their quantiles in ascending
            order, in the target's unit. No known value lies below
            `Preprocessing.lowest`; ends that are not known are infinite.

        Raises:
            UsageError: a level or the horizon is wrong.
        """
        if self.by_champions is not self:
            return self.by_champions.ahead(window, levels, horizon)
        count = steps_of(self.spec, horizon)
        scale = window.scale
        errors = self._errors_before(window)
        trained = len(self.delay)
        forecast = errors.forecasts[0, -1]
        later = window
        while len(forecast) < count:
            last = (forecast[-trained:] - scale.mean) / scale.std
            later = continued(later, last, len(forecast))
            following = self._errors_before(later).forecasts[0, -1]
            forecast = np.concatenate([forecast, following])
        forecast = forecast[:count]
        ahead = self.fitted.positions(window.times(count))
        growth, nearest = beyond(count, trained)
        sizes = growth * errors.sizes(forecast[None], ahead[None])[0]
        [offsets] = errors.offsets(levels, self._shared(errors, levels))
        quantiles = forecast[:, None] + sizes[:, None] * offsets[nearest]
        forecast, quantiles = floored(forecast, quantiles, window.lowest)
        is_closed = errors.closed[0, ahead] | window.over
        forecast = np.where(is_closed, 0.0, forecast)
        return forecast, np.where(is_closed[:, None], 0.0, quantiles)

    def _shared(self, own: PastErrors, levels: Sequence[float]) -> Array:
        """Return the quantiles (steps, 2 * levels) of the errors of all series.

        Those of a single series are from its own errors, also of those since the fit.
        """
        if len(self.names) == 1:
            return own.shared(levels)
        wanted = tuple(levels)
        if wanted not in self.shared:
            self.shared[wanted] = self._errors_of_all.shared(levels)
        return self.shared[wanted]

    def _weighted(self, forecasts: Array, truth: Array, delay: Array) -> Array:
        objective = self.spec.objective
        return weighted_forecast(forecasts, truth, delay, objective, self.shares)

    @property
    def shares(self) -> list[float]:
        """The fixed weights of the members; empty if errors weight them."""
        return [self.spec.shares[name] for name in self.members if self.spec.shares]

    def _errors_before(self, window: Window) -> PastErrors:
        """Return the errors of a series up to a window, and the forecast after it.

        Cutoffs are of three kinds, in the order of time: those of the backtest; those
        between its last cutoff and the fit, without a forecast, since the models were
        fitted to these rows; and those since the fit, of which the window is the last.
        """
        fitted = window.fitted
        delay = self.delay
        own = self.arrays["series_id"] == self.names.index(window.series)
        between = np.full((delay[-1] - 1, len(delay)), np.nan)
        # (cutoffs since the fit, timesteps, columns), and what was observed after them
        inputs = np.concatenate([window.since.inputs, window.inputs[None]])
        unseen = np.full((1, len(delay)), np.nan)
        observed = np.concatenate([window.since.observed, unseen])
        stamps = np.append(window.since.stamps, window.last)
        since = np.stack([self.of_members(values) for values in inputs], axis=1)
        truth = np.concatenate([self.arrays["truth"][own], between, observed])
        past = self.arrays["forecasts"][:, own]
        unknown = np.zeros((len(since), *between.shape))
        forecasts = self._weighted(
            np.concatenate([past, unknown, since], axis=1), truth, delay
        )
        times = window.on_clock(
            (stamps[:, None] + fitted.windows.ahead * fitted.row).ravel()
        )
        positions = np.concatenate(
            [
                self.arrays["positions"][own],
                np.zeros(between.shape, int),
                fitted.positions(times).reshape(-1, len(delay)),
            ]
        )
        unused = np.ones((len(between), 2))
        recent = np.concatenate([self.arrays["recent"][own], unused, window.recent])
        scale = window.scale
        forecasts = forecasts * scale.std + scale.mean
        return PastErrors(
            truth=truth[None, :-1] * scale.std + scale.mean,
            forecasts=np.maximum(forecasts, window.lowest)[None],
            recent=recent[None],
            positions=positions[None],
            lowest=np.array([window.lowest]),
        )

    @cached_property
    def _errors_of_all(self) -> PastErrors:
        """The errors of all series in the backtest."""
        truth = self.arrays["truth"]
        number = self.arrays["series_id"]
        forecasts = combination.combined(
            self.arrays["forecasts"],
            truth,
            number,
            self.delay,
            self.spec.objective,
            self.shares,
        )
        scales = [self.fitted.scale(name) for name in self.names]
        mean = np.array([scale.mean for scale in scales])[number, None]
        std = np.array([scale.std for scale in scales])[number, None]
        lowest = np.array([self.fitted.lowest(name) for name in self.names])
        forecasts = np.maximum(forecasts * std + mean, lowest[number, None])
        return PastErrors.of_origins(
            truth * std + mean,
            forecasts,
            self.arrays["recent"],
            self.arrays["positions"],
            number,
            lowest,
        )

    def load_models(self) -> None:
        """Read the models now, not at the first forecast.

        Raises:
            UnrollError: weights are missing or damaged.
        """
        _ = self.by_champions.predict

    def windows(self, rows: pd.DataFrame) -> dict[str, Window]:
        """Return the last window of each series of rows in memory. Raises as `latest_of`."""
        return self.latest_of(rows_of(rows, self.fitted.csv))

    def latest_of(
        self,
        rows: file_rows.FileRows,
        plans: Sequence[file_rows.FileRows] = (),
        horizon: int | str | None = None,
        wanted: Collection[str] = (),
    ) -> dict[str, Window]:
        """Return the last window of each series of rows that were read.

        Args:
            rows: rows of the trained form.
            plans: rows to come, with the columns that are known beforehand, for each
                series, or without the names of series for all.
            horizon: what `after` will be asked for, up to which values must be known.
            wanted: the names of series; by default all that occur.

        Raises:
            UnrollError: the rows cannot be used; the text says which and why.

        Warns:
            OutsideRangeWarning: a value is far outside the trained range, or a series
                is left out.
        """
        form = replace(rows, form=self.fitted.csv)
        steps = steps_of(self.spec, horizon)
        found, refused = latest(self.spec, form, plans, steps, wanted)
        windows = {}
        for name in sorted(found, key=natural):
            window = found[name]
            if name != ALONE:
                window = replace(
                    window, unusual=[f"{name}: {text}" for text in window.unusual]
                )
            for text in window.unusual:
                warnings.warn(OutsideRangeWarning(text, name), stacklevel=3)
            windows[name] = window
        left_out = {name: refused[name] for name in sorted(refused, key=natural)}
        if left_out:
            [name, *others] = left_out
            text = f"{name} is left out: {left_out[name]}"
            if others:
                text = (
                    f"{len(left_out):,} series are left out: {some_reasons(left_out)}"
                )
            warnings.warn(
                OutsideRangeWarning(text, "" if others else name), stacklevel=3
            )
        over = [name for name, own in windows.items() if own.over]
        if over:
            text = "it is" if over == [ALONE] else f"{over[0]} is"
            if over[1:]:
                text = f"{over[0]} and {len(over) - 1:,} more are"
            text = f"{text} 0 for so long that the forecast is 0, too"
            warnings.warn(OutsideRangeWarning(text), stacklevel=3)
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
        levels: Sequence[float] = (prediction_intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> pd.DataFrame:
        """Forecast the timesteps after rows in memory, for each series.

        Arguments and errors are those of `windows` and `after`.
        """
        return self.after(self.windows(rows), levels, horizon)

    def after(
        self,
        windows: Mapping[str, Window],
        levels: Sequence[float] = (prediction_intervals.USUAL,),
        horizon: int | str | None = None,
        orders: Sequence[float] = (),
    ) -> pd.DataFrame:
        """Forecast the timesteps after the windows of some series.

        Arguments and errors are those of `ahead`, and of `quantiles_of`.

        Returns:
            A row for each series and timestep: unique_id, ds, y_hat, and for each
            level, such as 0.9, lo-90 and hi-90, and for each order order-95, in the
            target's unit. Timestamps have the time zone of the series if there is one.
            Ends are infinite if too few errors are known.
        """
        quantiles = quantiles_of(levels, orders)
        wanted = coverages(quantiles)
        frames = []
        for name, window in windows.items():
            forecast, ends = self.ahead(window, wanted, horizon)
            columns = {
                "unique_id": name or self.name,
                "ds": window.times(len(forecast)),
                "y_hat": forecast,
            }
            frames.append(pd.DataFrame({**columns, **chosen(ends, quantiles)}))
        return pd.concat(frames, ignore_index=True)


def coverages(quantiles: Mapping[str, float]) -> list[float]:
    """Return the coverages of the central intervals with some quantiles, widest first."""
    return sorted({_coverage(one) for one in quantiles.values()}, reverse=True)


def chosen(ends: Array, quantiles: Mapping[str, float]) -> dict[str, Array]:
    """Return name of a column -> its quantile (...), for each of some quantiles.

    Args:
        ends: (..., 2 * coverages) in ascending order, of intervals with `coverages`.
        quantiles: name of a column -> its quantile.
    """
    wanted = coverages(quantiles)
    found = {}
    for name, quantile in quantiles.items():
        place = wanted.index(_coverage(quantile))
        found[name] = ends[..., place if quantile < 0.5 else -1 - place]
    return found


def _coverage(quantile: float) -> float:
    """Return the coverage of the central interval that ends at a quantile."""
    return round(abs(2 * quantile - 1), 9)


def quantiles_of(
    levels: Sequence[float], orders: Sequence[float] = ()
) -> dict[str, float]:
    """Return the columns of quantiles of a forecast -> their quantiles.

    Args:
        levels: coverages of central intervals: 0.9 gives lo-90 and hi-90.
        orders: shares of periods in which what is ordered suffices: 0.95 gives order-95.

    Raises:
        UsageError: a level or a share is wrong.
    """
    if not isinstance(levels, list | tuple | np.ndarray):
        raise UsageError(
            f"levels must be numbers such as (0.5, 0.9). Received: {levels!r}"
        )
    found = {}
    for level in levels:
        require_level(level)
        found[f"lo-{100 * level:g}"] = (1 - level) / 2
        found[f"hi-{100 * level:g}"] = (1 + level) / 2
    for share in orders:
        if not isinstance(share, float) or not 0 < share < 1:
            percent = 100 * share if isinstance(share, float) else share
            raise UsageError(
                f"{argument('service_level').removesuffix('=')} must lie above 0 and "
                "below 100 (percent), such as 95; a quantile above 0 and below 1. "
                f"Received: {percent!r:.60}"
            )
        found[f"order-{100 * share:g}"] = share
    return found


def share_of(service_level: Any) -> Any:
    """Return a service level in percent as a share, for `quantiles_of`.

    What is no number stays as it is.

    Raises:
        UsageError: the level is below 1 %, so a share was meant.
    """
    if not isinstance(service_level, int | float):
        return service_level
    if 0 < service_level < 1:
        raise UsageError(
            f"{argument('service_level').removesuffix('=')} is in percent: "
            f"{100 * service_level:g}, not {service_level:g}"
        )
    return service_level / 100


def steps_of(spec: ForecasterSpec, horizon: int | str | None) -> int:
    """Return the number of timesteps to forecast.

    Args:
        spec: the models.
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
    """Raise ValueError unless the arrays have the shapes of a part."""
    needed = {"truth", "forecasts", "series_id", "positions", "recent"}
    if spec.whole:
        needed |= {AHEAD, SEEN, COUNTS}
    if arrays.keys() != needed:
        raise ValueError(f"it must have the arrays {', '.join(sorted(needed))}")
    truth = arrays["truth"]
    numbers = arrays["series_id"]
    positions = arrays["positions"]
    forecasts = arrays["forecasts"]
    recent = arrays["recent"]
    steps = spec.fitted.windows.horizon
    count = len(spec.fitted.series)
    every = {*range(count)}
    if numbers.shape != truth.shape[:1]:
        raise ValueError("it must have a series_id for each row of truth")
    named, origins = np.unique(numbers, return_counts=True)
    together = len(truth) if spec.whole else int(origins.max(initial=0))
    checks = [
        truth.ndim == 2 and truth.shape[1] == steps,
        numbers.dtype.kind in "iu",
        {*named} <= every,
        len(spec.members) * together * steps <= MOST_WAITING,
        positions.shape == truth.shape
        and positions.dtype.kind in "iu"
        and bool(((positions >= 0) & (positions < POSITIONS)).all()),
        forecasts.shape == (len(spec.members), *truth.shape),
        truth.dtype == forecasts.dtype == recent.dtype == np.float64,
        recent.shape == (*numbers.shape, 2) and bool((recent > 0).all()),
    ]
    if spec.whole:
        ahead = arrays[AHEAD]
        seen = arrays[SEEN]
        counts = arrays[COUNTS]
        checks += [
            ahead.shape == (count, len(spec.members), steps),
            ahead.dtype.kind == "f",
            counts.shape == (count,) and counts.dtype.kind in "iu",
            seen.shape == (counts.sum(), len(spec.fitted.columns)),
            bool((counts > 0).all()) and seen.dtype == np.float64,
        ]
    if not all(checks):
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


def require_level(level: float) -> None:
    """Raise UsageError if a level is not in `prediction_intervals.LEVELS`."""
    if (
        not isinstance(level, float)
        or round(level, 9) not in prediction_intervals.LEVELS
    ):
        raise UsageError(
            "the level must be 0.01 to 0.99, a whole number of percent, such as 0.8. "
            f"Received: {level!r}"
        )
