"""Real files, the last 14 days cut off: what `unroll add` and `unroll repro` make says a forecast a day; so do others.

Nothing is chosen by what was cut off. The opponents are what a user would pick instead, fitted once on the same rows
(LightGBM), or anew on the last eight weeks before each origin (MSTL, ETS).
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
from bench.own_series.measure import commands, empty
from bench.own_series.measure import measure as generated
from pipeline.data import download
from pipeline.data.examples import Array
from pipeline.data.row_files import unseen
from pipeline.forecast import leaderboard
from pipeline.forecast.forecaster import Forecaster, OutsideRangeWarning

DAYS, STEPS = 14, 10_000
"""Held back; timesteps that a file keeps, its last ones."""


class Real(NamedTuple):
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
FILES = {str(file.name): Real(*file) for file in LISTED.itertuples(index=False)}


def series(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """A series of one's own: generated files (`own_series.measure`) and, if not `quick`, the real ones as `real`."""
    found = generated(quick, say)
    if not quick:
        with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
            found["real"] = {key: results.rounded(one(Path(name) / key, file, say), 4) for key, file in FILES.items()}
    return found


def one(folder: Path, file: Real, say: Callable[[str], None]) -> dict[str, Any]:
    """A file's row of the table, with the milliseconds of CPU of a forecast where all is loaded."""
    workspace, name = empty(folder), file.name
    frame = _read(folder, file)
    held = file.step * (DAYS * file.day + file.horizon - file.day)
    first = len(frame) - held
    frame.head(first).to_csv(workspace.root / f"{name}.csv", index=False)
    seconds = commands(workspace, name, file.target, say)
    found = leaderboard.load(workspace.evaluation(name))
    forecaster = Forecaster.load(workspace.forecaster(name))
    origins = [first + day * file.day * file.step for day in range(DAYS)]
    ours, ms = _forecasts(forecaster, frame, origins, file)
    thin = frame[file.target].to_numpy(float)[(first - 1) % file.step :: file.step]
    series = pd.Series(thin).ffill().to_numpy()
    places = np.array([(origin - 1) // file.step + 1 for origin in origins])
    truth = thin[places[:, None] + np.arange(file.horizon)]
    say(f"{name}: opponents")
    times = pd.DatetimeIndex(pd.to_datetime(frame[file.stamp]))[(first - 1) % file.step :: file.step]
    others = {key: _mae(each, truth) for key, each in _opponents(series, times, places, file)}
    inside = (truth >= ours["low"]) & (truth <= ours["high"])
    return {
        "kind": file.kind,
        "licence": file.licence,
        "rows": first,
        "champion": found.champion,
        "members": found.members,
        "mae": _mae(ours["forecast"], truth),
        "opponents": others,
        "ratio": _mae(ours["forecast"], truth) / min(others.values()),
        "coverage": float(inside[~np.isnan(truth)].mean()),
        "seconds": seconds["add"] + seconds["repro"],
        "predict": seconds["predict"],
        "ms": ms,
    }


def _read(folder: Path, file: Real) -> pd.DataFrame:
    path, mirror, url = folder / "raw.csv", environ.get("UNROLL_MIRROR"), file.url or None
    download.fetch(path.name, url, path, place=file.place, mirror=mirror, progress=unseen, sha256=file.sha256)
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


def _forecasts(
    forecaster: Forecaster, frame: pd.DataFrame, origins: list[int], file: Real
) -> tuple[dict[str, Array], float]:
    """What the champion says at each origin, and the CPU milliseconds of one forecast."""
    reach = forecaster.spec.reach + (DAYS + 1) * file.day * file.step
    tables, costs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)
        for origin in origins:
            rows = frame.iloc[max(0, origin - reach) : origin]
            began = time.process_time()
            tables.append(forecaster.forecast(rows))
            costs.append(1000 * (time.process_time() - began))
    found = {key: np.stack([each[key].to_numpy(float) for each in tables]) for key in ("forecast", "low", "high")}
    return found, fmean(costs[2:])  # the first answer is kept by the refit, the second one imports the models


def _opponents(series: Array, times: pd.DatetimeIndex, places: Array, file: Real) -> Iterator[tuple[str, Array]]:
    """Name -> forecasts (origins, steps)."""
    ahead = np.arange(file.horizon)
    yield "seasonal naive", series[places[:, None] + ahead - -(-(ahead + 1) // file.cycle) * file.cycle]
    cycles = [file.day, file.cycle] if file.day > 1 else [file.cycle]
    weeks = 8 if file.day > 1 else 52
    windows = [series[max(0, place - weeks * file.cycle) : place] for place in places]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "MSTL", np.stack([_mstl(window, cycles, file.horizon) for window in windows])
        yield "ETS", np.stack([_ets(window, file.horizon, cycles[0]) for window in windows])
        yield "LightGBM", _lightgbm(series, times, places, file)


def _mstl(window: Array, cycles: list[int], horizon: int) -> Array:
    from statsmodels.tsa.seasonal import MSTL

    seasons = MSTL(window, periods=cycles).fit().seasonal.reshape(len(window), -1)
    found = _ets(window - seasons.sum(axis=1), horizon, 0)
    for cycle, season in zip(cycles, seasons.T, strict=True):
        found = found + season[-cycle:][np.arange(horizon) % cycle]
    return found


def _ets(window: Array, horizon: int, cycle: int) -> Array:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    season = {"seasonal": "add", "seasonal_periods": cycle} if cycle else {}
    fitted = ExponentialSmoothing(window[-400:], trend="add", damped_trend=True, **season).fit()
    return np.asarray(fitted.forecast(horizon))


def _lightgbm(series: Array, times: pd.DatetimeIndex, places: Array, file: Real) -> Array:
    """Direct, one model a step: a day of lags, the same hour of a week's days, the calendar."""
    from lightgbm import LGBMRegressor

    lags = np.arange(1, 1 + max(file.day, 14))
    cycle = file.day if file.day > 1 else file.cycle
    rows = np.arange(8 * cycle + lags[-1], places[0] - file.horizon + 1)

    def features(origins: Array, step: int) -> Array:
        back = -(-(step + 1) // cycle) * cycle + cycle * np.arange(7)
        then = times[np.minimum(origins + step, len(times) - 1)]
        calendar = np.column_stack([then.hour + then.minute / 60, then.day_of_week, then.month])
        parts = [series[origins[:, None] - lags], series[origins[:, None] + step - back], calendar]
        return np.column_stack(parts)

    said = np.empty((len(places), file.horizon))
    for step in range(file.horizon):
        model = LGBMRegressor(
            objective="l1", n_estimators=200, learning_rate=0.05, num_leaves=31, n_jobs=1, verbose=-1, random_state=0
        )
        model.fit(features(rows, step), series[rows + step])
        said[:, step] = model.predict(features(places, step))
    return said
