import re
import shutil
from importlib import metadata
from types import SimpleNamespace

import pytest

from pipeline import numerics
from pipeline.config import params, plain_yaml
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from tests.unroll.test_workspaces import git
from unroll.results import doctor

PARAMS = """
sources: {sine: {kind: sine}}
datasets: {sine: {source: sine, preparation: {name: sine_points, part: interpolation}}}
experiments:
  sine:
    zero: {model: {family: baselines, name: constant}, training: {method: none}}
"""
CLAIMS = """
- {document: "003", words: MSE 0.02, experiment: sine/zero, metric: final.test.mse, value: "0.02", width: 2}
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Valid files, on a machine where all is well."""
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=50e9)
    )
    return Workspace(tmp_path)


def failures(workspace):
    findings = doctor.doctor(workspace)
    assert [check for check, _, _ in findings][:5] == [
        "unroll",
        "packages",
        "params.yaml",
        "claims.yaml",
        "folder",
    ]
    assert all("\n" not in text for _, _, text in findings)
    return {check: text for check, fit, text in findings if not fit}


def test_where_all_is_well_every_check_says_what_it_found(workspace):
    for name in ("params.yaml", "official.yaml", "templates.yaml", "claims.yaml"):
        shutil.copyfile(REPOSITORY / name, workspace.root / name)
    assert failures(workspace) == {}
    code, packages, whole, _, folder, *_ = (
        text for _, _, text in doctor.doctor(workspace)
    )
    assert (
        f"{len(params.load_all(workspace.params).runs)} experiments, all valid" in whole
    )
    assert re.fullmatch(r"0\.2\.0 [0-9a-f]{12}, in its checkout", code)
    assert re.fullmatch(r"Python 3\.\d+\.\d+, \d+ as locked", packages)
    assert folder == "writable, 50 GB free"


def test_models_that_should_be_searched_again_are_named():
    findings = {name: text for name, _, text in doctor.doctor(Workspace(REPOSITORY))}
    assert "models within 5 % of their side's best" in findings["searches"]


def test_packages_that_are_not_as_locked_and_a_disk_that_is_nearly_full(
    workspace, monkeypatch
):
    lock = workspace.root / ".ci/locks/requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(
        "numpy==2.4 \\\nruamel-yaml==0.18 ; python_version >= '3.11' \\\nof-windows==0.4\n"
    )
    installed = {"numpy": "2.4", "ruamel-yaml": "0.18"}
    known = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: installed.get(name) or known(name)
    )
    assert doctor.doctor(workspace)[1][2].endswith(", 2 as locked")
    installed["ruamel-yaml"] = "0.19"
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1.25e9)
    )
    advice = (
        "differ from requirements.lock; "
        "remove .venv, and run `make test` or `make demo` again"
    )
    assert failures(workspace) == {
        "packages": f"the versions of ruamel-yaml 0.19 (locked 0.18) {advice}",
        "folder": "the disk has 1.2 GB free, and a full build takes up to 3.2 GB; free some room",
    }


def test_wrong_values_are_named_and_no_check_stops_the_others(workspace):
    workspace.params.write_text(
        PARAMS.replace("part: interpolation", "part: interpolatoin"), encoding="utf-8"
    )
    workspace.claims.write_text(
        CLAIMS.replace("sine/zero", "sine/zeor"), encoding="utf-8"
    )
    wrong = failures(workspace)
    assert wrong.keys() == {"params.yaml", "claims.yaml"}
    option = "params.yaml: datasets.sine.preparation.part must be 'interpolation' or 'extrapolation'."
    assert option in wrong["params.yaml"]
    assert (
        "claims.yaml: claim 1: experiment must be one of: sine/zero."
        in wrong["claims.yaml"]
    )


def test_claims_about_the_documents_other_experiments_are_counted(workspace):
    others = CLAIMS.replace("sine/zero", "imdb/rnn")
    workspace.claims.write_text(CLAIMS + others, encoding="utf-8")
    assert failures(workspace) == {}
    findings = {name: text for name, _, text in doctor.doctor(workspace)}
    told = "2 claims, 1 of them about experiments of this folder"
    assert findings["claims.yaml"] == told


def test_a_project_of_ones_own_has_no_claims(tmp_path):
    """Without a project the documents are looked at: tests/test_wheel.py."""
    plain_yaml.write({"sources": {}}, tmp_path / "params.yaml")
    names = [name for name, _, _ in doctor.doctor(Workspace(tmp_path))]
    assert names[:4] == ["unroll", "packages", "params.yaml", "folder"]


def test_settings_of_other_programs_are_named_and_whether_they_count(
    workspace, monkeypatch
):
    for name in doctor.machine.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UNROLL_KEEP", "XLA_FLAGS,NPY_DISABLE_CPU_FEATURES")
    monkeypatch.setenv("XLA_FLAGS", "--a=1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(
        numerics, "ignored", {"KERAS_BACKEND": "jax", "KERAS_HOME": str(workspace.root)}
    )

    of_variables = {
        "KERAS_BACKEND": "'jax'; ignored",
        "KERAS_HOME": f"'{workspace.root}'; ignored",
        "OMP_NUM_THREADS": "'3'; counts, and results have the same bits",
        "XLA_FLAGS": "'--a=1'; counts, and results may have other bits",
    }
    findings = doctor.doctor(workspace)[5:]
    assert {name: text for name, fit, text in findings if fit} == of_variables


def test_a_repository_that_git_does_not_read_is_named_with_its_reason(
    workspace, monkeypatch
):
    git(workspace.root, "init", "-q")
    assert failures(workspace) == {}
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "detected dubious ownership" in failures(workspace)["git"]
    monkeypatch.setenv("PATH", "")
    assert failures(workspace) == {"git": "git is not on PATH; install git"}
