"""One file in unroll_extensions/models and one entry of params.yaml make a model that is
trained, tuned, titled, compared and logged like ours."""

import itertools
import re
import subprocess

import pytest

from pipeline.config import named_modules
from pipeline.evaluation import schema
from pipeline.files import write_text
from pipeline.provenance.fingerprint import CODE
from pipeline.tracking import store
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.commands.main import invoke

MODEL = '''
"""The mean of the latest values."""

from pipeline.config.model_card import ModelCard
from pipeline.models.baselines import Baseline


def recent_mean(problem, *, width: int = 4):
    def features(inputs):
        return inputs[:, -width:, problem.target].mean(axis=1, keepdims=True)

    return Baseline(features, intercept=True)


def mean_title(model, training):
    return f"WORDS {model['width']} values"


MODELS = {"recent_mean": recent_mean}

CARDS = {
    "recent_mean": ModelCard(
        kind="statistical",
        gives="features",
        title=mean_title,
        color="linear",
        ranges={"width": "1:8"},
    )
}
'''
WORDS = "a map of the mean of"
PARAMS = """
sources: {waves: {kind: waves, train: 40, validation: 20, test: 20}}
datasets: {waves: {source: waves, preparation: {name: waves}}}
experiments:
  waves:
    last_value:
      model: {family: baselines, name: last_value}
      training: {method: none}
    own:
      model: {family: mine, name: recent_mean, width: 8}
      training: {method: least_squares}
"""

MINE = """
    own:
      model: {family: mine, name: mine, units: 8}
      training: {method: keras, optimizer: adam, loss: mse, learning_rate: 0.01, epochs: 1, batch_size: 8}
"""


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """The workspace of a project; afterwards its modules are no longer found."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield Workspace(tmp_path)
    named_modules.use(CODE)


@pytest.fixture
def workspace(empty):
    """A built project with a model of its own."""
    workspace = empty
    write_text(workspace.params, PARAMS)
    write_model(workspace, WORDS)
    for stage in ("source", "prepare", "train", "evaluate"):
        run(workspace, stage, "waves")
    return workspace


def write_model(workspace, words):
    text = MODEL.replace("WORDS", words)
    write_text(workspace.root / "unroll_extensions/models/mine.py", text)


def run(workspace, *arguments):
    invoke(["--root", str(workspace.root), *arguments])


def test_a_model_of_ones_own_is_all_that_ours_are(workspace, capsys):
    entry = schema.load(workspace.evaluation("waves")).experiments["own"]
    assert (entry.kind, entry.parameters) == ("statistical", 2)

    run(workspace, "report")
    assert f"{WORDS} 8 values".capitalize() in workspace.report.read_text("utf-8")

    capsys.readouterr()
    run(workspace, "compare", "waves/own", "waves/last_value")
    assert "own" in capsys.readouterr().out

    run(workspace, "tune", "waves/own", "--trials", "2")
    printed = capsys.readouterr().out
    assert re.search(r"model\.width  8 -> [1-7]\b", printed), printed
    assert "own_tuned:" in printed

    with store.opened(workspace) as opened:
        (logged,) = opened.search(f"{store.CURRENT} and tags.experiment = 'own'")
    assert logged.data.params["model.width"] == "8"
    assert f"{WORDS} 8 values" in logged.data.tags["mlflow.note.content"]

    # An edited title is shown, and trains nothing.
    trained = (workspace.run("waves", "own") / "run.json").stat()
    write_model(workspace, "a line on the mean of")
    run(workspace, "train", "waves")
    assert (workspace.run("waves", "own") / "run.json").stat() == trained


def test_the_model_of_the_page_for_contributors_passes_our_checks_and_learns(
    empty,
):
    page = (REPOSITORY / "docs/CONTRIBUTING.md").read_text("utf-8")
    [module] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    folders = ("pipeline", "unroll_extensions")
    for command, folder in itertools.product(("check", "format --check"), folders):
        ruff = f"ruff {command} --quiet --stdin-filename {folder}/models/x.py -"
        subprocess.run(
            ruff.split(),
            input=module,
            text=True,
            cwd=REPOSITORY,
            check=True,
        )
    workspace = empty
    own = PARAMS[PARAMS.index("    own:") :]
    write_text(workspace.params, PARAMS.replace(own, MINE))
    write_text(workspace.root / "unroll_extensions/models/mine.py", module)
    for stage in ("source", "prepare", "train", "evaluate"):
        run(workspace, stage, "waves")
    entry = schema.load(workspace.evaluation("waves")).experiments["own"]
    assert (entry.kind, entry.trials) == ("recurrent", 0)
