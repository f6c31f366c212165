"""`unroll report --against` a commit, in a small repository whose stages are shell
lines."""

import pytest

from pipeline.errors import UnrollError, UsageError
from tests.support import toy
from tests.unroll.builds.test_workspaces import git
from unroll.builds import changes
from unroll.builds.changes import report_against
from unroll.commands.main import invoke, run

REPORT = (
    ["##", "1", "verdict", "changed"],
    ["|", "waves", "tuned", "|", "yes", "|", "no", "|"],
    ["waves/gru.json", "|", "mse", "|", "0.32", "|", "0.64"],
    ["|", "experiments.waves.units", "|", "32", "|", "64", "|"],
)


def test_changed_verdicts_metrics_and_options_are_told(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = toy.make(tmp_path / "work")
    toy.edit(root, "params.yaml", "units: 32", "units: 64")
    toy.repro(root)
    toy.commit(root, "More units")
    # as in CI, which has no outputs
    git(root, "clone", "-q", ".", str(tmp_path / "clone"))
    assert (
        run(
            lambda: invoke(
                ["--root", str(tmp_path / "clone"), "report", "--against", "HEAD~1"]
            )
        )
        == 1
    )
    output = " ".join(capfd.readouterr().out.split())
    for words in REPORT:
        assert " ".join(words) in output


def test_a_long_table_is_cut_so_that_it_fits_into_a_comment(capsys):
    rows = [f"| {number} |" for number in range(100, 150)]
    head = ["| metric | before | now |", "| --- | --- | --- |"]
    changes._print_table("Metrics", "\n".join(head + rows))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "",
        "### Metrics",
        "",
        "| metric | before | now |",
        "| --- | --- | --- |",
        "| 100 |",
    ]
    assert lines[-3:] == ["| 139 |", "", "and 10 more"]


def test_verdicts_that_cannot_be_compared_are_told(tmp_path):
    answers = tmp_path / "results/answers.json"
    answers.parent.mkdir()
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "Without verdicts")
    with pytest.raises(UnrollError, match=r"answers.json is missing"):
        report_against(tmp_path, "HEAD")
    answers.write_text("damaged")
    toy.commit(tmp_path, "Damaged verdicts")
    with pytest.raises(UnrollError, match=r"answers.json is damaged"):
        report_against(tmp_path, "HEAD")


def test_git_says_itself_why_it_reads_nothing(tmp_path, monkeypatch):
    with pytest.raises(UnrollError, match="not a git repository"):
        report_against(tmp_path, "HEAD")
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="git knows no commit HEAD"):
        report_against(tmp_path, "HEAD")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(
        UnrollError, match="detected dubious ownership .* safe.directory"
    ):
        report_against(tmp_path, "HEAD")
