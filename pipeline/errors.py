"""Errors that a user can act on. The command line prints their text as one line,
without a traceback.
"""

import errno
import re
import shutil


class UnrollError(Exception):
    """An error outside the code: in a file, the network or a value. Exit code 1.

    The text says what is wrong, where it is wrong, and what to do.
    """


class UsageError(UnrollError):
    """A name or an option that does not exist or is misspelt. Exit code 2.

    The text lists what is valid.
    """


class UnknownAheadError(UnrollError):
    """A forecast is impossible: a column that must be known in advance is not known for
    the rows to come.

    Attributes:
        what: what is not known.
        advice: what the user can do.
    """

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}"


class UnusableSeriesError(UnrollError):
    """Some of several series have too few rows or nothing to learn.

    Attributes:
        reasons: name of a series -> the reason why it cannot be used.
        every: whether no usable series is left.
        why: all reasons in one text.
    """

    def __init__(self, reasons: dict[str, str], count: int) -> None:
        self.reasons = reasons
        self.every = len(reasons) == count
        self.why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        super().__init__(
            f"{len(reasons)} of {count} series cannot be used ({self.why})"
        )


class DivergedError(UnrollError):
    """The training loss of one seed of an experiment became NaN or infinite.

    Epoch and step count from 1; a method that does not know the step has 0.
    """

    def __init__(
        self, dataset: str, experiment: str, seed: int, epoch: int, step: int = 0
    ) -> None:
        at = f"epoch {epoch}, step {step}" if step else f"epoch {epoch}"
        super().__init__(
            f"{experiment}: the loss is not a finite number in {at} (seed {seed}); "
            f"lower experiments.{dataset}.{experiment}.training.learning_rate in "
            "params.yaml, or check the data set"
        )


STOPPED = "stopped; what was finished is kept, the same command goes on from there"
"""The message after Ctrl-C."""


class StoppedError(Exception):
    """A process of this command was stopped, by Ctrl-C or by a request to end.

    The process has told the user already. Exit code 130.
    """


def without_password(text: str) -> str:
    """Return the text without the user's name and password in each address."""
    return re.sub(r"(://?|//)\S*@", r"\1", text)


OUT_OF_MEMORY = re.compile("^ResourceExhaustedError|can't start new thread")
"""How TensorFlow and threads say that memory ran out."""


def printable(text: str, kept: str = "") -> str:
    """Return the text with each unprintable character as an escape.

    Control characters and line ends in a file or its name must not steer the terminal.
    The characters of `kept` and two common spaces stay.
    """
    kept += "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def explain(error: BaseException) -> str | None:
    """Return a message for the user about an error; None for a mistake in the code."""
    text = None
    match error:
        case UnrollError():
            text = str(error)
        # Of a copied folder; the reason begins with "[Errno 28] No space left".
        case shutil.Error(args=[[(_, target, reason), *_]]):
            why = str(reason).partition(":")[0]
            text = f"{target} cannot be written ({why}); check the disk, then go on"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = error.filename or "while writing"
            text = f"the disk is full ({where}); free some room, then run it again"
        case OSError() if error.filename:
            # the final path of a file that was being written (`files.unfinished`)
            where = re.sub(r"\.([^/]+)\.\d+\.\w+\.tmp$", r"\1", str(error.filename))
            text = (
                f"{where}: {error.strerror}; "
                "check that it is there and who may read and write it"
            )
        case OSError():
            text = (
                f"a file cannot be read or written ({error.strerror or error}); "
                "check the disk and its limits, then go on"
            )
        case _ if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(
            f"{type(error).__name__} {error}"
        ):
            text = (
                "memory ran out; close other programs or make the data set smaller in "
                "params.yaml"
            )
    return text
