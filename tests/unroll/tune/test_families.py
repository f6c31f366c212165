"""As many trials for each family: what is searched, what is kept of it, and that what is committed agrees."""

import json

import pandas as pd
import pytest

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.metrics import MEASURES
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY
from unroll.commands.main import invoke
from unroll.tune.families import RANGES, _space
from unroll.tune.space import changed, rounded

PARAMS = """\
sources:
  waves: {kind: waves, train: 40, validation: 20, test: 20}
datasets:
  waves:
    source: waves
    preparation: {name: waves}
experiments:
  plain:
    dataset: waves
    model: {family: baselines, name: last_value}
    training: {method: none}
  ridge:
    dataset: waves
    trials: 4
    model: {family: baselines, name: linear, last: 8}
    training: {method: least_squares, ridge: 1000.0}
"""


def test_the_best_of_the_trials_replaces_the_options_and_all_of_them_are_kept(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.params.write_text(PARAMS, encoding="utf-8")
    source(workspace, "waves")
    prepare(workspace, "waves")
    (workspace.prepared("waves") / "unseen").touch()  # DVC is not asked
    invoke(["--root", str(tmp_path), "search", "waves"])
    table = pd.read_csv(workspace.trials("ridge"))
    assert len(table) == 4
    assert json.loads(table["options"][0]) == {"model.last": 8, "training.ridge": 1000.0}, "first as it is"
    assert [json.loads(text)["model.last"] <= 50 for text in table["options"]] == [True] * 4, "the input's length"
    best = json.loads(table["options"][table["validation_mse"].idxmin()])
    now = params.load(workspace.params).experiments["ridge"]
    assert (now.model.options["last"], now.training.options["ridge"]) == (best["model.last"], best["training.ridge"])
    text = workspace.params.read_bytes()
    invoke(["--root", str(tmp_path), "search", "waves", "ridge"])
    assert workspace.params.read_bytes() == text, "what was tried is not tried again"
    workspace.params.write_text(PARAMS, encoding="utf-8")  # as a search that was killed before it wrote them
    invoke(["--root", str(tmp_path), "search", "waves"])
    assert workspace.params.read_bytes() == text
    with pytest.raises(UsageError, match="Did you mean ridge"):
        invoke(["--root", str(tmp_path), "search", "waves", "rigde"])
    workspace.params.write_text(PARAMS.replace("    trials: 4\n", ""), encoding="utf-8")
    with pytest.raises(UnrollError, match="no experiment of waves has `trials`"):
        invoke(["--root", str(tmp_path), "search", "waves"])


def test_what_is_off_or_beyond_its_range_stays_as_it_is():
    every = params.load(REPOSITORY / "params.yaml")
    asked = _space("imdb_tuned_attention", every.experiments["imdb_tuned_attention"], 500)
    assert "model.embedding" in asked
    assert "model.last" not in asked  # 200 words; of a series' rows 72 at most


def test_the_options_of_params_are_those_of_the_best_trial_that_is_committed():
    every = params.load(REPOSITORY / "params.yaml")
    tuned = {name: one for name, one in every.experiments.items() if one.trials}
    files = {path.stem: path for path in (REPOSITORY / "results/trials").glob("*.csv")}
    assert files.keys() <= tuned.keys()
    assert {one.model.name for one in tuned.values()} <= RANGES.keys()
    for name, path in files.items():
        table = pd.read_csv(path)
        assert len(table) == tuned[name].trials
        ended = table[table["ended"] == "complete"]
        (measure,) = [column for column in table if column.startswith("validation_")]
        scores = ended[measure]
        higher = MEASURES[measure.removeprefix("validation_")].higher
        best = json.loads(ended["options"][scores.idxmax() if higher else scores.idxmin()])
        section = tuned[name].model_dump()
        assert changed(section, {place: rounded(value) for place, value in best.items()}) == section, name
