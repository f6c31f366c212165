"""A student's program, and what it prints on rows of ours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sources import waves
from unroll.lab.run import Place, Printed, run

FAR = 10.0
"""The 51st value of test rows: far from what a network gives, so that a figure tells at once what it is of."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)
INPUTS = 50


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
    """A program to check.

    Attributes:
        script: where it is.
        limit: seconds that it has for each run.
        seed: of the first numbers that it draws.
    """

    script: Path
    limit: float
    seed: int = 0

    def prints(self, letter: str, rows: Array, epochs: int = 0, within: tuple[float, float] = MSE) -> Printed:
        """What it prints for a letter.

        Raises:
            Wrong: it changed the generator, stopped with an error, or printed nothing.
        """
        printed = run(self.script, letter, rows, self.seed, limit=self.limit, epochs=epochs, within=within)
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
