"""Demand of many products by week, as a buyer orders it."""

import numpy as np
import pandas as pd

from tests.support.answered import answered


def test_demand_is_forecast_by_its_mean_so_that_sums_are_right():
    random = np.random.default_rng(1)
    stamps = pd.date_range("2022-01-03", periods=120, freq="7D")
    levels = [0.5, 1, 2, 4, 8, 16]
    frames = []
    for level in levels:
        promotion = 1 + 1.5 * (random.uniform(size=120) < 0.12)
        sold = random.poisson(random.gamma(0.7, level * promotion / 0.7))
        frames.append(pd.DataFrame({"unique_id": f"p{level}", "ds": stamps, "y": sold}))
    frame = pd.concat(frames)
    sums = {}
    for objective in ("mean", "median"):
        answer = answered(
            frame,
            target="y",
            horizon=8,
            objective=objective,
            models=["ridge", "boosting_own"],
        )
        forecast = answer.forecast(levels=0.9)
        assert forecast["lo-90"].min() == 0
        sums[objective] = forecast["y_hat"].sum()
    expected = 8 * frame.groupby("unique_id")["y"].mean().sum()
    assert abs(sums["mean"] / expected - 1) < 0.1
    assert sums["median"] < 0.85 * expected


def test_an_interval_is_wider_where_more_is_forecast():
    """Sales are Poisson, and three times as many in promotions, which are known."""
    random = np.random.default_rng(2)
    stamps = pd.date_range("2022-01-03", periods=128, freq="7D")
    promotion = (np.arange(128) % 8 < 2).astype(int)
    frames = []
    for name in "ABCD":
        sold = random.poisson(20 * (1 + 2 * promotion)).astype(float)
        sold[-8:] = np.nan
        own = {"unique_id": name, "ds": stamps, "promotion": promotion, "y": sold}
        frames.append(pd.DataFrame(own))
    answer = answered(
        pd.concat(frames),
        target="y",
        horizon=8,
        future=["promotion"],
        models=["ridge"],
    )
    forecast = answer.forecast(levels=0.9)
    width = (forecast["hi-90"] - forecast["lo-90"]).to_numpy().reshape(4, 8)
    in_promotion = promotion[-8:] == 1
    ratio = width[:, in_promotion].mean() / width[:, ~in_promotion].mean()
    assert ratio > 1.4, "the square root of 3, as errors of a Poisson law grow"
