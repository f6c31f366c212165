import shutil
from types import SimpleNamespace

import pytest

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.results import doctor
from tests.support import REPOSITORY

CHECKS = ["Python", "packages", "commands", "params.yaml", "claims.yaml", "folder", "mirror"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A copy of the committed files, on a machine where all is well."""
    for name in ("params.yaml", "claims.yaml"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    monkeypatch.delenv("UNROLL_MIRROR", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda command: f"/bin/{command}")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=50e9))
    return Workspace(tmp_path)


def failures(workspace):
    findings = doctor.doctor(workspace)
    assert [finding.check for finding in findings] == CHECKS
    assert all("\n" not in finding.text for finding in findings)
    return {finding.check: finding.text for finding in findings if not finding.ok}


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_where_all_is_well_every_check_says_what_it_found(workspace):
    assert failures(workspace) == {}
    found = {finding.check: finding.text for finding in doctor.doctor(workspace)}
    whole = params.load(workspace.params)
    assert f"{len(whole.experiments)} experiments, all valid" in found["params.yaml"]
    assert found["packages"] == "no requirements.lock here"
    assert found["folder"] == "writable, 50 GB free"
    assert found["mirror"] == "UNROLL_MIRROR is not set; the official addresses are used"


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_python(monkeypatch, version):
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=version))
    text = ".".join(map(str, version))
    with pytest.raises(UnrollError, match=f"{text} is not supported; install Python 3.11, 3.12 or 3.13 and run `make`"):
        doctor._python()


@pytest.fixture
def installed(monkeypatch):
    names = {"dvc": "3", "keras": "3", "mlflow": "3", "numpy": "2.4", "pandas": "3", "ruamel.yaml": "0.19"}

    def distributions():
        return [SimpleNamespace(metadata={"Name": name}, version=version) for name, version in names.items()]

    monkeypatch.setattr(doctor.metadata, "distributions", distributions)
    return names


LOCK = """\
numpy==2.4 \\
    --hash=sha256:00
ruamel-yaml==0.19 ; python_version >= '3.11' \\
    --hash=sha256:00
colorama==0.4 ; sys_platform == 'win32' \\
    --hash=sha256:00
"""


@pytest.mark.usefixtures("installed")
def test_packages_as_locked(workspace):
    (workspace.root / "requirements.lock").write_text(LOCK, encoding="utf-8")
    assert failures(workspace) == {}
    assert doctor.doctor(workspace)[1].text == "2 as locked"


def test_packages_of_another_version(workspace, installed):
    (workspace.root / "requirements.lock").write_text(LOCK.replace("0.19", "0.18"), encoding="utf-8")
    installed["numpy"] = "2.3"
    said = "numpy 2.3 (locked 2.4), ruamel-yaml 0.19 (locked 0.18) differ from requirements.lock; run `make test` or"
    assert said in failures(workspace)["packages"]


def test_packages_that_are_missing(workspace, installed):
    del installed["keras"], installed["mlflow"]
    assert failures(workspace) == {"packages": "keras, mlflow missing; run `make demo`, which installs them"}


def test_commands(workspace, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda command: "/bin/git" if command == "git" else None)
    said = "unroll, dvc not on PATH; use `make`, or put .venv/bin first on PATH"
    assert failures(workspace) == {"commands": said}


def test_params_with_a_wrong_option(workspace):
    edit(workspace.params, "part: interpolation", "part: interpolatoin")
    found = failures(workspace)
    assert set(found) == {"params.yaml"}
    said = "params.yaml: datasets.sine_interpolation.preparation.part must be 'interpolation' or 'extrapolation'."
    assert said in found["params.yaml"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("experiment: waves_last_value", "experiment: waves_last_valeu", ": experiment must be one of "),
        ("against: imdb_lstm", "against: imdb_ltsm", ": experiment must be one of "),
    ],
)
def test_claims_about_what_is_not_there(workspace, right, wrong, said):
    edit(workspace.claims, right, wrong)
    found = failures(workspace)
    assert set(found) == {"claims.yaml"}
    assert said in found["claims.yaml"]
    name, meant = wrong.split(": ")[1], right.split(": ")[1]
    assert found["claims.yaml"].endswith(f"Received: '{name}'. Did you mean {meant}?")


def test_no_check_stops_the_others(workspace):
    workspace.params.unlink()
    workspace.claims.write_text("[", encoding="utf-8")
    found = failures(workspace)
    assert set(found) == {"params.yaml", "claims.yaml"}
    assert "params.yaml is missing; " in found["params.yaml"]
    (workspace.root / "requirements.lock").mkdir()
    assert failures(workspace)["packages"].endswith("requirements.lock cannot be read: Is a directory")


def test_a_folder_that_is_not_writable(workspace, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert failures(workspace) == {
        "folder": f"{workspace.root} must be a folder that you may write to; see its permissions"
    }


def test_a_disk_that_is_nearly_full(workspace, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1.25e9))
    assert failures(workspace) == {"folder": "1.2 GB free, a full build takes up to 3.2 GB; free some room"}


@pytest.mark.parametrize("mirror", ["/nowhere/at/all", "http://example.org/data"])
def test_a_mirror_that_cannot_be(workspace, monkeypatch, mirror):
    monkeypatch.setenv("UNROLL_MIRROR", mirror)
    found = failures(workspace)
    assert set(found) == {"mirror"}
    assert found["mirror"].endswith(f"Received: {mirror}")


def test_a_mirror_without_its_password(workspace, monkeypatch):
    for mirror, shown in [(str(workspace.root), str(workspace.root)), ("https://me:word@a.org/b", "https://a.org/b")]:
        monkeypatch.setenv("UNROLL_MIRROR", mirror)
        assert doctor._mirror() == f"UNROLL_MIRROR is {shown}"
