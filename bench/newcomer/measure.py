"""How long a newcomer waits, in a fresh clone of what is committed here.

Set-up is measured cold, when no package was ever downloaded, and warm, when another environment has left all in uv's
cache. A command that only looks is started once before it is measured, so its modules are compiled by then.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import process_cost
from bench.repository import REPOSITORY
from pipeline.files import remove

OnStep = Callable[[str], None]

RUNS = 3

LIGHT = ("--help", "list", "show waves", "compare")
"""Commands that only look, in the demo's workspace."""

GOALS = {"set-up, cold": 60.0, "set-up, warm": 10.0, "make demo": 120.0}
GOALS |= {f"unroll {command}": 0.3 for command in LIGHT}
"""What is measured -> the seconds that it should stay below; `make test` has no goal."""


def measure(quick: bool, on_step: OnStep) -> dict[str, Any]:
    """Measure everything; JSON-able.

    Args:
        quick: one run, from the caches that are there, and neither a cold set-up nor the tests.
        on_step: told in words what is done next.

    Returns:
        What is measured -> `seconds` (least, median and greatest), `goal` (None where there is none), and `load`: for
        each run the processes that wanted a core in the minute before.

    Raises:
        CommandFailedError: a command failed; says the last line that it printed.
    """
    runs = 1 if quick else RUNS
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        newcomer = Newcomer(Path(folder), on_step)
        found = {}
        if not quick:
            caches = {"UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip"}
            newcomer.variables |= {name: f"{folder}/cache/{tool}" for name, tool in caches.items()}
            found["set-up, cold"] = newcomer.times(runs, "set-up, cold", ".ci/venv", "clone/.venv", "cache")
        found["set-up, warm"] = newcomer.times(runs, "set-up, warm", ".ci/venv", "clone/.venv")
        found["make demo"] = newcomer.times(runs, "make demo", "make demo", "clone/.demo")
        for command in LIGHT:
            line = f".venv/bin/unroll --root .demo {command}"
            newcomer.run(line)
            found[f"unroll {command}"] = newcomer.times(runs, f"unroll {command}", line)
        if not quick:
            found["make test"] = newcomer.times(runs, "make test", "make test")
    return found


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process without what `make` and this repository's environment have put there."""
    left_out = ("DVC_", "MAKE", "MFLAGS", "MLFLOW_", "PYTHON", "TF_", "UNROLL_", "VIRTUAL_ENV")
    kept = {name: value for name, value in own.items() if name == "PYTHON" or not name.startswith(left_out)}
    places = own["PATH"].split(os.pathsep)
    return kept | {"PATH": os.pathsep.join(place for place in places if not Path(place).is_relative_to(REPOSITORY))}


class Newcomer:
    """A clone of this repository.

    Attributes:
        variables: the environment of the commands that run in it.

    Args:
        folder: becomes the parent of the clone.
        on_step: told each run.
    """

    def __init__(self, folder: Path, on_step: OnStep) -> None:
        self.folder, self.on_step = folder, on_step
        self.variables = environment(os.environ)
        process_cost.run(["git", "clone", "--quiet", str(REPOSITORY), "clone"], folder, self.variables)

    def run(self, line: str) -> tuple[float, float]:
        """The seconds that a command takes in the clone, and the load before."""
        load = os.getloadavg()[0]
        return process_cost.run(line.split(), self.folder / "clone", self.variables)["seconds"], load

    def times(self, runs: int, what: str, line: str, *fresh: str) -> dict[str, Any]:
        """Run a command some times; `fresh` are the folders that each run finds gone."""
        found = []
        for number in range(1, runs + 1):
            self.on_step(f"{what}, run {number} of {runs}")
            for name in fresh:
                remove(self.folder / name)
            found.append(self.run(line))
        seconds = [each for each, _ in found]
        spread = {name: float(f"{of(seconds):.3g}") for name, of in (("min", min), ("median", median), ("max", max))}
        return {"seconds": spread, "goal": GOALS.get(what), "load": [round(load, 2) for _, load in found]}
