"""The forecasters that a user would pick instead: naive forecasts, ETS, MSTL, LightGBM,
and a small pretrained network.

For intermittent demand there are SBA and zero, too. Each rival takes values (series,
timesteps) without gaps, and origins (the index of the first timestep ahead). It returns
forecasts (series, origins, steps).
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.seasonal import MSTL
from threadpoolctl import threadpool_limits

from bench.series.public import HeldOut, PublicFile
from pipeline.data.examples import Array

CALIBRATION = 28
"""The most origins before those held out whose errors make a rival's intervals."""

INTERMITTENT = 0.3
"""The least fraction of zeros of a target that is intermittent."""

WEEKS = 8
"""Weeks before an origin that ETS and MSTL are fitted to, where a day has several
timesteps."""

CYCLES = 52
"""Cycles before an origin that ETS and MSTL are fitted to, elsewhere."""

SMOOTHING = 0.1
"""The weight of the last demand in SBA, as in Syntetos and Boylan 2005."""

Rival = Callable[[Array, Array, PublicFile, pd.DatetimeIndex], Array]


def forecasts(held: HeldOut) -> dict[str, tuple[Array, Array]]:
    """Forecast a file by each rival.

    Returns:
        Name -> forecasts (series, origins, steps), and errors at earlier origins, in
        that shape.
    """
    file = held.file
    values = pd.DataFrame(held.target.T).ffill().bfill().to_numpy().T
    before = _origins_before(held)
    truth = held.target[:, before[:, None] + np.arange(file.horizon)]
    found = {}
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for name, rival in _rivals(file, held.known).items():
            errors = truth - rival(values, before, file, held.grid)
            found[name] = rival(values, held.origins, file, held.grid), errors
    return found


def _origins_before(held: HeldOut) -> Array:
    """Return origins whose values are all known at the first one that is held out."""
    file = held.file
    first = int(held.origins[0])
    # Before the first of them MSTL has three of the longest cycles, and LightGBM all
    # its lags.
    least = max(3 * file.cycle, 7 * file.cycles[0] + file.horizon)
    count = min(CALIBRATION, (first - least) // (2 * file.day))
    return np.asarray(
        first - file.horizon + file.day - np.arange(count, 0, -1) * file.day
    )


def _rivals(file: PublicFile, values: Array) -> Mapping[str, Rival]:
    """Return the rivals that a file has, by name."""
    found: dict[str, Rival] = {
        "last value": last_value,
        "seasonal naive": seasonal_naive,
    }
    if len(file.cycles) > 1:
        found["naive of a day"] = naive_of_a_day
    found |= {"ETS": ets, "LightGBM": lightgbm, "Fracast-0": fracast, "MSTL": mstl}
    if np.nanmean(values == 0) >= INTERMITTENT:
        found |= {"zero": zero, "SBA": sba}
    return found


def last_value(
    values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex
) -> Array:
    """Repeat the last value."""
    return np.repeat(values[:, origins - 1, None], file.horizon, axis=2)


def seasonal_naive(
    values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex
) -> Array:
    """Repeat the longest cycle: a week, or a year."""
    ahead = np.arange(file.horizon)
    cycles_back = ahead // file.cycle + 1
    places = origins[:, None] + ahead - cycles_back * file.cycle
    return np.asarray(values[:, places])


def naive_of_a_day(
    values: Array, origins: Array, file: PublicFile, grid: pd.DatetimeIndex
) -> Array:
    """Repeat the last day."""
    return seasonal_naive(values, origins, file._replace(cycle=file.day), grid)


def zero(values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex) -> Array:
    """Forecast no demand."""
    return np.zeros((len(values), len(origins), file.horizon))


def sba(values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex) -> Array:
    """Forecast the demand of a period by Croston's method in Syntetos and Boylan's
    form.
    """
    rates = np.array(
        [[_sba(series[:origin]) for origin in origins] for series in values]
    )
    return np.repeat(rates[:, :, None], file.horizon, axis=2)


def _sba(demand: Array) -> float:
    when = np.flatnonzero(demand)
    if not len(when):
        return 0.0
    demands = {"size": demand[when], "interval": np.diff(when, prepend=-1)}
    smoothed = pd.DataFrame(demands).ewm(alpha=SMOOTHING, adjust=False).mean()
    size, interval = smoothed.iloc[-1]
    return float((1 - SMOOTHING / 2) * size / interval)


def ets(values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex) -> Array:
    """Forecast by exponential smoothing with the shortest cycle."""
    return _of_windows(
        values,
        origins,
        file,
        lambda window: _ets(window, file.horizon, file.cycles[0]),
    )


def mstl(values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex) -> Array:
    """Forecast by a decomposition into all cycles, the rest by smoothing; fitted at
    each origin.
    """
    return _of_windows(values, origins, file, lambda window: _mstl(window, file))


def _of_windows(
    values: Array, origins: Array, file: PublicFile, forecast: Callable[[Array], Array]
) -> Array:
    cycles = WEEKS if file.day > 1 else CYCLES
    starts = np.maximum(origins - cycles * file.cycle, 0)
    windows = list(zip(starts, origins, strict=True))
    return np.array(
        [[forecast(series[start:end]) for start, end in windows] for series in values]
    )


def _ets(window: Array, horizon: int, cycle: int) -> Array:
    season: dict[str, Any] = (
        {"seasonal": "add", "seasonal_periods": cycle} if cycle else {}
    )
    model = ExponentialSmoothing(
        window[-400:], trend="add", damped_trend=True, **season
    ).fit()
    return np.asarray(model.forecast(horizon))


def _mstl(window: Array, file: PublicFile) -> Array:
    seasons = MSTL(window, periods=file.cycles).fit().seasonal.reshape(len(window), -1)
    forecast = _ets(window - seasons.sum(axis=1), file.horizon, 0)
    for cycle, season in zip(file.cycles, seasons.T, strict=True):
        forecast = forecast + season[-cycle:][np.arange(file.horizon) % cycle]
    return forecast


def lightgbm(
    values: Array, origins: Array, file: PublicFile, grid: pd.DatetimeIndex
) -> Array:
    """Forecast by boosted trees, one model a step, fitted once to all series together.

    The inputs are lags, the same phase of the last seven cycles, rolling statistics and
    the calendar. Each series is divided by its mean absolute value. Where there are
    several, a series' number is an input.
    """
    from lightgbm import LGBMRegressor

    scale = np.abs(values[:, : origins[0]]).mean(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    scaled = values / scale[:, None]
    rolling = _rolling(scaled, file)
    first = max(7 * file.cycles[0], _lags(file)[-1])
    rows = np.arange(first, origins[0] - file.horizon + 1)
    found = np.empty((len(values), len(origins), file.horizon))
    for step in range(file.horizon):
        model = LGBMRegressor(
            objective="l1",
            n_estimators=200,
            learning_rate=0.05,
            num_leaves=31,
            n_jobs=1,
            verbose=-1,
            random_state=0,
        )
        model.fit(
            _features(scaled, rolling, rows, step, file, grid),
            scaled[:, rows + step].reshape(-1),
        )
        predicted = model.predict(_features(scaled, rolling, origins, step, file, grid))
        found[:, :, step] = predicted.reshape(len(values), -1) * scale[:, None]
    return found


def _lags(file: PublicFile) -> Array:
    return np.arange(1, 1 + max(file.day, 14))


def _rolling(values: Array, file: PublicFile) -> Array:
    """Return (series, timesteps, 8): mean, deviation, least, greatest of 1 and 7
    cycles.
    """
    table = pd.DataFrame(values.T)
    found = []
    for cycles in (1, 7):
        window = table.rolling(cycles * file.cycles[0], min_periods=1)
        statistics = window.agg(["mean", "std", "min", "max"]).fillna(0.0)
        found.append(statistics.to_numpy().reshape(len(table), -1, 4))
    return np.concatenate(found, axis=-1).swapaxes(0, 1)


def _features(
    values: Array,
    rolling: Array,
    rows: Array,
    step: int,
    file: PublicFile,
    grid: pd.DatetimeIndex,
) -> Array:
    """Return (series * rows, inputs) for the value `step` timesteps after each row."""
    cycle = file.cycles[0]
    cycles_back = (step // cycle + 1) + np.arange(7)
    recent = values[:, rows[:, None] - _lags(file)]
    same_phase = values[:, np.maximum(rows[:, None] + step - cycles_back * cycle, 0)]
    then = grid[np.minimum(rows + step, len(grid) - 1)]
    calendar = np.column_stack(
        [then.hour + then.minute / 60, then.day_of_week, then.month]
    )
    several = np.broadcast_to(calendar, (len(values), *calendar.shape))
    blocks = [recent, same_phase, rolling[:, rows - 1], several]
    if len(values) > 1:
        number = np.arange(len(values), dtype=float)[:, None, None]
        blocks.append(np.broadcast_to(number, (len(values), len(rows), 1)))
    return np.concatenate(blocks, axis=2).reshape(len(values) * len(rows), -1)


def fracast(
    values: Array, origins: Array, file: PublicFile, _: pd.DatetimeIndex
) -> Array:
    """Forecast by Fracast-0, a pretrained network of 85,001 weights, which lie in its
    wheel.
    """
    model = _pretrained()
    median = model.quantiles.index(0.5)
    found = []
    for origin in origins:
        context = values[:, max(0, origin - model.context_length) : origin]
        found.append(model.forecast_batch(context, horizon=file.horizon)[..., median])
    return np.stack(found, axis=1)


@cache
def _pretrained() -> Any:
    from fracast import FracastModel

    return FracastModel.from_pretrained(device="cpu")
