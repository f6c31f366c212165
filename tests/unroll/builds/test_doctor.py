import re
import shutil
from importlib import metadata

import pytest

from pipeline import numeric_settings
from pipeline.config import params, plain_yaml
from tests.support import REPOSITORY
from unroll.builds import doctor
from unroll.project import Project

PARAMS = {
    "sources": {"sine": {"kind": "sine"}},
    "datasets": {
        "sine": {
            "source": "sine",
            "preparation": {"name": "sine_points", "part": "interpolation"},
        }
    },
}


@pytest.fixture
def project(tmp_path):
    plain_yaml.write(PARAMS, tmp_path / "params.yaml")
    return Project(tmp_path)


def findings(project):
    found = doctor.doctor(project)
    assert all("\n" not in text for _, _, text in found)
    return {name: text for name, _, text in found}


def failures(project):
    return {name: text for name, fit, text in doctor.doctor(project) if not fit}


def test_where_all_is_well_every_check_says_what_it_found(project):
    for name in ("params.yaml", "official.yaml", "templates.yaml"):
        shutil.copyfile(REPOSITORY / name, project.workspace.root / name)
    assert failures(project) == {}
    found = findings(project)
    assert [*found][:3] == ["unroll", "packages", "params.yaml"]
    count = len(params.load_all(project.workspace.params).runs)
    assert f"{count} experiments, all valid" in found["params.yaml"]
    assert re.fullmatch(r"1\.0\.0 [0-9a-f]{12}, in its checkout", found["unroll"])
    assert re.fullmatch(r"Python 3\.\d+\.\d+, \d+ as locked", found["packages"])


def test_data_sets_that_todays_code_would_build_anew_are_named(miniature):
    project = Project(miniature.root)
    assert findings(project)["data sets"] == "all 2 were built by today's code"
    lock = miniature.root / "dvc.lock"
    whole = plain_yaml.read(lock)
    for dep in whole["stages"]["train@waves"]["deps"]:
        if dep["path"] == "pipeline/models":
            dep["md5"] = "0" * 32 + ".dir"
    plain_yaml.write(whole, lock)
    shutil.rmtree(miniature.root / "data/prepared/jena")
    assert findings(project)["data sets"] == doctor.said_of(["waves"], ["jena"])


@pytest.mark.parametrize(
    ("old", "current", "named"),
    [
        (["a"], ["b", "c"], "a"),
        (["a", "b"], ["c"], "every data set other than c"),
        (["a", "b"], [], "every data set"),
    ],
)
def test_data_sets_that_are_out_of_date_are_one_line(old, current, named):
    told = doctor.said_of(old, current)
    start = "out of date against today's code: "
    assert told == f"{start}{named}; `unroll repro` builds them"


def test_packages_that_are_not_as_locked(project, monkeypatch):
    lock = project.workspace.root / "locks/requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(
        "numpy==2.4 \\\nruamel-yaml==0.18 ; python_version >= '3.11' \\\nof-windows==0.4\n"
    )
    installed = {"numpy": "2.4", "ruamel-yaml": "0.18"}
    known = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: installed.get(name) or known(name)
    )
    assert findings(project)["packages"].endswith(", 2 as locked")
    installed["ruamel-yaml"] = "0.19"
    advice = (
        "differ from requirements.lock; "
        "remove .venv, and run `make test` or `make demo` again"
    )
    assert failures(project) == {
        "packages": f"the versions of ruamel-yaml 0.19 (locked 0.18) {advice}"
    }


def test_wrong_values_are_named_and_no_check_stops_the_others(project):
    wrong = plain_yaml.dumped(PARAMS).replace("interpolation", "interpolatoin")
    project.workspace.params.write_text(wrong, encoding="utf-8")
    told = failures(project)
    assert told.keys() == {"params.yaml"}
    option = "params.yaml: datasets.sine.preparation.part must be 'interpolation' or 'extrapolation'."
    assert option in told["params.yaml"]


def test_settings_of_other_programs_are_named_and_whether_they_count(
    project, monkeypatch
):
    for name in doctor.machine.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UNROLL_KEEP", "XLA_FLAGS,NPY_DISABLE_CPU_FEATURES")
    monkeypatch.setenv("XLA_FLAGS", "--a=1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    home = str(project.workspace.root)
    ignored = {"KERAS_BACKEND": "jax", "KERAS_HOME": home}
    monkeypatch.setattr(numeric_settings, "ignored", ignored)
    of_variables = {
        "KERAS_BACKEND": "'jax'; ignored",
        "KERAS_HOME": f"'{home}'; ignored",
        "OMP_NUM_THREADS": "'3'; counts, and results have the same bits",
    }
    found = findings(project)
    assert {name: found.get(name) for name in of_variables} == of_variables
    # Keras, if a test before has started it, adds its own flags.
    assert re.fullmatch(
        r"'--a=1.*'; counts, and results may have other bits", found["XLA_FLAGS"]
    )
