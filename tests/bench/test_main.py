"""`python -m bench`: one clear line for a mistake, and results that are not mixed."""

import sys

import pytest

from bench import __main__ as command
from bench import results
from bench.series import costs
from pipeline.errors import UnrollError


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
    found = results.merge(
        results.merge({}, "peers", {"rows": [1]}, 5.2), "series", {"served": []}, 1.0
    )
    assert found["peers"] == {
        "date": found["series"]["date"],
        "seconds": 5,
        "rows": [1],
    }
    assert results.merge(found, "peers", {"rows": [2]}, 1.0)["peers"]["rows"] == [2]
    results.require_same_machine(found, "peers")
    found["machine"]["kind"] = "Another CPU"
    with pytest.raises(
        UnrollError, match="of another machine \\(Another CPU; this is "
    ):
        results.require_same_machine(found, "peers")
    del found["series"]
    results.require_same_machine(found, "peers")


def test_the_last_line_of_a_command_that_fails_is_told(tmp_path):
    program = "import sys; print('well', flush=True); sys.exit('no such meter')"
    with pytest.raises(UnrollError, match="ended with status 1: no such meter$"):
        costs.metered([sys.executable, "-c", program], tmp_path)


def test_a_command_is_measured(tmp_path):
    program = "import time; print('first', flush=True); time.sleep(2); print('last')"
    found = costs.metered([sys.executable, "-c", program], tmp_path)
    assert 0 < found["first_line"] < 2 < found["seconds"]
    assert found["cpu"] < found["seconds"]
    assert found["peak"] > 1
