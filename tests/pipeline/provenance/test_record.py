from datetime import datetime

import pytest

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import fingerprint, record
from pipeline.provenance.fingerprint import Ingredients
from pipeline.workspace import Workspace

NAME = ("waves", "waves_node")
MADE_OF = Ingredients({"seeds": [0]}, {"arrays.npz": "1"}, {"pipeline.training.job": "2"}, lock="3")


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "a folder, ä")
    write_text(workspace.run(*NAME) / "run.json", "{}")
    return workspace


def test_a_record_holds_what_the_run_was_made_of_and_touches_no_output(workspace):
    before = fingerprint.folder(workspace.run(*NAME))
    record.write(workspace, workspace.run(*NAME), MADE_OF)
    found = record.read(workspace, *NAME)
    assert Ingredients(found.params, found.files, found.modules, found.lock) == MADE_OF
    assert found.run == before == fingerprint.folder(workspace.run(*NAME))
    assert datetime.fromisoformat(found.started) <= datetime.fromisoformat(found.ended)
    assert found.cpu


def test_a_record_of_another_run_is_none(workspace):
    with pytest.raises(UnrollError, match="no record on this machine: taken from DVC's cache"):
        record.read(workspace, *NAME)
    record.write(workspace, workspace.run(*NAME), MADE_OF)
    write_text(workspace.run(*NAME) / "history.csv", "seed,epoch\n")
    with pytest.raises(UnrollError, match="no record of this run"):
        record.read(workspace, *NAME)


def test_a_record_that_cannot_be_written_costs_one_line(workspace, capsys):
    (workspace.root / "records").write_text("a file where a folder should be")
    record.write(workspace, workspace.run(*NAME), MADE_OF)
    said = capsys.readouterr().err
    assert said.startswith("warning: no record of where waves_node was made: ")
    assert said.count("\n") == 1
