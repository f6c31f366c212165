"""Whether a worker can build stages at all: so one that cannot is told from a stage that fails by itself."""

import ast
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.provenance.machine import PACKAGES

USED = ("pipeline", "stages", "unroll/runner")
"""The code that a stage consists of, and that it is run by."""

LIMIT = 300
"""Seconds that the imports may take: a minute on a cold network drive, and some hang for ever."""

ROOM = 32 * 1024**2
"""Bytes that must be free in a worker's home: twice what DVC asks for (`unroll.runner.dvc_graph`)."""


def require_room(home: Path) -> None:
    """Raises UnrollError if a worker cannot write what DVC needs to its home."""
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        needs = f"a worker needs {ROOM >> 20} MB there at least, and room for what its stages make"
        raise UnrollError(f"nothing can be written to {home} ({error.strerror}); {needs}") from None


def lacks(root: Path) -> tuple[str, bytes]:
    """What keeps the worker of a slot, whose folder is `root`, from work, "" if nothing does; and what was printed."""
    try:
        require_room(root.parent)
    except UnrollError as error:
        return str(error), f"{error}\n".encode()
    command, own = [sys.executable, "-m", __name__, str(root)], {**os.environ, "PYTHONPATH": str(root)}
    try:
        subprocess.run(command, cwd=root.parent, env=own, capture_output=True, check=True, timeout=LIMIT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        module = [b"unroll", *(error.stdout or b"").split()][-1].decode()
        if isinstance(error, subprocess.TimeoutExpired):
            why = f"it has not ended after {LIMIT} s"
        else:
            why = [b"exit code %d" % error.returncode, *error.stderr.splitlines()][-1].decode(errors="replace")
        return f"it cannot import {module} ({why})", error.stderr or b""
    return "", b""


def imported(root: Path) -> list[str]:
    """The modules of others that the code of stages imports, also in functions, in alphabetical order."""
    names = set()
    for file in (file for folder in USED for file in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.add(node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name)
    return sorted(name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, *PACKAGES})


if __name__ == "__main__":
    for name in imported(Path(sys.argv[1])):
        print(name, flush=True)  # the last one is the one that does not come
        importlib.import_module(name)
