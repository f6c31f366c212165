"""What someone who has just cloned Unroll waits for: set-up, demo, tests, and the commands that only look.

Set-up is measured cold, when no package was ever downloaded, and warm, when another environment has left all in uv's
cache. A command that only looks is started once before it is measured, so its modules are compiled by then.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import REPOSITORY, process_cost, results
from pipeline.files import remove

RUNS = 3

LIGHT = ("--help", "list", "show waves", "compare")
"""Commands that only look, in the demo's workspace."""

GOALS = {"set-up, cold": 60.0, "set-up, warm": 10.0, "make demo": 120.0}
GOALS |= {f"unroll {command}": 0.3 for command in LIGHT}
"""What is measured -> the seconds that it should stay below; `make test` has no goal."""


def measure(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Set-up, demo, tests, and the commands that only look, in a fresh clone.

    Args:
        quick: one run, from the caches that are there, and neither a cold set-up nor the tests.
        say: told in words what is done next.

    Returns:
        `waits`: what is measured -> `seconds` (spread), `goal` (None where there is none), and `load`: the most
        processes that wanted a core in the minute before a run.

    Raises:
        UnrollError: a command failed.
    """
    waits: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        folder, variables = Path(name), environment(os.environ)
        process_cost.run(["git", "clone", "--quiet", str(REPOSITORY), "clone"], folder, variables)
        clone = folder / "clone"

        def wait(what: str, line: str, *fresh: str) -> None:
            """Run a command some times; `fresh` are the folders that each run finds gone."""
            seconds, loads = [], []
            for number in range(1, 2 if quick else 1 + RUNS):
                say(f"{what}, run {number}")
                for each in fresh:
                    remove(folder / each)
                loads.append(os.getloadavg()[0])
                seconds.append(process_cost.run(line.split(), clone, variables)["seconds"])
            waits[what] = {"seconds": results.spread(seconds), "goal": GOALS.get(what), "load": max(loads)}

        if not quick:
            variables |= {"UV_CACHE_DIR": f"{folder}/cache/uv", "PIP_CACHE_DIR": f"{folder}/cache/pip"}
            wait("set-up, cold", ".ci/venv", "clone/.venv", "cache")
        wait("set-up, warm", ".ci/venv", "clone/.venv")
        wait("make demo", "make demo", "clone/.demo")
        for command in LIGHT:
            line = f".venv/bin/unroll --root .demo {command}"
            process_cost.run(line.split(), clone, variables)
            wait(f"unroll {command}", line)
        if not quick:
            wait("make test", "make test")
    return {"waits": results.rounded(waits, 3)}


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process without what `make` and this repository's environment have put there."""
    left_out = ("DVC_", "MAKE", "MFLAGS", "MLFLOW_", "PYTHON", "TF_", "UNROLL_", "VIRTUAL_ENV")
    kept = {name: value for name, value in own.items() if name == "PYTHON" or not name.startswith(left_out)}
    places = own["PATH"].split(os.pathsep)
    return kept | {"PATH": os.pathsep.join(place for place in places if not Path(place).is_relative_to(REPOSITORY))}
