import pytest

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import record
from pipeline.provenance.fingerprint import Ingredients
from pipeline.workspace import Workspace

NAME = ("waves", "waves_node")
MADE_OF = Ingredients({"seeds": [0]}, {"arrays.npz": "1"}, {"pipeline.training.job": "2"}, lock="3")


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "a folder, ä")
    write_text(workspace.run(*NAME) / "run.json", "{}")
    return workspace


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
