"""The weekly series of the M4 competition: Unroll's place among its entries.

The rows come from a mirror (UNROLL_MIRROR), and have no address. The competition has
published no timestamps with them, so all series end on one day. Its committed table is
published_m4.csv (an entry's number, and sMAPE, MASE, OWA and MSIS of weekly series).
"""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from bench.series import ours, public
from pipeline.errors import UnrollError

PLACE = "m4/m4_weekly.csv.xz"
"""The path in a mirror of unique_id, ds, y and part (train, or test)."""

SHA256 = "bbdb669e596c0cc57600e59d1834d8784e770e80c8c0998e28d4e63d2988e4a3"

LEVEL = 0.95
"""The coverage of the prediction intervals."""

PUBLISHED = pd.read_csv(Path(__file__).with_name("published_m4.csv")).set_index("entry")


def measure() -> dict[str, Any]:
    """Answer the rows to learn from, and score the forecasts of what was held out.

    Returns:
        `series` (how many), `coverage`, `cpu` seconds of the answer, and `scores`: as
        `places`.

    Raises:
        UnavailableError: the rows are in no mirror.
        UnrollError: the file has another hash, or a value has no forecast.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = public.read(PLACE, SHA256, "", folder)
        parts = dict([*rows.groupby("part")])
        past = parts["train"].drop(columns="part")
        truth = parts["test"].assign(ds=pd.to_datetime(parts["test"]["ds"]))
        horizon = int(truth["unique_id"].value_counts().max())
        options = {"target": "y", "horizon": horizon, "objective": "median"}
        answer, costs = ours.saved(folder, past, options)
        made = answer.forecast(levels=(LEVEL,))
    joined = truth.merge(made, on=["unique_id", "ds"])
    if len(joined) < len(truth):
        raise UnrollError(f"{len(truth) - len(joined)} values of M4 have no forecast")
    return {
        "series": truth["unique_id"].nunique(),
        "scores": places(scores(past, joined)),
        "coverage": joined["y"].between(joined["lo-95"], joined["hi-95"]).mean(),
        "cpu": costs["cpu"],
    }


def scores(past: pd.DataFrame, joined: pd.DataFrame) -> dict[str, float]:
    """Return the competition's scores, each the mean over series.

    Args:
        past: the rows to learn from (unique_id and y, in the order of time).
        joined: the rows held out, with unique_id, y, y_hat, lo-95 and hi-95.

    Returns:
        sMAPE in percent; MASE and MSIS (mean scaled interval score), in units of a
        series' mean change from one row to the next; OWA, the mean of sMAPE and MASE
        over those of the published Naive2.
    """
    truth = joined["y"]
    middle = joined["y_hat"]
    low = joined["lo-95"]
    high = joined["hi-95"]
    changes = past.groupby("unique_id")["y"].diff().abs()
    scale = joined["unique_id"].map(changes.groupby(past["unique_id"]).mean())
    error = (truth - middle).abs()
    outside = (low - truth).clip(0) + (truth - high).clip(0)
    of_rows = {
        "smape": 2 * 100 * error / (truth.abs() + middle.abs()),
        "mase": error / scale,
        "msis": (high - low + 2 / (1 - LEVEL) * outside) / scale,
    }
    found = pd.DataFrame(of_rows).groupby(joined["unique_id"]).mean().mean()
    relative = found / PUBLISHED.loc["Naive2"]
    return {**found, "owa": relative[["smape", "mase"]].mean()}


def places(found: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return the `value` of each score, its `place` `of` how many, and the `best` of the
    published.
    """
    placed = {}
    for name, value in found.items():
        others = PUBLISHED[name].dropna()
        placed[name] = {
            "value": value,
            "place": 1 + (others < value).sum().item(),
            "of": 1 + len(others),
            "best": others.min(),
        }
    return placed
