"""The part `series` of bench/results.json: speed, and accuracy beside rivals."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np

from bench import Say
from bench.series import forecast_scores, generated, ours, public, rivals
from bench.series.public import HeldOut, PublicFile
from pipeline.data.examples import Array

Row = dict[str, Any]


def measure(
    quick: bool, say: Say, kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Measure speed and, if not `quick`, the public files.

    Args:
        quick: whether the public files are left out.
        say: called with a text about the next step.
        kept: the series of bench/results.json, if its rivals are not measured again.

    Returns:
        The rows of `generated.measure`; `files`, a row for each public file; and
        `summary` of them.

    Raises:
        UnrollError: a file cannot be fetched, or an answer fails.
    """
    found: dict[str, Any] = generated.measure(quick, say)
    if not quick:
        rows = {}
        for name, file in public.FILES.items():
            rivals = kept["files"][name]["rivals"] if kept else None
            rows[name] = measure_file(file, say, rivals)
        found |= {"files": rows, "summary": summary(rows)}
        found["rivals_date"] = (
            (kept.get("rivals_date") or kept["date"]) if kept else None
        )
    return found


def measure_file(file: PublicFile, say: Say, kept: dict[str, Row] | None = None) -> Row:
    """Measure the forecasts and costs of `unroll.answer` on a file, beside rivals.

    `kept` are the rivals' scores, if they were measured before.
    """
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        folder = Path(name)
        held = public.load(file, folder)
        say(f"{file.name}: unroll.answer")
        quantiles, costs = ours.answered(folder, held)
    if not kept:
        say(f"{file.name}: rivals")
    return row(held, quantiles, kept or rivals_of(held)) | costs


def row(held: HeldOut, quantiles: Array, theirs: dict[str, Row]) -> Row:
    """Compare quantiles (series, origins, steps, quantiles) with the rivals' scores.

    Returns:
        `mae`, `wql` and `coverage`, and the same scores of each rival in `rivals`;
        `best_rival`, the rival with the lowest MAE; and `ratio`, the MAE over that of
        the best rival.
    """
    own = _scores(held, quantiles[..., forecast_scores.QUANTILES.index(0.5)], quantiles)
    best = min(theirs, key=lambda name: float(theirs[name]["mae"]))
    return {
        "kind": held.file.kind,
        **own,
        "rivals": theirs,
        "best_rival": best,
        "ratio": own["mae"] / theirs[best]["mae"],
    }


def rivals_of(held: HeldOut) -> dict[str, Row]:
    """Return rival -> its scores."""
    floor = 0.0 if np.nanmin(held.known) >= 0 else -np.inf
    found = {}
    for name, (forecasts, errors) in rivals.forecasts(held).items():
        found[name] = _scores(
            held, forecasts, forecast_scores.conformal(forecasts, errors, floor)
        )
    return found


def _scores(held: HeldOut, forecasts: Array, quantiles: Array) -> Row:
    return {
        "mae": forecast_scores.mean_absolute_error(held.truth, forecasts),
        "wql": forecast_scores.weighted_quantile_loss(held.truth, quantiles),
        "coverage": forecast_scores.coverage(held.truth, quantiles),
    }


def summary(rows: Mapping[str, Row]) -> Row:
    """Compute geometric means over files.

    Returns:
        `ratio`; `worst`, the file with the highest ratio; `mae` and `wql`, rival -> our
        score over the rival's, over the files that the rival has forecast.
    """
    names = dict.fromkeys(name for row in rows.values() for name in row["rivals"])
    return {
        "ratio": geometric_mean(row["ratio"] for row in rows.values()),
        "worst": max(rows, key=lambda name: float(rows[name]["ratio"])),
        "mae": {name: _mean_ratio(rows.values(), name, "mae") for name in names},
        "wql": {name: _mean_ratio(rows.values(), name, "wql") for name in names},
    }


def _mean_ratio(rows: Iterable[Row], rival: str, measure: str) -> float:
    return geometric_mean(
        row[measure] / row["rivals"][rival][measure]
        for row in rows
        if rival in row["rivals"]
    )
