"""Errors that a user can act on. The command line prints their text as one line,
without a traceback.
"""

import re


class UnrollError(Exception):
    """Something outside the code is wrong: a file, the network, a value. Exit code 1.

    The text says what is wrong, where, and what to do.
    """


class UsageError(UnrollError):
    """A name or an option does not exist or is misspelt. Exit code 2. The text lists
    what is valid.
    """


class UnknownAheadError(UnrollError):
    """A column that must be known of the rows to come is not known, so that they cannot
    be forecast.
    """


class UnusableSeriesError(UnrollError):
    """Some of several series have too few rows or nothing to learn.

    Attributes:
        reasons: name -> why.
        every: whether no series is left.
        why: the reasons in words.
    """

    def __init__(self, reasons: dict[str, str], count: int) -> None:
        self.reasons = reasons
        self.every = len(reasons) == count
        self.why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        super().__init__(
            f"{len(reasons)} of {count} series cannot be used ({self.why})"
        )


class DivergedError(UnrollError):
    """The training loss of an experiment's replicate became NaN or infinite; epoch and
    step count from 1.
    """

    def __init__(self, experiment: str, seed: int, epoch: int, step: int) -> None:
        super().__init__(
            f"{experiment}: the loss is not a finite number in epoch {epoch}, "
            f"step {step} (seed {seed}); "
            f"lower experiments.{experiment}.training.learning_rate or "
            "check the data set"
        )


class StoppedError(Exception):
    """A process of this command was stopped by Ctrl-C or a request to end, and has told
    the user. Exit code 130.
    """


def without_password(text: str) -> str:
    """Return the text with every address in it as it is without a user's name and
    password.
    """
    return re.sub(r"(://?|//)\S*@", r"\1", text)


def printable(text: str, kept: str = "") -> str:
    """Return the text with control characters, line ends and others that nobody sees as
    escapes, but for some that are `kept`: what is in a file or its name must not steer
    the terminal that it is shown on.
    """
    kept += "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())
