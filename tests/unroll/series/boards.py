"""Tables of forecasts that are off by a known error, and the boards that are made of
them."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Windows
from unroll.series import leaderboard
from unroll.series.backtest import Plan
from unroll.series.leaderboard import Board
from unroll.series.row_options import (
    ALONE,
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
    Statistics,
)

STEPS = 3

WEEK = 7 * 86_400
"""Seconds from row to row; longer than a day, so that no time of the day counts."""

STD = 2.0
"""The standard deviation of each series."""

FIRST = np.datetime64("2024-01-01T00:00:00")

DAYS = FIRST + np.arange(-60, 1400) * np.timedelta64(1, "D")
"""The rows of each series; a cutoff of a table lies at one of the later ones."""

Error = float | Callable[[np.random.Generator, int], np.ndarray]
"""Of a model, in standard deviations: a number, or a function of a generator and the
origins."""

FAMILIES = {
    "gru": ("residual", "gru", "numpy_adam"),
    "lstm": ("residual", "lstm", "numpy_adam"),
    "mlp": ("residual", "mlp", "numpy_adam"),
    "last": ("baselines", "last_value", "none"),
    "cycle": ("baselines", "seasonal_naive", "none"),
    "ets": ("statistical", "ets", "none"),
    "mstl": ("statistical", "mstl", "none"),
}
"""Name of a model -> its family, its name and its method; all others are ridge
regressions."""


def experiment(name: str, **options: object) -> Experiment:
    """The experiment of a model of `FAMILIES`."""
    family, model, method = FAMILIES.get(name, ("seasonal", "linear", "least_squares"))
    return Experiment.model_validate(
        {
            "dataset": "x",
            "model": {"family": family, "name": model, **options},
            "training": {"method": method},
            "seeds": 1,
        }
    )


def noisy(size: float, scatter: float = 0.1) -> Error:
    """Errors around a size, each of a random sign."""

    def draw(rng: np.random.Generator, origins: int) -> np.ndarray:
        sign = rng.choice([-1.0, 1.0], (origins, STEPS))
        return sign * (size + scatter * rng.normal(size=(origins, STEPS)))

    return draw


def changing(before: float, after: float) -> Error:
    """Errors of one size on the earlier half, and of another on the later half."""

    def draw(rng: np.random.Generator, origins: int) -> np.ndarray:
        size = np.where(np.arange(origins) < origins // 2, before, after)[:, None]
        return size * noisy(1.0)(rng, origins)

    return draw


def dataset(series: tuple[str, ...] = ("x",), low: float = -9.0) -> Dataset:
    """A data set whose windows have `STEPS` outputs; `low` is the least value that was
    seen."""
    statistics = Statistics(mean=[3.0], std=[STD], low=[low], high=[9.0])
    fitted = Preprocessing(
        csv=CsvFormat(target="y", series_id="unique_id" if len(series) > 1 else None),
        cleaning=Cleaning(spacing=WEEK),
        windows=SeriesWindows(lookback=4, horizon=STEPS),
        columns=["y"],
        series=dict.fromkeys(series if len(series) > 1 else (ALONE,), statistics),
    )
    windows = Windows(
        np.zeros((40, 1), np.float32), np.arange(4, 20), 4, 1, 0, 0, STEPS
    )
    return Dataset(
        name=series[0] if len(series) == 1 else "many",
        kind="forecast",
        metric="mae",
        splits={"train": windows},
        scale=Scale(mean=3.0, std=STD, unit="kW"),
        fitted=fitted,
        stamps=np.tile(DAYS, len(series)),
        series_id=np.repeat(np.arange(len(series)), len(DAYS)),
        truth=np.tile(3 + STD * np.cos(np.arange(len(DAYS))), len(series)),
    )


def table(
    errors: Mapping[str, Error],
    origins: int = 182,
    *,
    series: tuple[str, ...] = ("x",),
    days: int = 1,
    seeds: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Forecasts with these errors; a cutoff every so many days, steps of 8 hours."""
    rng = np.random.default_rng(0)
    cutoffs = FIRST + np.arange(origins) * np.timedelta64(days, "D")
    ahead = np.arange(1, STEPS + 1) * np.timedelta64(8, "h")
    parts = []
    for unique_id in series:
        truth = 3 + STD * rng.normal(size=(origins, STEPS))
        for name, error in errors.items():
            for seed in range((seeds or {}).get(name, 1)):
                off = (
                    error(rng, origins)
                    if callable(error)
                    else np.full((origins, STEPS), error)
                )
                columns = {
                    "unique_id": unique_id,
                    "ds": (cutoffs[:, None] + ahead).ravel(),
                    "cutoff": np.repeat(cutoffs, STEPS),
                    "model": name,
                    "seed": seed,
                    "y": truth.ravel(),
                    "y_hat": (truth + STD * off).ravel(),
                }
                parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


PLAN = Plan(origins=182, stride=STEPS)
"""Cutoffs so far apart that all errors are known at the next one."""


def board(forecasts: pd.DataFrame, low: float = -9.0) -> tuple[pd.DataFrame, Board]:
    """The board of a table of models of `FAMILIES`."""
    series = tuple(forecasts["unique_id"].drop_duplicates())
    experiments = {name: experiment(name) for name in forecasts["model"].unique()}
    return leaderboard.board(dataset(series, low), forecasts, experiments, PLAN)


def answered(forecasts: pd.DataFrame, found: Board) -> SimpleNamespace:
    """What `judge` takes of an answer."""
    findings = SimpleNamespace(titles={"gru": "GRU(32)", "last": "the last value"})
    return SimpleNamespace(
        board=found,
        forecasts=forecasts,
        of_board=forecasts,
        late={},
        findings=findings,
        name="meter",
    )
