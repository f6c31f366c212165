import shutil
from types import SimpleNamespace

import pytest

from pipeline.config import params
from pipeline.errors import UnrollError
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
    monkeypatch.delenv("UNROLL_MIRROR", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda command: f"/bin/{command}")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=50e9))
    names = {"dvc": "3", "keras": "3", "mlflow": "3", "numpy": "2.4", "pandas": "3", "ruamel.yaml": "0.19"}
    found = [SimpleNamespace(metadata={"Name": name}, version=version) for name, version in names.items()]
    monkeypatch.setattr(doctor.metadata, "distributions", lambda: found)
    return Workspace(tmp_path)


def failures(workspace):
    findings = doctor.doctor(workspace)
    checks = ["Python", "packages", "commands", "params.yaml", "claims.yaml", "folder", "mirror"]
    assert [finding.check for finding in findings] == checks
    assert all("\n" not in finding.text for finding in findings)
    return {finding.check: finding.text for finding in findings if not finding.ok}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_where_all_is_well_every_check_says_what_it_found(workspace):
    for name in ("params.yaml", "claims.yaml"):
        shutil.copyfile(REPOSITORY / name, workspace.root / name)
    found = {finding.check: (finding.ok, finding.text) for finding in doctor.doctor(workspace)}
    assert {ok for ok, _ in found.values()} == {True}
    whole = params.load(workspace.params)
    assert f"{len(whole.experiments)} experiments, all valid" in found["params.yaml"][1]
    assert found["packages"][1] == "no locks/requirements.lock here"
    assert found["folder"][1] == "writable, 50 GB free"
    assert found["mirror"][1] == "UNROLL_MIRROR is not set; the official addresses are used"


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_python(monkeypatch, version):
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=version))
    text = ".".join(map(str, version))
    with pytest.raises(UnrollError, match=f"{text} is not supported; install Python 3.11, 3.12 or 3.13 and run `make`"):
        doctor._python()


def test_packages(workspace, monkeypatch):
    lock = workspace.root / "locks/requirements.lock"
    lock.parent.mkdir(exist_ok=True)
    names = {"numpy": "2.4 \\", "ruamel-yaml": "0.19 ; python_version >= '3.11' \\", "colorama": "0.4"}
    lock.write_text("".join(f"{name}=={rest}\n    --hash=sha256:00\n" for name, rest in names.items()))
    assert (failures(workspace), doctor.doctor(workspace)[1].text) == ({}, "2 as locked")
    edit(lock, "0.19", "0.18")
    said = "ruamel-yaml 0.19 (locked 0.18) differ from requirements.lock; run `make test` or `make demo` again"
    assert failures(workspace) == {"packages": said}
    lock.unlink()
    left = [one for one in doctor.metadata.distributions() if one.metadata["Name"] not in {"keras", "mlflow"}]
    monkeypatch.setattr(doctor.metadata, "distributions", lambda: left)
    assert failures(workspace) == {"packages": "keras, mlflow missing; run `make demo`, which installs them"}
    lock.mkdir()
    assert failures(workspace)["packages"].endswith("locks/requirements.lock cannot be read: Is a directory")


def test_commands_and_folder(workspace, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda command: "/bin/git" if command == "git" else None)
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert failures(workspace) == {
        "commands": "unroll, dvc not on PATH; use `make`, or put .venv/bin first on PATH",
        "folder": f"{workspace.root} must be a folder that you may write to; see its permissions",
    }


def test_a_disk_that_is_nearly_full(workspace, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1.25e9))
    assert failures(workspace) == {"folder": "1.2 GB free, a full build takes up to 3.2 GB; free some room"}


def test_params_with_a_wrong_option(workspace):
    edit(workspace.params, "part: interpolation", "part: interpolatoin")
    (said,) = failures(workspace).values()
    option = "params.yaml: datasets.sine.preparation.part must be 'interpolation' or 'extrapolation'."
    assert option in said


def test_claims_about_what_is_not_there(workspace):
    edit(workspace.claims, "sine_zero", "sine_zeor")
    (said,) = failures(workspace).values()
    assert "claims.yaml: claim 1: experiment must be one of: sine_zero" in said
    assert said.endswith("Received: 'sine_zeor'. Did you mean sine_zero?")
    edit(workspace.claims, "sine_zeor", "sine_zero")
    edit(workspace.claims, 'value: "0.02", width: 2', "against: sine_zer, relation: below")
    assert failures(workspace)["claims.yaml"].endswith("Received: 'sine_zer'. Did you mean sine_zero?")


def test_no_check_stops_the_others(workspace):
    workspace.params.unlink()
    workspace.claims.write_text("[", encoding="utf-8")
    found = failures(workspace)
    assert set(found) == {"params.yaml", "claims.yaml"}
    assert "params.yaml is missing; " in found["params.yaml"]


def test_mirrors(workspace, monkeypatch):
    for mirror in ("/nowhere/at/all", "http://example.org/data"):
        monkeypatch.setenv("UNROLL_MIRROR", mirror)
        (said,) = failures(workspace).values()
        assert said.endswith(f"Received: {mirror}")
    for mirror, shown in [(str(workspace.root), str(workspace.root)), ("https://me:word@a.org/b", "https://a.org/b")]:
        monkeypatch.setenv("UNROLL_MIRROR", mirror)
        assert doctor._mirror() == f"UNROLL_MIRROR is {shown}"
