"""Progress on the terminal: a bar with time left, or plain lines where output is not a terminal."""

import shutil
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.run import OnEpoch

QUIET = 2.0
"""Seconds between two plain lines, so that a log stays readable."""


def epochs(name: str, training: Mapping[str, Any], seeds: tuple[int, ...]) -> "OnEpoch":
    """A function that shows every epoch of an experiment: epoch, loss, validation, time left.

    Args:
        name: the experiment.
        training: its options; `epochs` may be missing, then nothing is shown.
        seeds: its replicates, in the order in which they are trained.
    """
    total = int(training.get("epochs", 0)) * len(seeds)
    started = time.monotonic()
    shown = started

    def on_epoch(seed: int, epoch: int, values: Mapping[str, float]) -> None:
        nonlocal shown
        done = seeds.index(seed) * int(training["epochs"]) + epoch
        now = time.monotonic()
        if now - shown < (0.1 if sys.stderr.isatty() else QUIET) and done < total:
            return
        shown = now
        left = duration((now - started) / done * (total - done))
        figures = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
        line = f"{name}  seed {seed}  epoch {epoch}/{training['epochs']}  {figures}  {left} left"
        if sys.stderr.isatty():
            line = line[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be drawn over
            print(f"\r\x1b[2K{line}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    return on_epoch


def duration(seconds: float) -> str:
    """Such as "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
