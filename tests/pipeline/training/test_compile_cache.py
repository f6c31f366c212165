import json
import os
import subprocess
import sys

import pytest

from pipeline.files import read_json
from pipeline.locks import alone
from pipeline.training import compile_cache
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
    with pytest.raises(KeyError), compile_cache.kept(folder):
        raise KeyError
    assert compile_cache.FLAGS not in os.environ, "nor after a failure in the block, which is the caller's"


@pytest.mark.parametrize(
    ("name", "content", "left"),
    [
        ("one.pb", b"", ["two.pb"]),
        ("one.pb", b"1" * 7, ["two.pb"]),
        ("three.pb", b"of a killed process", ["one.pb", "two.pb"]),
        ("three.tmp", b"likewise", ["one.pb", "two.pb"]),
        *((compile_cache.LIST, text, []) for text in (b"", b"[]", b"{}", b'{"machine": 1, "programs": {}}')),
    ],
)
def test_what_the_list_does_not_vouch_for_is_removed(folder, name, content, left):
    (folder / name).write_bytes(content)
    assert used(folder) == left
    assert {path.name for path in folder.iterdir()} == {*left, compile_cache.LIST}


def test_only_the_newest_are_kept_and_none_of_another_machine(folder, monkeypatch):
    with compile_cache.kept(folder):
        for number in range(compile_cache.KEPT):
            (folder / f"new_{number}.pb").write_bytes(b"n")
            os.utime(folder / f"new_{number}.pb", (2e9 + number, 2e9 + number))
    assert used(folder) == sorted(f"new_{number}.pb" for number in range(compile_cache.KEPT))
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    assert used(folder) == []


def test_where_it_cannot_be_used_a_training_goes_without(folder, tmp_path, monkeypatch):
    with alone(folder.with_name("a.lock"), ""), compile_cache.kept(folder):
        assert compile_cache.FLAGS not in os.environ, "a second process"
    (tmp_path / "file").touch()
    with compile_cache.kept(tmp_path / "file" / "a"):
        assert compile_cache.FLAGS not in os.environ, "a folder that cannot be made"
    monkeypatch.setenv(compile_cache.FLAGS, "--tf_xla_auto_jit=2")
    with compile_cache.kept(folder):
        assert os.environ[compile_cache.FLAGS] == "--tf_xla_auto_jit=2", "the user's own"


PROGRAMS = """
import json, os, sys
from pathlib import Path
from pipeline import numerics
numerics.settle()
import tensorflow as tf
from pipeline.training import compile_cache
folder = Path(sys.argv[1])
for _ in range(2):
    if not os.fork():
        with compile_cache.kept(folder):
            compiled = [tf.function(formula, jit_compile=True) for formula in (tf.tanh, tf.square)]
            print(*(program(tf.constant(0.7)).numpy() for program in compiled), flush=True)
        os._exit(0)
    os.wait()
    print(json.dumps({path.name: path.stat().st_mtime_ns for path in folder.glob("*.pb")}), flush=True)
    os.truncate(min(folder.glob("*.pb")), 100)
"""
"""Two processes, one after the other, with two programs of which one is damaged in between."""


def test_a_process_compiles_what_is_damaged_anew_and_takes_the_rest(tmp_path):
    # TensorFlow would take an unquoted space as the end of the path, and keep programs where nobody looks after them.
    folder = tmp_path / "with 'space\" \\ and ü" / "a"
    command = [sys.executable, "-c", PROGRAMS, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    printed, first, again, second = done.stdout.splitlines()
    assert again == printed
    first, second = json.loads(first), json.loads(second)
    assert first.keys() == second.keys() == read_json(folder / compile_cache.LIST)["programs"].keys()
    assert len(first) == 2
    assert [name for name in first if first[name] != second[name]] == [min(first)], "the damaged one"
    assert list(tmp_path.iterdir()) == [folder.parent], "nothing is kept elsewhere"
