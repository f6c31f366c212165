"""A student's program in a child process, on rows of our choosing, and the numbers that it prints."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline.data.examples import Array
from pipeline.data.sources import waves
from unroll.lab.child import MEMORY, NOTES

FAR = 10.0
"""The 51st value of test rows: far from what a network gives, so that a figure tells at once what it is of."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)
INPUTS = 50

NUMBER = re.compile(
    r"(?i)(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e)|nan\b|inf\b)(?:e[-+]?\d+)?(?![\d.]|\s*(?:s|sec\w*|ms|%))"
)
ANY = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?|\s+")
Place = tuple[str, int]

ENOUGH = 12
"""So many lines alike are read where no number is one that we expect."""

PIECE, NUMBERS = 2**16, 1_000_000
"""So much of a program's output is held: bytes, of a line as well, and numbers."""

BEAT = 0.2
"""Seconds between two looks at what runs."""


class Figure(NamedTuple):
    """A number that was printed: what it stands for is at most `half`, half a unit of its last digit, from `value`."""

    value: float
    half: float

    def is_in(self, low: float, high: float) -> bool:
        """Whether it may stand for a number between these."""
        return low <= self.value + self.half and self.value - self.half <= high

    def is_near(self, value: float) -> bool:
        """Whether it may stand for this value, but for what rounding within a program makes of it."""
        return self.is_in(value - 1e-4 * abs(value), value + 1e-4 * abs(value))


@dataclass
class Printed:
    """What a run printed.

    Attributes:
        series: numbers with a point by their place: the line's words and which number of it; in order.
        notes: those of `unroll.lab.child.Child`.
        late: whether it was stopped at the time limit.
        status: with which exit status it ended by itself, if it did.
    """

    series: dict[Place, list[Figure]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    late: bool = False
    status: int | None = None
    _numbers: int = 0

    def read(self, line: bytes) -> list[Place]:
        """Keep the numbers of one line; their places."""
        text = line[:PIECE].decode(errors="replace")
        words, numbers = ANY.sub("#", text), NUMBER.findall(text)
        for place, number in enumerate(numbers):
            mantissa, _, exponent = number.lower().partition("e")
            # In digits, as the number itself: no exponent is too large for it.
            half = float(f"0.{'0' * len(mantissa.partition('.')[2])}5e{exponent or 0}")
            self.series.setdefault((words, place), []).append(Figure(float(number), half))
        self._numbers += len(numbers)
        if self._numbers > NUMBERS:
            raise Undecided(f"it prints more than {NUMBERS:,} numbers")
        return [(words, place) for place in range(len(numbers))]

    def within(self, low: float, high: float, count: int = 1, places: Sequence[Place] | None = None) -> Place | None:
        """The place that has so many numbers, all between two bounds; the last of several."""
        every = self.series if places is None else places
        found = [
            place
            for place in every
            if len(self.series[place]) >= count and all(figure.is_in(low, high) for figure in self.series[place])
        ]
        return found[-1] if found else None

    def first(self, bounds: tuple[float, float]) -> Figure | None:
        """The first number of such a place."""
        place = self.within(*bounds)
        return self.series[place][0] if place else None

    def at(self, place: Place) -> list[Figure]:
        """The numbers of a place that an earlier run had.

        Raises:
            Undecided: this run has none there.
        """
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

    def prints(self, letter: str, rows: Array, epochs: int = 0, within: tuple[float, float] = MSE) -> Printed:
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
        if printed.late and not printed.within(*within, max(epochs, 1)):
            raise Wrong(f"with {letter} it prints too few figures in {self.limit:g} seconds")
        if error := notes.get("error"):
            raise Wrong(f"with {letter} it stops: {error}")
        if (printed.status or 0) < 0 and not printed.within(*within, max(epochs, 1)):
            raise Wrong(f"with {letter} it is ended by a signal: {signal.strsignal(-(printed.status or 0))}")
        if not notes.get("calls"):
            raise Wrong(f"with {letter} it makes no series with generate_time_series; does it read sys.argv[1]")
        if not printed.series:
            raise Wrong(f"with {letter} it prints no figure; does it compare sys.argv[1] with {letter!r}?")
        return printed

    def _run(self, letter: str, rows: Array, epochs: int, within: tuple[float, float]) -> Printed:
        printed = Printed()

        def enough(places: Sequence[Place]) -> bool:
            many = any(len(printed.series[place]) > ENOUGH for place in places)
            return epochs > 0 and (many or printed.within(*within, epochs, places) is not None)

        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryFile() as data,
            tempfile.TemporaryFile() as notes,
        ):
            np.save(data, rows)
            data.seek(0)
            files = [data.fileno(), notes.fileno()]
            child = Path(__file__).with_name("child.py")
            others = _family()
            _adopt_orphans(True)
            with subprocess.Popen(
                [sys.executable, "-u", child, self.script.resolve(), letter, *map(str, [*files, self.seed])],
                cwd=folder,
                env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=files,
                start_new_session=True,  # what it sends to its group or to a terminal does not come here
            ) as process:
                try:
                    self._read(process, printed, enough, others)
                finally:
                    _end_all_but(others)
                    _adopt_orphans(False)
            with suppress(ValueError):  # it was ended before its first note
                printed.notes = json.loads(os.pread(notes.fileno(), NOTES, 0))
        return printed

    def _read(
        self,
        process: "subprocess.Popen[bytes]",
        printed: Printed,
        enough: Callable[[Sequence[Place]], bool],
        others: set[psutil.Process],
    ) -> None:
        """Until it ends, has printed enough or is late; what it has started may hold its output open for longer."""
        assert process.stdout  # noqa: S101 - a pipe
        pipe, piece, rest = process.stdout.fileno(), b"-", b""
        now = look = time.monotonic()
        end = now + self.limit
        while (now := time.monotonic()) < end:
            if now >= look:
                look = now + BEAT
                if sum(map(_resident, _family() - others)) > MEMORY:
                    raise Wrong(f"it takes more than {MEMORY / 2**30:g} GB of memory, with all that it starts")
            if not piece:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(BEAT)
            printed.status = process.poll()
            if piece and select([pipe], [], [], BEAT)[0]:
                piece = os.read(pipe, PIECE)
                *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
                rest = rest[:PIECE]
                if any(enough(printed.read(line)) for line in lines):
                    return
            elif printed.status is not None:
                printed.read(rest)
                return
        printed.late = True


def _family() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _adopt_orphans(yes: bool) -> None:
    """Whether a process whose parent has ended becomes our child, so that it is in the family for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, int(yes), 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _end_all_but(others: set[psutil.Process]) -> None:
    """End the family, also what has left its session, and what is started meanwhile."""
    for _ in range(100):
        if not (left := _family() - others):
            return
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, BEAT)


def _resident(process: psutil.Process) -> int:
    """Bytes of memory; none of a process that has ended."""
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
