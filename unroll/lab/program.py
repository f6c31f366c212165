"""A student's program in a child process, on rows of our choosing, and the numbers that it prints."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sources import waves

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


@dataclass
class Printed:
    """What a run printed.

    Attributes:
        series: numbers with a point by their place: the line's words and which number of it; in order.
        digits: the size of half a unit of the last digit that was printed, by the same places.
        notes: those of `unroll.lab.child.Child`.
        late: whether it was stopped at the time limit.
    """

    series: dict[Place, list[float]] = field(default_factory=dict)
    digits: dict[Place, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    late: bool = False

    def read(self, line: str) -> None:
        """Keep the numbers of one line."""
        for place, number in enumerate(NUMBER.finditer(line)):
            key = (ANY.sub("#", line), place)
            mantissa, _, exponent = number.group().lower().partition("e")
            self.series.setdefault(key, []).append(float(number.group()))
            half = 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
            self.digits[key] = max(half, self.digits.get(key, 0.0))

    def within(self, low: float, high: float, count: int = 1) -> Place | None:
        """The place that has so many numbers, all between two bounds; the last of several."""
        found = [k for k, v in self.series.items() if len(v) >= count and all(low < each < high for each in v)]
        return found[-1] if found else None

    def first(self, bounds: tuple[float, float]) -> float | None:
        """The first number of such a place."""
        place = self.within(*bounds)
        return self.series[place][0] if place else None


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
        if not notes.get("calls", 1):
            raise Wrong(f"with {letter} it makes no series with generate_time_series; does it read sys.argv[1]")
        if not printed.series:
            raise Wrong(f"with {letter} it prints no figure; does it compare sys.argv[1] with {letter!r}?")
        return printed

    def _run(self, letter: str, rows: Array, epochs: int, within: tuple[float, float]) -> Printed:
        printed = Printed()
        with tempfile.TemporaryDirectory() as temporary:
            data, notes = Path(temporary, "rows.npy"), Path(temporary, "notes.json")
            np.save(data, rows)
            child = Path(__file__).with_name("child.py")
            process = subprocess.Popen(
                [sys.executable, "-u", child, self.script.resolve(), letter, data, notes, str(self.seed)],
                cwd=temporary,
                env=os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )

            def stop() -> None:
                printed.late = True
                process.kill()

            timer = threading.Timer(self.limit, stop)
            timer.start()
            with process:
                assert process.stdout  # noqa: S101 - a pipe
                for line in process.stdout:
                    printed.read(line)
                    longest = max(map(len, printed.series.values()), default=0)
                    if epochs and (printed.within(*within, epochs) or longest > ENOUGH):
                        break
                process.kill()
            timer.cancel()
            printed.notes = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
        return printed
