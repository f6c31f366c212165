"""Runs a student's program on rows of our choosing. A child of `unroll.lab.program`; it imports nothing of Unroll.

The first numbers that numpy and `random` draw are the same in every run, and rows stay in their order: functions that
shuffle only leave a note. So two runs start from the same first weights, and what differs between them is the rows.
"""

import ast
import ctypes
import json
import mmap
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
MEMORY, OUTPUT, NOTES = 4 * 2**30, 2**26, 4096
"""Bytes at most: of memory, of what it prints (and of any file), and of all notes."""


def prctl(option: int, value: int) -> None:
    """Linux's call of that name; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def document(n_steps: int) -> Any:
    """One series, by the code of document 003."""
    freq1, freq2, offsets1, offsets2 = np.random.rand(4)  # noqa: NPY002 - as the document has it
    time = np.linspace(0, 1, n_steps)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.1 * (np.random.rand(n_steps) - 0.5)  # noqa: NPY002
    return series


class Child:
    """The program's surroundings: its rows, its random numbers, and notes on what it did.

    Args:
        rows: (series, 51), handed out one by one, and again from the first after the last.
        notes: shared memory, JSON: `calls` of the generator, whether rows were `shuffled`, the `error` that ended it.
    """

    def __init__(self, rows: Any, notes: mmap.mmap, seed: int) -> None:
        self.rows, self.calls, self._memory, self._notes = rows, 0, notes, dict[str, Any]()
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        self._seed, self._state = np.random.seed, np.random.get_state
        self._hold_still(seed)

    def note(self, **facts: Any) -> None:
        """Write it down at once: the process may be killed at any time."""
        if not facts.items() <= self._notes.items():
            self._notes |= {key: fact[:300] if isinstance(fact, str) else fact for key, fact in facts.items()}
            self._memory[:] = json.dumps(self._notes).encode().ljust(NOTES)

    def held(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        """The program's generator, which is tried once and then hands out our rows."""

        def given(*args: Any, **options: Any) -> Any:
            if not self.calls:
                self._try(generate, args, options)
            row = self.rows[self.calls % len(self.rows)]
            self.calls += 1
            self.note(calls=self.calls)
            return row.copy()

        return given

    def _try(self, generate: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> None:
        steps, before = [*args, *options.values()][-1:], self._state()
        self._seed(1)
        theirs = generate(*args, **options)
        self._seed(1)
        ours = document(51)
        np.random.set_state(before)  # noqa: NPY002
        if steps != [51]:
            self._end(f"it asks {NAME} for {steps[0] if steps else 'no'} values; the document has 51")
        if np.shape(theirs) != ours.shape or not np.allclose(theirs, ours, rtol=0, atol=1e-9):
            self._end(f"{NAME} is not the document's: from the same random numbers it makes another series")

    def _end(self, fault: str) -> None:
        self.note(fault=fault)
        os._exit(1)

    def _hold_still(self, seed: int) -> None:
        sample, choice = random.sample, np.random.choice

        def stay(*_: Any, **__: Any) -> None:
            if self.calls:
                self.note(shuffled=True)

        def unmoved(x: Any, *_: Any, **__: Any) -> Any:
            stay()
            return np.arange(x) if np.ndim(x) == 0 else x[:]

        def sampled(x: Any, k: int, **options: Any) -> Any:
            return unmoved(list(x)) if k == len(x) else sample(x, k, **options)

        def chosen(a: Any, size: Any = None, replace: bool = True, p: Any = None) -> Any:
            whole = not replace and size == (a if np.ndim(a) == 0 else len(a))
            return unmoved(a) if whole else choice(a, size, replace, p)

        class Still(np.random.Generator):
            shuffle, permutation, permuted = staticmethod(stay), staticmethod(unmoved), staticmethod(unmoved)

        random.shuffle, random.sample = stay, sampled  # type: ignore[assignment]
        np.random.shuffle, np.random.permutation, np.random.choice = stay, unmoved, chosen
        np.random.default_rng = lambda *_, **__: Still(np.random.PCG64(seed))
        for module in (random, np.random):
            module.seed = lambda *_, **__: None  # type: ignore[attr-defined]


def _generator(tree: ast.Module) -> ast.FunctionDef | None:
    """The program's generator: by its name or, failing that, the shortest function that reads like it."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    alike = [node for node in every if all(word in ast.unparse(node) for word in ("linspace", "sin", "rand"))]
    found = [node for node in every if node.name == NAME] or sorted(alike, key=lambda node: len(ast.unparse(node)))
    return found[0] if found else None


def main(script: str, letter: str, shared: str, seed: str) -> None:
    """Run the program as `python SCRIPT LETTER`, with notes on how it ended."""
    prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the check, however that ends
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, OUTPUT), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))
    sys.argv, sys.path[0] = [script, letter], str(Path(script).parent)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    with os.fdopen(int(shared), "rb+") as file:
        file.seek(NOTES)
        child = Child(np.load(file), mmap.mmap(file.fileno(), NOTES), int(seed))
    vars(module).update(__file__=script, __held__=child.held)
    try:
        tree = ast.parse(Path(script).read_bytes(), script)
        if generator := _generator(tree):
            generator.decorator_list.append(ast.Name("__held__", ast.Load()))
        exec(compile(ast.fix_missing_locations(tree), script, "exec"), vars(module))  # noqa: S102 - what it is for
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001 - whatever ends it is what we are to say
        places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == script]
        line = places[-1] if places else getattr(error, "lineno", None) or "?"
        text = traceback.format_exception_only(error)[-1].strip()  # unlike str, it bears a __str__ that fails
        child.note(error=f"{text[:250]} (line {line})")


if __name__ == "__main__":
    main(*sys.argv[1:])
