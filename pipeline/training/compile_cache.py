"""XLA's compiled programs, kept from one training of an experiment to the next: no compile is paid twice."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import read_json, sha256, write_json
from pipeline.locks import alone
from pipeline.provenance import machine

FLAGS = "TF_XLA_FLAGS"
"""Where TensorFlow looks for the folder, when it compiles for the first time in a process."""

LIST = "programs.json"
"""What is in the folder: for which machine, and the SHA-256 of each file."""

KEPT = 16
"""Files that are kept of an experiment, the newest: a training compiles three to six programs, 0.1-2 MB each."""


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Let TensorFlow take its programs from `folder` and add new ones, for the first training of this process.

    TensorFlow fails on a damaged program, and does not ask which processor one was made for: whatever the folder's
    list does not vouch for is removed first. A process that was killed leaves no list of what it added.

    Args:
        folder: of one experiment. Another process that trains the same one at the same time works without.
    """
    with ExitStack() as stack:
        if not os.environ.get(FLAGS):  # it may be the user's own
            with suppress(OSError, UnrollError):
                stack.enter_context(alone(folder.with_name(f"{folder.name}.lock"), "another process has it"))
                _clean(folder)
                stack.callback(_leave, folder)
                os.environ[FLAGS] = flags(folder)
                stack.callback(os.environ.pop, FLAGS)
        yield


def flags(folder: Path) -> str:
    """What makes TensorFlow keep programs in `folder`: in quotes, since it would take a space as the end of a path."""
    path = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    return f'--tf_xla_persistent_cache_directory="{path}"'


def made_for() -> str:
    """What a program depends on besides its text: processor, TensorFlow and XLA's options."""
    known = [platform.machine(), machine.cpuinfo().get("model name", ""), *machine.flags()]
    for name in ("tensorflow", "tensorflow-cpu", "keras"):
        with suppress(metadata.PackageNotFoundError):
            known.append(f"{name} {metadata.version(name)}")
    known.append(os.environ.get("XLA_FLAGS", ""))
    return hashlib.sha256("\n".join(known).encode()).hexdigest()


def _clean(folder: Path) -> None:
    """Remove what the list does not vouch for, and make sure that files can be written. Raises OSError if not."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        listed = read_json(folder / LIST)
        sums = dict(listed["programs"]) if listed["made_for"] == made_for() else {}
    except (UnrollError, KeyError, TypeError, ValueError):
        sums = {}
    for path in folder.iterdir():
        if path.name != LIST and sums.get(path.name) != sha256(path):
            path.unlink()
    _describe(folder)


def _leave(folder: Path) -> None:
    with suppress(OSError):  # without its list the folder is emptied the next time
        _describe(folder)


def _describe(folder: Path) -> None:
    """Keep the newest programs and write the list of them."""
    newest = sorted(folder.glob("*.pb"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest[KEPT:]:
        path.unlink()
    sums = {path.name: sha256(path) for path in sorted(newest[:KEPT])}
    write_json(folder / LIST, {"made_for": made_for(), "programs": sums})
