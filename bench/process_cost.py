"""What one command costs: seconds, CPU seconds and its highest memory.

A child starts with its parent's peak: Linux counts the memory that it shares until it runs its own program. So the
command is started by `bench/costs/meter.py`, in an interpreter of its own with next to nothing imported.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.repository import REPOSITORY
from pipeline.errors import UnrollError
from pipeline.files import write_text

METER = REPOSITORY / "bench" / "costs" / "meter.py"

FAILED = REPOSITORY / ".unroll" / "bench" / "failed.txt"
"""All that the last command printed that failed."""


class CommandFailedError(UnrollError):
    """A command that is measured did not end well."""


def interpreter() -> Path:
    """The Python that `unroll` is installed for: this one, or that of the `unroll` on PATH.

    Raises:
        CommandFailedError: there is none.
    """
    beside = os.path.dirname(sys.executable)  # noqa: PTH120 - a link to the interpreter is not followed
    found = shutil.which("unroll", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if found is None:
        raise CommandFailedError("`unroll` is neither beside this Python nor on PATH; run `make bench`")
    return Path(found).with_name("python")


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a command in a folder, and wait for all that it has started.

    Returns:
        `seconds` until it ended, `cpu` (seconds, of all its processes) and `peak` (MiB, of the greatest of them).

    Raises:
        CommandFailedError: it ended with another status than 0; says the last line that it printed, and where all is.
    """
    # What the command prints goes to a file, so that a pipe that nobody reads can't hold it up.
    with tempfile.TemporaryFile() as output:
        starter = [sys.executable, "-I", "-S", str(METER), *command]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": output}
        started = subprocess.run(starter, cwd=folder, env=environment, check=False, **streams)  # type: ignore[call-overload]
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if started.returncode:
        write_text(FAILED, f"{said}\n")
        last = said.splitlines()[-1] if said else "it printed nothing"
        where = FAILED.relative_to(REPOSITORY)
        raise CommandFailedError(f"`{' '.join(command)}` ended with status {started.returncode}: {last} (all: {where})")
    found: dict[str, float] = json.loads(started.stdout)
    return found
