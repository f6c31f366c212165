"""`python -m bench`: one clear line for a mistake, and results that are not mixed."""

import os
import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import results
from bench.own_series import measure
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["speed"], 2, "No such command 'speed'. Did you mean 'peers'?"),
        (["--quick", "peers"], 2, "No such option: --quick"),
        (["page"], 1, "bench/results.json is missing; run `make bench`"),
    ],
)
def test_a_mistake_is_one_line(arguments, status, said, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    assert command.main() == status
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_part_takes_the_place_of_its_old_self_and_parts_of_two_machines_are_not_mixed():
    found = results.merge(results.merge({}, "peers", {"rows": [1]}, 5.2), "series", {"served": []}, 1.0)
    assert found["peers"] == {"date": found["series"]["date"], "seconds": 5, "rows": [1]}
    assert results.merge(found, "peers", {"rows": [2]}, 1.0)["peers"]["rows"] == [2]
    results.require_same_machine(found, "peers")
    found["machine"]["kind"] = "Another CPU"
    with pytest.raises(UnrollError, match="of another machine \\(Another CPU; this is "):
        results.require_same_machine(found, "peers")
    del found["series"]
    results.require_same_machine(found, "peers")


def test_what_a_command_says_when_it_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setattr(measure, "PRINTED", tmp_path / "printed.txt")
    (tmp_path / "params.yaml").write_text("sources: none\n")
    with pytest.raises(UnrollError) as failed:
        measure.unroll(Workspace(tmp_path), "doctor")
    *before, last = (tmp_path / "printed.txt").read_text(encoding="utf-8").splitlines()
    assert before
    assert f"`unroll doctor` ended with status 1: {last} (all: " in str(failed.value)
