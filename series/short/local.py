"""Models of one series, most of them by statsforecast.

Each is a function of the values so far (rows,), the horizon and the cycle, and returns
the forecasts (horizon,).
"""

import os
import warnings
from typing import Any

import numpy as np

from pipeline.config.model_card import ModelCard
from pipeline.data.examples import Array

FEWEST = {"theta": 5, "ets": 8, "ces": 8}
"""Model -> smallest number of rows; the last value stands in for it below that."""


def last_value(values: Array, horizon: int, cycle: int) -> Array:
    """The last value."""
    del cycle
    return np.repeat(values[-1:], horizon)


def seasonal_naive(values: Array, horizon: int, cycle: int) -> Array:
    """The value one cycle before."""
    if len(values) < cycle:
        return last_value(values, horizon, cycle)
    return np.asarray(values[-cycle:][np.arange(horizon) % cycle])


def theta(values: Array, horizon: int, cycle: int) -> Array:
    """The optimised theta method (Fiorucci and others 2016, International Journal of
    Forecasting 32).
    """
    from statsforecast.models import DynamicOptimizedTheta

    return _fitted("theta", DynamicOptimizedTheta, values, horizon, cycle)


def ets(values: Array, horizon: int, cycle: int) -> Array:
    """Exponential smoothing, of the form with the least AICc (Hyndman and others 2008,
    "Forecasting with Exponential Smoothing").
    """
    from statsforecast.models import AutoETS

    return _fitted("ets", AutoETS, values, horizon, cycle)


def ces(values: Array, horizon: int, cycle: int) -> Array:
    """Complex exponential smoothing (Svetunkov and others 2022, Naval Research Logistics
    69), for series of more than two cycles. Without a season its trends go too far, so
    `theta` stands in for it.
    """
    if len(values) <= 2 * cycle:
        return theta(values, horizon, cycle)
    # statsforecast compiles CES, which takes 20 s in each process without a cache
    os.environ.setdefault("NIXTLA_NUMBA_CACHE", "1")
    from statsforecast.models import AutoCES

    return _fitted("ces", AutoCES, values, horizon, cycle)


def _fitted(name: str, model: Any, values: Array, horizon: int, cycle: int) -> Array:
    """The forecasts of a model of statsforecast; the last value where it has none."""
    naive = last_value(values, horizon, cycle)
    if len(values) < FEWEST[name]:
        return naive
    season = cycle if len(values) > 2 * cycle else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that did not converge
        try:
            found = model(season_length=season).forecast(values, horizon)["mean"]
        # Too few rows for the form, or no form fits; statsforecast's errors are plain.
        except Exception:  # noqa: BLE001
            return naive
    return np.where(np.isfinite(found), found, naive)


MODELS = {
    "last_value": last_value,
    "seasonal_naive": seasonal_naive,
    "theta": theta,
    "ets": ets,
    "ces": ces,
}

CARDS = {
    "last_value": ModelCard(kind="naive", title="the last value"),
    "seasonal_naive": ModelCard(
        kind="naive", title="the value {cycle} timesteps before"
    ),
    "theta": ModelCard(kind="statistical", title="Theta"),
    "ets": ModelCard(kind="statistical", title="ETS"),
    "ces": ModelCard(kind="statistical", title="CES"),
}
