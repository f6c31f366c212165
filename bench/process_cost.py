"""What one command costs: seconds, CPU seconds and its highest memory.

A child starts with its parent's peak: Linux counts the memory that it shares until it runs its own program. So the
command is started by `bench/meter.py`, in an interpreter of its own with next to nothing imported.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import REPOSITORY
from pipeline.errors import UnrollError
from pipeline.files import write_text

METER = REPOSITORY / "bench" / "meter.py"
FAILED = REPOSITORY / ".unroll" / "bench" / "failed.txt"
"""All that the last command printed that failed."""


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a command in a folder: its `seconds`, its `cpu` seconds and its `peak` in MiB.

    Raises:
        UnrollError: it ended with another status than 0; says the last line that it printed, and where all is.
    """
    # What the command prints goes to a file, so that a pipe that nobody reads can't hold it up.
    with tempfile.TemporaryFile() as output:
        started = subprocess.run(
            [sys.executable, "-I", "-S", str(METER), *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip() or "it printed nothing"
    if started.returncode:
        write_text(FAILED, f"{said}\n")
        raise UnrollError(
            f"`{' '.join(command)}` ended with status {started.returncode}: {said.splitlines()[-1]} (all: {FAILED})"
        )
    found: dict[str, float] = json.loads(started.stdout)
    return found
