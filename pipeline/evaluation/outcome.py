"""The words of every verdict, and what each one means: the same on the page, on the
terminal, in MLflow and in docs.
"""

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """A verdict's word; `meaning` is its line for a reader who meets it."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """An ordinary text with a meaning."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    YES = (
        "yes",
        "The best recurrent network has less error on test than the best model without recurrence.",
    )
    NO = (
        "no",
        "The best recurrent network has more error on test than the best model without recurrence.",
    )
    BETTER = "better", "Less error on test than the best model without recurrence."
    WORSE = "worse", "More error on test than the best model without recurrence."
    SAME = (
        "no difference",
        "The errors differ by less than 5 %: both ends of the interval, here 90 %, lie within that.",
    )
    HOLDS = "holds", "The rebuild agrees with the document."
    LITTLE = "says little", "The rebuild agrees, and so would a simple baseline."
    FAILS = "does not hold", "The rebuild contradicts the document."
    UNSURE = (
        "cannot tell",
        "The interval is too wide to decide, or a network had not converged; what is lacking is said.",
    )
    SHORT = (
        "too short",
        "The test rows span less than 84 days, and one season ranks nothing.",
    )
    NOT_ASKED = (
        "not asked",
        "There is no past to learn from, or nothing to compare with.",
    )
    NOT_BUILT = "not built", "Nothing is trained for it yet."
    STAND_IN = (
        "stand-in",
        "Made from generated data in place of the real ones: no result.",
    )
