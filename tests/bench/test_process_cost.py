import sys

import pytest

from bench import process_cost


def test_a_command_is_measured_in_a_process_of_its_own(tmp_path):
    much = process_cost.run([sys.executable, "-S", "-c", "print(len(bytearray(200 * 2**20)))"], tmp_path)
    little = process_cost.run([sys.executable, "-S", "-c", "pass"], tmp_path)
    assert much["peak"] > 200 > little["peak"]
    assert set(much) == {"seconds", "cpu", "peak"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands on whom a process leaves behind")
def test_a_process_that_outlives_the_command_counts_too(tmp_path):
    code = "import os\nif not os.fork() and not os.fork():\n    print(len(bytearray(200 * 2**20)))"
    assert process_cost.run([sys.executable, "-S", "-c", code], tmp_path)["peak"] > 200


def test_what_a_command_says_when_it_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(process_cost, "REPOSITORY", tmp_path)
    monkeypatch.setattr(process_cost, "FAILED", tmp_path / "failed.txt")
    code = "import sys; print('all is well', flush=True); sys.exit('it is not')"
    with pytest.raises(process_cost.CommandFailedError, match=r"ended with status 1: it is not \(all: failed.txt\)$"):
        process_cost.run([sys.executable, "-c", code], tmp_path)
    assert (tmp_path / "failed.txt").read_text(encoding="utf-8") == "all is well\nit is not\n"


def test_an_interpreter_without_unroll_is_no_use(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(process_cost.CommandFailedError, match="`unroll` is neither beside this Python nor on PATH"):
        process_cost.interpreter()
