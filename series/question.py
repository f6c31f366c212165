"""What is proposed of a series, where nobody says, and the sections of params.yaml for it."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.plain_yaml import Place
from pipeline.data import row_calendar
from pipeline.data.series_options import Cleaning, Windowing
from series.reading.profile import FileProfile

HOUR, DAY = 3600, 86_400
"""Seconds."""

TRAIN = 0.5
"""Of the rows, in the order of time; the origins of the backtest lie in the rest."""

PART, MOST = 0.2, 1 / 3
"""The fraction of the rows that a window may span, so that the smaller blocks have many; and up to `LEAST` years."""

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

FEW, BATCH = 5_000, 128
"""Rows to train on, below which networks take more epochs of smaller batches."""

MOST_WINDOWS = 25_000
"""That models learn from, evenly drawn: of more an epoch takes longer than it is worth."""

DAYS = 3
"""That networks look back, at most; a week of rows that are a day apart or more, four times."""

ORIGINS, REFITS = 182, 3
"""Of the backtest: half a year of days, so that twelve weeks are left to compare on after twelve to choose on."""

RECENT = 24
"""Last values of the target that boosting of the target alone sees; the other one has six, so that they err apart."""

JOINT = {"strategy": "joint", "trees": 200, "learning_rate": 0.08, "examples": 40, "rows": 100_000}
"""One boosting of all values ahead, from a subset of them."""

YEARS = 2 * np.timedelta64(365, "D")
"""Of rows, below which models are not told the time of the year: they would learn single weeks by heart."""


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the task; None: it is asked, or proposed with `yes`."""

    name: str | None = None
    target: str | None = None
    step: int | None = None
    horizon: int | None = None
    lookback: int | None = None
    yes: bool = False
    future: Sequence[str] = ()
    holidays: str | None = None


@dataclass(frozen=True)
class Proposal:
    """What is forecast: `step` counts rows to a timestep, `horizon`, `lookback`, `day` and `cycles` timesteps.

    A `day` that is no whole number of them is 0. `history` is how far statistical models look back, 0 for `lookback`.
    `reasons` are of options of params.yaml: why they have their values. `leave_out` names series that cannot be used.
    """

    target: str
    step: int
    horizon: int
    lookback: int
    day: int
    cycles: list[int]
    history: int
    future: list[str]
    holidays: str | None
    reasons: dict[str, str]
    leave_out: Sequence[str] = ()


def likely_target(profile: FileProfile) -> tuple[str, str]:
    """The column that looks most like one to forecast, of `profile.targets` the first of those, and why."""

    def score(name: str) -> int:
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", profile.columns[name].quantity)]
        named, other = (any(re.search(words_of, word) for word in words) for words_of in (TARGET, COVARIATE))
        unit = profile.columns[name].unit
        by_unit = bool(unit) * (-1 if re.fullmatch(WEATHER, unit) else 1)
        return 4 * named - 2 * other + by_unit - bool(profile.columns[name].sparse)

    best = max(profile.targets, key=score)
    why = "by its name" if score(best) > 1 else "by its unit" if score(best) == 1 else "the first that may be one"
    return best, f"{why}; --target names another"


def propose(profile: FileProfile, wanted: Wanted) -> Proposal:
    """Fill in what is not said.

    The target is the `likely_target`. A timestep is an hour where rows are closer than half an hour. The horizon is a
    day, a week of daily rows, four of weekly ones. The lookback is four weeks, of daily rows eight, so that cycles are
    seen several times, of weekly rows a year; a fifth of the rows at most, of weeks and months a third, up to a year
    and two, and whole cycles.
    """
    freq, reasons = profile.freq, dict[str, str]()
    target, step, horizon, lookback = wanted.target, wanted.step, wanted.horizon, wanted.lookback
    if target is None:
        target, why = likely_target(profile)
        reasons = {"target": why} if len(profile.targets) > 1 else {}
    if step is None:
        step = HOUR // freq if freq < HOUR // 2 and HOUR % freq == 0 else 1
        while any(count % step for count in row_calendar.slots_per_day(profile.calendar, freq)):  # else times drift
            step -= 1
        if step > 1:
            reasons["step"] = "a timestep is an hour; 1 takes every row, for longer"
    day, week, year, cycles = _repeating(profile, step)
    longest = max(2, int(profile.length * PART) // step)
    if year:
        longest = max(longest, min(LEAST[year] * year, int(profile.length * MOST)))
    if horizon is None:
        usual_horizon, why = (cycles[-1], "a cycle") if cycles else (1, "the next")
        if year == 52 or day > 1:
            usual_horizon, why = (4, "four weeks") if year == 52 else (day, "a day")
        horizon = max(1, min(usual_horizon, longest // 2))
        reasons["horizon"] = f"values at once; proposed: {why}"
    if lookback is None:
        lookback, why = (52, "a year") if year == 52 else (24, "24 timesteps")
        if profile.calendar and cycles and day < 2:
            lookback, why = 8 * cycles[0], f"eight times {cycles[0]} rows"
        elif day:
            lookback, why = (4 * week, "four weeks") if day > 1 else (8 * week, "eight weeks")
        if day and not profile.series_id:
            with np.errstate(invalid="ignore", divide="ignore"):  # of a column that does not change
                values = pd.Series(profile.columns[target].measured)
                near, far = (np.nan_to_num(values.autocorr(lag * step)) for lag in (day, week))
            why += f": autocorrelation is {near:.2f} after a day and {far:.2f} after a week"
        if lookback > longest:
            cycle = max((cycle for cycle in cycles if cycle <= longest), default=1)
            lookback = longest // cycle * cycle
            why = f"{lookback // cycle} times {cycle} timesteps, since the file is short"
        reasons["lookback"] = f"rows; proposed: {why}"
    history = 0 if not year or profile.gaps or profile.series_id else HISTORY[year] * year
    return Proposal(target, step, horizon, lookback, day, cycles, history, [*wanted.future], wanted.holidays, reasons)


def _repeating(profile: FileProfile, step: int) -> tuple[int, int, int, list[int]]:
    """Timesteps of a day, a week and a year, 0 where that is no whole number or no cycle to see; and all cycles."""
    timestep, slots = profile.freq * step, row_calendar.slots_per_day(profile.calendar, profile.freq)
    if profile.calendar == "business":
        return 0, 0, 0, [5]
    if isinstance(profile.calendar, str):
        year = 12 // (timestep // DAY)
        return (0, 0, year, [year]) if year in LEAST else (0, 0, 0, [])
    if timestep == 7 * DAY:
        return 0, 0, 52, [52]
    day = DAY // timestep if DAY % timestep == 0 else 0
    week = 7 * day
    if slots:
        day, week = max(slots) // step, sum(slots) // step
    repeating = [day, week] if len({*slots}) < 2 else [week]  # of unequal days none repeats at a distance
    return day, week, 0, [cycle for cycle in repeating if cycle > 1]


def entries(
    name: str, files: Mapping[str, Any], pattern: str, profile: FileProfile, proposal: Proposal
) -> tuple[dict[str, dict[str, Any]], dict[Place, str]]:
    """What is added to params.yaml: section -> name -> data, and comments as `plain_yaml.added` takes them.

    `name` is that of the files and of the data set; `files` says where they
    lie, and `pattern` is the file's name, or one for several.
    """
    target = profile.columns[proposal.target]
    others = [column for column in profile.columns if column not in {proposal.target, profile.series_id}]
    left_out = {column: why for column in others if (why := profile.useless(column) or profile.columns[column].sparse)}
    words = [column for column in others if column not in left_out and not profile.columns[column].numeric]
    gaps = profile.missing or profile.gaps or profile.series_id
    csv = {
        "file": pattern,
        "target": proposal.target,
        "series_id": profile.series_id,
        "leave_out": [*proposal.leave_out],
        "drop": [*left_out],
        "categories": words,
        # Else a word such as None would mean nothing, and rows with what is known beforehand have no target.
        "missing": [*profile.missing] or ([""] if words or proposal.future else None),
    }
    cleaning = Cleaning(
        spacing=profile.freq,
        fill=max(1, DAY // 4 // profile.freq) if gaps else None,
        repeat=proposal.cycles[0] * proposal.step if gaps and proposal.cycles else None,
        rows=profile.calendar,
        until=str(profile.last.astype("datetime64[s]")),
    )
    windows = Windowing(
        lookback=proposal.lookback * proposal.step,
        step=proposal.step,
        horizon=proposal.horizon,
        stride=-(-profile.rows // MOST_WINDOWS),
        unit=target.unit,
        quantity=target.quantity,
        week=bool(proposal.day) or profile.calendar == "business",
        overlap=True,
        partial=True,
        future=proposal.future,
        holidays=proposal.holidays,
    )
    options = {"csv": profile.form.model_copy(update=csv), "cleaning": cleaning, "windows": windows}
    sections = {section: option.model_dump(exclude_defaults=True) for section, option in options.items()}
    if len(stamp := sections["csv"]["stamp"]) == 1:
        (sections["csv"]["stamp"],) = stamp
    preparation = {"name": "series", **sections, "train": TRAIN}
    seen = ", ".join(f"{word or 'nothing'!s} {count:,} times" for word, count in profile.missing.items())
    reasons = {
        "unit": "from the heading",
        "quantity": "what reports call it",
        "drop": "; ".join(f"{column}: {why}" for column, why in left_out.items()),
        "categories": "columns of words: a column of 0 and 1 for each word",
        "missing": f"no value, found: {seen}",
        "leave_out": "series that have too few rows, or nothing to learn",
        "fill": "rows; proposed: what is missing for up to so many takes the last value",
        "repeat": "rows; what is missing for longer takes the value of a cycle before; after seven, windows are cut",
        "train": "of the rows, in the order of time; origins of the backtest lie in the rest",
        "stride": "rows from one window to the next that models learn from",
        "spacing": "seconds from row to row",
        "until": "later rows are for the refit alone; `unroll renew NAME` moves this on",
        **({"rows": "the times of the week at which there are rows"} if isinstance(cleaning.rows, dict) else {}),
        **profile.reasons,
        **proposal.reasons,
    }
    comments: dict[Place, str] = {
        ("files",): "Your own files, which DVC watches: an edit of one rebuilds what it can change.",
        ("datasets", name): "Added by `unroll add`; what was guessed or proposed says so.",
        **{
            ("datasets", name, "preparation", section, option): reasons[option]
            for section, options in sections.items()
            for option in options
            if option in reasons
        },
        ("datasets", name, "preparation", "train"): reasons["train"],
    }
    few = profile.rows * TRAIN < FEW
    training: dict[str, Any] = {"method": "gradient_descent", "optimizer": "adam", "loss": "mae"}
    training |= {"epochs": 100 if few else 50, "batch_size": 32 if few else BATCH, "patience": 5}
    added = {
        "files": {name: dict(files)},
        "datasets": {name: {"source": name, "preparation": preparation, "seeds": 3, "training": training}},
        "experiments": {name: _experiments(profile, proposal)},
        "forecasts": {name: {"origins": ORIGINS, "refits": REFITS}},
    }
    return added, comments


def _experiments(profile: FileProfile, proposal: Proposal) -> dict[str, dict[str, Any]]:
    """The naive answers of each cycle, the strongest models without a network, and networks."""
    cycles, history = proposal.cycles, {"history": proposal.history} if proposal.history else {}
    last = {"last": min(DAYS * proposal.day if proposal.day > 1 else 4 * DAYS, proposal.lookback)}
    known = {"known": count} if (count := len(proposal.future) + bool(proposal.holidays)) else {}
    known |= {} if profile.last - profile.first >= YEARS else {"season": False}
    none, network = {"method": "none"}, {"method": "gradient_descent"}
    boosting = {"method": "boosting", **JOINT}
    slow, quick = {"trees": 300, "learning_rate": 0.05}, {"trees": 150, "learning_rate": 0.1}
    own = {"cycles": cycles[:1], **known, "own": True, "base": "zero", "recent": RECENT}
    models: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
        "last_value": ("baselines", "last_value", {}, none),
        **{
            f"cycle_{cycle}": ("baselines", "seasonal_naive", {"timesteps": cycle}, none)
            for cycle in cycles
            if cycle <= proposal.lookback
        },
        "ridge": ("seasonal", "linear", known, {"method": "least_squares", "ridge": 100.0}),
        "boosting": ("seasonal", "boosting", {"cycles": cycles[:1], **known}, boosting),
        "boosting_own": ("seasonal", "boosting", own, boosting | slow),
        "boosting_cycle": ("seasonal", "boosting", own | {"base": "cycle"}, boosting | quick),
        "mlp": ("dense", "mlp", {"hidden": [64, 32], "dropout": 0.1, **last}, network),
        "gru": ("seasonal", "gru", {"units": 32, **last}, network),
        # Those that are fitted to each window.
        "ets": ("statistical", "ets", {**({"cycle": cycles[0]} if cycles else {}), **history}, none),
        **{
            f"ets_{cycle}": ("statistical", "ets", {"cycle": cycle, "trend": False, **history}, none)
            for cycle in cycles
            if history or 2 * cycle <= proposal.lookback
        },
        "mstl": ("statistical", "mstl", {"cycles": cycles, **history}, none),
    }
    if not cycles:
        del models["boosting_cycle"], models["mstl"]
    return {
        key: {
            **({"calendar": True} if training is not none else {}),
            "model": {"family": family, "name": name, **deepcopy(options)},  # YAML would refer from list to list
            "training": dict(training),
        }
        for key, (family, name, options, training) in models.items()
    }
