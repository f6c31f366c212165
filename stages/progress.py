"""Progress on the terminal: a bar with time left, or plain lines where output is not a terminal."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

QUIET = 2.0
"""Seconds between two plain lines, so that a log stays readable."""


class Epochs:
    """Shows every epoch of an experiment: epoch, loss, validation, time left.

    Args:
        name: the experiment.
        training: its options; `epochs` may be missing, then nothing is shown.
        seeds: its replicates, in the order in which they are trained.
    """

    def __init__(self, name: str, training: Mapping[str, Any], seeds: tuple[int, ...]) -> None:
        self._name, self._seeds = name, seeds
        self._epochs = int(training.get("epochs", 0))
        self._before = 0
        self._started = self._shown = time.monotonic()

    def resume(self, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> None:
        """Say that the training goes on from a checkpoint.

        Args:
            histories: seed -> its history so far.
        """
        self._before = sum(map(len, histories.values()))
        self._started = time.monotonic()
        seed, history = list(histories.items())[-1]
        _line(f"{self._name} goes on after epoch {len(history)} of seed {seed}, where it was interrupted", last=True)

    def __call__(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Show one line of the history of `seed`; epochs count from 1."""
        done, total = self._seeds.index(seed) * self._epochs + epoch, self._epochs * len(self._seeds)
        now = time.monotonic()
        if now - self._shown < (0.1 if sys.stderr.isatty() else QUIET) and done < total:
            return
        self._shown = now
        left = duration((now - self._started) / (done - self._before) * (total - done))
        figures = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
        _line(f"{self._name}  seed {seed}  epoch {epoch}/{self._epochs}  {figures}  {left} left", last=done == total)


def _line(text: str, *, last: bool) -> None:
    """Print a line, on a terminal over the one before, which stays if it is the last."""
    if sys.stderr.isatty():
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be drawn over
        print(f"\r\x1b[2K{text}", end="\n" if last else "", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Such as "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
