"""Progress on stderr: one line that is overwritten on a terminal, or a line every two
seconds in a log.
"""

import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.processes import TimeLeft, duration

if TYPE_CHECKING:
    from pipeline.processes import Ended
    from pipeline.training.tasks import Task

CLEAR = "\r\x1b[2K"
"""The characters that erase the current line of a terminal."""


class Epochs:
    """A `pipeline.training.job.Callback` that shows the epochs of an experiment and
    their losses.

    Args:
        name: the name of the experiment.
        training: the options of its training method.
    """

    def __init__(self, name: str, training: Mapping[str, Any]) -> None:
        self._name = name
        self._epochs = int(training.get("epochs", 0))
        self._shown = time.monotonic()

    def resumed(self, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
        """Print the epoch and seed from which the training goes on."""
        seed, history = list(histories.items())[-1]
        text = f"{self._name} goes on after epoch {len(history)} of seed {seed}"
        line(f"{text}, where it was interrupted", last=True)

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Show the losses of an epoch; epochs count from 1."""
        now = time.monotonic()
        last = epoch == self._epochs
        # Seconds between lines, so that a log stays short and a terminal does not
        # flicker.
        pause = 0.1 if sys.stderr.isatty() else 2.0
        if now - self._shown < pause and not last:
            return
        self._shown = now
        line(
            f"{self._name}  seed {seed}  epoch {epoch}/{self._epochs}",
            *(f"{key} {value:.4g}" for key, value in values.items()),
            last=last,
        )


class Tasks:
    """Shows the progress of tasks: a line for each task that has ended, and the running
    tasks on a terminal. Once a task has ended, it also shows the time left.

    Args:
        jobs: how many tasks run at once.
        may_grow: whether further tasks may come, so that the time left is the least.
    """

    def __init__(self, jobs: int, *, may_grow: bool = False) -> None:
        self._left = TimeLeft({}, jobs)
        self._may_grow = may_grow
        self._count = 0
        self._running: Mapping[Task, float] = {}

    def expect(self, task: "Task", seconds: float) -> None:
        """Count a task that is expected to take so many seconds."""
        self._left.expected[task] = seconds
        self._count += 1

    def slots(self, jobs: int) -> None:
        """Expect that another number of tasks runs at once; of none, one."""
        self._left.jobs = max(1, jobs)

    def tick(self, running: "Mapping[Task, float]") -> None:
        """Show the running tasks: task -> seconds since it started."""
        self._running = running
        if running and sys.stderr.isatty():
            names = [f"{task.name} {duration(took)}" for task, took in running.items()]
            line(self._ended(), self._time_left(), *names, last=False)

    def ended(self, ended: "Ended", figures: Sequence[str] = ()) -> None:
        """Print a line for a task that has ended, with figures if there are some."""
        if ended.error:
            what = f"FAILED: {ended.error}"
            del self._left.expected[ended.key]
        else:
            what = duration(ended.seconds)
            self._left.ended(ended.key, ended.seconds)
        place = ended.place and f"on {ended.place}"
        task = ended.key.whole_name
        line(self._ended(), task, what, place, *figures, self._time_left(), last=True)

    def _time_left(self) -> str:
        text = self._left.words(self._running)
        return text.replace("about", "at least") if self._may_grow else text

    def _ended(self) -> str:
        return f"{self._count - len(self._left.expected)}/{self._count}"


def line(*parts: str, last: bool) -> None:
    """Print a line of progress.

    On a terminal it overwrites the line before, and is overwritten itself unless it is
    the last. A line that wraps cannot be overwritten, so the last parts are left out if
    they do not fit. The last line wraps between words.
    """
    shown = [part for part in parts if part]
    if not sys.stderr.isatty():
        print("  ".join(shown), file=sys.stderr, flush=True)
        return
    width = shutil.get_terminal_size().columns - 1
    if last:
        text = textwrap.fill(
            "  ".join(shown),
            width,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(f"{CLEAR}{text}", file=sys.stderr, flush=True)
        return
    while len(shown) > 1 and len("  ".join(shown)) > width:
        shown.pop()
    text = "  ".join(shown)[:width]
    print(f"{CLEAR}{text}", end="", file=sys.stderr, flush=True)
