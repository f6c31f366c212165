"""The child process of `unroll.lab.program`, which runs a student's program on our rows.

It imports nothing of Unroll. The first numbers that numpy and `random` draw are the
same in every run, and rows stay in their order. So two runs start from the same weights
and differ only in their rows.
"""

import ast
import ctypes
import json
import os
import random
import resource
import signal
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NAME = "generate_time_series"
"""The name of the assignment's function that makes a series."""

MEMORY = 4 * 2**30
"""The most bytes of memory."""

OUTPUT = 2**24
"""The most bytes that a program may print or write into a file."""

NOTES = 4096
"""The most bytes of the notes on a program."""


def prctl(option: int, value: int) -> None:
    """Call Linux's prctl; do nothing on other systems."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def document(n_steps: int) -> Any:
    """Make one series, by the code of document 003."""
    # the document uses NumPy's global generator
    freq1, freq2, offsets1, offsets2 = np.random.rand(4)  # noqa: NPY002
    time = np.linspace(0, 1, n_steps)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.1 * (np.random.rand(n_steps) - 0.5)  # noqa: NPY002
    return series


class Child:
    """The program's surroundings: its rows, its random numbers, and notes on its run.

    The file `shared` begins with the notes as JSON. They are the `calls` of the
    generator, its `fault`, and the `error` that ended the program. Then come the rows
    (series, 51), which are handed out in turn.
    """

    def __init__(self, shared: int, seed: int) -> None:
        self._shared = shared
        self._notes = dict[str, Any]()
        self._calls = 0
        with os.fdopen(shared, "rb", closefd=False) as file:
            file.seek(NOTES)
            self._rows = np.load(file)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        self._seed = np.random.seed
        self._state = np.random.get_state
        _hold_still(seed)

    def note(self, **facts: Any) -> None:
        """Write facts at once, since the process may be killed at any time."""
        self._notes |= facts
        os.pwrite(self._shared, json.dumps(self._notes).encode().ljust(NOTES), 0)

    def checked(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        """Return a generator that tries the program's once, and hands out our rows."""

        def given(*args: Any, **options: Any) -> Any:
            if not self._calls:
                self._try(lambda: generate(*args, **options))
            row = self._rows[self._calls % len(self._rows)]
            self._calls += 1
            self.note(calls=self._calls)
            return row.copy()

        return given

    def _try(self, generate: Callable[[], Any]) -> None:
        before = self._state()
        self._seed(1)
        theirs = generate()
        self._seed(1)
        ours = document(51)
        np.random.set_state(before)  # noqa: NPY002
        if np.shape(theirs) != ours.shape or not np.allclose(
            theirs, ours, rtol=0, atol=1e-9
        ):
            self.note(
                fault=f"{NAME} is not the document's: it does not make its 51 values "
                "from the same random numbers"
            )
            os._exit(1)


def _hold_still(seed: int) -> None:
    """Make shuffles and seeds do nothing, so that rows stay in their order."""
    sample = random.sample

    def unmoved(x: Any, *_: Any, **__: Any) -> Any:
        return np.arange(x) if np.ndim(x) == 0 else x[:]

    def sampled(x: Any, k: int, **options: Any) -> Any:
        return list(x) if k == len(x) else sample(x, k, **options)

    def ignored(*_: Any, **__: Any) -> None:
        """Do nothing."""

    class Still(np.random.Generator):
        shuffle = staticmethod(ignored)
        permutation = staticmethod(unmoved)
        permuted = staticmethod(unmoved)

    random.sample = sampled  # type: ignore[assignment]
    np.random.permutation = unmoved
    np.random.default_rng = lambda *_, **__: Still(np.random.PCG64(seed))
    for module in (random, np.random):
        module.shuffle = ignored  # type: ignore[attr-defined]
        module.seed = ignored  # type: ignore[attr-defined]


def main(script: str, letter: str, shared: str, seed: str) -> None:
    """Run the program as `python SCRIPT LETTER`, with notes on how it ended."""
    # PR_SET_PDEATHSIG: this process ends with its parent, even if that is killed
    prctl(1, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    child = Child(int(shared), int(seed))
    sys.argv = [script, letter]
    sys.path[0] = str(Path(script).parent)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    vars(module).update(__file__=script, __checked__=child.checked)
    try:
        tree = ast.parse(Path(script).read_bytes(), script)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == NAME:
                node.decorator_list.append(ast.Name("__checked__", ast.Load()))
        code = compile(ast.fix_missing_locations(tree), script, "exec")
        exec(code, vars(module))  # noqa: S102 - this module runs programs
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001 - any error ends the program
        frames = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == script
        ]
        line = frames[-1] if frames else getattr(error, "lineno", None) or "?"
        # unlike str(error), this works if the error's own __str__ fails
        text = traceback.format_exception_only(error)[-1].strip()
        child.note(error=f"{text[:250]} (line {line})")


if __name__ == "__main__":
    main(*sys.argv[1:])
