"""Public files, the last 14 days cut off: what `unroll answer` makes of the rest says a forecast a day; so do rivals.

Nothing is chosen by what was cut off. The rivals are what a user would pick instead, fitted once on the same rows
(LightGBM), or anew on the last eight weeks before each origin (MSTL, ETS). Their intervals are conformal, by step, of
the errors at the origins before; their scores are of Gneiting and Raftery 2007, JASA 102.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from os import environ
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench import results
from bench.own_series import measure
from pipeline.data import download
from pipeline.data.examples import Array
from pipeline.data.row_files import no_progress
from series import leaderboard
from series.forecaster import Forecaster, OutsideRangeWarning

DAYS, STEPS = 14, 10_000
"""Held back; timesteps that a file keeps, its last ones."""

CALIBRATION, ALPHA = 28, 0.1
"""Origins before the first day held back that rivals' intervals are made of, at most; the part that may lie outside."""


class PublicFile(NamedTuple):
    """A public file: what it is, its columns, timesteps of a day (1 of days and months) and of the longest cycle, rows
    to a timestep, and where a mirror has it.
    """

    name: str
    kind: str
    licence: str
    stamp: str
    target: str
    day: int
    cycle: int
    step: int
    place: str
    sha256: str
    url: str

    @property
    def horizon(self) -> int:
        """Timesteps ahead: a day, of daily rows a week, of months a year."""
        return self.day if self.day > 1 else self.cycle


LISTED = pd.read_csv(Path(__file__).with_suffix(".csv"), keep_default_na=False)
FILES = {str(file.name): PublicFile(*file) for file in LISTED.itertuples(index=False)}


def series(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """A series of one's own: generated files (`own_series.measure`) and, if not `quick`, the public ones as `real`."""
    real = {}
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        for name, file in () if quick else FILES.items():
            real[name] = results.rounded(compared(Path(folder) / name, file, say), 4)
            say(f"{name}: {real[name]}")
    return measure.measure(quick, say) | ({} if quick else {"real": real})


def compared(folder: Path, file: PublicFile, say: Callable[[str], None]) -> dict[str, Any]:
    """A file's row of the table, with the milliseconds of CPU of a forecast where all is loaded."""
    workspace, frame = measure.empty(folder), _read(folder, file)
    first = len(frame) - file.step * (DAYS * file.day + file.horizon - file.day)
    frame.head(first).to_csv(workspace.root / f"{file.name}.csv", index=False)
    costs = measure.commands(workspace, file.name, file.target, say)
    board = leaderboard.load(workspace.evaluation(file.name))
    forecaster = Forecaster.load(workspace.forecaster(file.name))
    best = min(board.members, key=lambda name: board.models[name].mae)
    rows = [first + day * file.day * file.step for day in range(DAYS)]
    ours, ms = _forecasts(forecaster, frame, rows, file, board.members.index(best))
    # What rivals see: the timesteps alone, a missing one as the last before it.
    thin = slice((first - 1) % file.step, None, file.step)
    target = frame[file.target].to_numpy(float)[thin]
    times = pd.DatetimeIndex(pd.to_datetime(frame[file.stamp]))[thin]
    origins = (first - 1) // file.step + 1 + np.arange(DAYS) * file.day
    truth = target[origins[:, None] + np.arange(file.horizon)]
    say(f"{file.name}: rivals")
    maes, scores = {}, {}
    for name, (forecasts, half_widths) in _rivals(target, times, origins, file).items():
        maes[name] = _mae(forecasts, truth)
        scores[name] = _interval_score(forecasts - half_widths, forecasts + half_widths, truth)
    inside = (truth >= ours["low"]) & (truth <= ours["high"])
    score = _interval_score(ours["low"], ours["high"], truth)
    return {
        "kind": file.kind,
        "licence": file.licence,
        "rows": first,
        "champion": board.champion,
        "members": board.members,
        "mae": _mae(ours["forecast"], truth),
        "best_member": _mae(ours["best member"], truth),
        "rivals": maes,
        "ratio": _mae(ours["forecast"], truth) / min(maes.values()),
        "coverage": float(inside[~np.isnan(truth)].mean()),
        "interval_score": score,
        "interval_scores": scores,
        "score_ratio": score / min(scores.values()),
        **costs,
        "ms": ms,
    }


def _read(folder: Path, file: PublicFile) -> pd.DataFrame:
    path, mirror, url = folder / "raw.csv", environ.get("UNROLL_MIRROR"), file.url or None
    download.fetch(path.name, url, path, path=file.place, mirror=mirror, progress=no_progress, sha256=file.sha256)
    frame = pd.read_csv(path, encoding="latin-1")
    path.unlink()
    times = pd.to_datetime(frame[file.stamp])
    every = pd.date_range(times.iloc[0], times.iloc[-1], freq=pd.infer_freq(times) or times.diff().median())
    if len(every) != len(frame):  # days that are missing are empty, so that a week stays seven rows
        frame = frame.set_index(times).groupby(level=0).first().reindex(every)
        frame[file.stamp] = every.astype(str)
    return frame.tail(STEPS * file.step + DAYS * file.day * file.step).reset_index(drop=True)


def _mae(forecasts: Array, truth: Array) -> float:
    return float(np.nanmean(np.abs(forecasts - truth)))


def _interval_score(low: Array, high: Array, truth: Array) -> float:
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return float(np.nanmean(high - low + 2 / ALPHA * outside))


def _forecasts(
    forecaster: Forecaster, frame: pd.DataFrame, origins: list[int], file: PublicFile, member: int
) -> tuple[dict[str, Array], float]:
    """What the champion says at each origin, what one of its members does, and the CPU milliseconds of one forecast."""
    reach, scale = forecaster.spec.reach + (DAYS + 1) * file.day * file.step, forecaster.spec.question.scale
    tables, costs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)
        for origin in origins:
            start = time.process_time()
            windows = forecaster.windows(frame.iloc[max(0, origin - reach) : origin])
            table = forecaster.after(windows)
            costs.append(1000 * (time.process_time() - start))
            alone = forecaster.members.forecast(next(iter(windows.values())).inputs)[member]
            tables.append(table.assign(**{"best member": alone * scale.std + scale.mean}))
    names = ("forecast", "low", "high", "best member")
    columns = {name: np.stack([table[name].to_numpy(float) for table in tables]) for name in names}
    return columns, fmean(costs[2:])  # the first answer is kept by the refit, the second one imports the models


def _rivals(target: Array, times: pd.DatetimeIndex, origins: Array, file: PublicFile) -> dict[str, tuple[Array, Array]]:
    """Name -> forecasts (origins, steps) and the half widths (steps,) of their intervals."""
    series = pd.Series(target).ffill().to_numpy()
    # Before the first of them MSTL has three of the longest cycles, and LightGBM what its lags take.
    least = max(3 * file.cycle, 7 * (file.day if file.day > 1 else file.cycle) + file.horizon)
    count = int(min(CALIBRATION, (origins[0] - least) // (2 * file.day)))
    before = origins[0] - file.horizon + file.day - np.arange(count, 0, -1) * file.day
    errors = dict(_answers(series, times, before, file))
    truth = target[before[:, None] + np.arange(file.horizon)]
    level = min(1.0, (1 - ALPHA) * (1 + 1 / count))
    return {
        name: (forecasts, np.nanquantile(np.abs(errors[name] - truth), level, axis=0, method="higher"))
        for name, forecasts in _answers(series, times, origins, file)
    }


def _answers(series: Array, times: pd.DatetimeIndex, origins: Array, file: PublicFile) -> Iterator[tuple[str, Array]]:
    """Name of a rival -> its forecasts (origins, steps)."""
    ahead = np.arange(file.horizon)
    yield "last value", np.repeat(series[origins - 1, None], file.horizon, axis=1)
    cycles = [file.day, file.cycle] if file.day > 1 else [file.cycle]
    for cycle in cycles:
        name = "seasonal naive" if cycle == file.cycle else "naive of a day"
        yield name, series[origins[:, None] + ahead - -(-(ahead + 1) // cycle) * cycle]
    weeks = 8 if file.day > 1 else 52
    windows = [series[max(0, origin - weeks * file.cycle) : origin] for origin in origins]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "MSTL", np.stack([_mstl(window, cycles, file.horizon) for window in windows])
        yield "ETS", np.stack([_ets(window, file.horizon, cycles[0]) for window in windows])
        yield "LightGBM", _lightgbm(series, times, origins, file)


def _mstl(window: Array, cycles: list[int], horizon: int) -> Array:
    from statsmodels.tsa.seasonal import MSTL

    seasons = MSTL(window, periods=cycles).fit().seasonal.reshape(len(window), -1)
    forecast = _ets(window - seasons.sum(axis=1), horizon, 0)
    for cycle, season in zip(cycles, seasons.T, strict=True):
        forecast = forecast + season[-cycle:][np.arange(horizon) % cycle]
    return forecast


def _ets(window: Array, horizon: int, cycle: int) -> Array:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    season = {"seasonal": "add", "seasonal_periods": cycle} if cycle else {}
    fitted = ExponentialSmoothing(window[-400:], trend="add", damped_trend=True, **season).fit()
    return np.asarray(fitted.forecast(horizon))


def _lightgbm(series: Array, times: pd.DatetimeIndex, origins: Array, file: PublicFile) -> Array:
    """Direct, one model a step: a day of lags, the same hour of a week's days, the calendar."""
    from lightgbm import LGBMRegressor

    lags = np.arange(1, 1 + max(file.day, 14))
    cycle = file.day if file.day > 1 else file.cycle
    rows = np.arange(max(7 * cycle, lags[-1]), origins[0] - file.horizon + 1)

    def features(rows: Array, step: int) -> Array:
        back = -(-(step + 1) // cycle) * cycle + cycle * np.arange(7)
        then = times[np.minimum(rows + step, len(times) - 1)]
        calendar = np.column_stack([then.hour + then.minute / 60, then.day_of_week, then.month])
        return np.column_stack([series[rows[:, None] - lags], series[rows[:, None] + step - back], calendar])

    forecasts = np.empty((len(origins), file.horizon))
    for step in range(file.horizon):
        model = LGBMRegressor(
            objective="l1", n_estimators=200, learning_rate=0.05, num_leaves=31, n_jobs=1, verbose=-1, random_state=0
        )
        model.fit(features(rows, step), series[rows + step])
        forecasts[:, step] = model.predict(features(origins, step))
    return forecasts
