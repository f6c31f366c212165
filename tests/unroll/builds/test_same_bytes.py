"""One graph has one dvc.lock, however it is built; with --rebuilds only."""

import contextlib
import random
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import Miniature
from tests.support import miniature, still_there

ELSEWHERE = "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folder of the second build."""

CIRCUMSTANCES = {
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "de_DE.UTF-8",
}
"""The hash seed, time zone and language of the second build."""

UMASK = 0o077
"""The umask of the second build: nobody else may read what it writes."""

KILLS = 10
"""Of random processes of a build, each followed by one of the build itself."""


def start(other, *command, **options):
    """A command in a workspace of its own."""
    command = [sys.executable, "-m", *command]
    options = {
        "env": other.environment,
        "cwd": other.root,
        "stdout": subprocess.DEVNULL,
    } | options
    return subprocess.Popen(command, **options)


@pytest.fixture(scope="module")
def lock(tmp_path_factory, request):
    """The dvc.lock of the miniature, built by a plain `dvc repro`, one task at a time."""
    if not request.config.getoption("--rebuilds"):
        pytest.skip("with --rebuilds only: minutes")
    plain = Miniature(miniature.make(tmp_path_factory.mktemp("plain") / "root").root)
    assert (
        start(
            plain, "dvc", "repro", env=plain.environment | {"UNROLL_JOBS": "1"}
        ).wait()
        == 0
    )
    return (plain.root / "dvc.lock").read_bytes()


def test_in_another_folder_language_time_zone_and_two_at_a_time(lock, tmp_path):
    other = Miniature(miniature.make(tmp_path / ELSEWHERE).root)
    variables = other.environment | CIRCUMSTANCES
    assert (
        start(
            other, "unroll", "repro", "--jobs", "2", env=variables, umask=UMASK
        ).wait()
        == 0
    )
    assert (other.root / "dvc.lock").read_bytes() == lock
    assert other.workspace.run("jena", "gru").stat().st_mode & 0o077 == 0, (
        "it had another umask"
    )


def test_killed_again_and_again_and_four_at_a_time(lock, tmp_path):
    other = Miniature(miniature.make(tmp_path / "killed").root)
    for _ in range(KILLS):
        build = start(other, "unroll", "repro", "--jobs", "4")
        time.sleep(random.uniform(1, 20))  # noqa: S311
        process = psutil.Process(build.pid)
        family = [process, *process.children(recursive=True)]
        with contextlib.suppress(psutil.NoSuchProcess):
            random.choice(family).kill()  # noqa: S311
        time.sleep(random.uniform(0, 2))  # noqa: S311
        with contextlib.suppress(psutil.NoSuchProcess):
            family += process.children(recursive=True)
        build.kill()
        build.wait()
        assert still_there(family) == []
    assert start(other, "unroll", "repro", "--jobs", "4").wait() == 0
    assert (other.root / "dvc.lock").read_bytes() == lock
    assert [
        path for path in other.root.rglob(".*.tmp") if ".dvc" not in path.parts
    ] == []
