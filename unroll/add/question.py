"""What is asked of a series, where nobody says: how far ahead, from how far back."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sniff.look import Found

HOUR, DAY = 3600, 86_400
"""Seconds."""

TRAIN, VALIDATION = 0.6, 0.2
"""Shares of the rows, in the order of time; the rest is for the test."""

PART = 0.2
"""The share of the rows that a window may span, so that the smaller blocks have many."""


@dataclass(frozen=True)
class Question:
    """What is forecast.

    Attributes:
        target: the column.
        step: rows to a timestep.
        horizon, lookback: timesteps.
        day: timesteps of a day, 0 where those are not a whole number.
        cycles: timesteps of a day and a week, of rows that lie further apart of what fits.
        future, holidays: what is known beforehand.
        reasons: option of params.yaml -> why it has its value.
    """

    target: str
    step: int
    horizon: int
    lookback: int
    day: int
    cycles: list[int]
    reasons: dict[str, str] = field(default_factory=dict)
    future: list[str] = field(default_factory=list)
    holidays: str | None = None


def propose(found: Found, target: str, step: int | None, horizon: int | None, lookback: int | None) -> Question:
    """Fill in what is None.

    A timestep is an hour where rows are closer than half an hour. The horizon is a day, or a week of daily rows. The
    lookback is four weeks, of daily rows eight, so that cycles are seen several times; a fifth of the rows at most.
    """
    spacing, reasons = found.clock.spacing, {}
    if step is None:
        step = HOUR // spacing if spacing < HOUR // 2 and HOUR % spacing == 0 else 1
        if step > 1:
            reasons["step"] = "a timestep is an hour; 1 takes every row, for longer"
    timestep = spacing * step
    day = DAY // timestep if DAY % timestep == 0 else 0
    week = 7 * day
    cycles = [cycle for cycle in (day, week) if cycle > 1]
    if found.uneven:
        day, cycles = 0, {"business": [5], "month": [12]}[found.uneven]
    longest = max(2, int(found.rows * PART) // step)
    if horizon is None:
        one, why = (day, "a day") if day > 1 else (cycles[-1], "a cycle") if cycles else (1, "the next")
        horizon = max(1, min(one, longest // 2))
        reasons["horizon"] = f"values at once; proposed: {why}"
    if lookback is None:
        weeks, words = (4, "four weeks") if day > 1 else (8, "eight weeks")
        lookback, why = (weeks * week, words) if day else (24, "24 timesteps")
        if found.uneven:
            lookback, why = 8 * cycles[0], f"eight times {cycles[0]} rows"
        if day:
            near, far = (likeness(found, target, lag * step) for lag in (day, week))
            why += f": autocorrelation is {near:.2f} after a day and {far:.2f} after a week"
        if lookback > longest:
            lookback, why = longest, f"{longest} timesteps, since the file is short"
        reasons["lookback"] = f"rows; proposed: {why}"
    return Question(target, step, horizon, lookback, day, cycles, reasons)


def likeness(found: Found, target: str, lag: int) -> float:
    """The autocorrelation of the target after `lag` rows, over the first rows of the file that have a value."""
    values: Array = found.head[:, list(found.columns).index(target)]
    values = np.where(np.isin(values, list(found.sentinels)), np.nan, values)
    early, late = values[:-lag] if lag else values, values[lag:]
    both = np.isfinite(early) & np.isfinite(late)
    if both.sum() < 2 or not early[both].std() or not late[both].std():
        return 0.0
    return float(np.corrcoef(early[both], late[both])[0, 1])
