"""The question that a file is asked: target, horizon and lookback; and its windows.

Options that a user leaves out are proposed by the file's frequency and length. A
*timestep* is one step of the models: a row, or several rows if the user says so.
"""

import bisect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from pipeline.data.examples import Array, ceil_div
from pipeline.data.timestamps import distinct, duration, shown
from pipeline.data.windowing import DAY
from pipeline.errors import (
    UnrollError,
    UsageError,
    one_line,
    printable,
)
from unroll.series import measured_rows, row_calendar
from unroll.series.measured_rows import fill_limit, holidays_of
from unroll.series.options import (
    MOST_LOOKBACK,
    MOST_TIMESTEPS,
    Aggregate,
    Objective,
    Options,
    argument,
    seconds_of,
)
from unroll.series.reading import column_rules, rules
from unroll.series.reading.file_rows import column_named
from unroll.series.reading.profile import FileProfile
from unroll.series.reading.timestamp_formats import words_of
from unroll.series.row_options import Cleaning, CsvFormat, SeriesWindows
from unroll.series.series_table import SeriesTable

HOUR = 3600
"""Seconds of an hour."""

TRAIN = 0.5
"""Share of the rows, the first ones, that lie before the first cutoff."""

ZERO_SHARE = 0.3
"""Share of values 0 from which a series counts as intermittent demand."""

MOST_RETURNS = 0.05
"""Largest share of values below 0 among counts: goods that come back."""

FEW_VALUES = 50
"""Most distinct numbers of a column that holds counts, though its name does not say."""

FEWEST_WINDOWS = 5
"""Smallest number of windows before the first cutoff; a series with fewer is short."""

WINDOW_SHARE = 0.2
"""Largest share of the rows that a window may span."""

YEARLY_WINDOW_SHARE = 1 / 3
"""Largest share of the rows that a window may span if rows are weeks or months."""

WEEKS = 52
"""Weeks of a year."""

FEWEST_WEEKS = 110
"""Weeks of a file from which a window spans a year, though it is long."""


class YearOf(NamedTuple):
    """What is known of rows that have a year, but no day.

    Attributes:
        lookback: years that a window spans, if the rows suffice.
        history: years that statistical models look back.
        before: what the value a year before is called.
    """

    lookback: int
    history: int
    before: str


YEARS = {
    4: YearOf(3, 10, "last year's quarter"),
    12: YearOf(2, 10, "last year's month"),
    WEEKS: YearOf(1, 5, "last year's week"),
}
"""Timesteps of a year -> what is known of such rows."""

TARGET_WORDS = (
    "^(y|ot|cnt|counts?|flow|close|orders?|volume|load|value|wert)$|last$|demand|power|"
    "energy|consum|usage|sales|revenue|price|traffic|passenger|visitor|target|"
    "verbrauch|leistung|bedarf|absatz|umsatz|preis|anzahl|menge|producti|generati|"
    "erzeug|strom|ventas|precio|prix|appliances|pollution|^pm$"
)
"""Words, and parts of longer words, in the names of columns that people forecast."""

COVARIATE_WORDS = (
    "^(t|rh|ws|wd|id|no|nr|lat|lon|is|tag|day|days)$|^(temp|hum|wind|rain|snow|cloud|"
    "press|dew|weather|lag|luft|regen|week|hour|stunde|month|monat|year|jahr|minute|"
    "index|season|precip|visib|sun|promo|flag)|temperatur|feucht|niederschlag|"
    "radiation|forecast|predict|prognose|holiday|feiertag|weekday|wochentag"
)
"""Words in the names of columns that help to forecast others.

They are words of weather, of the calendar and of other forecasts."""

AMOUNT_WORDS = (
    "^(k|m|g)?wh$|^(mm|l|m³|m3|eur|€|usd|\\$|pcs|units?|stück|stk)$|^(cnt|counts?|flow)$|"
    "sales|sold|orders?|revenue|rain|snow|precip|passenger|visitor|traffic|energy|volume|"
    "verkauf|absatz|umsatz|anzahl|menge|niederschlag|regen|energie|besucher|ventas"
)
"""Units of amounts, and words in the names of columns that hold amounts.

The amount of an hour is the sum of that of its quarters."""

ORDERED_WORDS = (
    "^(pcs|pieces|items|units?|qty|quantity|stück|stk)$|sales|sold|orders?|verkauf|"
    "absatz|bestell|ventas"
)
"""Units, and words in the names of columns, of what somebody orders."""

AGGREGATES: Mapping[Aggregate, str] = {
    "sum": "since the column is an amount by its unit or name",
    "mean": "since the column is no amount by its unit or name",
}
"""What a timestep of several rows is -> the reason."""

DENSE_HORIZON = 288
"""Largest horizon that is proposed: a day of five minutes."""

DENSE_LOOKBACK = 2_016
"""Largest lookback that is proposed: a week of five minutes."""

PAST = 12
"""Timesteps at which a regression sees each column that is known beforehand, besides
those to forecast."""

MOST_KNOWN = 3_000
"""Largest number of inputs of a regression from columns that are known beforehand."""

MOST_WINDOWS = 25_000
"""Largest number of windows that a model learns from.

Of more windows only every second, third, ... is taken."""

WEATHER_UNITS = r"°?[CFK]|deg.*|%|[hk]?Pa|m?bar|m/s|km/h|mph|W/m.*|mm"
"""Units of weather."""


@dataclass(frozen=True)
class Proposal:
    """The target, horizon and lookback for a file, and what else is asked.

    Attributes:
        csv: the form of the file, and the target.
        cleaning: how rows become timesteps, and are completed.
        windows: horizon and lookback in timesteps, and what is known beforehand.
        year: timesteps of a year of weeks, months or quarters; else 0.
        cycles: timesteps of each cycle, such as a day and a week, the shortest first.
        history: timesteps that statistical models look back; 0 means `lookback`.
        objective: what a forecast is.
        positive: whether the target is never below 0.
        intermittent: whether it is then often 0, like rare sales.
        asked: the options that the user gave.
        reasons: option that was proposed -> reason for its value.
    """

    csv: CsvFormat
    cleaning: Cleaning
    windows: SeriesWindows
    year: int
    cycles: list[int]
    history: int
    objective: Objective
    positive: bool
    intermittent: bool
    asked: Options
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The column to forecast."""
        return self.csv.target

    @property
    def step(self) -> int:
        """Rows of a timestep."""
        return self.cleaning.timestep

    @property
    def horizon(self) -> int:
        """Timesteps to forecast."""
        return self.windows.horizon

    @property
    def lookback(self) -> int:
        """Timesteps that a forecast sees."""
        return self.windows.lookback

    @property
    def by_multiples(self) -> bool:
        """Whether known columns, such as promotions, multiply demand."""
        return self.objective == "mean" and self.positive and bool(self.windows.future)

    @property
    def guesses(self) -> list[str]:
        """Lines on the options that were proposed, with reasons, fit for a terminal."""
        proposed = {
            "target": self.target,
            "step": self.step,
            "aggregate": self.cleaning.aggregate,
            "horizon": self.horizon * self.step,
            "lookback": self.lookback * self.step,
            "objective": self.objective,
        }
        return [
            printable(f"guessed   {option}: {proposed[option]}, {why}")
            for option, why in self.reasons.items()
        ]


@dataclass(frozen=True)
class SeasonalDefaults:
    """The cycles of rows, and what is usually asked of such rows.

    Attributes:
        day: timesteps of a day; 0 if a day is no whole number of timesteps.
        year: timesteps of a year of weeks, months or quarters; else 0.
        cycles: timesteps of each cycle that models look at, the shortest first.
        horizon: timesteps to forecast, and the reason.
        lookback: timesteps that a forecast sees, and the reason.
    """

    day: int
    year: int
    cycles: list[int]
    horizon: tuple[int, str]
    lookback: tuple[int, str]


NO_CYCLE = SeasonalDefaults(
    0, 0, [], (1, "the next timestep"), (24, "since no cycle is known")
)
"""The defaults of rows without a known cycle."""


def likely_target(profile: FileProfile) -> tuple[str, str]:
    """Return the column that most looks like a target, and the reason.

    The first of equal columns is taken.
    """
    scores = {name: _target_score(profile, name) for name in profile.targets}
    best = max(scores, key=scores.__getitem__)
    if len(scores) == 1:
        return best, "the only column that can be forecast"
    why = "by its name" if _is_named(profile, best) else "by its unit"
    if scores[best] < 1:
        why = "the first that may be forecast"
    return best, f"{why}; {argument('target')} names another"


def _words(profile: FileProfile, name: str) -> set[str]:
    """Return the words in the name of a column, in small letters."""
    return words_of(profile.columns[name].quantity)


def _is_named(profile: FileProfile, name: str) -> bool:
    """Return whether a column has the name of a target."""
    return any(re.search(TARGET_WORDS, word) for word in _words(profile, name))


def _is_covariate(profile: FileProfile, name: str) -> bool:
    """Return whether a column has the name of one that helps to forecast others."""
    return any(re.search(COVARIATE_WORDS, word) for word in _words(profile, name))


def _target_score(profile: FileProfile, name: str) -> int:
    column = profile.columns[name]
    score = 0
    if _is_named(profile, name):
        score += 4
    if _is_covariate(profile, name):
        score -= 2
    if column.unit:
        score += -1 if re.fullmatch(WEATHER_UNITS, column.unit) else 1
    if column.sparse:
        score -= 1
    return score


def propose(profile: FileProfile, wanted: Options) -> Proposal:
    """Return the question as the user wants it, with proposals for what was left out.

    The horizon is a day; for daily rows a week, for weekly rows four weeks, and for
    months a year. The lookback is four weeks; for daily rows eight weeks, and for
    weekly rows 53. It is made of whole cycles and spans at most a fifth of the
    rows, or a third of weeks and months.

    Raises:
        UnrollError: no column can be forecast.
        UsageError: the target, a column of `future` or the country does not exist, or
            rows and timesteps do not go together.
    """
    reasons = dict[str, str]()
    target = _target(profile, wanted.target, reasons)
    rules.require(column_rules.OF_TARGET, profile, target)
    step = wanted.step or 1
    aggregate = wanted.aggregate or _aggregate(profile, target)
    defaults = _seasonal_defaults(profile, step)
    cleaning = _cleaning(profile, step, aggregate, defaults.cycles)
    _require_whole_days(profile, step)
    hour = rows_of_hour(profile)
    if wanted.step is None and hour > 1:
        reasons["step"] = (
            f"each row is a timestep; {argument('step', hour)} would forecast the "
            f"{aggregate} of each hour"
        )
    future = _future(profile, target, wanted.future)
    csv = _csv(profile, target, future)
    values, unfinished = _timesteps(profile, csv, cleaning)
    if step > 1 and (wanted.aggregate is None or unfinished):
        why = "as asked" if wanted.aggregate else AGGREGATES[aggregate]
        reasons["aggregate"] = why + unfinished
    longest = _longest_window(profile, step, defaults)
    if wanted.horizon is None:
        horizon, reasons["horizon"] = usual_horizon(profile, step)
    else:
        horizon = timesteps_of("horizon", wanted.horizon, cleaning, MOST_TIMESTEPS)
    if wanted.lookback is None:
        lookback, why = defaults.lookback
        most = min(longest, DENSE_LOOKBACK)
        if lookback > most:
            fitting = [cycle for cycle in defaults.cycles if cycle <= most]
            cycle = max(fitting, default=1)
            lookback = most // cycle * cycle
            why = _short(profile) if most == longest else "since rows are dense"
        if lookback == defaults.year:
            lookback += 1  # the last row's change since a year before
        reasons["lookback"] = why
    else:
        lookback = timesteps_of("lookback", wanted.lookback, cleaning, MOST_LOOKBACK)
    most = max(1, MOST_KNOWN // (horizon + PAST))
    if len(future) > most:
        raise UsageError(
            f"{argument('future')} names {len(future)} columns, too many for a horizon of "
            f"{horizon}; keep the {most} that matter most"
        )
    history = 0
    if defaults.year and not profile.gaps and not profile.series_id:
        history = YEARS[defaults.year].history * defaults.year
    if wanted.holidays:
        day = np.array([profile.last], "datetime64[D]")
        holidays_of(wanted.holidays, day, day)  # raises if unknown
    of_target = profile.columns[target]
    windows = SeriesWindows(
        lookback=lookback,
        horizon=horizon,
        stride=ceil_div(profile.rows, MOST_WINDOWS * step),
        unit=of_target.unit,
        quantity=of_target.quantity,
        week=bool(defaults.day) or profile.calendar == "business",
        begun=bool(profile.series_id),
        future=future,
        holidays=wanted.holidays,
    )
    return Proposal(
        csv=csv,
        cleaning=cleaning,
        windows=windows,
        year=defaults.year,
        cycles=defaults.cycles,
        history=history,
        objective=wanted.objective or _objective(profile, target, values, reasons),
        positive=is_amount(values),
        intermittent=is_intermittent(values),
        asked=wanted,
        reasons=reasons,
    )


def _cleaning(
    profile: FileProfile, step: int, aggregate: Aggregate, cycles: Sequence[int]
) -> Cleaning:
    """Return how rows are cleaned: gaps are filled only where a file has some."""
    spacing = profile.freq * step
    has_gaps = bool(profile.missing or profile.gaps or profile.series_id)
    return Cleaning(
        spacing=spacing,
        fill=fill_limit(spacing) if has_gaps else None,
        repeat=cycles[0] if has_gaps and cycles else None,
        rows=profile.calendar,
        timestep=step,
        aggregate=aggregate,
    )


def _csv(profile: FileProfile, target: str, future: Sequence[str]) -> CsvFormat:
    """Return the form of the file with the columns that models see."""
    kept = {*profile.inputs, target, profile.series_id}
    words = [name for name in profile.inputs if not profile.columns[name].numeric]
    missing = [*profile.missing] or None
    if missing is None and (words or future):
        # An empty word is no category, and rows of known values to come have no target.
        missing = [""]
    return profile.form.model_copy(
        update={
            "target": target,
            "series_id": profile.series_id,
            "drop": [name for name in profile.columns if name not in kept],
            "categories": words,
            "missing": missing,
        }
    )


def usual_horizon(profile: FileProfile, step: int) -> tuple[int, str]:
    """Return the timesteps that are usually forecast of such rows, and the reason.

    Args:
        profile: the profile of the file.
        step: rows of a timestep.
    """
    defaults = _seasonal_defaults(profile, step)
    usual, why = defaults.horizon
    if usual > DENSE_HORIZON:
        usual = rows_of_hour(profile)
        why = "an hour"
    most = max(1, _longest_window(profile, step, defaults) // 2)
    return (usual, why) if usual <= most else (most, _short(profile))


def _short(profile: FileProfile) -> str:
    """Return the reason for less than the usual number of timesteps."""
    each = "each series" if profile.series_id else "the file"
    return f"since {each} is short"


def timesteps_of(name: str, wanted: int | str, cleaning: Cleaning, most: int) -> int:
    """Return the timesteps of a number of rows, or of a duration such as "24h".

    Args:
        name: what they are, such as "horizon".
        wanted: the rows or the duration.
        cleaning: the length of rows and timesteps.
        most: the largest number of timesteps.

    Raises:
        UsageError: they are no whole number of timesteps from 1 to `most`.
    """
    step = cleaning.timestep
    count = float(wanted) if isinstance(wanted, int) else 0.0
    timestep = f"{step:,} rows" if step > 1 else "a row"
    if isinstance(wanted, str):
        if cleaning.rows is not None:
            raise UsageError(
                f"{name} must be a number of rows, since rows are not evenly spaced. "
                f"Received: {wanted!r}"
            )
        timestep = duration(cleaning.spacing or 1)
        count = seconds_of(wanted) * step / (cleaning.spacing or 1)
    if count % step or not 1 <= count / step <= most:
        raise UsageError(
            f"{name} must be a whole number of timesteps, 1 to {most:,}, and a timestep "
            f"is {timestep}. Received: {wanted!r}"
        )
    return int(count) // step


def _timesteps(
    profile: FileProfile, csv: CsvFormat, cleaning: Cleaning
) -> tuple[Array, str]:
    """Return the measured target (timesteps,) of all series, without missing values.

    The text names the last timestep if its last rows are not there yet.

    Raises:
        UsageError: no timestep has values enough.
    """
    values = profile.columns[csv.target].measured
    table = SeriesTable(
        profile.timestamps, [csv.target], values[:, None], profile.of_rows
    )
    measured = table.only(np.isfinite(values))
    table = measured_rows.timesteps_of(measured, csv, cleaning)
    known = np.isfinite(table.values[:, 0])
    if not known.any():
        raise UsageError(
            f"{argument('step', cleaning.timestep)}: no timestep has half of its rows; "
            f"pass a smaller {argument('step')}, or leave it out"
        )
    last = table.timestamps.max(keepdims=True)
    unfinished = ""
    if last not in table.timestamps[known]:
        begin = shown(measured_rows.on_clock(last, csv, cleaning)[0])
        unfinished = f"; the last timestep, at {begin}, lacks rows and is left out"
    return table.values[known, 0], unfinished


def _aggregate(profile: FileProfile, target: str) -> Aggregate:
    """Return the sum if a column is an amount by its unit, else by its name."""
    unit = profile.columns[target].unit
    words = {unit.lower()} if unit else _words(profile, target)
    return "sum" if any(re.search(AMOUNT_WORDS, word) for word in words) else "mean"


def _require_whole_days(profile: FileProfile, step: int) -> None:
    """Raise UsageError unless each open day is a whole number of timesteps."""
    rows = row_calendar.slots_per_day(profile.calendar, profile.freq)
    timesteps = row_calendar.slots_per_day(profile.calendar, profile.freq * step)
    if rows != [count * step for count in timesteps]:
        raise UsageError(
            f"{argument('step', step)} does not divide the rows of each day, {rows}; "
            f"pass another {argument('step')}, or leave it out"
        )


def _objective(
    profile: FileProfile, target: str, known: Array, reasons: dict[str, str]
) -> Objective:
    """Return the mean for sales and for small counts, else the median.

    The median of rare sales is 0, and that of all counts is below their mean. Numbers
    of megawatts may be whole, too, and where it is open the median has less error.
    Whether amounts are whole is asked of the file's rows, since the sum of a week that
    lacks a day is scaled.
    """
    rare = is_intermittent(known)
    of_file = profile.columns[target].measured
    whole = is_amount(known) and bool((of_file[np.isfinite(of_file)] % 1 == 0).all())
    unit = profile.columns[target].unit
    words = [unit.lower(), *_words(profile, target)]
    ordered = any(re.search(ORDERED_WORDS, word) for word in words)
    if ordered and (rare or whole):
        reasons["objective"] = "since values are amounts that somebody orders"
        return "mean"
    small = rare or len(np.unique(known)) <= FEW_VALUES
    if whole and small and not unit and not _is_covariate(profile, target):
        reasons["objective"] = "since values are small counts"
        return "mean"
    reasons["objective"] = (
        "since values are neither small counts nor whole amounts that somebody orders"
    )
    return "median"


def is_amount(known: Array) -> bool:
    """Return whether values are amounts: not below 0, but for some that come back."""
    return len(known) > 0 and bool(np.mean(known < 0) <= MOST_RETURNS)


def is_intermittent(known: Array) -> bool:
    """Return whether a target is an amount and often 0, like rare sales."""
    return is_amount(known) and bool(np.mean(known == 0) >= ZERO_SHARE)


def _target(profile: FileProfile, wanted: str | None, reasons: dict[str, str]) -> str:
    if not profile.targets:
        columns = [
            f"{name!r}: {profile.useless(name) or 'words'}" for name in profile.columns
        ]
        raise UnrollError(
            one_line(f"no column holds numbers to forecast ({', '.join(columns):.300})")
        )
    if wanted is None:
        target, why = likely_target(profile)
        if {*profile.columns} - {target, profile.series_id}:
            reasons["target"] = why
        return target
    target = column_named(wanted, profile.targets)
    if target in profile.targets:
        return target
    others = ", ".join(profile.targets)
    text = f"target must be one of: {others}. Received: {target!r}"
    if target in profile.columns:
        useless = profile.useless(target) or "no column of numbers"
        text = (
            f"{argument('target', target)}: it is {useless}, so there is nothing to "
            f"forecast. Other columns: {others}"
        )
    raise UsageError(one_line(text))


def _future(profile: FileProfile, target: str, wanted: Sequence[str]) -> list[str]:
    names = [column_named(name, profile.targets) for name in wanted]
    others = [name for name in profile.targets if name != target]
    for name in names:
        if name not in others:
            raise UsageError(
                "future must name columns of numbers besides the target: "
                f"{', '.join(others) or 'there are none'}. Received: {name!r}"
            )
    return names


def perhaps_known(profile: FileProfile, proposal: Proposal) -> str:
    """Return a line on the first column that may be known beforehand; "" if none may.

    There is none if columns were named, or if the target is such a column itself, as in
    records of the weather.
    """
    target = proposal.target
    if proposal.windows.future or _is_covariate(profile, target):
        return ""
    for name in profile.targets:
        if name != target and _is_covariate(profile, name):
            return printable(
                f"guessed   future: none; pass {argument('future', name)} if the values "
                "of this column are known beforehand, for example as a forecast"
            )
    return ""


def rows_of_hour(profile: FileProfile) -> int:
    """Return the rows of an hour if rows lie less than half an hour apart, else 1."""
    if profile.freq >= HOUR // 2 or HOUR % profile.freq:
        return 1
    step = HOUR // profile.freq
    # Each open day must be a whole number of timesteps; else the time of day would
    # drift.
    rows_per_day = row_calendar.slots_per_day(profile.calendar, profile.freq)
    while any(rows % step for rows in rows_per_day):
        step -= 1
    return step


def _seasonal_defaults(profile: FileProfile, step: int) -> SeasonalDefaults:
    timestep = profile.freq * step
    rows_per_day = row_calendar.slots_per_day(profile.calendar, profile.freq)
    if isinstance(profile.calendar, str):
        return _by_calendar(profile.calendar, timestep // DAY)
    if timestep == 7 * DAY:
        return SeasonalDefaults(0, WEEKS, [WEEKS], (4, "four weeks"), (WEEKS, "a year"))
    if not rows_per_day and DAY % timestep:
        return NO_CYCLE
    rows_per_day = rows_per_day or [DAY // profile.freq] * 7
    day = max(rows_per_day) // step
    week = sum(rows_per_day) // step
    # Days of different lengths: yesterday's rows are no fixed number of rows away.
    likely = [day, week] if len({*rows_per_day}) == 1 else [week]
    cycles = [cycle for cycle in likely if cycle > 1]
    if day > 1:
        return SeasonalDefaults(
            day, 0, cycles, (day, "a day"), (4 * week, "four weeks")
        )
    if not day and not cycles:
        return NO_CYCLE
    horizon = (week, "a week") if cycles else (1, "the next timestep")
    return SeasonalDefaults(day, 0, cycles, horizon, (8 * week, "eight weeks"))


def _by_calendar(calendar: str, count: int) -> SeasonalDefaults:
    """Return the defaults of business days, or of rows that lie `count` months apart."""
    if calendar == "business":
        return SeasonalDefaults(0, 0, [5], (5, "a week"), (40, "eight weeks"))
    year = 12 // count
    if year not in YEARS:
        return NO_CYCLE
    return SeasonalDefaults(
        0, year, [year], (year, "a year"), (8 * year, "eight years")
    )


def _longest_window(profile: FileProfile, step: int, defaults: SeasonalDefaults) -> int:
    longest = max(2, int(profile.length * WINDOW_SHARE) // step)
    if not defaults.year:
        return longest
    years = YEARS[defaults.year].lookback * defaults.year
    if defaults.year == WEEKS and profile.length >= FEWEST_WEEKS:
        return max(longest, years)
    return max(longest, min(years, int(profile.length * YEARLY_WINDOW_SHARE)))


def train_share(profile: FileProfile, proposal: Proposal) -> float:
    """Return the share of the rows, the first ones, that lie before the first cutoff.

    It is larger than `TRAIN` where a year of weeks would leave too few windows.
    """
    if proposal.year != WEEKS:
        return TRAIN
    window = proposal.step * (proposal.lookback + proposal.horizon)
    return max(TRAIN, (window + FEWEST_WINDOWS + 1) / profile.length)


def is_short(profile: FileProfile, proposal: Proposal) -> bool:
    """Return whether series are too short to be cut into windows.

    Panels of months, quarters and years are short, too, since models of whole series
    forecast them better; but these see no columns that are known beforehand.
    """
    rows_of_months = (
        isinstance(profile.calendar, str) and profile.calendar != "business"
    )
    if profile.series_id and rows_of_months and not proposal.windows.future:
        return True
    if _begins_late(profile, proposal.target) or ends_apart(profile, proposal):
        return True
    horizon = proposal.step * proposal.horizon
    window = proposal.step * proposal.lookback + horizon
    before = int(train_share(profile, proposal) * profile.length) - window
    # cutoffs lie in the last half of the windows, and a horizon ends before the first
    known = int(TRAIN * (profile.length - window)) - horizon
    return min(before, known) < FEWEST_WINDOWS


def ends_apart(profile: FileProfile, proposal: Proposal) -> str:
    """Return a line on a panel most of whose series end before the file; else "".

    Such series have no period in common, as those of a competition have not.
    """
    if not profile.series_id:
        return ""
    every = distinct(profile.timestamps)
    behind = len(every) - 1 - np.searchsorted(every, profile.ends)  # rows
    has_ended = behind >= proposal.step * proposal.horizon
    if 2 * has_ended.sum() <= len(behind):
        return ""
    return (
        "ends      differ by more than a horizon: each series is forecast from its own"
    )


def _begins_late(profile: FileProfile, target: str) -> bool:
    """Return whether a single series is the same up to the first cutoff.

    Such are zeros before a product is sold.
    """
    values = profile.columns[target].measured[np.argsort(profile.timestamps)]
    known = values[np.isfinite(values)]
    before = known[: int(TRAIN * len(known))]
    is_alone = profile.series_id is None
    return is_alone and len(before) > 0 and np.ptp(before) == 0 < np.ptp(known)


def too_far(profile: FileProfile, proposal: Proposal) -> str:
    """Return a line on a horizon that makes series short; "" if it is not the cause."""

    def is_too_far(horizon: int) -> bool:
        windows = proposal.windows.model_copy(update={"horizon": horizon})
        return is_short(profile, replace(proposal, windows=windows))

    # the number of shorter horizons that leave enough windows, and so the longest of them
    longest = bisect.bisect(range(1, proposal.horizon), False, key=is_too_far)
    if not longest:
        return ""
    rows = proposal.horizon * proposal.step
    most = longest * proposal.step
    return (
        f"models    those of short series, since a horizon of {rows:,} rows leaves too "
        f"few windows to train others, which take up to {most:,} rows"
    )
