"""Source and prepare on a user's own file; train and evaluate on a built workspace and
on runs made of noise."""

import numpy as np
import pytest

from pipeline.config import plain_yaml
from pipeline.data import manifest
from pipeline.data.dataset import load
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.files import read_json, read_npz, read_table, write_text
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.perform import trial
from stages.prepare import prepare
from stages.source import source
from stages.train import train
from tests.support import content, fake_runs

MINE = {
    "name": "series",
    "csv": {"file": "mine.csv", "stamp": "when", "target": "load"},
}
MINE |= {"train": 0.6, "validation": 0.2, "windows": {"lookback": 4, "delay": 2}}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A workspace with a file of one's own in a mirror, from which nothing is made."""
    workspace = Workspace(tmp_path)
    sources = {"meter": {"kind": "download", "files": {"mine.csv": None}}}
    datasets = {"mine": {"source": "meter", "preparation": MINE}}
    plain_yaml.write(
        {"sources": sources, "datasets": datasets, "experiments": {}}, workspace.params
    )
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path / "mirror"))
    stamps = np.datetime64("2024-01-01", "h") + np.arange(100)
    rows = [f"{at},{np.sin(row):.6f}\n" for row, at in enumerate(stamps)]
    write_text(mirrored(workspace), "".join(["when,load\n", *rows]))
    return workspace


def mirrored(workspace):
    return workspace.root / "mirror" / "meter" / "mine.csv"


def test_a_mirrors_file_becomes_a_data_set_whose_bytes_are_the_same_again(mine):
    assert source(mine, "meter") == mine.raw("meter")
    assert manifest.checked(mine.raw("meter")).kind == "download"
    prepare(mine, "mine")
    first = content(mine.prepared("mine"))
    assert sorted(first) == ["arrays.npz", "dataset.json"]
    sizes = [len(split) for split in load(mine.prepared("mine")).splits.values()]
    assert sizes == [60 - 5, 20 - 5, 20 - 5]
    prepare(mine, "mine")
    assert content(mine.prepared("mine")) == first


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("mine.csv", "when,load\n", "mine.csv has another sha256"),
        ("source.json", "{}", "source.json is damaged"),
        ("source.json", None, "run `unroll source meter`"),
    ],
)
def test_raw_data_that_are_damaged_are_not_prepared(mine, file, text, words):
    source(mine, "meter")
    prepare(mine, "mine")
    before = content(mine.prepared("mine"))
    damaged = mine.raw("meter") / file
    damaged.unlink()
    if text is not None:
        damaged.write_text(text, encoding="utf-8")
    with pytest.raises(UnrollError, match=words):
        prepare(mine, "mine")
    assert content(mine.prepared("mine")) == before


def test_a_failure_leaves_what_was_there_and_no_half_written_file(mine):
    write_text(mirrored(mine), "when,load\n2024-01-01,much\n")
    source(mine, "meter")
    before = content(mine.raw("meter"))
    mirrored(mine).unlink()
    with pytest.raises(UnrollError, match="cannot be had"):
        source(mine, "meter")
    with pytest.raises(UnrollError, match="column 'load' holds 'much'"):
        prepare(mine, "mine")
    assert content(mine.raw("meter")) == before
    assert not mine.prepared("mine").exists()
    assert not list(mine.scratch.glob(".*"))


def test_a_source_has_no_file_with_a_name_of_unrolls_own(mine):
    source(mine, "meter")
    with pytest.raises(UnrollError, match="source.json is a name that Unroll uses"):
        manifest.write(mine.raw("meter"), "meter", "download")


def test_a_trial_leaves_the_run_and_its_records_alone(miniature):
    def all_else():
        return {
            name: data
            for name, data in content(miniature.root).items()
            if not name.startswith(".unroll/")
        }

    before = all_else()
    folder = trial(miniature.workspace, "waves", "node", epochs=1, seeds=[8])
    assert folder == miniature.workspace.trial("waves", "node")
    facts = read_json(folder / "run.json")
    assert (facts["seeds"], facts["epochs"]) == ([8], 1)
    assert all_else() == before


def test_only_a_model_that_asks_for_the_calendar_is_told_it(miniature, monkeypatch):
    # to set up a store takes seconds
    for name in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    ):
        monkeypatch.setenv(name, miniature.environment[name])
    model = {"family": "baselines", "name": "linear", "last": 2}
    section = {"model": model, "training": {"method": "least_squares", "ridge": 1.0}}
    sections = {"ridge": section, "ridge_calendar": section | {"calendar": True}}
    miniature.change(lambda data: data["experiments"].update(jena=sections))
    train(miniature.workspace, "jena", jobs=2)
    for name, parameters in (("ridge", 2 * 14 + 1), ("ridge_calendar", 2 * 14 + 8 + 1)):
        assert miniature.json(f"runs/jena/{name}/run.json")["parameters"] == parameters
    about = evaluate(miniature.workspace, "jena").dataset
    assert (about.input_shape, about.stand_in) == ([4, 14], True)


def test_an_evaluation_is_metrics_scores_and_what_plots_need(evaluated):
    folder = evaluated.evaluation("waves")
    kinds = {
        name: entry.kind for name, entry in schema.load(folder).experiments.items()
    }
    assert kinds == {
        "last_value": "naive",
        "perceptron": "network",
        "node": "recurrent",
    }
    assert len(read_table(folder / "history.csv", experiment=str)) == 4 * 20
    scores = read_table(folder / "scores.csv", experiment=str).set_index("experiment")
    headline = read_json(evaluated.metrics("waves") / "node.json")
    assert scores.loc["node"].to_dict() == pytest.approx(
        {"score": headline["mse"], "low": np.nan, "high": np.nan}, nan_ok=True
    )
    columns = ["part", "index", "truth", "node", "perceptron"]
    assert list(read_table(folder / "tables" / "predictions.csv")) == columns
    runs = read_npz(evaluated.run("waves", "node") / "predictions.npz")
    truth = fake_runs.dataset("waves", "waves").splits["test"].targets
    errors = runs["best_test"][0].astype(float) - truth.astype(float)
    assert headline["mse"] == pytest.approx(np.mean(errors**2))
