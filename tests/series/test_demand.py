"""Demand of many products by week, as a buyer orders it."""

import contextlib

import numpy as np
import pandas as pd

import unroll
from series import answer as answers
from series import fits
from tests.series.here import run_here


def test_demand_is_forecast_by_its_mean_so_that_sums_are_right(monkeypatch):
    monkeypatch.setattr(fits.processes, "run", run_here)
    monkeypatch.setattr(answers, "Server", lambda *_, **__: contextlib.nullcontext())
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
        answer = unroll.answer(
            frame,
            target="y",
            horizon=8,
            objective=objective,
            models=["ridge", "boosting_own"],
        )
        sums[objective] = answer.forecast()["y_hat"].sum()
    expected = 8 * frame.groupby("unique_id")["y"].mean().sum()
    assert abs(sums["mean"] / expected - 1) < 0.1
    assert sums["median"] < 0.85 * expected
