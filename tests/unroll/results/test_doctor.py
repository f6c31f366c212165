import shutil
from types import SimpleNamespace

import pytest

from pipeline.config import params
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.results import doctor

PARAMS = """
sources: {sine: {kind: sine}}
datasets: {sine: {source: sine, preparation: {name: sine_points, part: interpolation}}}
experiments:
  sine_zero: {dataset: sine, model: {family: baselines, name: constant}, training: {method: none}}
"""
CLAIMS = """
- {document: "003", words: MSE 0.02, experiment: sine_zero, metric: final.test.mse, value: "0.02", width: 2}
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Valid files, on a machine where all is well."""
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=50e9))
    return Workspace(tmp_path)


def failures(workspace):
    findings = doctor.doctor(workspace)
    assert [check for check, _, _ in findings] == ["packages", "params.yaml", "claims.yaml", "folder"]
    assert all("\n" not in text for _, _, text in findings)
    return {check: text for check, ok, text in findings if not ok}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_where_all_is_well_every_check_says_what_it_found(workspace):
    for name in ("params.yaml", "claims.yaml"):
        shutil.copyfile(REPOSITORY / name, workspace.root / name)
    found = {check: (ok, text) for check, ok, text in doctor.doctor(workspace)}
    assert {ok for ok, _ in found.values()} == {True}
    whole = params.load(workspace.params)
    assert f"{len(whole.experiments)} experiments, all valid" in found["params.yaml"][1]
    assert found["packages"][1].endswith("no .ci/locks/requirements.lock here")
    assert found["folder"][1] == "writable, 50 GB free"


def test_packages(workspace, monkeypatch):
    (workspace.root / ".ci/locks").mkdir(parents=True)
    lock = workspace.root / ".ci/locks/requirements.lock"
    names = {"numpy": "2.4 \\", "ruamel-yaml": "0.19 ; python_version >= '3.11' \\", "of-windows": "0.4"}
    lock.write_text("".join(f"{name}=={rest}\n    --hash=sha256:00\n" for name, rest in names.items()))
    installed, known = {"numpy": "2.4", "ruamel-yaml": "0.19"}, doctor.metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: installed.get(name) or known(name))
    assert doctor.doctor(workspace)[0][2].endswith(", 2 as locked")
    edit(lock, "0.19", "0.18")
    said = "ruamel-yaml 0.19 (locked 0.18) differ from requirements.lock; run `make test` or `make demo` again"
    assert failures(workspace) == {"packages": said}


def test_wrong_values_are_named_and_no_check_stops_the_others(workspace):
    edit(workspace.params, "part: interpolation", "part: interpolatoin")
    edit(workspace.claims, "sine_zero", "sine_zeor")
    found = failures(workspace)
    assert set(found) == {"params.yaml", "claims.yaml"}
    option = "params.yaml: datasets.sine.preparation.part must be 'interpolation' or 'extrapolation'."
    assert option in found["params.yaml"]
    assert found["claims.yaml"].endswith(
        "claims.yaml: claim 1: experiment must be one of: sine_zero. Received: 'sine_zeor'. Did you mean sine_zero?"
    )
    workspace.params.unlink()
    workspace.claims.write_text("[", encoding="utf-8")
    assert "params.yaml is missing; " in failures(workspace)["params.yaml"]


def test_a_folder_that_may_not_be_written_and_a_disk_that_is_nearly_full(workspace, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1.25e9))
    assert failures(workspace) == {"folder": "1.2 GB free, a full build takes up to 3.2 GB; free some room"}
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert failures(workspace)["folder"].endswith("must be a folder that you may write to; see its permissions")
