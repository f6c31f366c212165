"""Statistical models of one series, which are fitted to a window each time that they are asked, by statsmodels."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models.baselines import Baseline

Cycles = Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1, max_length=4)]

RECENT = 100
"""Values that exponential smoothing is fitted to, at most: its memory is shorter, and its time grows with them."""


def mstl(problem: Problem, *, cycles: Cycles) -> Baseline:
    """MSTL (Bandara, Hyndman and Bergmeir 2021): cycles taken off by LOESS, the rest smoothed, cycles put back.

    Args:
        problem: of a series.
        cycles: in timesteps, the shortest first; one that the window has not twice is left out.
    """
    return _each(problem, partial(_mstl, [cycle for cycle in cycles if 2 * cycle <= problem.input_shape[0]]))


def ets(problem: Problem, *, cycle: Annotated[int, Field(ge=0)] = 0) -> Baseline:
    """Exponential smoothing with a damped trend and, with a cycle, an additive season (Holt and Winters)."""
    return _each(problem, partial(_ets, cycle=cycle if 2 * cycle <= problem.input_shape[0] else 0))


def _each(problem: Problem, forecast: Callable[[Array, int], Array]) -> Baseline:
    first, ahead = problem.horizon - 1, problem.horizon - 1 + problem.outputs

    def predictions(inputs: Array) -> Array:
        windows = inputs[:, :, problem.target].astype(np.float64)
        found = np.stack([forecast(window, ahead)[first:] for window in windows])
        return found if problem.outputs > 1 else found[:, 0]

    return Baseline(predictions)


def _mstl(cycles: list[int], values: Array, ahead: int) -> Array:
    from statsmodels.tsa.seasonal import MSTL

    if not cycles:
        return _ets(values, ahead)
    # LOESS at some places, straight lines between: a small part of the time, for as good a forecast.
    jumps = {f"{part}_jump": max(1, cycles[0] // 2) for part in ("seasonal", "trend", "low_pass")}
    seasons = MSTL(values, periods=cycles, stl_kwargs=jumps).fit().seasonal.reshape(len(values), -1)
    found = _ets(values - seasons.sum(axis=1), ahead)
    for cycle, season in zip(cycles, seasons.T, strict=True):
        found = found + season[-cycle:][np.arange(ahead) % cycle]
    return found


def _ets(values: Array, ahead: int, cycle: int = 0) -> Array:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    values = values[-max(RECENT, 4 * cycle) :]
    season = "add" if cycle else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it has not converged its forecast is still one
        # Powell's method needs no slopes: of the same error in a tenth of the time of the default.
        model = ExponentialSmoothing(values, "add", damped_trend=True, seasonal=season, seasonal_periods=cycle or None)
        fitted = model.fit(method="Powell", use_brute=False)
    return np.asarray(fitted.forecast(ahead))


MODELS = {"mstl": mstl, "ets": ets}

KINDS = dict.fromkeys(MODELS, "predictions")
