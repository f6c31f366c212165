"""One graph has one dvc.lock, however it is built: by plain `dvc repro` and, with --rebuilds, in every other way."""

import contextlib
import random
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import Miniature, make_half
from tests.support import still_there
from unroll.runner.dvc_graph import cache
from unroll.verify import verify
from unroll.verify.compare import SAME, Build, compare
from unroll.workspaces import make


def test_dvc_repro_elsewhere_builds_the_same_bytes_and_writes_the_same_entries(built, tmp_path):
    other = make_half(tmp_path / verify.SECOND)
    circumstances = [f"{name}={value}" for name, value in verify.CIRCUMSTANCES.items()]
    dvc = f"umask {verify.UMASK:03o}; exec {sys.executable} -m dvc repro -q train@jena_gru"
    other.run("env", *circumstances, "sh", "-c", dvc)
    first, second = (Build(half.workspace, cache(half.root)) for half in (built, other))
    assert "train@jena_gru" in second.stages
    assert {stage: first.stages[stage] for stage in second.stages} == second.stages
    assert {output.level for output in compare(first, second, dict.fromkeys(second.stages, ()), {}, None)} == {SAME}
    assert (other.root / "runs/jena/jena_gru").stat().st_mode & 0o077 == 0, "it had another umask"


def require_same_bytes(first, second):
    outputs = verify.compare_bytes(first.workspace, second.workspace)
    assert len(outputs) > 30
    assert [output for output in outputs if output.level != SAME] == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory, request):
    """All of the miniature, built by a command that compares two builds: other jobs, folder, language, time zone."""
    if not request.config.getoption("--rebuilds"):
        pytest.skip("with --rebuilds only: minutes")
    root = Miniature(make.miniature(tmp_path_factory.mktemp("whole") / "root").root)
    assert "outputs have the same bytes." in root.unroll("verify", "--quick", "--keep", "--jobs", "1")
    return Miniature(root.root / ".verify/quick" / verify.FIRST)


def test_a_build_that_is_killed_again_and_again_has_the_same_bytes(whole, tmp_path):
    other = Miniature(make.miniature(tmp_path / "killed").root)
    unroll = [sys.executable, "-m", "unroll"]
    options = {
        "cwd": other.root,
        "env": {name: value for name, value in other.environment.items() if not name.startswith("MLFLOW_")},
        "stdout": subprocess.DEVNULL,
    }
    for _ in range(4):
        build = subprocess.Popen([*unroll, "repro", "--jobs", "2"], **options)
        time.sleep(random.uniform(3, 15))  # noqa: S311
        family = psutil.Process(build.pid).children(recursive=True)
        build.kill()
        build.wait()
        assert still_there(family) == []
    for command in (["repro", "--jobs", "2"], ["track"]):
        subprocess.run([*unroll, *command], check=True, **options)
    require_same_bytes(whole, other)
    assert not [path for path in other.root.rglob(".*.tmp") if ".dvc" not in path.parts], "nothing is half-written"
    with contextlib.closing(sqlite3.connect(other.root / "mlflow.db")) as runs:
        assert {status for (status,) in runs.execute("SELECT status FROM runs")} <= {"FINISHED", "KILLED"}
