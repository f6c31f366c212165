"""`unroll report --against`: a slip that flips a verdict, in a repository of its own with half the miniature."""

import json
import shutil

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from tests.conftest import ROOT
from tests.unroll.workspaces.test_checkout import git
from unroll.verify.against import Causes, ChangeReport, ReportSection, report_against

FILE = "pipeline/data/preparations/waves.py"
AFTER, SLIP = "    series = read_npz(path)\n", '    series["train"] = series["test"]\n'


def test_a_slip_that_flips_a_verdict_is_told_with_its_line(miniature):
    root = miniature.root
    miniature.change(lambda data: [data["experiments"].pop(name) for name in ("jena/gru", "waves/node")])
    shutil.copy(ROOT / ".gitignore", root)
    before = miniature.json("results/metrics/waves/linear.json")["score"]
    claim = plain_yaml.read(miniature.workspace.claims)[0] | {"value": f"{before:.5f}"}
    miniature.workspace.claims.write_text(json.dumps([claim]))
    miniature.unroll("repro", "--jobs", "2")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Right")
    assert "Nothing flipped." in miniature.unroll("report", "--against", "HEAD")

    code = (root / FILE).read_text()
    (root / FILE).write_text(code.replace(AFTER, AFTER + SLIP))
    (root / "runs").rename(root / "away")  # as in a clone, which has no outputs
    report = miniature.unroll("report", "--against", "HEAD")
    (root / "away").rename(root / "runs")
    assert "0 verdicts flipped" in report  # nothing is built yet
    assert "4 stages not built as the code is now: about" in report
    miniature.unroll("repro", "--jobs", "2")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Tidy | up")
    after = miniature.json("results/metrics/waves/linear.json")["score"]
    report = miniature.unroll("report", "--against", "HEAD~1", "--markdown", "--verify", "1", status=1)
    commit, line = git(root, "rev-parse", "--short", "HEAD"), code[: code.index(AFTER)].count("\n") + 2
    cause = rf"{FILE}:{line} + {SLIP.strip()} ({commit} Tidy \| up)"
    lines = report[report.index("## Look at this.") :].splitlines()  # before it, on standard error, the rebuild
    assert [line for line in lines if line][1:8] == [
        "### 1 verdict flipped",
        "| question or claim | before | now | since |",
        "| --- | --- | --- | --- |",
        f"| 003: close to 0.02 (waves/linear) | holds | does not hold | {cause} |",
        "### 1 score changed",
        "| experiment | before | now |",
        "| --- | --- | --- |",
    ]
    assert f"| waves/linear | {before:.5g} | {after:.5g} |" in lines
    assert "All 3 outputs have the same bytes." in report
    (root / "results/evaluations/waves/evaluation.json").write_text("{}")
    with pytest.raises(UnrollError, match=r"evaluation.json is damaged"):
        report_against(miniature.workspace, "HEAD", 0)
    git(root, "checkout", "-q", "results")
    miniature.workspace.claims.write_text("[]")
    assert "gone" in " ".join(report_against(miniature.workspace, "HEAD", 0).sections[0].rows[0])
    with pytest.raises(UsageError, match="git knows no commit nowhere"):
        report_against(miniature.workspace, "nowhere", 0)


def test_a_report_on_many_changes_is_one_screen():
    sections = [ReportSection("stages", ("stage", "since"), [[f"train@{number}", "x"] for number in range(99)])] * 4
    for markdown in (False, True):
        lines = [*ChangeReport(sections, 99).lines(markdown=markdown)]
        assert len(lines) < 60
        assert sum("and 91 more" in line for line in lines) == 4


def test_what_is_no_stage_any_more_is_a_cause():
    assert Causes(ROOT, "HEAD", {"train@a": {}}, {}).of(["train@a"]) == ["train@a is no stage any more"]


def test_git_says_itself_why_it_reads_nothing(tmp_path, monkeypatch):
    with pytest.raises(UnrollError, match="not a git repository"):
        report_against(Workspace(tmp_path), "HEAD", 0)
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="git knows no commit HEAD"):
        report_against(Workspace(tmp_path), "HEAD", 0)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UnrollError, match="detected dubious ownership .* safe.directory"):
        report_against(Workspace(tmp_path), "HEAD", 0)
