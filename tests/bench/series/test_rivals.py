"""Rivals forecast from what is known at an origin, and from nothing after it."""

import numpy as np
import pandas as pd
import pytest

from bench.series import rivals
from bench.series.public import HeldOut, PublicFile

FILE = PublicFile("file", "", "", "time", "y", "", "D", 1, 7, "", "", "")
NEEDS = {"LightGBM": "lightgbm", "Fracast-0": "fracast"}
NAMES = ["last value", "seasonal naive", "ETS", "MSTL", *NEEDS, "zero", "SBA"]


def held(changed: float = 0.0) -> HeldOut:
    """Two series with a week's cycle and zeros; `changed` is added from the first
    origin on."""
    days = np.arange(160)
    noise = np.random.default_rng(0).normal(0, 0.3, (2, 160))
    target = np.maximum(3 * np.sin(2 * np.pi * days / 7) + noise, 0)
    origins = 140 + np.arange(0, 14, 7)
    target[:, 140:] += changed
    grid = pd.date_range("2024-01-01", periods=160)
    frame = pd.DataFrame({"time": grid}, grid)
    return HeldOut(FILE, frame, grid, ["a", "b"], target, origins)


def run(name: str, held: HeldOut) -> np.ndarray:
    """Forecasts of one rival."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    rival = rivals._rivals(held.file, held.target)[name]
    return rival(held.target, held.origins, held.file, held.grid)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_a_rival_does_not_see_what_comes(name):
    forecasts = run(name, held())
    assert forecasts.shape == (2, 2, 7)
    assert np.isfinite(forecasts).all()
    later = run(name, held(changed=100.0))
    np.testing.assert_array_equal(later[:, 0], forecasts[:, 0])
    if name != "zero":
        assert (later[:, -1] != forecasts[:, -1]).any()


def test_naive_forecasts_repeat_the_past():
    values = np.arange(100.0)[None]
    origins = np.array([50])
    hours = FILE._replace(day=24, cycle=48)
    week = rivals.seasonal_naive(
        values, origins, FILE._replace(cycle=7), pd.DatetimeIndex([])
    )
    assert week[0, 0].tolist() == list(range(43, 50))
    day = rivals.naive_of_a_day(values, origins, hours, pd.DatetimeIndex([]))
    assert day[0, 0].tolist() == list(range(26, 50))
    two_days = rivals.seasonal_naive(values, origins, hours, pd.DatetimeIndex([]))
    assert two_days[0, 0].tolist() == list(range(2, 26))


def test_sba_is_that_of_a_hand_calculation():
    # Sizes 2, then 2 + .1 * (4 - 2) = 2.2; intervals 3, then 3 + .1 * (2 - 3) = 2.9.
    assert rivals._sba(np.array([0.0, 0, 2, 0, 4, 0])) == pytest.approx(
        0.95 * 2.2 / 2.9
    )
    assert rivals._sba(np.zeros(5)) == 0


def test_intervals_come_from_origins_whose_values_are_known():
    found = held()
    before = rivals._origins_before(found)
    assert len(before) == rivals.CALIBRATION
    assert before[-1] + FILE.horizon == found.origins[0]
