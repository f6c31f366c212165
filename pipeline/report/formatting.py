"""Numbers as text: enough digits to compare, the same everywhere."""

import math
from collections.abc import Sequence

from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES

DASH = "\N{EN DASH}"
"""The sign for a missing value."""

TITLES = {name: str(measure.title) for name, measure in MEASURES.items()} | {
    "mae_unit": "MAE",
    "rmse_unit": "RMSE",
    "horizon": "steps in phase",
}
"""Metric of evaluation.json -> its title."""

SMALL = 1e-3
"""Smaller numbers are written with an exponent."""


NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
"""Small numbers in words."""


def number(value: float, digits: int = 4) -> str:
    """Return a number with some significant digits as text: 12.34, 322,113, 4.40e-4."""
    if value == 0:
        return "0"
    if abs(value) < SMALL:
        return exponent(value, digits - 2)
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{_decimals(value, digits)}f}"


def exponent(value: float, decimals: int) -> str:
    """Return a number with an exponent as text: 4.40e-4, not 4.40e-04 as in Python."""
    mantissa, _, power = f"{value:.{decimals}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def in_words(count: int) -> str:
    """Return a whole number as text, in words up to ten."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def short(value: float) -> str:
    """Return a number as text without added digits; 322113 becomes 322,113."""
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) < SMALL:
        mantissa, _, power = f"{value:.6e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.6g}"


def spread(stat: Stat, metric: str) -> str:
    """Return "±" and the sample standard deviation over seeds, as text.

    It has the decimals of the mean, and is empty with one seed.
    """
    mean = stat.mean
    std = stat.std
    if std is None:
        return ""
    if std == 0:
        return "± 0"
    if metric == "accuracy":
        return f"± {100 * std:.2f} %"
    if abs(mean) < SMALL:
        return f"± {exponent(std, 1)}"
    decimals = 0 if abs(mean) >= 1000 else _decimals(mean)
    if std < 0.5 * 10**-decimals:  # its decimals would all be 0
        return f"± {exponent(std, 0)}"
    return f"± {std:,.{decimals}f}"


def measured(stat: Stat | float, metric: str, unit: str = "") -> str:
    """Return a mean over seeds, or one value, as text.

    Accuracies are in per cent and counts whole. Other values have four digits, and the
    unit if they have one.
    """
    mean = stat.mean if isinstance(stat, Stat) else stat
    several = isinstance(stat, Stat) and stat.std is not None
    if mean == int(mean) and not several and metric != "accuracy":
        return short(mean)
    return between((mean,), metric, unit)


def between(interval: Sequence[float], metric: str, unit: str = "") -> str:
    """Return the ends of an interval as text: 0.2601 to 0.2688."""
    if metric == "accuracy":
        return " to ".join(f"{100 * end:.2f}" for end in interval) + " %"
    ending = unit if metric.endswith("_unit") else ""
    return f"{' to '.join(map(number, interval))} {ending}".rstrip()


def published(value: float, metric: str, unit: str = "") -> str:
    """Return a published value as text, in the form of `measured`."""
    if metric == "accuracy":
        return f"{short(round(100 * value, 6))} %"
    ending = unit if metric.endswith("_unit") else ""
    return f"{short(value)} {ending}".rstrip()


def shape(lengths: list[int | None]) -> str:
    """Return a shape as text, such as (None, 32)."""
    return f"({', '.join(map(str, lengths))})"


def title(metric: str) -> str:
    """Return the title of a metric of evaluation.json on the page."""
    return TITLES.get(metric, metric)


def capital(text: str) -> str:
    """Return text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _decimals(value: float, digits: int = 4) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
