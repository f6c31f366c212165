"""A disk that is full and one that may only be read, in the middle of every stage.

The faults are caused in a process of its own, in a mount namespace where a small tmpfs
is the disk.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UnrollError
from pipeline.tracking import store
from tests.faults.conftest import FaultyWorkspace
from tests.support import REPOSITORY

STAGES = (
    "source waves",
    "prepare waves",
    "train waves linear",
    "evaluate waves",
    "report",
)
REPRO = "repro --jobs 1"
ROOM = (4096, 0, 16384, 65536, 262144)
"""Bytes that are left on the disk, in turn: too few at first, and at some point enough;
in brief the first."""

NAMESPACE = ("unshare", "--mount", "--map-root-user")
LINES = (
    "the disk is full",
    "Read-only file system; check that it is there and who may read and write it",
)


def mount(*arguments, where=()):
    """What `mount` prints where it fails."""
    return subprocess.run(
        [*where, "mount", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    ).stderr


def test_what_was_there_stays_whole_and_one_line_says_what_to_do(
    built, request, tmp_path
):
    if not shutil.which("unshare") or mount(
        "-t", "tmpfs", "tmpfs", tmp_path, where=NAMESPACE
    ):
        pytest.skip(
            "the system lets this user mount nothing, not even where only the user's own processes see it"
        )
    room = ROOM if request.config.getoption("--long") else ROOM[:1]
    command = [
        *NAMESPACE,
        sys.executable,
        "-m",
        "tests.faults.test_disk",
        built.root,
        tmp_path,
        *map(str, room),
    ]
    trial = subprocess.run(
        command, cwd=REPOSITORY, check=False, capture_output=True, text=True
    )
    assert trial.returncode == 0, trial.stderr
    for stage, lines in json.loads(trial.stdout.splitlines()[-1]).items():
        assert {(code, line.startswith("unroll: ")) for code, line in lines} == {
            (1, True)
        }, (stage, lines)
        for words in LINES:
            assert any(words in line for _, line in lines), (stage, lines)


def main(built: str, root: Path, *room: str) -> None:
    """Both faults for every stage: each failure leaves all as it was, and then the
    stage makes the same bytes."""
    assert not mount("-t", "tmpfs", "-o", "size=40m", "tmpfs", root)
    shutil.copytree(built, root, dirs_exist_ok=True)
    faulty = FaultyWorkspace(root)
    whole = faulty.outputs()
    lines = {}
    shutil.rmtree(faulty.workspace.run("waves", "linear"))
    expected = faulty.outputs()
    for command in (*STAGES, REPRO):
        lines[command] = []
        # a build needs more than all of them
        for free in map(int, room if command != REPRO else room[:1]):
            disk = os.statvfs(root)
            (root / "filler").write_bytes(
                bytes(max(0, disk.f_bavail * disk.f_frsize - free))
            )
            ended = faulty.run(command)
            (root / "filler").unlink()
            assert faulty.outputs() == expected, (command, free, ended)
            assert faulty.unfinished() == []
            if ended.code == 0:
                break
            lines[command].append(ended[:2])
        mount("-o", "remount,ro", root)
        lines[command].append(faulty.run(command)[:2])
        mount("-o", "remount,rw", root)
        faulty.succeeds(command)
        if command.startswith("train"):
            expected = whole
        assert faulty.outputs() == expected, command
    sys.stdout.write(json.dumps(lines))


def no_store(_: object) -> store.Store:
    """To import MLflow takes seconds, and it has its own tests."""
    raise UnrollError("not here")


if __name__ == "__main__":
    store.opened = no_store
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
