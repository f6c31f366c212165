"""The child process of `unroll.lab.student_program`, which runs a student's program on our rows.

It imports nothing of Unroll. The first numbers that numpy and `random` draw are the
same in every run, and with `STILL` rows stay in their order. So two runs start from the
same weights and differ only in their rows. Shuffles of anything else than rows, such as
of the timesteps, take place in every run.
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
from functools import partial
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

VALUES = 51
"""The values of a series."""

MOST_ROWS = 20_000
"""The most rows of its own that are kept of a program."""

STILL = "still"
"""A run on our rows, in their order, without the program's seeds."""

OWN = "own"
"""A run on the program's own rows, in their order."""

UNTOUCHED = "untouched"
"""A run on the program's own rows, which it may shuffle."""

TIMESTEPS = range(8, 52)
"""Lengths of what is shuffled if a program shuffles time, or a part of it."""

FLAT = 3
"""What has this many times as many values as there are series is no list of series."""


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
    generator, the `shape` of what it returns if that is no series, whether it makes
    `other` values than the document's, the `error` that ended the program, whether it
    shuffles `rows`, and the line and the length of a shuffle of `time`. Then come rows
    (series, 51): with `STILL` those that are handed out in turn, and otherwise the
    first `MOST_ROWS` that the program makes itself.

    Args:
        shared: the file.
        seed: the seed of the first random numbers.
        kind: `STILL`, `OWN` or `UNTOUCHED`.
        script: the program's file.
    """

    def __init__(self, shared: int, seed: int, kind: str, script: str) -> None:
        self._shared = shared
        self._notes = dict[str, Any]()
        self._calls = 0
        self._kind = kind
        self._script = script
        rows = os.pread(shared, os.fstat(shared).st_size - NOTES, NOTES)
        self._rows = np.frombuffer(rows).reshape(-1, VALUES)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        self._seed = np.random.seed
        # Shuffles draw from it, so that they do not change which weights come next.
        self._shuffles = np.random.default_rng(seed)
        _replace_shuffles(self.order, seed, seeds=kind != STILL)

    def note(self, **facts: Any) -> None:
        """Write facts at once, since the process may be killed at any time."""
        self._notes |= facts
        os.pwrite(self._shared, json.dumps(self._notes).encode().ljust(NOTES), 0)

    def order(self, count: int) -> Any:
        """Return the places (count,) from which a shuffle takes its values."""
        if count in TIMESTEPS:
            frame = sys._getframe()  # noqa: SLF001 - traceback would read the lines, too
            while frame.f_back and frame.f_code.co_filename != self._script:
                frame = frame.f_back
            self.note(time=[frame.f_lineno, count])
        elif count > max(TIMESTEPS) and not 0 < FLAT * self._calls < count:
            self.note(rows=True)
            if self._kind != UNTOUCHED:
                return np.arange(count)
        return self._shuffles.permutation(count)

    def checked(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        """Return a generator that tries the program's once, and hands out rows."""

        def given(*args: Any, **options: Any) -> Any:
            if not self._calls:
                self._try(lambda: generate(*args, **options))
            self._calls += 1
            self.note(calls=self._calls)
            if self._kind == STILL:
                return self._rows[(self._calls - 1) % len(self._rows)].copy()
            row = generate(*args, **options)
            if self._calls <= MOST_ROWS:
                values = np.resize(np.array(row, float), VALUES).tobytes()
                os.pwrite(self._shared, values, NOTES + (self._calls - 1) * len(values))
            return row

        return given

    def _try(self, generate: Callable[[], Any]) -> None:
        before = np.random.get_state()  # noqa: NPY002
        self._seed(1)
        theirs = generate()
        self._seed(1)
        ours = document(VALUES)
        np.random.set_state(before)  # noqa: NPY002
        if np.shape(theirs) != ours.shape:
            self.note(shape=np.shape(theirs))
            os._exit(1)
        if not np.allclose(theirs, ours, rtol=0, atol=1e-9):
            self.note(other=True)


def _replace_shuffles(order: Callable[[int], Any], seed: int, *, seeds: bool) -> None:
    """Let the shuffles of `random` and NumPy, and those that are made of them, as
    scikit-learn's, ask `order` for the new places.

    Args:
        order: number of values -> the places from which they are taken.
        seed: the seed of NumPy's generators without one.
        seeds: whether a program's own seeds count.
    """

    def reorder(x: Any, axis: int = 0) -> None:
        places = order(np.shape(x)[axis] if axis else len(x))
        if isinstance(x, np.ndarray):
            x[...] = np.take(x, places, axis)
        else:
            x[:] = [x[place] for place in places]

    def permute(x: Any, axis: int = 0) -> Any:
        values = np.arange(x) if np.ndim(x) == 0 else np.asarray(x)
        return np.take(values, order(values.shape[axis]), axis)

    class Shuffles:
        """The shuffles of NumPy's generators."""

        shuffle = staticmethod(reorder)
        permutation = staticmethod(permute)

        def choice(
            self,
            a: Any,
            size: Any = None,
            replace: bool = True,
            p: Any = None,
            **how: Any,
        ) -> Any:
            count = a if np.ndim(a) == 0 else len(a)
            if replace or p is not None or size not in {count, (count,)}:
                choose: Any = super()
                return choose.choice(a, size, replace, p, **how)
            return permute(a)

    class Generator(Shuffles, np.random.Generator):  # type: ignore[misc]
        pass

    class RandomState(Shuffles, np.random.RandomState):
        pass

    sample = random.Random.sample

    def sampled(self: random.Random, x: Any, k: int, **options: Any) -> Any:
        if k != len(x):
            return sample(self, x, k, **options)
        return [x[place] for place in order(k)]

    plain_rng = np.random.default_rng

    def default_rng(own: Any = None) -> Any:
        used = own if seeds and own is not None else seed
        return Generator(plain_rng(used).bit_generator)

    # It draws from the bits that NumPy's other functions draw from. scikit-learn asks
    # for `_rand` where it is given no seed.
    shared = RandomState(np.random.mtrand.get_bit_generator())
    replaced: dict[Any, dict[str, Any]] = {
        random.Random: {"shuffle": lambda _, x: reorder(x), "sample": sampled},
        random: {
            "shuffle": reorder,
            "sample": partial(sampled, random._inst),  # noqa: SLF001
        },
        np.random.mtrand: {"_rand": shared},
        np.random: {
            "shuffle": reorder,
            "permutation": permute,
            "choice": shared.choice,
            "default_rng": default_rng,
            "Generator": Generator,
            "RandomState": RandomState,
        },
    }
    if not seeds:
        replaced[random]["seed"] = replaced[np.random]["seed"] = lambda *_, **__: None
    for owner, functions in replaced.items():
        for name, function in functions.items():
            setattr(owner, name, function)


def main(script: str, letter: str, shared: str, seed: str, kind: str) -> None:
    """Run the program as `python SCRIPT LETTER`, with notes on how it ended."""
    # PR_SET_PDEATHSIG: this process ends with its parent, even if that is killed
    prctl(1, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    child = Child(int(shared), int(seed), kind, script)
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
        ast.fix_missing_locations(tree)
        exec(compile(tree, script, "exec"), vars(module))  # noqa: S102 - runs programs
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
