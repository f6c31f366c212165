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


def run(
    script: Path,
    letter: str,
    rows: Array,
    seed: int,
    *,
    limit: float,
    epochs: int = 0,
    within: tuple[float, float] = (0, np.inf),
) -> Printed:
    """Run `python SCRIPT LETTER` until it ends, or has printed enough.

    Args:
        script: the program.
        letter: N, D or R.
        rows: (series, 51), what its generator hands out.
        seed: of the numbers that it draws.
        limit: seconds until it is stopped.
        epochs: stop after so many numbers of one place that lie `within` these bounds; 0: at its end.
        within: bounds of the figures that are expected.
    """
    printed = Printed()
    with tempfile.TemporaryDirectory() as temporary:
        data, notes = Path(temporary, "rows.npy"), Path(temporary, "notes.json")
        np.save(data, rows)
        command = [sys.executable, "-u", str(Path(__file__).with_name("child.py")), str(script.resolve()), letter]
        process = subprocess.Popen(
            [*command, str(data), str(notes), str(seed)],
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

        timer = threading.Timer(limit, stop)
        timer.start()
        with process:
            assert process.stdout  # noqa: S101 - a pipe
            for line in process.stdout:
                printed.read(line)
                if epochs and (
                    printed.within(*within, epochs) or max(map(len, printed.series.values()), default=0) > ENOUGH
                ):
                    break
            process.kill()
        timer.cancel()
        printed.notes = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    return printed
