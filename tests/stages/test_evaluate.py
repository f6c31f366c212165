import json
import re
import shutil

import numpy as np
import pytest

from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_csv, read_json, read_npz, write_json, write_npz
from stages.evaluate import evaluate
from tests.support import fake_runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fake_runs.build(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def workspace(whole, tmp_path):
    shutil.copytree(whole.root, tmp_path / "copy")
    return type(whole)(tmp_path / "copy")


def written(workspace, name):
    folder = workspace.evaluation(name)
    return {file.name: file.read_bytes() for file in [*folder.iterdir(), workspace.metrics(name)]}


def test_it_writes_metrics_the_evaluation_and_what_plots_need(workspace):
    found = evaluate(workspace, "waves")
    folder = workspace.evaluation("waves")
    assert read_json(folder / "evaluation.json") == found
    assert list(found["experiments"]) == ["waves_last_value", "waves_perceptron", "waves_node"]
    metrics = read_json(workspace.metrics("waves"))
    assert metrics["waves_perceptron"]["test_spread"] > 0
    assert "test_spread" not in metrics["waves_last_value"]
    assert "null" not in workspace.metrics("waves").read_text()
    history = read_csv(folder / "history.csv")
    assert len(history) == 2 * 20
    predictions = read_csv(folder / "predictions.csv")
    assert list(predictions[0]) == ["index", "truth", "waves_last_value", "waves_perceptron", "waves_node"]
    assert read_csv(folder / "rollout.csv") == []  # it is there, since DVC asks for every output


def test_the_metrics_are_those_of_the_predictions(workspace):
    evaluate(workspace, "waves")
    predictions = read_npz(workspace.run("waves", "waves_node") / "predictions.npz")["final_test"].astype(float)
    truth = fake_runs.dataset("waves", "waves").splits["test"].targets
    naive = sum((float(p) - float(t)) ** 2 for p, t in zip(predictions[0], truth, strict=True)) / len(truth)
    assert read_json(workspace.metrics("waves"))["waves_node"]["test"] == pytest.approx(naive)


def test_baselines_are_told_from_models(workspace):
    entries = evaluate(workspace, "jena_hourly")["experiments"]
    assert {name: entry["baseline"] for name, entry in entries.items()} == {
        "jena_hourly_last_value": True,
        "jena_hourly_gru": False,
    }


def test_a_rollout_is_written_where_there_is_one(workspace):
    evaluate(workspace, "sine_windows")
    rows = read_csv(workspace.evaluation("sine_windows") / "rollout.csv")
    assert (rows[0]["step"], rows[-1]["step"]) == ("1", "200")


def test_stand_in_data_are_marked(workspace):
    assert evaluate(workspace, "imdb")["dataset"]["stand_in"] is True
    assert evaluate(workspace, "waves")["dataset"]["stand_in"] is False


@pytest.mark.parametrize("name", ["sine_extrapolation", "sine_windows", "waves", "imdb", "jena_hourly"])
def test_the_same_runs_give_the_same_bytes(workspace, name):
    evaluate(workspace, name)
    first = written(workspace, name)
    evaluate(workspace, name)
    assert written(workspace, name) == first


def test_a_removed_experiment_leaves_every_table_though_its_run_is_there(workspace):
    text = workspace.params.read_text()
    workspace.params.write_text(re.sub(r"  waves_perceptron:\n.*\n", "", text))
    evaluate(workspace, "waves")
    assert workspace.run("waves", "waves_perceptron").is_dir()
    assert all(b"waves_perceptron" not in each for each in written(workspace, "waves").values())


def test_another_name_lists_the_valid_ones(workspace):
    with pytest.raises(UsageError, match=r"must be one of: .*jena_hourly.*Did you mean waves"):
        evaluate(workspace, "wave")


def test_a_data_set_that_is_not_prepared_is_named(workspace):
    with pytest.raises(UnrollError, match="jena"):
        evaluate(workspace, "jena")


def damage(folder, how):
    facts = read_json(folder / "run.json")
    if how == "missing":
        shutil.rmtree(folder)
    elif how == "no history":
        (folder / "history.csv").unlink()
    elif how == "history":
        (folder / "history.csv").write_text("seed,epoch,train_loss\n0,1,oops\n")
    elif how == "truncated":
        (folder / "predictions.npz").write_bytes((folder / "predictions.npz").read_bytes()[:200])
    elif how == "json":
        (folder / "run.json").write_text("{")
    elif how == "key":
        del facts["parameters"]
        write_json(folder / "run.json", facts)
    elif how == "seeds":
        write_json(folder / "run.json", facts | {"seeds": [7]})
    elif how == "other":
        write_json(folder / "run.json", facts | {"dataset": "imdb"})
    elif how == "epochs":
        text = (folder / "history.csv").read_text()
        (folder / "history.csv").write_text(text.replace("0,20,", "0,28,"))
    elif how == "best":
        write_json(folder / "run.json", facts | {"best_epochs": [21]})
    elif how == "length":
        arrays = read_npz(folder / "predictions.npz")
        write_npz(folder / "predictions.npz", arrays | {"final_test": arrays["final_test"][:, :-1]})
    elif how == "nan":
        arrays = read_npz(folder / "predictions.npz")
        arrays["best_train"] = np.full_like(arrays["best_train"], np.nan)
        write_npz(folder / "predictions.npz", arrays)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ("missing", "waves_node is not trained"),
        ("no history", "the run of waves_node is damaged"),
        ("history", "the run of waves_node is damaged: could not convert string to float: 'oops'"),
        ("truncated", "the run of waves_node is damaged"),
        ("json", "the run of waves_node is damaged"),
        ("key", "the run of waves_node is damaged: run.json.parameters is missing"),
        ("seeds", r"the run of waves_node is of waves with seeds \[7\], but params.yaml says waves with seeds \[0\]"),
        ("other", "the run of waves_node is of imdb"),
        ("epochs", "the run of waves_node is damaged: history.csv must hold 20 epochs of each seed"),
        ("best", r"the run of waves_node is damaged: run.json: best_epochs must be .* Received: \[21\]"),
        ("length", r"waves_node: the predictions final_test must have shape \(1, 300\).*Received: \(1, 299\)"),
        ("nan", "waves_node: the predictions best_train hold values that are not finite"),
    ],
)
def test_a_bad_run_gives_one_line_that_says_which_and_what_to_do(workspace, how, match):
    evaluate(workspace, "waves")
    before = written(workspace, "waves")
    damage(workspace.run("waves", "waves_node"), how)
    with pytest.raises(UnrollError, match=match) as error:
        evaluate(workspace, "waves")
    assert "run `unroll train waves_node`" in str(error.value)
    assert "\n" not in str(error.value)
    assert written(workspace, "waves") == before


def test_nothing_heavy_is_imported(workspace):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from pipeline.files import Workspace; from stages.evaluate import *;"
        f"evaluate(Workspace(Path({str(workspace.root)!r})), 'waves');"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'mlflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
