"""Statistical models of one series, by statsmodels and statsforecast.

A model is fitted to each window that it forecasts from.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.config.params import Model
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models import Cycles
from pipeline.models.baselines import Baseline

History = Annotated[int, Field(ge=2)] | None

Cycle = Annotated[int, Field(ge=1)]
"""Timesteps of a cycle; 1 without one."""

FEWEST = {"theta": 5, "auto_ets": 8, "ces": 8}
"""Model of statsforecast -> smallest number of rows; the last value stands in for it
below that."""

RECENT = 100
"""The latest values that a trend is fitted to; four cycles, if they are longer."""

SMOOTHING = (0.02, 0.05, 0.1, 0.2, 0.3)
"""The weights of the newest value that are tried for intermittent demand."""


def mstl(
    problem: Problem,
    *,
    cycles: Annotated[Cycles, Field(min_length=1)],
    history: History = None,
) -> Baseline:
    """MSTL (Bandara, Hyndman and Bergmeir 2021).

    LOESS removes the cycles, the remainder is smoothed, and the cycles are added again.

    Args:
        problem: of a series.
        cycles: lengths of cycles in timesteps, the shortest first. A cycle is left out
            unless there are more values than twice its length.
        history: timesteps that the model looks back, for a series without gaps; None
            for the data set's lookback.
    """
    return _each(problem, history, partial(_summed, partial(_mstl, cycles=cycles)))


def ets(
    problem: Problem,
    *,
    cycle: Annotated[int, Field(ge=0)] = 0,
    trend: bool = True,
    history: History = None,
) -> Baseline:
    """Exponential smoothing (Holt and Winters).

    With a cycle it has an additive season, with `trend` a damped trend. `history` is
    that of `mstl`.
    """
    parts = partial(_ets, cycle=cycle, trend=trend)
    return _each(problem, history, partial(_summed, parts))


def tsb(problem: Problem) -> Baseline:
    """Intermittent demand: the probability of demand, times the size of the demand.

    The probability is smoothed at each timestep, the size at timesteps with demand
    (Teunter, Syntetos and Babai 2011, "Intermittent demand: linking forecasting to
    inventory obsolescence", European Journal of Operational Research 214). Each window
    takes the two constants of `SMOOTHING` that forecast its next values best, by
    squared error. The lowest value of a window counts as no demand, since values are
    not in the unit of the file.

    Args:
        problem: of a series.
    """

    def predict(inputs: Array) -> Array:
        forecasts = _tsb(inputs[:, :, problem.target].astype(np.float64))
        if problem.outputs == 1:
            return forecasts
        return np.repeat(forecasts[:, None], problem.outputs, axis=1)

    return Baseline(predict)


def _tsb(values: Array) -> Array:
    """The mean forecast (n,) of what follows values (n, timesteps)."""
    lowest = values.min(axis=1, keepdims=True)
    sizes = values - lowest
    demanded = sizes > 0
    pairs = np.array([(p, z) for p in SMOOTHING for z in SMOOTHING])  # (pairs, 2)
    of_probability = pairs[:, 0]
    of_size = pairs[:, 1]
    count = np.maximum(demanded.sum(axis=1, keepdims=True), 1)
    # (n, pairs)
    probability = np.repeat(demanded.mean(axis=1, keepdims=True), len(pairs), axis=1)
    size = np.repeat(sizes.sum(axis=1, keepdims=True) / count, len(pairs), axis=1)
    errors = np.zeros_like(size)
    for time in range(values.shape[1]):
        now = sizes[:, time, None]
        some = demanded[:, time, None]
        errors += (now - probability * size) ** 2
        size += np.where(some, of_size * (now - size), 0)
        probability += of_probability * (some - probability)
    best = errors.argmin(axis=1)[:, None]
    forecast = np.take_along_axis(probability * size, best, axis=1)
    return np.asarray((lowest + forecast)[:, 0])


def seasonal_naive(
    problem: Problem, *, cycle: Cycle, history: History = None
) -> Baseline:
    """The value one cycle before; the last value of a series that is shorter.

    `history` is that of `mstl`.
    """
    return _each(problem, history, partial(forecast, "seasonal_naive", cycle=cycle))


def theta(problem: Problem, *, cycle: Cycle = 1, history: History = None) -> Baseline:
    """The optimised theta method (Fiorucci and others 2016, International Journal of
    Forecasting 32). `history` is that of `mstl`.
    """
    return _each(problem, history, partial(forecast, "theta", cycle=cycle))


def auto_ets(
    problem: Problem, *, cycle: Cycle = 1, history: History = None
) -> Baseline:
    """Exponential smoothing, of the form with the least AICc (Hyndman and others 2008,
    "Forecasting with Exponential Smoothing"). `history` is that of `mstl`.
    """
    return _each(problem, history, partial(forecast, "auto_ets", cycle=cycle))


def ces(problem: Problem, *, cycle: Cycle = 1, history: History = None) -> Baseline:
    """Complex exponential smoothing (Svetunkov and others 2022, Naval Research Logistics
    69), for series of more than two cycles. Without a season its trends go too far, so
    `theta` stands in for it. `history` is that of `mstl`.
    """
    return _each(problem, history, partial(forecast, "ces", cycle=cycle))


def _each(
    problem: Problem, history: int | None, forecast: Callable[[Array, int], Array]
) -> Baseline:
    """A baseline that forecasts each window by itself.

    `forecast` takes values and how many values ahead, and returns these (ahead,).
    """
    first = problem.horizon - 1
    ahead = first + problem.outputs
    last = history or problem.input_shape[0]

    def predict(inputs: Array) -> Array:
        windows = inputs[:, -last:, problem.target].astype(np.float64)
        # Values are NaN where `history` reaches further back than the series.
        known = [window[~np.isnan(window)] for window in windows]
        forecasts = np.stack([forecast(values, ahead)[first:] for values in known])
        return forecasts if problem.outputs > 1 else forecasts[:, 0]

    return Baseline(predict)


def _summed(parts: Callable[[Array, int], Array], values: Array, ahead: int) -> Array:
    """The forecast (ahead,) of a model that returns level, trend and season."""
    return np.asarray(parts(values, ahead).sum(axis=0))


def forecast(name: str, values: Array, ahead: int, cycle: int) -> Array:
    """Return the forecast (ahead,) of a model after the values (rows,) of a series.

    Args:
        name: "seasonal_naive", "theta", "auto_ets" or "ces".
        values: the values, without NaN.
        ahead: how many values are forecast.
        cycle: timesteps of a cycle; 1 without one.
    """
    if name == "seasonal_naive":
        last = values[-cycle:] if len(values) >= cycle else values[-1:]
        return np.resize(last, ahead)
    if name == "ces" and len(values) <= 2 * cycle:
        name = "theta"
    return _by_statsforecast(name, values, ahead, cycle)


def _by_statsforecast(name: str, values: Array, ahead: int, cycle: int) -> Array:
    """The forecast (ahead,) of a model of `FEWEST`; the last value where it has none."""
    # statsforecast compiles CES, which takes 20 s in each process without a cache
    os.environ.setdefault("NIXTLA_NUMBA_CACHE", "1")
    from statsforecast import models

    classes = {
        "theta": models.DynamicOptimizedTheta,
        "auto_ets": models.AutoETS,
        "ces": models.AutoCES,
    }
    naive: Array = np.repeat(values[-1:], ahead)
    if len(values) < FEWEST[name]:
        return naive
    model = classes[name](season_length=cycle if len(values) > 2 * cycle else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that did not converge
        try:
            found = model.forecast(values, ahead)["mean"]
        # Too few rows for the form, or no form fits; statsforecast's errors are plain.
        except Exception:  # noqa: BLE001
            return naive
    return np.where(np.isfinite(found), found, naive)


def parts(problem: Mapping[str, Any], model: Model, inputs: Array) -> dict[str, Array]:
    """Return level, trend and season (outputs,) of a model of `PARTS`, in model units.

    Args:
        problem: the fields of a `Problem`.
        model: the model.
        inputs: (timesteps, columns), the window that it forecasts from.
    """
    options = {**model.options}
    options.pop("history", None)  # the window reaches as far back
    values = inputs[:, problem["target"]].astype(np.float64)
    first = problem["horizon"] - 1
    found = PARTS[model.name](
        values[~np.isnan(values)], first + problem["outputs"], **options
    )
    return dict(zip(("level", "trend", "season"), found[:, first:], strict=True))


def _mstl(values: Array, ahead: int, *, cycles: list[int]) -> Array:
    """Level, trend and season (3, ahead)."""
    from statsmodels.tsa.seasonal import MSTL

    cycles = [cycle for cycle in cycles if 2 * cycle < len(values)]
    if not cycles:
        return _ets(values, ahead)
    # LOESS is fitted at some places with straight lines between them, in two passes as
    # in R, not five. It takes a small part of the time, and forecasts are no worse.
    jump = max(1, cycles[0] // 2)
    options = {"seasonal_jump": jump, "trend_jump": jump, "low_pass_jump": jump}
    model = MSTL(values, periods=cycles, stl_kwargs={**options, "inner_iter": 2})
    seasons = model.fit().seasonal.reshape(len(values), -1)  # (values, cycles)
    found = _ets(values - seasons.sum(axis=1), ahead)
    for cycle, season in zip(cycles, seasons.T, strict=True):
        found[2] += season[-cycle:][np.arange(ahead) % cycle]
    return found


def _ets(values: Array, ahead: int, *, cycle: int = 0, trend: bool = True) -> Array:
    """Level, trend and season (3, ahead)."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    if 2 * cycle > len(values):
        cycle = 0
    options: dict[str, Any] = {}
    if cycle:
        options |= {"seasonal": "add", "seasonal_periods": cycle}
    if trend:
        options |= {"trend": "add", "damped_trend": True}
        values = values[-max(RECENT, 4 * cycle) :]
    # The initial states are set by a rule where it applies. A search over the states of
    # a week would take half a second.
    begin = "heuristic" if len(values) >= 10 + cycle else "estimated"
    with warnings.catch_warnings():
        # It warns of constant values, or if it did not converge. The forecast is usable.
        warnings.simplefilter("ignore")
        # Powell's method needs no gradients. It has the error of the default method in a
        # tenth of the time.
        model = ExponentialSmoothing(values, initialization_method=begin, **options)
        fit = model.fit(method="Powell", use_brute=False)
        forecast = np.asarray(fit.forecast(ahead))
    level = np.repeat(fit.level[-1], ahead)
    season = np.zeros(ahead)
    if cycle:
        season += fit.season[-cycle:][np.arange(ahead) % cycle]
    return np.stack([level, forecast - level - season, season])


PARTS: dict[str, Callable[..., Array]] = {"ets": _ets, "mstl": _mstl}
"""Name of a model -> level, trend and season of its forecast (3, ahead)."""


def ets_title(model: Options, _training: Options) -> str:
    """Return the title, with the cycle and without a trend that is left out."""
    words = f"ETS by {model['cycle']}" if model.get("cycle") else "ETS"
    return words if model.get("trend", True) else f"{words} without a trend"


def seasonal_naive_title(model: Options, _training: Options) -> str:
    """Return the title, with the cycle."""
    return f"the value {model['cycle']} timesteps before"


MODELS = {
    "mstl": mstl,
    "ets": ets,
    "tsb": tsb,
    "seasonal_naive": seasonal_naive,
    "theta": theta,
    "auto_ets": auto_ets,
    "ces": ces,
}

CARDS = {
    "seasonal_naive": ModelCard(
        kind="naive", gives="predictions", title=seasonal_naive_title
    ),
    "theta": ModelCard(kind="statistical", gives="predictions", title="Theta"),
    "auto_ets": ModelCard(kind="statistical", gives="predictions", title="AutoETS"),
    "ces": ModelCard(kind="statistical", gives="predictions", title="CES"),
    "mstl": ModelCard(kind="statistical", gives="predictions", title="MSTL"),
    "ets": ModelCard(kind="statistical", gives="predictions", title=ets_title),
    "tsb": ModelCard(kind="statistical", gives="predictions", title="TSB"),
}
