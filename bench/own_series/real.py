"""Real files, the last 14 days cut off: what `unroll add` and `unroll repro` make says a forecast a day; so do others.

Nothing is chosen by what was cut off. The opponents are what a user would pick instead, fitted once on the same rows
(LightGBM), or anew on the last eight weeks before each origin (MSTL, ETS).
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from bench import results
from bench.own_series.measure import empty, unroll
from bench.own_series.measure import measure as generated
from pipeline.data import download
from pipeline.data.examples import Array
from pipeline.forecast import backtest
from pipeline.forecast.forecaster import Forecaster, OutsideRangeWarning

DAYS, STEPS = 14, 10_000
"""Held back; timesteps that a file keeps, its last ones."""

RAW = "https://raw.githubusercontent.com"
SKFORECAST = f"{RAW}/skforecast/skforecast-datasets/f8c3d7fe5ec41ef86f93e969c31ec4b469b7c949/data"
ETT = f"{RAW}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
NAB = f"{RAW}/numenta/NAB/ea702d75cc2258d9d7dd35ca8e5e2539d71f3140/data/realKnownCause"


@dataclass(frozen=True)
class Real:
    """A public file.

    Attributes:
        kind: what it is.
        licence: in a word.
        stamp: its column of times.
        target: what is forecast.
        day: timesteps of a day.
        url: where it is; None where no lasting address is known.
        sha256: of it.
        place: in a mirror (UNROLL_MIRROR).
        step: rows to a timestep.
    """

    kind: str
    licence: str
    stamp: str
    target: str
    day: int
    url: str | None
    sha256: str
    place: str
    step: int = 1

    @property
    def horizon(self) -> int:
        """Timesteps ahead: a day, of daily rows a week."""
        return self.day if self.day > 1 else 7

    @property
    def week(self) -> int:
        """Timesteps of one."""
        return 7 * self.day


FILES = {
    "vic": Real(
        *("power demand", "GPL-3 (tsibbledata)", "Time", "Demand", 48),
        f"{SKFORECAST}/vic_electricity.csv",
        "6fa81bc3552f8822e984900f727584b82b3f10f41d78a1a0cdda2879a29a122e",
        "series/vic.csv",
    ),
    "transformer": Real(
        *("power station", "CC BY-ND 4.0 (ETDataset)", "date", "OT", 24),
        f"{ETT}/ETTh1.csv",
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        "series/etth1.csv",
    ),
    "taxi": Real(
        *("traffic", "MIT (NAB)", "timestamp", "value", 48),
        f"{NAB}/nyc_taxi.csv",
        "d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d",
        "series/taxi.csv",
    ),
    "bike": Real(
        *("rentals", "CC BY 4.0 (UCI)", "date_time", "users", 24),
        f"{SKFORECAST}/bike_sharing_dataset_clean.csv",
        "b2252681fd3f41eacbbd7242b1184e6aa364c4c01267db2b4b7d706aea184d36",
        "series/bike.csv",
    ),
    "valencia": Real(
        *("air", "open data (Generalitat Valenciana)", "datetime", "no2", 24),
        f"{SKFORECAST}/air_quality_valencia.csv",
        "42a6243296634bdd47984f268b061817c39389e613d49849d280505a6dbedb72",
        "series/valencia.csv",
    ),
    "manning": Real(
        *("web, daily", "MIT (Prophet)", "date", "y", 1),
        f"{SKFORECAST}/wikipedia_visits.csv",
        "38f9814b25f816276bcda4296a6d06a5fd357fce8234e3cfe29eeef83327f6c2",
        "series/wiki.csv",
    ),
    "bicimad": Real(
        *("retail: rentals, daily", "open data (Madrid)", "date", "users", 1),
        f"{SKFORECAST}/bicimad_users.csv",
        "550898c4ddc34d2982db0c0e98277d2e2d4fac0eb531b41631603b0d4a38e65e",
        "series/bicimad.csv",
    ),
    "jena": Real(
        *("weather", "MPI for Biogeochemistry", "date", "T (degC)", 24, None),
        "34ee981d07313e51da2a50bb600072c8ae4a69cb4b0651f4cb93a069d7a2ba63",
        "weather/weather.csv",
        step=6,
    ),
}


def series(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """A series of one's own: generated files (`own_series.measure`) and, if not `quick`, the real ones as `real`."""
    found = generated(quick, say)
    if not quick:
        with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
            found["real"] = results.rounded(measure(Path(name), [*FILES], say), 4)
    return found


def measure(folder: Path, names: list[str], say: Callable[[str], None]) -> dict[str, Any]:
    """A row for each file.

    Returns:
        name -> `kind`, `licence`, `rows`, `champion`, `mae`, the opponents' (`opponents`), `ratio` to the best of them,
        `coverage` of 90 % intervals, seconds and CPU seconds of `add` and `repro`, seconds of `predict`, and
        milliseconds of CPU of a forecast in a process that has it loaded (`ms`).
    """
    return {name: _one(folder / name, name, FILES[name], say) for name in names}


def _one(folder: Path, name: str, file: Real, say: Callable[[str], None]) -> dict[str, Any]:
    workspace = empty(folder)
    frame = _read(folder, file)
    held = file.step * (DAYS * file.day + file.horizon - file.day)
    first = len(frame) - held
    frame.head(first).to_csv(workspace.root / f"{name}.csv", index=False)
    costs = {}
    for command in ("add", "repro", "predict"):
        options = {
            "add": [f"{name}.csv", "--target", file.target, "--yes"],
            "repro": ["--jobs", "2", f"refit@{name}"],
            "predict": [name],
        }[command]
        say(f"{name}: unroll {command} {' '.join(options)}")
        costs[command] = unroll(workspace, command, *options)
    found = backtest.load(workspace.backtest(name))
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
        "seconds": costs["add"]["seconds"] + costs["repro"]["seconds"],
        "cpu": costs["add"]["cpu"] + costs["repro"]["cpu"],
        "predict": costs["predict"]["seconds"],
        "ms": ms,
    }


def _read(folder: Path, file: Real) -> pd.DataFrame:
    path = folder / "raw.csv"
    mirror = environ.get("UNROLL_MIRROR")
    download.fetch(
        path.name, file.url, path, place=file.place, mirror=mirror, progress=lambda *_: None, sha256=file.sha256
    )
    frame = pd.read_csv(path, encoding="latin-1")
    path.unlink()
    times = pd.to_datetime(frame[file.stamp])
    every = pd.date_range(times.iloc[0], times.iloc[-1], freq=times.diff().median())
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
    reach = forecaster.spec.question.reach + (DAYS + 1) * file.day * file.step
    tables, costs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)
        for origin in origins:
            rows = frame.iloc[max(0, origin - reach) : origin]
            began = time.process_time()
            tables.append(forecaster.forecast(rows))
            costs.append(1000 * (time.process_time() - began))
    found = {key: np.stack([each[key].to_numpy(float) for each in tables]) for key in ("forecast", "low", "high")}
    return found, fmean(costs[1:])


def _opponents(series: Array, times: pd.DatetimeIndex, places: Array, file: Real) -> Iterator[tuple[str, Array]]:
    """Name -> forecasts (origins, steps)."""
    ahead = np.arange(file.horizon)
    yield "weekly naive", series[places[:, None] + ahead - -(-(ahead + 1) // file.week) * file.week]
    cycles = [file.day, file.week] if file.day > 1 else [7]
    weeks = 8 if file.day > 1 else 52
    windows = [series[max(0, place - weeks * file.week) : place] for place in places]
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
    cycle = file.day if file.day > 1 else 7
    rows = np.arange(8 * cycle + lags[-1], places[0] - file.horizon + 1)

    def features(origins: Array, step: int) -> Array:
        back = -(-(step + 1) // cycle) * cycle + cycle * np.arange(7)
        then = times[np.minimum(origins + step, len(times) - 1)]
        calendar = np.column_stack([then.hour + then.minute / 60, then.dayofweek, then.month])
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
