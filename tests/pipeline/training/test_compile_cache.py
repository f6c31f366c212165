import json
import os
import shutil
import subprocess
import sys

import pytest

from pipeline.config import plain_yaml
from pipeline.locks import alone
from pipeline.training import compile_cache
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY


@pytest.fixture
def folder(tmp_path):
    """One with two programs that its list vouches for."""
    folder = tmp_path / "programs" / "a"
    with compile_cache.kept(folder):
        (folder / "one.pb").write_bytes(b"1")
        (folder / "two.pb").write_bytes(b"2")
    return folder


def used(folder):
    """What TensorFlow would find in the folder."""
    with compile_cache.kept(folder):
        assert os.environ[compile_cache.FLAGS] == compile_cache.flags(folder)
        return sorted(path.name for path in folder.glob("*.pb"))


def test_programs_are_there_the_next_time(folder):
    assert used(folder) == ["one.pb", "two.pb"]
    assert compile_cache.FLAGS not in os.environ


@pytest.mark.parametrize("damage", [b"", b"1" * 7])
def test_a_damaged_program_is_removed(folder, damage):
    (folder / "one.pb").write_bytes(damage)
    assert used(folder) == ["two.pb"]


def test_what_a_killed_process_has_left_is_removed(folder):
    (folder / "three.pb").write_bytes(b"3")
    (folder / "four.tmp").write_bytes(b"4")
    assert used(folder) == ["one.pb", "two.pb"]
    assert not (folder / "four.tmp").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": 1, "programs": {}}'])
def test_without_a_list_nothing_is_used(folder, text):
    (folder / compile_cache.LIST).write_text(text)
    assert used(folder) == []


def test_programs_of_another_machine_are_removed(folder, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    assert used(folder) == []


def test_only_the_newest_are_kept(folder):
    with compile_cache.kept(folder):
        for number in range(compile_cache.KEPT):
            (folder / f"new_{number}.pb").write_bytes(b"n")
            os.utime(folder / f"new_{number}.pb", (2e9 + number, 2e9 + number))
    assert used(folder) == sorted(f"new_{number}.pb" for number in range(compile_cache.KEPT))


def test_a_second_process_works_without(folder):
    with alone(folder.with_name("a.lock"), ""), compile_cache.kept(folder):
        assert compile_cache.FLAGS not in os.environ


def test_options_of_the_user_are_left_alone(folder, monkeypatch):
    monkeypatch.setenv(compile_cache.FLAGS, "--tf_xla_auto_jit=2")
    with compile_cache.kept(folder):
        assert os.environ[compile_cache.FLAGS] == "--tf_xla_auto_jit=2"


def test_a_folder_that_cannot_be_made_is_no_reason_not_to_train(tmp_path):
    (tmp_path / "programs").touch()
    with compile_cache.kept(tmp_path / "programs" / "a"):
        assert compile_cache.FLAGS not in os.environ


def test_a_failure_in_the_block_is_the_callers(folder):
    with pytest.raises(KeyError), compile_cache.kept(folder):
        raise KeyError
    assert compile_cache.FLAGS not in os.environ


def test_a_training_compiles_once_and_leaves_the_same_bytes_although_a_program_was_damaged(tmp_path):
    # TensorFlow would take an unquoted space as the end of the path, and keep programs where nobody looks after them.
    root = tmp_path / "with 'space\" \\ and ü"
    root.mkdir()
    workspace = Workspace(root)
    training = {"method": "gradient_descent", "optimizer": "sgd", "loss": "mse", "epochs": 2, "batch_size": 20}
    model = {"family": "dense", "name": "mlp", "hidden": [2]}
    sections = {
        "sources": {"sine": {"kind": "sine", "points": 50, "test_points": 20}},
        "datasets": {"points": {"source": "sine", "preparation": {"name": "sine_points", "part": "extrapolation"}}},
        "experiments": {"mlp": {"dataset": "points", "model": model, "training": training}},
    }
    plain_yaml.write(sections, workspace.params)
    source(workspace, "sine")
    prepare(workspace, "points")
    folder = workspace.scratch / "programs" / "mlp"

    def train():
        """The bytes of a trial, which MLflow hears nothing of: that takes seconds."""
        shutil.rmtree(workspace.trial("mlp"), ignore_errors=True)
        command = [sys.executable, "-m", "stages", "--root", str(root), "train", "mlp", "--seed", "0"]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        files = sorted(path for path in workspace.trial("mlp").rglob("*") if path.is_file())
        return {path.relative_to(root): path.read_bytes() for path in files}

    def times():
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.pb")}

    compiled, written = train(), times()
    assert written.keys() == json.loads((folder / compile_cache.LIST).read_text())["programs"].keys()
    damaged = min(written)
    os.truncate(folder / damaged, 100)
    assert train() == compiled, "from the kept programs, but for the damaged one"
    assert {name for name, time in times().items() if written[name] != time} == {damaged}
    assert list(tmp_path.iterdir()) == [root], "nothing is kept elsewhere"
