"""What is asked of a series, where nobody says: which column, how far ahead, from how far back."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.data.sniff.profile import FileProfile

HOUR, DAY = 3600, 86_400
"""Seconds."""

TRAIN = 0.5
"""Of the rows, in the order of time; the origins of the backtest lie in the rest."""

PART, MOST = 0.2, 1 / 3
"""The share of the rows that a window may span, so that the smaller blocks have many; and up to `LEAST` years."""

LEAST, HISTORY = {4: 3, 12: 2, 52: 1}, {4: 10, 12: 10, 52: 5}
"""Timesteps of a year -> years that a window spans, and that statistical models look back: in months and weeks a season
is seen in years alone."""


TARGET = (
    "^(y|ot|cnt|counts?|flow|close|orders?|volume|load|value|wert)$|last$|demand|power|energy|consum|usage|sales|revenue|"
    "price|traffic|passenger|visitor|target|verbrauch|leistung|bedarf|absatz|umsatz|preis|anzahl|menge|producti|generati|"
    "erzeug|strom|ventas|precio|prix|appliances|pollution|^pm$"
)
"""Words, and parts of longer ones, in the names of columns that people forecast."""

COVARIATE = (
    "^(t|rh|ws|wd|id|no|nr|lat|lon|is|tag|day|days)$|^(temp|hum|wind|rain|snow|cloud|press|dew|weather|lag|luft|regen|week|"
    "hour|stunde|month|monat|year|jahr|minute|index|season|precip|visib|sun|promo|flag)|temperatur|feucht|niederschlag|"
    "radiation|forecast|predict|prognose|holiday|feiertag|weekday|wochentag"
)
"""Of weather, the calendar and forecasts, which tell of others."""

WEATHER = r"°?[CFK]|deg.*|%|[hk]?Pa|m?bar|m/s|km/h|mph|W/m.*|mm"
"""Units of these."""


@dataclass(frozen=True)
class Question:
    """What is forecast: `step` counts rows to a timestep, `horizon`, `lookback`, `day` and `cycles` timesteps.

    A `day` that is no whole number of them is 0. `history` is how far statistical models look back, 0 for `lookback`.
    `reasons` are of options of params.yaml: why they have their values.
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
    history: int = 0


def likely_target(found: FileProfile) -> tuple[str, str]:
    """The column that looks most like one to forecast, of `found.targets` the first of those, and why."""

    def score(name: str) -> int:
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", found.columns[name].quantity)]
        named, other = (any(re.search(words_of, word) for word in words) for words_of in (TARGET, COVARIATE))
        unit = found.columns[name].unit
        return 4 * named - 2 * other + bool(unit) * (-1 if re.fullmatch(WEATHER, unit) else 1)

    best = max(found.targets, key=score)
    why = "by its name" if score(best) > 1 else "by its unit" if score(best) == 1 else "the first that may be one"
    return best, f"{why}; --target names another"


def propose(
    found: FileProfile, target: str | None, step: int | None, horizon: int | None, lookback: int | None
) -> Question:
    """Fill in what is None.

    The target is the `likely_target`. A timestep is an hour where rows are closer than half an hour. The horizon is a
    day, a week of daily rows, four of weekly ones. The lookback is four weeks, of daily rows eight, so that cycles are
    seen several times, of weekly rows a year; a fifth of the rows at most, of weeks and months a third, up to a year
    and two, and whole cycles.
    """
    spacing, reasons = found.freq, dict[str, str]()
    if target is None:
        target, reasons["target"] = likely_target(found)
        reasons = reasons if len(found.targets) > 1 else {}
    if step is None:
        step = HOUR // spacing if spacing < HOUR // 2 and HOUR % spacing == 0 else 1
        if step > 1:
            reasons["step"] = "a timestep is an hour; 1 takes every row, for longer"
    timestep = spacing * step
    day = DAY // timestep if DAY % timestep == 0 else 0
    week = 7 * day
    year = 12 // (timestep // DAY) if found.offset == "month" else 52 if timestep == 7 * DAY and not found.offset else 0
    year = year if year in LEAST else 0
    usual = [5] if found.offset == "business" else [cycle for cycle in (day, week) if cycle > 1 and not found.offset]
    cycles, day = [year] if year else usual, 0 if found.offset else day
    longest = max(2, int(found.length * PART) // step)
    if year:
        longest = max(longest, min(LEAST[year] * year, int(found.length * MOST)))
    ahead, back = (cycles[-1], "a cycle") if cycles else (1, "the next"), (24, "24 timesteps")
    if year == 52:
        ahead, back = (4, "four weeks"), (52, "a year")
    if horizon is None:
        one, why = (day, "a day") if day > 1 else ahead
        horizon = max(1, min(one, longest // 2))
        reasons["horizon"] = f"values at once; proposed: {why}"
    if lookback is None:
        weeks, words = (4, "four weeks") if day > 1 else (8, "eight weeks")
        lookback, why = (weeks * week, words) if day else back
        if found.offset and cycles:
            lookback, why = 8 * cycles[0], f"eight times {cycles[0]} rows"
        if day and not found.series_id:
            with np.errstate(invalid="ignore", divide="ignore"):  # of a column that does not change
                values = pd.Series(found.values(target))
                near, far = (np.nan_to_num(values.autocorr(lag * step)) for lag in (day, week))
            why += f": autocorrelation is {near:.2f} after a day and {far:.2f} after a week"
        if lookback > longest:
            cycle = max((one for one in cycles if one <= longest), default=1)
            lookback = longest // cycle * cycle
            why = f"{lookback // cycle} times {cycle} timesteps, since the file is short"
        reasons["lookback"] = f"rows; proposed: {why}"
    history = 0 if not year or found.gaps or found.series_id else HISTORY[year] * year
    return Question(target, step, horizon, lookback, day, cycles, reasons, history=history)
