"""A student's program in a child process, on rows of our choosing, and the numbers that
it prints.
"""

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline import numerics
from pipeline.data.examples import Array
from unroll.lab.child import MEMORY, NAME, NOTES, OUTPUT, prctl

NUMBER = re.compile(
    r"(?i)(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e)|nan\b|inf\b)(?:e[-+]?\d+)?(?![\d.]|\s*(?:s|sec\w*|ms|%))"
)
ANY = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?|\s+")
Bounds = tuple[float, float]
PrintedSeries = dict[tuple[str, int], list["PrintedNumber"]]
"""The words of a line and which of its numbers -> those that were printed there, epoch
by epoch."""

ENOUGH = 12
"""So many lines alike are read where no number is one that we expect."""

LINE = 2**16
BEAT = 0.1
"""Bytes that are read of a line; seconds between two looks at what is printed."""


class Wrong(Exception):  # noqa: N818 - a verdict
    """What is wrong with the program."""


class Undecided(Exception):  # noqa: N818
    """Why it cannot be told."""


class PrintedNumber(NamedTuple):
    """What it stands for is at most `half`, half a unit of its last digit, from
    `value`.
    """

    value: float
    half: float

    def is_in(self, low: float, high: float) -> bool:
        """Whether it may stand for a number between these."""
        return low <= self.value + self.half and self.value - self.half <= high


def numbers_of(output: bytes) -> PrintedSeries:
    """All numbers with a point."""
    printed: PrintedSeries = {}
    for line in output.split(b"\n"):
        text = line[:LINE].decode(errors="replace")
        words = ANY.sub("#", text)
        for index, number in enumerate(NUMBER.findall(text)):
            mantissa, _, exponent = number.lower().partition("e")
            # In digits, as the number itself: no exponent is too large for it.
            half = float(f"0.{'0' * len(mantissa.partition('.')[2])}5e{exponent or 0}")
            printed.setdefault((words, index), []).append(
                PrintedNumber(float(number), half)
            )
    return printed


def within(
    printed: PrintedSeries, bounds: Bounds, count: int = 1
) -> list[PrintedNumber]:
    """The last numbers with the same words whose first `count` lie between two bounds;
    empty if there is none.
    """
    for numbers in reversed(printed.values()):
        if len(numbers) >= count and all(
            number.is_in(*bounds) for number in numbers[:count]
        ):
            return numbers
    return []


@dataclass(frozen=True)
class StudentProgram:
    """A program to check. It has `limit` seconds for each run; `seed` is that of the
    first numbers that it draws.
    """

    script: Path
    limit: float
    seed: int = 0

    def run(
        self, letter: str, rows: Array, bounds: Bounds = (0, np.inf), epochs: int = 0
    ) -> tuple[PrintedSeries, int]:
        """The numbers that `python SCRIPT LETTER` prints, and how many series it makes.

        Its generator hands out `rows` (series, 51). It is stopped once so many `epochs`
        have a number with the same words, the first ones within the `bounds`; with 0
        epochs it runs to its end.

        Raises:
            Wrong: it changed the generator, stopped with an error, or printed nothing.
        """
        notes = dict[str, Any](calls=0)
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryFile() as shared,  # notes, and then rows
            tempfile.TemporaryFile() as output,
        ):
            shared.seek(NOTES)
            np.save(shared, rows)
            shared.flush()
            child = Path(__file__).with_name("child.py")
            fileno = shared.fileno()
            with (
                Popen(
                    [
                        sys.executable,
                        "-u",
                        child,
                        self.script.resolve(),
                        letter,
                        f"{fileno}",
                        f"{self.seed}",
                    ],
                    cwd=folder,
                    env=os.environ
                    | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
                    | numerics.python_path(),
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=DEVNULL,
                    pass_fds=[fileno],
                    # what it sends to its group or to a terminal does not come here
                    start_new_session=True,
                ) as process,
                _ending(process),
            ):
                printed, status = self._read(process, output.fileno(), bounds, epochs)
            with suppress(ValueError):  # it was ended before its first note
                notes |= json.loads(os.pread(fileno, NOTES, 0).rstrip(b"\0"))
        few = not within(printed, bounds, max(epochs, 1))
        why = ""
        if "fault" in notes:
            raise Wrong(notes["fault"])
        if status is None and (few or not notes["calls"]):
            why = f"prints too few figures in {self.limit:g} seconds"
        elif "error" in notes:
            why = f"stops: {notes['error']}"
        elif status and status < 0 and few:
            why = f"is ended by a signal: {signal.strsignal(-status)}"
        elif not notes["calls"]:
            why = f"makes no series with {NAME}; does it read sys.argv[1]"
        elif not printed:
            why = f"prints no figure; does it compare sys.argv[1] with {letter!r}?"
        if why:
            raise Wrong(f"with {letter} it {why}")
        return printed, notes["calls"]

    def _read(
        self, process: Popen[bytes], output: int, bounds: Bounds, epochs: int
    ) -> tuple[PrintedSeries, int | None]:
        """What it has printed, and its exit status; 0 if that is enough, None at the
        time limit.
        """
        printed = PrintedSeries()
        end = time.monotonic() + self.limit
        while time.monotonic() < end:
            # before reading: what it has started may print for longer
            status = process.poll()
            text = os.pread(output, OUTPUT, 0).replace(b"\r", b"\n")
            printed = numbers_of(
                text if status is not None else text[: text.rfind(b"\n") + 1]
            )
            if status is not None:
                return printed, status
            if epochs and (
                within(printed, bounds, epochs)
                or max(map(len, printed.values()), default=0) > ENOUGH
            ):
                return printed, 0
            with suppress(psutil.Error):  # one has just ended
                if (
                    sum(
                        child.memory_info().rss
                        for child in psutil.Process().children(recursive=True)
                    )
                    > MEMORY
                ):
                    raise Wrong(
                        f"it takes more than {MEMORY / 2**30:g} GB of memory, with all that it starts"
                    )
            time.sleep(BEAT)
        return printed, None


@contextmanager
def _ending(process: Popen[bytes]) -> Iterator[None]:
    """Afterwards it has ended, and all that it started, also what has left its parent,
    group and session.
    """
    parent = psutil.Process()
    others = {child for child in parent.children() if child.pid != process.pid}
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: whose parent has ended becomes our child
    try:
        yield
    finally:
        for _ in range(100):
            left = {*parent.children(recursive=True)} - others
            for child in left:
                with suppress(psutil.Error):
                    child.kill()
            psutil.wait_procs(left, BEAT)
            if not left:
                break
        prctl(36, 0)
