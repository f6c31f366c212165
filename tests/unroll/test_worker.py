"""A machine that trains for a build: as a process that shares the build's folder."""

import json
import os
import time

import psutil
import pytest

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from tests.support import content, start_unroll, still_there, trainable
from tests.support.trainable import AWAY, LINEAR
from unroll import worker

HELD = """
import time
from pathlib import Path

from pipeline.models.baselines import Baseline


def held(problem, *, folder: str):
    def features(inputs):
        (Path(folder) / "began").touch()
        while not (Path(folder) / "go").exists():
            time.sleep(0.02)
        return inputs[:, -1, problem.target]

    return Baseline(features)


MODELS, KINDS = {"held": held}, {"held": "predictions"}
"""
"""A model of one's own: the last value, once there is a file `go` in a folder."""


@pytest.fixture
def build(tmp_path):
    """A workspace with an experiment that waits, and one that does not."""
    root = tmp_path / "build"
    own = root / "unroll_extensions" / "models" / "held.py"
    own.parent.mkdir(parents=True)
    own.write_text(HELD)
    held = {"family": "held", "name": "held", "folder": str(tmp_path)}
    waits = {"model": held, "training": {"method": "none"}}
    workspace = trainable.waves(root, waits=waits, linear=LINEAR)
    worker.note_environment(workspace)
    return workspace


def wait_for(path):
    limit = time.monotonic() + 600
    while not path.exists():
        assert time.monotonic() < limit, path
        time.sleep(0.02)


def test_a_build_has_the_same_bytes_with_workers_of_which_one_is_killed(
    build, tmp_path
):
    options = {"env": {**os.environ, **AWAY}}
    doomed = start_unroll(build.root, "worker", "--jobs", "2", **options)
    wait_for(tmp_path / "began")
    family = psutil.Process(doomed.pid).children(recursive=True)
    doomed.kill()
    doomed.communicate()
    assert still_there(family) == []
    (tmp_path / "began").unlink()
    other = start_unroll(build.root, "worker", "--idle", "0.05", **options)
    wait_for(tmp_path / "began")
    here = trainable.start_training(build)
    (tmp_path / "go").touch()
    output, _ = here.communicate()
    assert here.returncode == 0, output
    said, _ = other.communicate()
    assert other.returncode == 0, said
    waiting = f"Waiting for trainings of a build in {build.root}; ends after 3 s"
    assert said.startswith(waiting)
    assert "waves/waits  done" in said
    assert not [*build.scratch.glob("workers/*/*")], "the killed one's is removed, too"
    assert (build.record("waves", "waits")).exists()
    with_workers = content(build.runs("waves"))
    for entry in (build.scratch / "store" / "waves").glob("*/*"):
        entry.rename(tmp_path / entry.name)
    alone = trainable.start_training(build)
    output, _ = alone.communicate()
    assert alone.returncode == 0, output
    assert content(build.runs("waves")) == with_workers


def test_a_worker_in_a_wrong_folder_ends_at_once(tmp_path):
    with pytest.raises(UnrollError, match="params.yaml is missing; run this in the"):
        worker.work(Workspace(tmp_path), 1, 600)
    assert [*tmp_path.iterdir()] == []


def test_a_machine_that_would_make_other_bytes_is_refused_in_one_line(tmp_path):
    workspace = Workspace(tmp_path)
    assert worker._due(workspace, worker.environment()) == [], "no build has begun"
    worker.note_environment(workspace)
    path = workspace.scratch / "environment.json"
    noted = json.loads(path.read_text())
    path.write_text(json.dumps(noted | {"numpy": "1.0"}))
    with pytest.raises(UnrollError, match=r"numpy 1\.0 there, .* here; install"):
        worker._due(workspace, worker.environment())
