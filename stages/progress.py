"""Progress: a line that is drawn over on a terminal, a line now and then where output is none."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.data.download import Progress

CLEAR = "\r\x1b[2K"
"""What removes a terminal's line."""


class Epochs:
    """Shows every epoch of an experiment: epoch, loss, validation, time left (a `pipeline.training.job.Callback`).

    `seeds` are in the order in which they are trained; without `epochs` in its options nothing is shown.
    """

    def __init__(self, name: str, training: Mapping[str, Any], seeds: Sequence[int]) -> None:
        self._name, self._seeds = name, list(seeds)
        self._epochs = int(training.get("epochs", 0))
        self._passed = 0
        self._current: tuple[int, int] | None = None
        self._started = self._shown = time.monotonic()

    def resumed(self, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
        """Say that the training goes on from a checkpoint."""
        self._started = time.monotonic()
        seed, history = list(histories.items())[-1]
        line(f"{self._name} goes on after epoch {len(history)} of seed {seed}, where it was interrupted", last=True)

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Show one line of the history of `seed`; epochs count from 1."""
        done, total = self._seeds.index(seed) * self._epochs + epoch, self._epochs * len(self._seeds)
        if self._current and self._current[0] != seed and self._current[1] < self._epochs:
            finish()  # the one before ended early: its last epoch stays to be read
        self._current = seed, epoch
        self._passed += 1
        now = time.monotonic()
        # A log stays readable, and a terminal is not drawn on for every fast epoch.
        if now - self._shown < (0.1 if sys.stderr.isatty() else 2.0) and done < total:
            return
        self._shown = now
        left = duration((now - self._started) / self._passed * (total - done))
        figures = [f"{key} {value:.4g}" for key, value in values.items()]
        start = f"{self._name}  seed {seed}  epoch {epoch}/{self._epochs}"
        line(start, figures, f"{left} left", last=done == total)


def line(start: str, figures: Sequence[str] = (), end: str = "", *, last: bool) -> None:
    """Print a line, on a terminal over the one before, which stays if it is the last.

    One that wraps cannot be drawn over: of its figures as many are shown as there is room for.
    """
    if not sys.stderr.isatty():
        print("  ".join(part for part in (start, *figures, end) if part), file=sys.stderr, flush=True)
        return
    room, shown = shutil.get_terminal_size().columns - 1, list(figures)
    while shown and len("  ".join([start, *shown, end])) > room:
        shown.pop()
    text = "  ".join(part for part in (start, *shown, end) if part)[:room]
    print(f"{CLEAR}{text}", end="\n" if last else "", file=sys.stderr, flush=True)
    _unfinished.clear()
    if not last:
        _unfinished.append(text)


_unfinished: list[str] = []
"""The line of the terminal that may still be drawn over."""


def finish() -> None:
    """End the line that is drawn over, so that what is printed next starts below it."""
    if _unfinished:
        print(file=sys.stderr, flush=True)
        _unfinished.clear()


def duration(seconds: float) -> str:
    """Such as "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def files() -> Iterator[Progress]:
    """Shows on a terminal, of each file that is read, how much of it and the time left; nothing of it stays."""
    from rich.console import Console
    from rich.progress import DownloadColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), DownloadColumn(), TimeRemainingColumn()
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)

        yield progress
