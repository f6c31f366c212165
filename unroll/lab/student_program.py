"""A student's program in a child process, and the numbers that it prints."""

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline import numeric_settings
from pipeline.data.examples import Array
from unroll.lab.child_process import (
    NAME,
    NOTES,
    OUTPUT,
    STILL,
    VALUES,
    prctl,
)

NUMBER = re.compile(
    r"""(?ix)
    (?<![\w.]) [-+]?
    (?: \d+\.\d* | \.\d+ | \d+(?=e) | nan\b | inf\b )
    (?: e[-+]?\d+ )?
    (?! [\d.] | \s*(?:s|sec\w*|ms) )
    """
)
"""A number with a point or an exponent that is no time."""

PERCENTAGE = re.compile(r"(\d\.\d*|\.\d+)\s*%")

ANY = re.compile(r"(?i)[-+]?(?:[\d.]+(?:e[-+]?\d+)?|\b(?:nan|inf)\b)|\s+")
"""Numbers and blanks, which are ignored when two lines are compared."""

Bounds = tuple[float, float]
Place = tuple[str, int]
"""The words of a line, and the index of a number in the line."""

PrintedSeries = dict[Place, list["PrintedNumber"]]
"""A place -> the numbers printed there, one for each epoch.

A list that grows has a place of its own, with an index below 0."""

ELSEWHERE = (
    "ModuleNotFoundError",
    "ImportError",
    "FileNotFoundError",
    "EOFError",
    "MemoryError",
)
"""Errors of a program that may run on another computer."""

ENOUGH = 12
"""The most lines with the same words that are read if none has an expected number."""

LINE = 2**16
"""The most bytes that are read of a line."""

BEAT = 0.1
"""Seconds between two looks at the output."""

COPY = "as the document does (docs/lecturers.md says where its function is)"
"""The end of a sentence on a program whose generator cannot be compared."""


class Wrong(Exception):  # noqa: N818 - a verdict
    """A program is wrong; the text says why."""


class Undecided(Exception):  # noqa: N818
    """The check cannot tell whether a program is right; the text says why."""


class TooFewDigits(Undecided):
    """A program prints too few digits. Other first weights may give others."""


class PrintedNumber(NamedTuple):
    """A printed number; `half` is half a unit of its last digit."""

    value: float
    half: float

    def is_in(self, low: float, high: float) -> bool:
        """Return whether the exact number may lie between `low` and `high`."""
        return low <= self.value + self.half and self.value - self.half <= high


class StudentRun(NamedTuple):
    """What a run of a program left.

    Attributes:
        printed: the numbers that it printed.
        place: where it printed those that were looked for; None if it did not.
        numbers: the numbers at this place.
        notes: what `unroll.lab.child_process.Child` noted.
        made: (series, 51) the rows that it made itself.
    """

    printed: PrintedSeries
    place: Place | None
    numbers: list[PrintedNumber]
    notes: dict[str, Any]
    made: Array


def numbers_of(output: bytes) -> PrintedSeries:
    """Return all numbers with a point or an exponent in an output.

    A list that grows by a number from line to line has the numbers of its last line.
    Each bracket of a line may begin such a list.
    """
    printed: PrintedSeries = {}
    lists: dict[Place, list[list[PrintedNumber]]] = {}
    for line in output.split(b"\n"):
        text = PERCENTAGE.sub(r"\1e-2%", line[:LINE].decode(errors="replace"))
        words = ANY.sub("#", text)
        for index, found in enumerate(NUMBER.findall(text)):
            printed.setdefault((words, index), []).append(_number(found))
        parts = text.split("[")
        begin = ANY.sub("#", NUMBER.split(parts[0])[0])
        for index, part in enumerate(parts, 1):
            if numbers := [_number(found) for found in NUMBER.findall(part)]:
                lists.setdefault((begin, -index), []).append(numbers)
    return printed | {
        place: lines[-1]
        for place, lines in lists.items()
        if all(lines[-1][:count] == line for count, line in enumerate(lines, 1))
    }


def _number(digits: str) -> PrintedNumber:
    mantissa, _, exponent = digits.lower().partition("e")
    zeros = "0" * len(mantissa.partition(".")[2])
    # Read from digits, like the number itself, so that no exponent overflows.
    half = float(f"0.{zeros}5e{exponent or 0}")
    return PrintedNumber(float(digits), half)


def place_within(
    printed: PrintedSeries, bounds: Bounds, count: int = 1
) -> Place | None:
    """Return the last place whose first `count` numbers lie between two bounds.

    Numbers that change go before those that stay the same, such as a naive error.
    """
    places = [
        place
        for place, numbers in reversed(printed.items())
        if len(numbers) >= count
        and all(number.is_in(*bounds) for number in numbers[:count])
    ]
    places.sort(key=lambda place: len({*printed[place][:count]}) == 1)
    return next(iter(places), None)


@dataclass(frozen=True)
class StudentProgram:
    """A program to check.

    Attributes:
        script: the file of the program.
        limit: seconds for each run.
        seed: the seed of the program's random numbers.
    """

    script: Path
    limit: float
    seed: int = 0

    def run(
        self,
        letter: str,
        rows: Array,
        bounds: Bounds = (0, np.inf),
        epochs: int = 0,
    ) -> StudentRun:
        """Run `python SCRIPT LETTER` on given rows.

        Its generator hands out `rows` (series, 51). The program is stopped once
        `epochs` numbers with the same words lie within the `bounds`. With 0 epochs it
        runs to its end. The numbers of the run are those within the bounds.

        Raises:
            Wrong: its series have another length, or it stopped with an error.
            Undecided: it printed too few figures before the time limit, or makes its
                series in another way.
        """
        run = self._run(
            letter,
            STILL,
            rows,
            lambda printed: place_within(printed, bounds, max(epochs, 1)),
            whole=not epochs,
        )
        place = run.place or place_within(run.printed, bounds)
        numbers = run.printed[place] if place else []
        inside = takewhile(lambda number: number.is_in(*bounds), numbers)
        return run._replace(place=place, numbers=list(inside))

    def on_its_own(self, letter: str, kind: str, place: Place) -> StudentRun:
        """Run `python SCRIPT LETTER` on the series that it makes itself.

        The program is stopped once a number is printed at `place`.

        Args:
            letter: the part.
            kind: `UNTOUCHED`, or `OWN`, which keeps the rows in their order.
            place: where the figure is printed.

        Raises:
            Wrong, Undecided: as `run`.
        """
        run = self._run(
            letter,
            kind,
            np.zeros((0, VALUES)),
            lambda printed: place if place in printed else None,
        )
        return run._replace(numbers=run.printed.get(place, [])[:1])

    def _run(
        self,
        letter: str,
        kind: str,
        rows: Array,
        find: Callable[[PrintedSeries], Place | None],
        *,
        whole: bool = False,
    ) -> StudentRun:
        """Run the program, unless `whole` until `find` has the place of its figures.

        Raises:
            Wrong: it failed.
            Undecided: it printed no number, was too slow, or makes its series in
                another way.
        """
        notes: dict[str, Any] = {"calls": 0}
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryFile() as shared,  # notes, and then rows
            tempfile.TemporaryFile() as output,
        ):
            number = shared.fileno()
            os.pwrite(number, b"".ljust(NOTES) + rows.tobytes(), 0)
            with (
                Popen(
                    [
                        sys.executable,
                        "-u",
                        Path(__file__).with_name("child_process.py"),
                        self.script.resolve(),
                        letter,
                        str(number),
                        str(self.seed),
                        kind,
                    ],
                    cwd=folder,
                    env=os.environ
                    | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
                    | numeric_settings.python_path(),
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=DEVNULL,
                    pass_fds=[number],
                    # signals that it sends to its group do not reach this process
                    start_new_session=True,
                ) as process,
                _ending(process),
            ):
                printed, status = self._read(
                    process, output.fileno(), find, whole=whole
                )
            with suppress(ValueError):  # killed before its first note
                notes |= json.loads(os.pread(number, NOTES, 0))
            shared.seek(NOTES)
            text = os.pread(output.fileno(), OUTPUT, 0).decode(errors="replace")
            made = np.frombuffer(shared.read()).reshape(-1, VALUES)
        place = find(printed)
        if "shape" in notes:
            shape = tuple(notes["shape"])
            verdict = Wrong if len(shape) == 1 else Undecided
            raise verdict(
                f"its {NAME} returns values of shape {shape}, not one series of "
                f"{VALUES}, {COPY}"
            )
        if "time" in notes:
            line, count = notes["time"]
            raise Wrong(
                f"with {letter} it shuffles {count} values of a series (line {line}), "
                "and time must stay in its order"
            )
        if "error" in notes:
            verdict = Undecided if notes["error"].startswith(ELSEWHERE) else Wrong
            raise verdict(f"with {letter} it stops: {notes['error']}")
        if status is None and not (place and notes["calls"]):
            raise Undecided(
                f"with {letter} it prints too few figures in {self.limit:g} seconds; "
                "it is slow, or does not end"
            )
        if status and status < 0 and not place:
            ended = signal.strsignal(-status)
            raise Wrong(f"with {letter} it is ended by a signal: {ended}")
        if not notes["calls"]:
            raise Undecided(
                f"with {letter} it makes no series with a function {NAME}, {COPY}"
            )
        if not printed:
            raise Undecided(
                f"with {letter} it prints no figure with a decimal point on the check's "
                "series, whose errors are large; its last line is "
                f"{''.join(text.splitlines()[-1:])!r:.100}, and it must compare "
                f"sys.argv[1] with {letter!r}"
            )
        return StudentRun(printed, place, [], notes, made)

    def _read(
        self,
        process: Popen[bytes],
        output: int,
        find: Callable[[PrintedSeries], Place | None],
        *,
        whole: bool,
    ) -> tuple[PrintedSeries, int | None]:
        """Return the printed numbers, and the exit status.

        The status is 0 once a run that is not `whole` may end, and None after the time
        limit.
        """
        printed = PrintedSeries()
        end = time.monotonic() + self.limit
        while time.monotonic() < end:
            # asked before reading, so that no output of an ended program is missed
            status = process.poll()
            text = os.pread(output, OUTPUT, 0).replace(b"\r", b"\n")
            if status is not None:
                return numbers_of(text), status
            # the last line may be unfinished
            printed = numbers_of(text[: text.rfind(b"\n") + 1])
            long = any(
                len(numbers) > ENOUGH and "%" not in words  # which may be progress
                for (words, _), numbers in printed.items()
            )
            if not whole and (find(printed) or long):
                return printed, 0
            time.sleep(BEAT)
        return printed, None


@contextmanager
def _ending(process: Popen[bytes]) -> Iterator[None]:
    """End a process and all its children with the block.

    Children that have left their parent, group and session end, too.
    """
    parent = psutil.Process()
    others = {child for child in parent.children() if child.pid != process.pid}
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become our children
    try:
        yield
    finally:
        while left := {*parent.children(recursive=True)} - others:
            for child in left:
                with suppress(psutil.Error):
                    child.kill()
            psutil.wait_procs(left, BEAT)
        prctl(36, 0)
