"""Two runs made of noise, and why they differ; no training."""

import json
import shutil

import numpy as np
import pytest

from pipeline import tables
from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.files import read_json, read_npz, write_json, write_npz, write_text
from pipeline.provenance import fingerprint, record
from pipeline.provenance.machine import FEATURES
from pipeline.workspace import Workspace
from stages.commands import main
from stages.results import diff
from tests.support import fake_runs

NAME = ("waves", "waves_node")
OTHERS = ("sine_extrapolation", "sine_windows", "imdb", "jena_hourly", "jena")


def train(workspace, parts=None, **recorded):
    """Give waves_node the fingerprint that its training would, and its record; then change entries of them."""
    experiment = params.load(workspace.params).experiment("waves_node")
    made_of = fingerprint.ingredients(workspace.prepared("waves"), experiment)
    folder, path = workspace.run(*NAME), workspace.record(*NAME)
    write_json(
        folder / "run.json", read_json(folder / "run.json") | {"fingerprint": made_of.fingerprint | (parts or {})}
    )
    record.write(workspace, folder, made_of)
    write_json(path, read_json(path) | recorded)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workspace = fake_runs.build(tmp_path_factory.mktemp("diff") / "a folder, ä", without=OTHERS)
    train(workspace)
    return workspace


@pytest.fixture
def pair(trained, tmp_path):
    """A workspace with a trained run, another that was built alike, and the other's run."""
    other = Workspace(shutil.copytree(trained.root, tmp_path / "other"))
    return trained, other, str(other.run(*NAME))


def different(found):
    return [name for name in (*diff.CAUSES, "outputs") if found[name]["same"] is False]


def test_the_same_run_of_two_workspaces(pair):
    workspace, _, folder = pair
    found = diff.diff(workspace, "waves_node", folder)
    assert found["same"]
    assert all(found[name] == {"same": True, "differences": []} for name in (*diff.CAUSES, "outputs"))
    assert found["a"] == found["b"] | {"name": "waves_node"}
    assert found["a"]["fingerprint"] == fingerprint.brief(read_json(pair[1].run(*NAME) / "run.json")["fingerprint"])
    assert diff.BUG not in list(diff.lines(found))


def test_params_are_named_by_their_path(pair):
    workspace, other, folder = pair
    text = other.params.read_text(encoding="utf-8")
    node = "{dataset: waves, model: {family: recurrent, name: simple_rnn"
    assert node in text
    write_text(other.params, text.replace(node, f"{node}, units: 3"))
    train(other)
    found = diff.diff(workspace, "waves_node", folder)
    assert different(found) == ["params"]
    assert found["params"]["differences"] == [{"what": "model.units", "b": 3}]
    assert "  model.units  (none) -> 3" in list(diff.lines(found))


def test_modules_and_files_are_named(pair):
    workspace, other, folder = pair
    write_text(other.prepared("waves") / "more.csv", "")
    modules = record.read(workspace, *NAME).modules
    train(other, {"code": "2" * 64}, modules=modules | {"pipeline.training.job": "3" * 64})
    found = diff.diff(workspace, "waves_node", folder)
    assert different(found) == ["code", "data"]
    assert [one["what"] for one in found["code"]["differences"]] == ["pipeline.training.job"]
    assert [one["what"] for one in found["data"]["differences"]] == ["more.csv"]
    assert {"  pipeline.training.job  changed", "  more.csv  only in B"} <= set(diff.lines(found))


def test_what_was_edited_while_one_trained_is_known_by_kind_only(pair):
    workspace, other, folder = pair
    train(other, {"code": "2" * 64})
    found = diff.diff(workspace, "waves_node", folder)
    assert found["code"] == {"same": False, "differences": []}


def test_the_environment_is_lock_machine_packages_and_variables(pair):
    workspace, other, folder = pair
    made = record.read(workspace, *NAME)
    train(
        other,
        {"lock": "2" * 64},
        cpu="another",
        features=[feature for feature in FEATURES if feature not in made.features],
        packages=made.packages | {"numpy": "2.0.0"},
        variables=made.variables | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
    )
    found = diff.diff(workspace, "waves_node", folder)
    assert different(found) == ["environment"]
    changed = {one["what"]: one.get("b") for one in found["environment"]["differences"]}
    assert changed.keys() == {
        *("numerics.lock", "cpu", "numpy", "XLA_FLAGS"),
        *(f"cpu {feature}" for feature in FEATURES),
    }
    assert (changed["cpu"], changed["numpy"]) == ("another", "2.0.0")
    assert not found["same"]


def test_outputs_that_differ_without_a_cause_are_called_a_mistake(pair):
    workspace, other, folder = pair
    path = other.run(*NAME) / "predictions.npz"
    arrays = read_npz(path)
    write_npz(path, arrays | {"final_test": arrays["final_test"] + np.float32(0.5)})
    history = tables.read(other.run(*NAME) / "history.csv")
    history.loc[history.index[-1], "train_loss"] *= 2
    tables.write(other.run(*NAME) / "history.csv", history)
    train(other)
    found = diff.diff(workspace, "waves_node", folder)
    assert different(found) == ["outputs"]
    outputs = found["outputs"]
    assert [one["what"] for one in outputs["differences"]] == ["history.csv", "predictions.npz"]
    assert [one["what"] for one in outputs["metrics"]] == ["train_loss"]
    assert outputs["predictions"]["final_test"] == pytest.approx(0.5, abs=1e-6)
    assert outputs["predictions"]["final_train"] == 0
    said = list(diff.lines(found))
    assert said[-1] == diff.BUG
    assert any(line.startswith("  train_loss  ") and line.endswith("(+100 %)") for line in said)


def test_without_a_record_only_the_kind_is_known(pair):
    workspace, other, folder = pair
    train(other, {"params": "2" * 64})
    other.record(*NAME).unlink()
    found = diff.diff(workspace, "waves_node", folder)
    assert different(found) == ["params"]
    assert found["params"]["differences"] == []
    assert found["environment"] == {"same": None, "differences": []}
    assert "no record on this machine" in found["b"]["no_record"]
    assert list(diff.lines(found))[-1] == diff.NO_RECORD


def test_a_trial_has_outputs_only(pair):
    workspace, other, _ = pair
    trial = other.scratch / "trials" / "waves_node"
    shutil.copytree(other.run(*NAME), trial)
    run = read_json(trial / "run.json")
    write_json(trial / "run.json", run | {"fingerprint": {}})
    found = diff.diff(workspace, str(trial), "waves_node")
    assert found["same"]
    assert [found[cause]["same"] for cause in diff.CAUSES] == [None] * 4
    assert found["a"]["fingerprint"] is None
    assert "as a trial does" in found["a"]["no_record"]


def test_two_experiments_of_one_workspace(pair):
    found = diff.diff(pair[0], "waves_node", "waves_perceptron")
    assert {"params", "code", "outputs"} <= set(different(found))
    assert {"what": "run.json: seeds", "a": [0], "b": [0, 1, 2]} in found["outputs"]["differences"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("waves_nod", "Did you mean waves_node"), ("imdb_rnn", r"run\.json is missing; `unroll repro` builds it")],
)
def test_what_is_no_run_is_misuse(pair, name, said):
    with pytest.raises(UsageError, match=said):
        diff.diff(pair[0], "waves_node", name)


def test_names_are_read_before_runs(pair):
    with pytest.raises(UsageError, match="Did you mean waves_node"):
        diff.diff(pair[0], "imdb_rnn", "waves_nod")


@pytest.mark.parametrize(
    ("file", "text"),
    [("run.json", "[]"), ("run.json", "{"), ("history.csv", "seed,train_loss\n0,x\n"), ("predictions.npz", "")],
)
def test_a_damaged_run_is_misuse_not_a_difference(pair, file, text):
    workspace, other, folder = pair
    write_text(other.run(*NAME) / file, text)
    with pytest.raises(UsageError, match="damaged"):
        diff.diff(workspace, "waves_node", folder)


def test_the_command_ends_as_diff_does(pair, capsys):
    workspace, _, folder = pair
    with pytest.raises(main.typer.Exit) as ended:
        main.invoke(["--root", str(workspace.root), "diff", "waves_node", folder, "--json"])
    assert ended.value.exit_code == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    with pytest.raises(main.typer.Exit) as ended:
        main.invoke(["--root", str(workspace.root), "diff", "waves_node", "waves_perceptron"])
    assert ended.value.exit_code == 1
    assert "params       different" in capsys.readouterr().out
