"""The state of a training on disk: after a crash the same command goes on from there, to the same bytes."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz

FIRST = 1.0
"""Seconds of training before the first checkpoint: shorter trainings are cheaper to repeat than to restore."""

SHARE = 20.0
"""The pause between two checkpoints, as a multiple of what the last one took: they cost a training at most 5 %."""

REST = "rest"
"""The member that holds all but the arrays, as JSON."""

ARRAY = "name of the array"
"""The one key of what stands there in an array's place."""


class Checkpoint:
    """The state of one training: plain data with arrays in it.

    Args:
        path: the file, outside every DVC output, since DVC deletes those before it runs a stage.
        made_of: what the training depends on (`fingerprint.brief`). A file that was made of anything else is no
            checkpoint of this training.
    """

    def __init__(self, path: Path, made_of: str) -> None:
        self._path, self._made_of = path, made_of
        self._due = time.monotonic() + FIRST

    def read(self) -> Any:
        """The last checkpoint; None if there is none, or it is damaged or belongs to another training."""
        try:
            arrays = read_npz(self._path)
            filled = lambda data: arrays[data[ARRAY]] if data.keys() == {ARRAY} else data  # noqa: E731
            rest = json.loads(arrays[REST].tobytes(), object_hook=filled)
            return rest["state"] if rest["made_of"] == self._made_of else None
        except (UnrollError, OSError, KeyError, TypeError, ValueError):
            return None

    def write(self, state: Callable[[], Any]) -> None:
        """Write what `state` returns, if it is time for it. A full disk costs the checkpoint, not the training."""
        started = time.monotonic()
        if started < self._due:
            return
        arrays: dict[str, Array] = {}

        def emptied(array: Array) -> dict[str, str]:
            arrays[name := f"array_{len(arrays)}"] = array
            return {ARRAY: name}

        text = json.dumps({"made_of": self._made_of, "state": state()}, default=emptied)
        with suppress(OSError):
            write_npz(self._path, {REST: np.frombuffer(text.encode(), np.uint8), **arrays})
        ended = time.monotonic()
        self._due = ended + SHARE * (ended - started)

    def remove(self) -> None:
        """Delete the checkpoint: the training is done."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
