"""A disk that is full and one that may only be read, in the middle of every stage.

The faults are caused in a process of its own, in a mount namespace where a small tmpfs is the disk. Where the system
gives no such namespace, a limit on the size of files stands for the full disk, and permissions for the read-only one.
"""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.tracking import store
from tests.faults.lab import ROOT, Lab, on_page

STAGES = ("source waves", "prepare waves", "train waves_linear", "evaluate waves", "report")
REPRO = "repro --jobs 1"
PAGES = (0, 1, 4, 16, 64)
"""How much room there is, in pages of memory: too little at first, and at some point enough; in brief the second."""

NAMESPACE = ["unshare", "--mount", "--map-root-user"]
CANNOT = "check that it is there and who may read and write it"
SAID = {
    "mounts": ("the disk is full", f"Read-only file system; {CANNOT}"),
    "limits": ("File too large", f"Permission denied; {CANNOT}"),
}
"""How the faults are caused -> words of the lines."""


def namespaces() -> bool:
    """Whether this user may mount something where only the user's own processes see it."""
    with contextlib.suppress(FileNotFoundError):
        test = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
        return subprocess.run(test, check=False, capture_output=True).returncode == 0
    return False


def test_what_was_there_stays_whole_and_one_line_says_what_to_do(built, request, tmp_path):
    """A real disk where the system lets us mount one; else, and in the long run too, limits stand for it."""
    real, long = namespaces(), request.config.getoption("--long")
    for way in ["mounts"] * real + ["limits"] * (long or not real):
        command = [*NAMESPACE * (way == "mounts"), sys.executable, "-m", "tests.faults.test_disk"]
        command += [str(built.root), str(tmp_path / way), way, *map(str, PAGES if long else PAGES[1:2])]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for stage, lines in json.loads(done.stdout).items():
            assert {(code, line.startswith("unroll: ")) for code, line in lines} == {(1, True)}, (stage, lines)
            for words in SAID[way]:
                assert any(words in line for _, line in lines), (stage, lines)
                assert on_page(words)


def main(built: str, root: Path, way: str, *pages: str) -> None:
    """Both faults for every stage: each failure leaves all as it was, and then the stage makes the same bytes."""
    root.mkdir()
    if way == "mounts":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(root)], check=True)
    shutil.copytree(built, root, dirs_exist_ok=True)
    lab = Lab(root)
    # Under the limit DVC could not write its notes, and would try for ever.
    commands = [*STAGES, REPRO] if way == "mounts" else STAGES
    whole, said = lab.outputs(), {command: set() for command in commands}
    for command, lines in said.items():
        for free in pages if command != REPRO else pages[:1]:  # a build needs more than all of them
            with room(lab, int(free) * resource.getpagesize(), way):
                ended = lab.run(command)
            assert lab.outputs() == whole, (command, free, ended)
            assert lab.unfinished() == []
            if ended.code == 0:
                break
            lines.add(ended[:2])
        with read_only(lab, way):
            lines.add(lab.run(command)[:2])
        lab.succeeds(command)
        assert lab.outputs() == whole, command
    sys.stdout.write(json.dumps({command: sorted(lines) for command, lines in said.items()}))


@contextlib.contextmanager
def room(lab: Lab, size: int, way: str) -> Iterator[None]:
    """Leave so many bytes on the disk, or let no file grow beyond them."""
    if way == "mounts":
        disk = os.statvfs(lab.root)
        (lab.root / "filler").write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - size)))
        yield
        (lab.root / "filler").unlink()
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def read_only(lab: Lab, way: str) -> Iterator[None]:
    if way == "mounts":
        subprocess.run(["mount", "-o", "remount,ro", str(lab.root)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(lab.root)], check=True)
        return
    folders, user = [lab.root, *(path for path in lab.root.rglob("*") if path.is_dir())], os.geteuid()
    for folder in folders:
        folder.chmod(0o555)
    os.seteuid(user or 65534)  # no permission stops root
    yield
    os.seteuid(user)
    for folder in folders:
        folder.chmod(0o755)


def no_store(_: object) -> store.Store:
    """To import MLflow takes seconds, and it has its own tests."""
    raise UnrollError("not here")


if __name__ == "__main__":
    store.connect = no_store
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
