"""The rule by which a comparison of two models is decided: an interval of the change in
error, against a band.

Differences inside the band do not matter in practice. Kruschke 2018, "Rejecting or
accepting parameter values in Bayesian estimation", Advances in Methods and Practices in
Psychological Science 1, calls the band a region of practical equivalence and decides by
the 95 % interval, as this module does. Benavoli and others 2017, "Time for a change",
Journal of Machine Learning Research 18 (the library baycomp), compare machine-learning
models that way.
"""

import math
from enum import StrEnum

BAND = 0.05
"""The largest change in error that does not matter, as a fraction of the opponent's
error."""


class Word(StrEnum):
    """What a comparison of a model with its opponent shows."""

    HELPS = "helps"
    HURTS = "hurts"
    SAME = "no difference that matters"
    OPEN = "open"


def decide(low: float | None, high: float | None, band: float = BAND) -> Word:
    """Decide by where the interval of a change in error lies.

    Args:
        low: the lower end of the interval, as a fraction of the opponent's error: -0.04
            is 4 % less error. None or NaN where there is no interval.
        high: the upper end.
        band: changes between -band and +band do not matter.

    Returns:
        HELPS if the interval lies wholly below the band, HURTS if wholly above, SAME if
        wholly inside, else OPEN.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return Word.OPEN
    if high < -band:
        return Word.HELPS
    if low > band:
        return Word.HURTS
    if low >= -band and high <= band:
        return Word.SAME
    return Word.OPEN


def band_above_floor(error: float, floor: float, band: float = BAND) -> float:
    """Return the band where no model can have less error than a floor, such as the
    noise of generated data.

    The band is then a fraction of the error above the floor, since only that part can
    be learnt.

    Args:
        error: the opponent's error.
        floor: the least error that is possible, in the same unit.
        band: as a fraction of the error above the floor.

    Returns:
        The same band as a fraction of the opponent's whole error, for `decide`; 0 if
        the opponent is at the floor.
    """
    if error <= floor:
        return 0.0
    return band * (error - floor) / error
