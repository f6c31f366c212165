"""The costs of a command."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import REPOSITORY
from pipeline.errors import UnrollError
from pipeline.files import read_json

OWN = ("DVC_", "MLFLOW_", "PYTHON", "TF_", "UNROLL_")
"""Prefixes of environment variables that are the user's settings."""

SHOWN = 200
"""Characters of a command that a message shows."""


def metered(command: Sequence[str], folder: Path, **variables: str) -> dict[str, float]:
    """Run a command in a folder, and measure what it costs.

    Args:
        command: its words.
        folder: where it runs.
        variables: environment variables, in addition to those that are not in `OWN`.

    Returns:
        `seconds`, `cpu` seconds and `peak` memory in MiB, by bench/meter.py; and
        `first_line`, the seconds until the command prints its first line.

    Raises:
        UnrollError: the command failed; the message has its last line.
    """
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(OWN)
    }
    meter = [sys.executable, "-I", "-S", str(REPOSITORY / "bench" / "meter.py")]
    first_line = 0.0
    last = "it printed nothing"
    start = time.perf_counter()
    with (
        tempfile.NamedTemporaryFile("w") as costs,
        subprocess.Popen(
            [*meter, *command],
            cwd=folder,
            env=outside | variables,
            stdin=subprocess.DEVNULL,
            stdout=costs,
            stderr=subprocess.PIPE,  # has the output of the command
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stderr or ():
            first_line = first_line or time.perf_counter() - start
            last = line.strip() or last
        if process.wait():
            shown = " ".join(" ".join(command).split())[:SHOWN]
            status = process.returncode
            raise UnrollError(f"`{shown}` ended with status {status}: {last}")
        found: dict[str, float] = read_json(Path(costs.name))
    return found | {"first_line": first_line}


def of_models(answer: Path) -> float:
    """Return the CPU seconds of the models of a saved answer.

    They work in processes that the meter does not see.
    """
    seconds: dict[str, float] = read_json(answer / "seconds.json")
    return sum(seconds.values())
