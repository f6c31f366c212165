"""Run every stage on a disk that has no room, then on one that may not be written; print what came of it as JSON.

Started by test_disk.py in a mount namespace of its own, where a small tmpfs is the disk. Where the system gives no
such namespace, a limit on the size of files stands for the full disk, and permissions for the read-only one.

Args: the folder of a built workspace, an empty folder, "mounts" or "limits".
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.tracking import store
from tests.faults.lab import Lab

STAGES = {
    "source waves": "data/raw/waves",
    "prepare waves": "data/prepared/waves",
    "train waves_linear": "runs/waves/waves_linear",
    "evaluate waves": "evaluations/waves",
    "report": "report/index.html",
}
"""Command -> what it writes."""

NOBODY = 65534

PAGES = (0, 1, 2, 4, 8, 16, 32, 64)
"""How much room there is, in pages of memory: too little at first, and at some point enough."""


@contextlib.contextmanager
def room(lab: Lab, pages: int, *, mounts: bool) -> Iterator[None]:
    """Leave this much room on the disk, or let no file grow beyond it."""
    size = pages * resource.getpagesize()
    if not mounts:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return
    filler = lab.root / "filler"
    disk = os.statvfs(lab.root)
    filler.write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - size)))
    yield
    filler.unlink()


def full(lab: Lab, command: str, output: str, *, mounts: bool) -> dict[str, object]:
    """With ever more room, until it is enough: each failure leaves all as it was, the success is as without a fault."""
    whole = lab.outputs()
    found: dict[str, object] = {}
    for pages in PAGES:
        with room(lab, pages, mounts=mounts):
            ended = lab.run(command)
        if ended.code == 0:
            break
        found.setdefault("code", ended.code)
        found.setdefault("line", ended.line)
        assert (ended.code, ended.line) == (found["code"], found["line"])
        assert lab.outputs() == whole
        assert lab.unfinished() == []
    assert lab.outputs() == whole
    lab.remove(output)
    assert lab.run(command).code == 0
    assert lab.outputs() == whole
    return found


def read_only(lab: Lab, command: str, *, mounts: bool) -> dict[str, object]:
    """The whole workspace may only be read."""
    whole = lab.outputs()
    with _closed(lab, mounts=mounts):
        ended = lab.run(command)
    assert lab.outputs() == whole
    assert lab.run(command).code == 0
    assert lab.outputs() == whole
    return {"code": ended.code, "line": ended.line}


@contextlib.contextmanager
def _closed(lab: Lab, *, mounts: bool) -> Iterator[None]:
    if mounts:
        subprocess.run(["mount", "-o", "remount,ro", str(lab.root)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(lab.root)], check=True)
        return
    folders, user = [lab.root, *(path for path in lab.root.rglob("*") if path.is_dir())], os.geteuid()
    for folder in folders:
        folder.chmod(0o555)
    if user == 0:  # whom no permission stops
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)
    for folder in folders:
        folder.chmod(0o755)


def main(built: Path, root: Path, *, mounts: bool) -> None:
    """Both faults for every stage."""
    if mounts:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(root)], check=True)
    for path in built.iterdir():
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, root / path.name)
    lab = Lab(root)
    found = {command: {"full": full(lab, command, output, mounts=mounts)} for command, output in STAGES.items()}
    for command in STAGES:
        found[command]["read-only"] = read_only(lab, command, mounts=mounts)
    sys.stdout.write(json.dumps(found))


def no_store(_: object) -> store.Store:
    """MLflow takes seconds, and has its own tests."""
    raise UnrollError("not here")


if __name__ == "__main__":
    store.connect = no_store
    main(Path(sys.argv[1]), Path(sys.argv[2]), mounts=sys.argv[3] == "mounts")
