"""The rule by which a comparison of two models is decided: an interval of the change in
error, against a band.

Differences inside the band do not matter in practice. Kruschke 2018, "Rejecting or
accepting parameter values in Bayesian estimation", Advances in Methods and Practices in
Psychological Science 1, calls the band a region of practical equivalence and decides by
the interval, as this module does. Benavoli and others 2017, "Time for a change",
Journal of Machine Learning Research 18 (the library baycomp), compare machine-learning
models that way.
"""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.evaluation.intervals import LEVEL, Difference

BAND = 0.05
"""The largest change in error that does not matter, as a fraction of the opponent's
error."""


class Word(StrEnum):
    """The outcome of comparing a model with its opponent; NOT_ASKED if there is nothing
    to compare.
    """

    HELPS = "helps"
    HURTS = "hurts"
    SAME = "no difference that matters"
    OPEN = "open"
    NOT_ASKED = "not asked"


def decide(low: float | None, high: float | None, band: float = BAND) -> Word:
    """Return the outcome for the interval of a change in error.

    Args:
        low: the lower end of the interval, as a fraction of the opponent's error: -0.04
            is 4 % less error. None or NaN if there is no interval.
        high: the upper end.
        band: changes between -band and +band do not matter.

    Returns:
        HELPS if the interval lies wholly below the band, HURTS if wholly above, SAME if
        wholly inside, else OPEN.
    """
    if low is None or high is None:
        return Word.OPEN
    inside = {
        Word.HELPS: high < -band,
        Word.HURTS: low > band,
        Word.SAME: low >= -band and high <= band,
    }
    return next((word for word, holds in inside.items() if holds), Word.OPEN)


def band_above_floor(error: float, floor: float) -> float:
    """Return the band for data on which no model can have less error than a floor.

    Noise of generated data is such a floor. The band is then the fraction `BAND` of
    the error above the floor, since only that part can be learnt.

    Args:
        error: the opponent's error.
        floor: the least error that is possible, in the same unit.

    Returns:
        The same band as a fraction of the opponent's whole error, for `decide`; 0 if
        the opponent is at the floor.
    """
    if error <= floor:
        return 0.0
    return BAND * (error - floor) / error


@dataclass(frozen=True)
class Comparison:
    """The change in error from an opponent to a model, and its outcome.

    Attributes:
        outcome: the word of the rule.
        change: the change in error, as a fraction of the opponent's error: -0.04 is 4 %
            less. If the opponent has no error, the difference of the two errors.
        low: the lower end of the interval of the change.
        high: the upper end.
        band: changes between -band and +band do not matter.
        relative: whether the change is a fraction of the opponent's error.
        level: the level of the interval.
    """

    outcome: Word
    change: float
    low: float
    high: float
    band: float = BAND
    relative: bool = True
    level: float = LEVEL

    @property
    def amount(self) -> str:
        """The change and its interval: "-4.4 % error (-7.4 to -1.4 %)"."""
        if not self.relative:
            return f"{self.change:+.3g} error ({self.low:+.3g} to {self.high:+.3g})"
        mean, interval = change_text(self.change, self.low, self.high)
        return f"{mean} error ({interval})" if interval else f"{mean} error"

    def __str__(self) -> str:
        return f"{self.outcome}: {self.amount}"


def compare(difference: Difference, error: float, floor: float = 0.0) -> Comparison:
    """Compare two models.

    Args:
        difference: the model's error minus the opponent's.
        error: the opponent's error on test; for an accuracy, the fraction that is
            wrong.
        floor: the least error that any model can have; 0 if it is not known.
    """
    low, change, high = difference.in_errors(error)
    if error:
        low = max(-1.0, low / error)
        change = max(-1.0, change / error)
        high = max(-1.0, high / error)
    band = band_above_floor(error, floor)
    return Comparison(
        decide(low, high, band),
        change,
        low,
        high,
        band,
        relative=error > 0,
        level=difference.level,
    )


LARGEST = 1000.0
"""The largest change in error that is written out, as a fraction."""


def change_text(change: float, low: float, high: float) -> tuple[str, str]:
    """Return a change in error and its interval in per cent, as text.

    For example "-4.4 %" and "-7.4 to -1.4 %". The interval is empty if it begins above
    `LARGEST`.
    """
    mean = f"{_percent(change)} %"
    if low > LARGEST:
        return mean, ""
    return mean, f"{_percent(low)} to {_percent(high)} %"


def _percent(fraction: float) -> str:
    if fraction > LARGEST:
        return f"over +{100 * LARGEST:,.0f}"
    decimals = 1 if abs(fraction) < 0.0995 else 0
    # -99.96 % is not -100 %: an error is left
    while fraction > -1 and round(fraction, decimals + 2) <= -1 and decimals < 3:
        decimals += 1
    return f"{100 * fraction:+,.{decimals}f}"
