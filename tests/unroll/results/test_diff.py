"""Two runs made of noise, and why they differ; no training."""

import json
import shutil

import numpy as np
import pytest

from pipeline.files import read_json, read_npz, write_json, write_npz
from pipeline.provenance import fingerprint, record
from pipeline.provenance.fingerprint import Ingredients
from pipeline.provenance.machine import FEATURES
from pipeline.workspace import Workspace
from tests.support import fake_runs
from unroll.commands import main
from unroll.results import diff

NAME = ("waves", "waves_node")
OTHERS = ("sine_extrapolation", "sine_windows", "imdb", "jena_hourly", "jena")
MADE_OF = {
    "params": {"model": {"units": 1}},
    "files": {"a.csv": "1" * 64},
    "modules": {"m": "1" * 64},
    "lock": "1" * 64,
}


def train(workspace, made_of=(), recorded=()):
    """Give waves_node a fingerprint and its record; change what it is made of, then what its record says."""
    made = Ingredients(**MADE_OF | dict(made_of))
    folder, path = workspace.run(*NAME), workspace.record(*NAME)
    write_json(folder / "run.json", read_json(folder / "run.json") | {"fingerprint": made.fingerprint})
    record.write(workspace, folder, made)
    write_json(path, read_json(path) | dict(recorded))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workspace = fake_runs.build(tmp_path_factory.mktemp("diff") / "a folder, ä", without=OTHERS)
    train(workspace)
    return workspace


@pytest.fixture
def other(trained, tmp_path):
    """A workspace that was built alike."""
    return Workspace(shutil.copytree(trained.root, tmp_path / "other"))


def compare(trained, other):
    """What `diff` gives, and the parts that differ."""
    found = diff.diff(trained, "waves_node", str(other.run(*NAME)))
    return found, [name for name in (*diff.CAUSES, "outputs") if found[name]["same"] is False]


def test_the_same_run_of_two_workspaces(trained, other):
    found, _ = compare(trained, other)
    assert found["same"]
    assert all(found[name] == {"same": True, "differences": []} for name in (*diff.CAUSES, "outputs"))
    assert found["a"] == found["b"] | {"name": "waves_node"}
    assert found["a"]["fingerprint"] == fingerprint.brief(Ingredients(**MADE_OF).fingerprint)
    assert diff.BUG not in list(diff.lines(found))


def test_params_modules_and_files_are_named(trained, other):
    changed = {"params": {"model": {"units": 3, "head": True}}, "modules": {"m": "2" * 64}}
    train(other, changed | {"files": MADE_OF["files"] | {"more.csv": "2" * 64}})
    found, different = compare(trained, other)
    assert different == ["params", "code", "data"]
    assert found["params"]["differences"] == [
        {"what": "model.units", "a": 1, "b": 3},
        {"what": "model.head", "b": True},
    ]
    said = {"  model.units  1 -> 3", "  model.head   (none) -> true", "  m  changed", "  more.csv  only in B"}
    assert said <= set(diff.lines(found))


def test_what_was_edited_while_one_trained_or_has_no_record_is_known_by_kind_only(trained, other):
    train(other, {"modules": {"m": "2" * 64}}, {"modules": MADE_OF["modules"]})
    assert compare(trained, other)[0]["code"] == {"same": False, "differences": []}
    other.record(*NAME).unlink()
    found, different = compare(trained, other)
    assert different == ["code"]
    assert found["environment"] == {"same": None, "differences": []}
    assert "no record on this machine" in found["b"]["no_record"]
    assert list(diff.lines(found))[-1] == diff.NO_RECORD


def test_the_environment_is_lock_machine_packages_and_variables(trained, other):
    made = record.read(trained, *NAME)
    features = [feature for feature in FEATURES if feature not in made.features]
    packages, variables = made.packages | {"numpy": "2.0.0"}, made.variables | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
    recorded = {"cpu": "another", "features": features, "packages": packages, "variables": variables}
    train(other, {"lock": "2" * 64}, recorded)
    found, different = compare(trained, other)
    assert different == ["environment"]
    changed = {one["what"]: one.get("b") for one in found["environment"]["differences"]}
    machine = {f"cpu {feature}" for feature in FEATURES}
    assert changed.keys() == {".ci/locks/numerics.lock", "cpu", "numpy", "XLA_FLAGS"} | machine
    assert (changed["cpu"], changed["numpy"]) == ("another", "2.0.0")
    assert not found["same"]


def test_outputs_that_differ_without_a_cause_are_called_a_mistake(trained, other):
    path = other.run(*NAME) / "predictions.npz"
    write_npz(path, read_npz(path) | {"more": np.float32(0.5)})
    train(other)
    found, different = compare(trained, other)
    assert different == ["outputs"]
    assert [one["what"] for one in found["outputs"]["differences"]] == ["predictions.npz"]
    assert list(diff.lines(found))[-1] == diff.BUG


def test_the_command_ends_as_diff_does(trained, other, capsys):
    for second, code in ((str(other.run(*NAME)), 0), ("waves_perceptron", 1)):
        with pytest.raises(main.typer.Exit) as ended:
            main.invoke(["--root", str(trained.root), "diff", "waves_node", second, "--json"])
        assert ended.value.exit_code == code
        found = json.loads(capsys.readouterr().out)
        assert found["same"] is (code == 0)
    assert {"what": "run.json: seeds", "a": [0], "b": [0, 1, 2]} in found["outputs"]["differences"]
