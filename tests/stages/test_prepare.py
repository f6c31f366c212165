import numpy as np
import pytest

from pipeline.config import plain_yaml
from pipeline.data import manifest
from pipeline.data.dataset import load
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.prepare import prepare
from tests.support import content

MINE = {"name": "series", "csv": {"file": "mine.csv", "stamp": "when", "target": "load"}}
MINE |= {"train": 0.6, "validation": 0.2, "windows": {"lookback": 4, "delay": 2}}


@pytest.fixture
def workspace(tmp_path):
    """A user's own file: one data set, its source fetched."""
    workspace = Workspace(tmp_path)
    datasets = {"mine": {"source": "meter", "preparation": MINE}}
    plain = {"sources": {}, "files": {"meter": {"path": "mine.csv"}}, "datasets": datasets, "experiments": {}}
    plain_yaml.write(plain, workspace.params)
    workspace.raw("meter").mkdir(parents=True)
    stamps = np.datetime64("2024-01-01", "h") + np.arange(100)
    fetched(workspace, *(f"{stamp},{np.sin(row):.6f}" for row, stamp in enumerate(stamps)))
    return workspace


def fetched(workspace, *lines):
    raw = workspace.raw("meter")
    (raw / "source.json").unlink(missing_ok=True)
    (raw / "mine.csv").write_text("\n".join(["when,load", *lines, ""]), encoding="utf-8")
    manifest.write(raw, "meter", "stand_in")


def test_a_users_own_file_becomes_a_data_set_which_a_failure_leaves_as_it_is(workspace):
    assert prepare(workspace, "mine").name == "mine"
    first, loaded = content(workspace.prepared("mine")), load(workspace.prepared("mine"))
    assert sorted(first) == ["arrays.npz", "dataset.json", "fitted.json"]
    assert loaded.stand_in
    assert [len(examples) for examples in loaded.splits.values()] == [60 - 5, 20 - 5, 20 - 5]
    prepare(workspace, "mine")
    assert content(workspace.prepared("mine")) == first
    fetched(workspace, "2024-01-01,much")
    with pytest.raises(UnrollError, match="column 'load' holds 'much'"):
        prepare(workspace, "mine")
    (workspace.raw("meter") / "mine.csv").write_text("when,load\n", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"mine.csv has another sha256 than source.json says"):
        prepare(workspace, "mine")
    assert content(workspace.prepared("mine")) == first
    assert not list(workspace.scratch.glob(".*"))
