"""`unroll official`: the project of official.yaml, and what comes of it in results/."""

import os
import shutil

import pytest

from pipeline.config import plain_yaml
from pipeline.files import read_json
from stages.evaluate import evaluate
from tests.support import REPOSITORY, fake_runs
from tests.unroll.builds.test_repro import SECTIONS, small, unroll
from unroll.builds import demo
from unroll.builds.repro import prepare

__all__ = ["small"]

WAVES = {"source": "waves", "preparation": {"name": "waves"}}
CLAIMS = """
- {document: "003", words: series to test on, experiment: meter/last_value, metric: dataset.examples.test, value: 300}
"""


def outcome(workspace):
    (claims,) = read_json(workspace.answers)["claims"]["documents"].values()
    (claim,) = claims.values()
    return claim["outcome"]


def build(project, *, jobs, quiet):
    """In place of a build, which has tests of its own: runs with random predictions."""
    assert (project.raw("meter") / "meter.csv").exists()
    assert (jobs, quiet) == (1, True)
    evaluate(fake_runs.fill(project), "meter")
    return 0


@pytest.fixture
def whole(small, tmp_path, monkeypatch):
    """A repository whose official.yaml needs a file that is not in the mirror yet."""
    sections = demo.without(SECTIONS, {"waves"})
    sections["datasets"] = {"meter": WAVES | {"source": "meter"}}
    plain_yaml.write(sections, small.root / "official.yaml")
    plain_yaml.write(
        {
            "sources": {"waves": SECTIONS["sources"]["waves"]},
            "datasets": {"waves": WAVES},
            "experiments": {"waves": SECTIONS["experiments"]["meter"]},
        },
        small.params,
    )
    small.claims.write_text(CLAIMS)
    shutil.copyfile(REPOSITORY / ".gitignore", small.root / ".gitignore")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNROLL_MIRROR", "mirror")
    return small


def test_it_is_built_where_the_file_can_be_had_and_shown_beside_the_others(
    whole, tmp_path, monkeypatch, capfd
):
    assert unroll(whole, "official") == 1
    output, line = capfd.readouterr()
    assert (output, line.count("\n")) == ("", 1)
    assert line.startswith(f"unroll: meter.csv cannot be had: {tmp_path}/mirror/meter")

    assert unroll(whole, "report") == 0
    assert outcome(whole) == "not built"
    assert "unroll official builds it" in whole.report.read_text(encoding="utf-8")
    builds = f"`unroll --root {os.path.relpath(whole.root)} official` builds"
    capfd.readouterr()
    for arguments, words in (
        (["compare", "meter"], f"meter is not built; {builds} it"),
        (["train", "meter", "last_value"], "`unroll official` builds it"),
        (
            ["repro", "evaluate@meter"],
            "meter belongs to official.yaml; `unroll official` builds it",
        ),
    ):
        assert unroll(whole, *arguments) in {1, 2}
        assert words in capfd.readouterr().err

    (tmp_path / "mirror/meter/meter.csv").touch()
    monkeypatch.setattr(demo, "repro", build)
    assert unroll(whole, "official", "--jobs", "1") == 0
    output = capfd.readouterr().out
    assert output.endswith(f"\nThe page: {whole.report}\n")
    project = demo.OFFICIAL_PROJECT
    for name in ("evaluations/meter/evaluation.json", "metrics/meter/last_value.json"):
        made = whole.root / project / "results" / name
        assert made.read_bytes() == (whole.root / "results" / name).read_bytes()
    assert outcome(whole) == "holds"
    assert unroll(whole, "compare", "meter") == 0
    assert not (whole.root / "runs/meter").exists()


def test_a_build_of_the_others_leaves_its_results(whole):
    for name in ("evaluations/meter", "evaluations/old"):
        (whole.root / "results" / name).mkdir(parents=True)
    prepare(whole)
    kept = [path.name for path in (whole.root / "results/evaluations").iterdir()]
    assert kept == ["meter"]


def test_without_data_sets_in_official_yaml_nothing_is_made(whole, capfd):
    (whole.root / "official.yaml").write_text("{}\n")
    assert unroll(whole, "official") == 2
    assert (
        "has no data sets in official.yaml; run `unroll off" in capfd.readouterr().err
    )
    (whole.root / "official.yaml").write_text("datasets: 3\n")
    assert unroll(whole, "official") == 2
    assert "official.yaml: datasets must be a mapping" in capfd.readouterr().err
    assert not (whole.root / demo.OFFICIAL_PROJECT).exists()
