"""Is one model better than another, the same, or can we not tell? By the rule of
docs/decisions/verdicts.md.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from pipeline.evaluation.intervals import Difference, Interval, Part
from pipeline.evaluation.outcome import Outcome

ALPHA = 0.05
"""How often a table with nothing in it may show a difference, and how often one of real
differences equal errors."""

MARGIN = 0.05
NEGLIGIBLE = 1e-3
"""What counts as no difference: this share of the opponent's error; where that is below
`NEGLIGIBLE` times the naive model's, the latter."""

SEASON = 84
"""Days of test rows below which nothing is ranked on a series that has days: they are
of one season."""

SEEDS = 100
ROWS = 4
MOST = 1000
"""What would decide is first sought in more seeds alone, up to so many; then in so many
times the rows alone; then in both, up to so many times what there is."""

FAR = 10.0
UNTOLD = 1000.0
"""Times the other's error from which on a change is told as a factor, and beyond which
the factor says nothing."""


@dataclass(frozen=True)
class Change:
    """How much more error one model has than another, as a fraction of the other's:
    -0.04 is 4 % less.

    The error is the measure; of an accuracy it is the fraction that is wrong.
    """

    mean: float
    interval: Interval

    @property
    def words(self) -> tuple[str, str]:
        """The change and its interval: -4.4 % and -7.4 to -1.4 %, or 41 times and 35 to
        48 times; beyond 1,000 none.
        """
        low, high = self.interval
        if low + 1 > UNTOLD:
            return _times(low), ""
        if self.mean + 1 >= FAR:
            return _times(self.mean), f"{_times(low)} to {_times(high)}".replace(
                " times", "", 1
            )
        ends = (
            f"{_percent(low)} to {_percent(high)} %"
            if high + 1 < FAR
            else f"{_percent(low)} % to {_times(high)}"
        )
        return f"{_percent(self.mean)} %", ends

    def __str__(self) -> str:
        mean, interval = self.words
        return f"{mean} {'the ' * mean.endswith('times')}error{f' ({interval})' if interval else ''}"


def _times(change: float) -> str:
    factor = change + 1
    if factor > UNTOLD:
        return f"over {UNTOLD:,.0f} times"
    return (
        f"{factor:.1f} times"
        if factor < FAR
        else f"{float(f'{factor:.2g}'):,.0f} times"
    )


def _percent(fraction: float) -> str:
    """Whole from 10 on; below -99 with the first digit of what is left, for no error
    but 0 is 100 % less.
    """
    left = 1 + fraction
    digits = (
        1
        if abs(fraction) < 0.0995
        else -math.floor(math.log10(100 * left))
        if 0 < left < 0.01
        else 0
    )
    return f"{100 * fraction:+.{digits}f}"


@dataclass(frozen=True)
class Pair:
    """Two models on the same examples, before the levels of a table decide.

    Attributes:
        difference: of their errors, the one's less the other's.
        error: the other's, on test; of an accuracy the fraction that is wrong.
        naive: the error of the best naive model; None where that is not known.
        days: that the test rows of a series span; None where it knows no days.
        unfinished: why the one, and why the other has not converged; empty of what has.
    """

    difference: Difference
    error: float
    naive: float | None = None
    days: float | None = None
    unfinished: tuple[str, str] = ("", "")

    @property
    def equivalence(self) -> float:
        """The p-value of two one-sided tests within the margin."""
        return self.difference.equivalence(*self.margin)

    @property
    def margin(self) -> Interval:
        """Within which there is no difference, on the scale of `difference`."""
        if self.naive is not None and self.error < NEGLIGIBLE * self.naive:
            width = NEGLIGIBLE * self.naive
            # No error is less than none, so one that is negligible cannot be undercut
            # by more than the margin.
            return (
                (-math.inf, math.log1p(width / self.error))
                if self.difference.log
                else (-width, width)
            )
        width = math.log1p(MARGIN) if self.difference.log else MARGIN * self.error
        return -width, width


Unit = Literal["weeks", "examples", "seeds"]
"""Of what a comparison lacks. Weeks are test rows of a series that has days, examples
those of all else."""


class Lack(NamedTuple):
    """What there would have to be for a comparison to be decided, and what there is."""

    unit: Unit
    needed: float
    now: float

    def __str__(self) -> str:
        """Such as "12 seeds (there are 3)"."""
        unit = {"weeks": "weeks of test rows", "examples": "test examples"}.get(
            self.unit, self.unit
        )
        return f"{self.needed:,.0f} {unit} (there are {self.now:,.0f})"


@dataclass(frozen=True)
class Comparison:
    """What a table says of a pair.

    Attributes:
        pair: the two.
        outcome: BETTER, WORSE or SAME; UNSURE or SHORT with a reason.
        level: of the interval that decides: it excludes 0 where one is better, and lies
            within the margin of SAME.
        why: the season or the network that nothing can be decided by; else empty.
        of_same: the level at which no difference would have been seen.
    """

    pair: Pair
    outcome: Outcome
    level: float = 1 - ALPHA
    why: str = ""
    of_same: float = ALPHA

    @cached_property
    def lacks(self) -> list[Lack]:
        """What would decide it; empty where something is decided, or nothing can be."""
        unsure = self.outcome == Outcome.UNSURE and not self.why
        return lacking(self.pair, 1 - self.level, self.of_same) if unsure else []

    @property
    def reason(self) -> str:
        """Why nothing is decided, and what would decide it; empty where something is."""
        if self.why or self.outcome != Outcome.UNSURE:
            return self.why
        lacks = (
            " and ".join(map(str, self.lacks))
            or "no number of rows and seeds that can be had"
        )
        return f"{'about ' * bool(self.lacks)}{lacks} would decide"

    @property
    def difference(self) -> Difference:
        """Of the errors."""
        return self.pair.difference

    @property
    def interval(self) -> Interval:
        """Of the difference."""
        return self.difference.interval(self.level)

    @property
    def change(self) -> Change | None:
        """Of the error; None where the other's is none, so that there is nothing to be
        a fraction of.
        """
        error = self.pair.error
        if not error:
            return None
        low, mean, high = (
            max(-1.0, end / error)
            for end in in_errors(self.difference, self.level, error)
        )
        return Change(mean, (low, high))

    @property
    def amount(self) -> str:
        """How much more error, and its interval: as a change, or where there is none as
        the difference itself.
        """
        low, high = self.interval
        return str(
            self.change or f"{self.difference.mean:+.3g} ({low:+.3g} to {high:+.3g})"
        )

    def __str__(self) -> str:
        return (
            f"{self.outcome}: {self.amount}{f'; {self.reason}' if self.reason else ''}"
        )


def in_errors(
    difference: Difference, level: float, error: float
) -> tuple[float, float, float]:
    """A difference of errors, and the ends of its interval around it, by what the
    other's error is.
    """
    low, high = difference.interval(level)
    if not difference.log:
        return low, difference.mean, high
    # e^710 is no number any more.
    low, mean, high = (
        error * math.expm1(min(end, 700.0)) for end in (low, difference.mean, high)
    )
    return low, mean, high


def holm(p_values: Sequence[float]) -> list[float]:
    """The level at which each p-value of one table is decided, by Holm's method: what
    is below it is seen.

    The least of m has `ALPHA` / m, the next `ALPHA` / (m - 1), and so on. All that come
    after the first one that is not below its level have that one's level, and so are
    not below it either.
    """
    levels = [ALPHA] * len(p_values)
    level = ALPHA
    rejecting = True
    for rank, index in enumerate(
        sorted(range(len(p_values)), key=lambda index: p_values[index])
    ):
        if rejecting:
            level = ALPHA / (len(p_values) - rank)
            rejecting = p_values[index] < level
        levels[index] = level
    return levels


def too_short(days: float | None) -> str:
    """Why test rows that span so many days rank nothing; empty if they do, or if there
    are no days.
    """
    return (
        f"the test rows span {days:.0f} days, less than {SEASON}"
        if days is not None and days < SEASON
        else ""
    )


def decide(pairs: Sequence[Pair]) -> list[Comparison]:
    """All pairs of one table, corrected for how many there are: first which one is
    better, then what is the same.
    """
    decided = {
        index: Comparison(pair, Outcome.SHORT, why=why)
        for index, pair in enumerate(pairs)
        if (why := too_short(pair.days))
    }
    ranked = [index for index in range(len(pairs)) if index not in decided]
    levels = dict(
        zip(
            ranked,
            holm([pairs[index].difference.p_value for index in ranked]),
            strict=True,
        )
    )
    left = [
        index
        for index, level in levels.items()
        if pairs[index].difference.p_value >= level
    ]
    of_same = dict(
        zip(left, holm([pairs[index].equivalence for index in left]), strict=True)
    )
    for index, level in levels.items():
        pair = pairs[index]
        same = of_same.get(index, 0.0)
        of_one, of_other = pair.unfinished
        if index not in of_same:
            worse = pair.difference.mean > 0
            outcome, why = (
                (Outcome.WORSE, of_one) if worse else (Outcome.BETTER, of_other)
            )
        elif pair.equivalence < same:
            outcome = Outcome.SAME
            why = of_one or of_other
        else:
            outcome = Outcome.UNSURE
            why = ""
        # Each end of an interval that shows sameness is a one-sided test.
        confidence = 1 - 2 * same if outcome == Outcome.SAME else 1 - level
        decided[index] = Comparison(
            pair, Outcome.UNSURE if why else outcome, confidence, why, same
        )
    return [decided[index] for index in range(len(pairs))]


def lacking(pair: Pair, level: float, of_same: float) -> list[Lack]:
    """How many seeds, or else rows, or else both would decide, if the difference and
    its scatter stayed as they are.

    Args:
        pair: nothing of which is decided.
        level: at which a difference would be seen.
        of_same: at which it would be seen that there is none.

    Returns:
        Rows first; empty where no number of them would decide.
    """
    now = pair.difference
    blocks = pair.difference.rows.draws
    seeds = min(
        (part.draws for part in (now.seeds, now.other_seeds) if part.variance),
        default=0,
    )

    def decides(then: Difference) -> bool:
        return (
            then.p_value < level or replace(pair, difference=then).equivalence < of_same
        )

    # In steps of a twentieth: more would be said than is known.
    factors = [1.05**step for step in range(1, math.ceil(math.log(MOST, 1.05)))]
    for more in (
        [
            now.with_more(0, math.ceil(seeds * factor))
            for factor in factors
            if seeds * factor <= SEEDS
        ],
        [
            now.with_more(math.ceil(blocks * factor), 0)
            for factor in factors
            if factor <= ROWS
        ],
        [
            now.with_more(math.ceil(blocks * factor), math.ceil(seeds * factor))
            for factor in factors
        ],
    ):
        index = bisect.bisect_left(more, True, key=decides)
        if index < len(more):
            then = more[index]
            unit: Unit = "weeks" if pair.days else "examples"
            rows = _lacks(
                now.rows, then.rows, unit, pair.days / 7 / blocks if pair.days else 1.0
            )
            of_one = _lacks(now.seeds, then.seeds)
            of_other = _lacks(now.other_seeds, then.other_seeds)
            return rows + (of_one or of_other)
    return []


def _lacks(
    now: Part, then: Part, unit: Unit = "seeds", each: float = 1.0
) -> list[Lack]:
    """With two digits; empty where there are enough. `each`: units in a draw."""
    return (
        [Lack(unit, float(f"{then.draws * each:.2g}"), now.draws * each)]
        if then.draws > now.draws
        else []
    )
