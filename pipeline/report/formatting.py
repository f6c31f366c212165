"""Numbers as text: enough digits to compare, the same everywhere."""

import math
from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.schema import Stat
from pipeline.evaluation.verdicts import Comparison
from pipeline.metrics import MEASURES

DASH = "\N{EN DASH}"
"""What stands where there is no value."""

SMALL = 1e-3
"""Below this a number is written with an exponent."""

LONG = 1e9
LARGE = 1e15
"""From here on a forecast has marks between its thousands, and from there on an
exponent."""

MOST_DECIMALS = 15
"""That a double has, about."""


def number(value: float, digits: int = 4) -> str:
    """`value` with `digits` significant digits: 0.2890, 12.34, 322,113, 4.40e-4."""
    if value == 0:
        return "0"
    if abs(value) < SMALL:
        return exponent(value, digits - 2)
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{_decimals(value, digits)}f}"


def exponent(value: float, decimals: int) -> str:
    """Such as 4.40e-4, without the zero that Python puts before the 4."""
    mantissa, _, power = f"{value:.{decimals}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def short(value: float) -> str:
    """A published value as it was written: no digits added, 322113 as 322,113."""
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) < SMALL:
        mantissa, _, power = f"{value:.6e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.6g}"


def alike(values: Sequence[float], width: float) -> list[str]:
    """Values of one quantity as text, with the digits that an interval of some width
    leaves some meaning; "-" for inf.

    All have the same decimals, or an exponent where they are so small that decimals
    would begin with many zeros.
    """
    finite = [value for value in values if math.isfinite(value)]
    largest = max(map(abs, finite), default=0.0) or 1.0
    meaning = width if 0 < width < math.inf else largest / 100
    decimals = max(0, 2 - math.floor(math.log10(meaning)))
    if SMALL <= largest < LARGE:
        texts = {
            value: f"{value:{',' if largest >= LONG else ''}.{min(decimals, MOST_DECIMALS)}f}"
            for value in finite
        }
    else:
        digits = max(
            2, 2 - math.floor(math.log10(meaning)) + math.floor(math.log10(largest))
        )
        texts = {
            value: exponent(value, min(digits, MOST_DECIMALS)) if value else "0"
            for value in finite
        }
    return [texts.get(value, "-") for value in values]


def spread(stat: Stat, metric: str) -> str:
    """± the sample standard deviation over seeds, with the decimals of the mean; empty
    with one seed.
    """
    mean = stat.mean
    std = stat.std
    if std is None:
        return ""
    if metric == "accuracy":
        return f"± {100 * std:.2f} %"
    if mean == 0 or abs(mean) < SMALL:
        return f"± {exponent(std, 1) if std else 0}"
    decimals = 0 if abs(mean) >= 1000 else _decimals(mean)
    lost = 0 < std < 0.5 * 10**-decimals  # of it nothing but zeros would be seen
    return f"± {exponent(std, 0) if lost else f'{std:,.{decimals}f}'}"


def measured(stat: Stat | float, metric: str, unit: str = "") -> str:
    """The mean over seeds, or one value, as text: accuracy in per cent, counts whole,
    the rest with four digits and its unit.
    """
    mean, std = (stat.mean, stat.std) if isinstance(stat, Stat) else (stat, None)
    if metric == "accuracy":
        return f"{100 * mean:.2f} %"
    if metric.endswith("_unit"):
        return f"{number(mean)} {unit}".rstrip()
    return short(mean) if std is None and mean == int(mean) else number(mean)


def signed(value: float, metric: str) -> str:
    """A difference as text, of accuracies in points: +0.0013, -2.70, +2.4e-5."""
    if metric == "accuracy":
        return f"{100 * value:+.2f}"
    return (
        f"{value:+.4g}"
        if abs(value) >= SMALL or not value
        else f"{'+' * (value > 0)}{exponent(value, 1)}"
    )


def between(interval: tuple[float, float], metric: str, unit: str = "") -> str:
    """An interval as text: 0.2601 to 0.2688."""
    if metric == "accuracy":
        return " to ".join(f"{100 * end:.2f}" for end in interval) + " %"
    unit = unit if metric.endswith("_unit") else ""
    return f"{' to '.join(map(number, interval))} {unit}".rstrip()


def comparison_text(comparison: Comparison, metric: str) -> tuple[str, str]:
    """The change of the error and its interval, -4.4 % and -7.4 to -1.4 %; without a
    change those of the error.
    """
    if comparison.change:
        return comparison.change.words
    low, high = (signed(end, metric) for end in comparison.interval)
    return signed(comparison.difference.mean, metric), f"{low} to {high}"


def answer_change(answer: Answer, metric: str) -> tuple[str, str]:
    """The change of the error of an answer and its interval, as `comparison_text`;
    empty where nothing is compared.
    """
    if answer.amount:
        return answer.amount.words
    if answer.difference is None or answer.interval is None:
        return "", ""
    return signed(answer.difference, metric), " to ".join(
        signed(end, metric) for end in answer.interval
    )


def fact(value: Any) -> str:
    """Plain data as text: yes, 1,000, a list with commas."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {fact(item)}" for key, item in value.items())
    return ", ".join(map(fact, value)) if isinstance(value, list) else str(value)


def shape(lengths: list[int | None]) -> str:
    """Such as (None, 32)."""
    return f"({', '.join(map(str, lengths))})"


def published(value: float, metric: str, unit: str = "") -> str:
    """A published value as text, in the form of `measured`."""
    if metric == "accuracy":
        return f"{short(round(100 * value, 6))} %"
    return (
        f"{short(value)} {unit}".rstrip() if metric.endswith("_unit") else short(value)
    )


def title(metric: str) -> str:
    """What a metric of evaluation.json is called on the page."""
    derived = {"mae_unit": "MAE", "rmse_unit": "RMSE", "horizon": "steps in phase"}
    return MEASURES[metric].title if metric in MEASURES else derived.get(metric, metric)


def capital(text: str) -> str:
    """The first letter in upper case."""
    return text[:1].upper() + text[1:]


def _decimals(value: float, digits: int = 4) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
