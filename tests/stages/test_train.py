import json
import shutil
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_csv, read_npz
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from stages.train import train

EXPERIMENTS = {
    "lstm": {
        "dataset": "windows",
        "seeds": [3, 5],
        "model": {"family": "recurrent", "name": "lstm", "units": 2},
        "training": {"method": "compiled", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 20},
    },
    "words": {
        "dataset": "windows",
        "seeds": [0],
        "model": {"family": "recurrent", "name": "lstm", "embedding": 3},
        "training": {"method": "compiled", "optimizer": "adam", "loss": "mse", "epochs": 1, "batch_size": 20},
    },
    "recurrence": {
        "dataset": "windows",
        "seeds": [0],
        "model": {"family": "baselines", "name": "linear", "last": 2, "intercept": False},
        "training": {"method": "least_squares"},
    },
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    sections = {
        "sources": {"sine": {"kind": "sine", "points": 50, "test_points": 20}},
        "datasets": {"windows": {"source": "sine", "preparation": {"name": "sine_windows", "lookback": 5}}},
        "experiments": EXPERIMENTS,
    }
    plain_yaml.write(sections, workspace.params)
    source(workspace, "sine")
    prepare(workspace, "windows")
    return workspace


@pytest.fixture
def workspace(prepared, tmp_path):
    return Workspace(Path(shutil.copytree(prepared.root, tmp_path / "copy")))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_is_whole_and_the_same_bytes_each_time(workspace):
    folder = train(workspace, "lstm")
    assert folder == workspace.run("windows", "lstm")
    first = contents(folder)
    assert sorted(map(str, first)) == [
        "history.csv",
        "predictions.npz",
        "run.json",
        "weights/seed_3_final.weights.h5",
        "weights/seed_5_final.weights.h5",
    ]
    facts = json.loads(first[Path("run.json")])
    assert facts["parameters"] == 4 * 2 * (1 + 2 + 1) + 3
    assert facts["seeds"] == [3, 5]
    assert facts["trained"] is True
    assert facts["best_epochs"] is None
    assert set(facts["fingerprint"]) == {"params", "data", "code", "lock"}
    assert [(row["seed"], row["epoch"]) for row in read_csv(folder / "history.csv")] == [
        ("3", "1"), ("3", "2"), ("5", "1"), ("5", "2"),
    ]  # fmt: skip
    arrays = read_npz(folder / "predictions.npz")
    assert arrays["final_test"].shape == arrays["rollout"].shape == (2, 215)
    train(workspace, "lstm")
    assert contents(folder) == first
    assert not list(workspace.scratch.glob("lstm*"))


def test_a_trial_is_not_recorded_and_leaves_the_run_alone(workspace):
    folder = train(workspace, "lstm", epochs=1, seeds=[8])
    assert folder == workspace.scratch / "trials" / "lstm"
    assert json.loads((folder / "run.json").read_text())["seeds"] == [8]
    assert not workspace.runs("windows").exists()
    assert not (workspace.root / "mlflow.db").exists()


def test_epochs_of_a_method_without_any_are_a_mistake(workspace):
    with pytest.raises(UsageError, match="recurrence has no epochs: its training method is least_squares"):
        train(workspace, "recurrence", epochs=3)


def test_a_model_that_does_not_fit_the_data_names_its_place(workspace):
    with pytest.raises(UsageError, match=r"params.yaml: experiments.words: `embedding` must be set where inputs are"):
        train(workspace, "words")
    assert not workspace.run("windows", "words").exists()


def test_a_data_set_that_is_not_prepared_is_named(workspace):
    shutil.rmtree(workspace.prepared("windows"))
    with pytest.raises(UnrollError, match=r"data/prepared/windows/dataset.json is missing; `unroll repro` builds it"):
        train(workspace, "recurrence")
