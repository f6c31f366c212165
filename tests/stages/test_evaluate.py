import numpy as np
import pytest

from pipeline import tables
from pipeline.evaluation import schema
from pipeline.files import read_json, read_npz
from tests.support import fake_runs


def test_it_writes_metrics_the_evaluation_and_what_plots_need(evaluated):
    folder = evaluated.evaluation("waves")
    found = schema.load(folder)
    baselines = {name: entry.baseline for name, entry in found.experiments.items()}
    assert baselines == {"waves_last_value": True, "waves_perceptron": False, "waves_node": False}
    assert len(tables.read(folder / "history.csv", experiment=str)) == 4 * 20
    scores = tables.read(folder / "scores.csv", experiment=str).set_index("experiment")
    headline = read_json(evaluated.headline("waves", "waves_node"))
    assert scores.T.to_dict()["waves_node"] == pytest.approx({"low": np.nan, "high": np.nan} | headline, nan_ok=True)
    columns = ["part", "index", "truth", "waves_node", "waves_perceptron"]
    assert list(tables.read(folder / "tables" / "predictions.csv")) == columns
    predicted = read_npz(evaluated.run("waves", "waves_node") / "predictions.npz")["best_test"].astype(float)
    truth = fake_runs.dataset("waves", "waves").splits["test"].targets
    naive = sum((float(p) - float(t)) ** 2 for p, t in zip(predicted[0], truth, strict=True)) / len(truth)
    assert headline["score"] == pytest.approx(naive)
