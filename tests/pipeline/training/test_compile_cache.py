import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import plain_yaml
from pipeline.locks import alone
from pipeline.training import compile_cache
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source

ROOT = Path(__file__).parents[2]


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


def test_a_training_compiles_once_and_leaves_the_same_bytes(tmp_path):
    # TensorFlow would take an unquoted space as the end of the path, and keep programs where nobody looks after them.
    root = tmp_path / "with 'space\" \\ and ü"
    root.mkdir()
    workspace = Workspace(root)
    experiment = {
        "dataset": "windows",
        "seeds": [0],
        "model": {"family": "recurrent", "name": "gru", "units": 2},
        "training": {"method": "compiled", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 20},
    }
    sections = {
        "sources": {"sine": {"kind": "sine", "points": 50, "test_points": 20}},
        "datasets": {"windows": {"source": "sine", "preparation": {"name": "sine_windows", "lookback": 5}}},
        "experiments": {"gru": experiment},
    }
    plain_yaml.write(sections, workspace.params)
    source(workspace, "sine")
    prepare(workspace, "windows")
    folder = workspace.scratch / "programs" / "gru"

    def train():
        shutil.rmtree(root / "runs", ignore_errors=True)
        command = [sys.executable, "-m", "stages", "--root", str(root), "train", "gru"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        files = sorted(path for path in (root / "runs").rglob("*") if path.is_file())
        return {path.relative_to(root): path.read_bytes() for path in files}

    def times():
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.pb")}

    compiled = train()
    written = times()
    assert written.keys() == json.loads((folder / compile_cache.LIST).read_text())["programs"].keys() != set()
    assert train() == compiled, "from the kept programs"
    assert times() == written, "nothing was compiled again"
    for path in folder.glob("*.pb"):
        os.truncate(path, path.stat().st_size // 2)
    assert train() == compiled, "although they were damaged"
    assert list(tmp_path.iterdir()) == [root], "nothing is kept elsewhere"
