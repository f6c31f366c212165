"""A student's program in a child process, on rows of our choosing, and the numbers that it prints."""

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline.data.examples import Array
from pipeline.data.sources import waves
from unroll.lab.child import MEMORY, NOTES, prctl

FAR = 10.0
"""The 51st value of test rows: far from what a network gives, so that a figure tells at once what it is of."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)
INPUTS = 50

NUMBER = re.compile(
    r"(?i)(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e)|nan\b|inf\b)(?:e[-+]?\d+)?(?![\d.]|\s*(?:s|sec\w*|ms|%))"
)
ANY = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?|\s+")
Place = tuple[str, int]
Bounds = tuple[float, float]

ENOUGH = 12
"""So many lines alike are read where no number is one that we expect."""

PIECE, NUMBERS, BEAT = 2**16, 1_000_000, 0.1
"""So much of what is printed is held, bytes (of a line, too) and numbers; seconds between two looks at it."""


class Figure(NamedTuple):
    """A number that was printed: what it stands for is at most `half`, half a unit of its last digit, from `value`."""

    value: float
    half: float

    def is_in(self, low: float, high: float) -> bool:
        """Whether it may stand for a number between these."""
        return low <= self.value + self.half and self.value - self.half <= high

    def is_near(self, value: float) -> bool:
        """Whether it may stand for this one, 0 or more, but for what rounding within a program makes of it."""
        return self.is_in(0.9999 * value, 1.0001 * value)


@dataclass
class Printed:
    """What a run printed.

    Attributes:
        series: numbers with a point by their place: the line's words and which number of it; in order.
        notes: those of `unroll.lab.child.Child`.
        status: that of its exit; 0 if it has printed enough, None at the time limit.
    """

    series: dict[Place, list[Figure]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    status: int | None = 0
    _numbers: int = 0

    def read(self, line: bytes) -> None:
        """Keep the numbers of one line."""
        text = line[:PIECE].decode(errors="replace")
        words = ANY.sub("#", text)
        for at, number in enumerate(NUMBER.findall(text)):
            mantissa, _, exponent = number.lower().partition("e")
            # In digits, as the number itself: no exponent is too large for it.
            half = float(f"0.{'0' * len(mantissa.partition('.')[2])}5e{exponent or 0}")
            self.series.setdefault((words, at), []).append(Figure(float(number), half))
            self._numbers += 1
        if self._numbers > NUMBERS:
            raise Undecided(f"it prints more than {NUMBERS:,} numbers")

    def within(self, low: float, high: float, count: int = 1) -> Place | None:
        """The place that has so many numbers, the first of them between two bounds; the last of several."""
        for place, figures in reversed(self.series.items()):
            if len(figures) >= count and all(figure.is_in(low, high) for figure in figures[:count]):
                return place
        return None

    def first(self, bounds: Bounds) -> Figure | None:
        """The first number of such a place."""
        place = self.within(*bounds)
        return self.series[place][0] if place else None

    def at(self, place: Place) -> list[Figure]:
        """The numbers of a place that an earlier run had; Undecided is raised where this one has none."""
        if place not in self.series:
            raise Undecided("the words beside its figures are others when the series are others")
        return self.series[place]


class Wrong(Exception):  # noqa: N818 - a verdict
    """What is wrong with the program."""


class Undecided(Exception):  # noqa: N818
    """Why it cannot be told."""


@dataclass(frozen=True)
class Layout:
    """The program tests on the last `test` of the `total` series that it makes, or on the first; `place`: of N."""

    total: int
    test: int
    last: bool
    place: Place

    def rows(self, train: Array, test: Array) -> Array:
        """All rows in the order of the calls, test rows repeated as often as needed."""
        test = np.resize(test, (self.test, waves.VALUES))
        return np.concatenate([train, test] if self.last else [test, train])


@dataclass(frozen=True)
class Program:
    """A program to check. It has `limit` seconds for each run; `seed` is that of the first numbers that it draws."""

    script: Path
    limit: float
    seed: int = 0

    def prints(self, letter: str, rows: Array, epochs: int = 0, within: Bounds = MSE) -> Printed:
        """What `python SCRIPT LETTER` prints until it ends, or has printed enough.

        Args:
            letter: N, D or R.
            rows: (series, 51), what its generator hands out.
            epochs: stop after so many numbers of one place that lie `within`; 0: at its end.
            within: bounds of the figures that are expected.

        Raises:
            Wrong: it changed the generator, stopped with an error, or printed nothing.
        """
        printed = self._run(letter, rows, epochs, within)
        notes = printed.notes
        if fault := notes.get("fault"):
            raise Wrong(fault)
        few = not printed.within(*within, max(epochs, 1))
        if printed.status is None and (few or not notes.get("calls")):
            raise Wrong(f"with {letter} it prints too few figures in {self.limit:g} seconds")
        if error := notes.get("error"):
            raise Wrong(f"with {letter} it stops: {error}")
        if printed.status and printed.status < 0 and few:
            raise Wrong(f"with {letter} it is ended by a signal: {signal.strsignal(-printed.status)}")
        if not notes.get("calls"):
            raise Wrong(f"with {letter} it makes no series with generate_time_series; does it read sys.argv[1]")
        if not printed.series:
            raise Wrong(f"with {letter} it prints no figure; does it compare sys.argv[1] with {letter!r}?")
        return printed

    def _run(self, letter: str, rows: Array, epochs: int, within: Bounds) -> Printed:
        printed, child = Printed(), Path(__file__).with_name("child.py")
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryFile() as shared,  # notes, and then rows
            tempfile.TemporaryFile() as output,
        ):
            shared.seek(NOTES)
            np.save(shared, rows)
            shared.flush()
            with (
                Popen(
                    [sys.executable, "-u", child, self.script.resolve(), letter, f"{shared.fileno()}", f"{self.seed}"],
                    cwd=folder,
                    env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=DEVNULL,
                    pass_fds=[shared.fileno()],
                    start_new_session=True,  # what it sends to its group or to a terminal does not come here
                ) as process,
                _ending(process),
            ):
                printed.status = self._read(process, output.fileno(), printed, epochs, within)
            with suppress(ValueError):  # it was ended before its first note
                printed.notes = json.loads(os.pread(shared.fileno(), NOTES, 0).rstrip(b"\0"))
        return printed

    def _read(self, process: Popen[bytes], output: int, printed: Printed, epochs: int, within: Bounds) -> int | None:
        """Read until it ends, which gives its exit status, 0 if it has printed enough, or None at the limit."""
        end, at, rest = time.monotonic() + self.limit, 0, b""
        while time.monotonic() < end:
            status = process.poll()  # before reading: what it has started may print for longer
            if piece := os.pread(output, PIECE, at):
                at += len(piece)
                *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
                rest = rest[:PIECE]
                for line in lines:
                    printed.read(line)
                longest = max(map(len, printed.series.values()), default=0)
                if epochs and (longest > ENOUGH or printed.within(*within, epochs)):
                    return 0
            elif status is not None:
                printed.read(rest)
                return status
            else:
                with suppress(psutil.Error):  # one has just ended
                    if sum(each.memory_info().rss for each in psutil.Process().children(recursive=True)) > MEMORY:
                        raise Wrong(f"it takes more than {MEMORY / 2**30:g} GB of memory, with all that it starts")
                time.sleep(BEAT)
        return None


@contextmanager
def _ending(process: Popen[bytes]) -> Iterator[None]:
    """Afterwards it has ended, and all that it started, also what has left its group and its session."""
    parent = psutil.Process()
    others = {child for child in parent.children() if child.pid != process.pid}
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: whose parent has ended becomes our child
    try:
        yield
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for _ in range(100):
            left = set(parent.children()) - others
            for child in left:
                with suppress(psutil.Error):
                    child.kill()
            psutil.wait_procs(left, BEAT)
            if not left:
                break
        prctl(36, 0)
