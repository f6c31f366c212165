"""Measurements at several sizes: their spread, and the power of the size that the cost grows with."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from pipeline.data.examples import Array


def summary(measured: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """Values, the spread of what was measured for each (rounded to five digits), and the exponent of the medians."""
    spread = [
        {"min": _rounded(min(found)), "median": _rounded(median(found)), "max": _rounded(max(found))}
        for found in measured.values()
    ]
    return {
        "values": list(measured),
        "seconds": spread,
        "exponent": exponent(list(measured), [one["median"] for one in spread]),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def exponent(values: Sequence[float], costs: Sequence[float]) -> dict[str, float]:
    """The exponent p of cost = constant * value^p, by least squares on the logarithms.

    Args:
        values: three or more, positive, not all the same.
        costs: positive, one for each.

    Returns:
        `estimate`, and `low` and `high`: its 95 % interval by Student's t. A wide one says that no single power fits.

    Raises:
        ValueError: there are fewer than three values, they are all the same, or one is not positive.
    """
    from scipy.stats import t

    if len(values) < 3 or len(values) != len(costs) or len(set(values)) == 1:
        raise ValueError(f"an exponent takes three values or more, and a cost for each. Received: {values}, {costs}")
    if min(*values, *costs) <= 0:
        raise ValueError(f"an exponent takes positive values and costs. Received: {values}, {costs}")
    x, y = np.log(values), np.log(costs)
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    residuals: Array = y - slope * x
    freedom = len(values) - 2
    error = math.sqrt(float(residuals @ residuals) / freedom / float(x @ x))
    reach = float(t.ppf(0.975, freedom)) * error
    return {"estimate": slope, "low": slope - reach, "high": slope + reach}
