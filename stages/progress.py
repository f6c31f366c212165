"""Progress on stderr: on a terminal one line that is overwritten, in a log a line every
two seconds.
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.data.download import Progress

CLEAR = "\r\x1b[2K"
"""Erases the current line of a terminal."""


class Epochs:
    """A `pipeline.training.job.Callback` that shows the epochs of an experiment, with
    their losses and the time left.

    Args:
        name: of the experiment.
        training: the options of its method.
        seeds: in the order in which they are trained.
    """

    def __init__(
        self, name: str, training: Mapping[str, Any], seeds: Sequence[int]
    ) -> None:
        self._name = name
        self._seeds = list(seeds)
        self._epochs = int(training.get("epochs", 0))
        self._trained = 0
        self._current: tuple[int, int] | None = None
        self._started = self._shown = time.monotonic()

    def resumed(self, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
        """Print that training goes on from a checkpoint."""
        self._started = time.monotonic()
        seed, history = list(histories.items())[-1]
        line(
            f"{self._name} goes on after epoch {len(history)} of seed {seed}, where it was interrupted",
            last=True,
        )

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Show the losses of an epoch, which count from 1."""
        done = self._seeds.index(seed) * self._epochs + epoch
        total = self._epochs * len(self._seeds)
        if (
            self._current
            and self._current[0] != seed
            and self._current[1] < self._epochs
        ):
            # the seed before stopped early: leave its last epoch on the screen
            finish()
        self._current = seed, epoch
        self._trained += 1
        now = time.monotonic()
        # Seconds between lines, so that a log stays short and a terminal does not
        # flicker.
        if now - self._shown < (0.1 if sys.stderr.isatty() else 2.0) and done < total:
            return
        self._shown = now
        left = duration((now - self._started) / self._trained * (total - done))
        figures = [f"{key} {value:.4g}" for key, value in values.items()]
        start = f"{self._name}  seed {seed}  epoch {epoch}/{self._epochs}"
        line(start, figures, f"{left} left", last=done == total)


def line(start: str, figures: Sequence[str] = (), end: str = "", *, last: bool) -> None:
    """Print a line; on a terminal it overwrites the one before, and is itself
    overwritten unless it is the last.

    A line that wraps cannot be overwritten, so figures that do not fit are left out.
    """
    if not sys.stderr.isatty():
        print(
            "  ".join(part for part in (start, *figures, end) if part),
            file=sys.stderr,
            flush=True,
        )
        return
    width = shutil.get_terminal_size().columns - 1
    fitting = list(figures)
    while fitting and len("  ".join([start, *fitting, end])) > width:
        fitting.pop()
    text = "  ".join(part for part in (start, *fitting, end) if part)[:width]
    print(f"{CLEAR}{text}", end="\n" if last else "", file=sys.stderr, flush=True)
    _unfinished.clear()
    if not last:
        _unfinished.append(text)


_unfinished: list[str] = []
"""The line on the terminal that the next one overwrites; a list, so that `line` and
`finish` share it."""


def finish() -> None:
    """End the line that would be overwritten, so that what is printed next starts below
    it.
    """
    if _unfinished:
        print(file=sys.stderr, flush=True)
        _unfinished.clear()


def duration(seconds: float) -> str:
    """Seconds as people say them: "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def files() -> Iterator["Progress"]:
    """A progress bar for each file that is read, on a terminal alone; the bars
    disappear at the end.
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Bars(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:

        def progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)

        yield progress
