"""`python -m bench`: one clear line for a mistake, and results that are not mixed."""

import sys

import pytest

from bench import REPOSITORY, figures_file
from bench import __main__ as command
from bench.series import costs
from pipeline.errors import UnrollError


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            ["speed"],
            2,
            "the part must be one of: opponents, page, panels, peers, rebuild, rule, series. Received: 'speed'",
        ),
        (["peers", "--quik"], 2, "No such option: --quik"),
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


def test_a_part_takes_the_place_of_its_old_self_and_has_a_machine_of_its_own():
    old = {
        "peers": {"rows": [1]},
        "series": {"machine": {"kind": "Another CPU"}, "served": []},
    }
    found = figures_file.merge(old, "peers", {"rows": [2]}, 5.2)
    assert found["series"] == old["series"]
    assert found["peers"]["machine"] == figures_file.machine()
    assert (found["peers"]["seconds"], found["peers"]["rows"]) == (5, [2])


def test_the_last_line_of_a_command_that_fails_is_told(tmp_path):
    program = "import sys; print('well', flush=True); sys.exit('no such meter')"
    with pytest.raises(UnrollError, match="ended with status 1: no such meter$"):
        costs.metered([sys.executable, "-c", program], tmp_path)


def test_a_command_is_measured(tmp_path):
    program = "import time; print('first', flush=True); time.sleep(2); print('last')"
    found = costs.metered([sys.executable, "-c", program], tmp_path)
    assert found["first_line"] > 0
    assert found["seconds"] > 2
    assert found["cpu"] < found["seconds"]
    assert found["peak"] > 1


def test_the_page_is_what_the_results_make_of_it():
    """After an edit of the template or of the results: `python -m bench page`."""
    measured = figures_file.read(REPOSITORY / "bench" / "results.json")
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    assert figures_file.page(measured) == page
