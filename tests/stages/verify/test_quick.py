"""`unroll verify` of the miniature, as a user calls it: `--quick` once, and a part of the real graph once."""

import os

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.verify.compare_builds import different_files
from stages.verify import quick
from stages.workspaces import checkout

OUTPUTS = ("dvc.lock", "data", "runs", "evaluations", "metrics", "report")


def test_two_builds_in_other_circumstances_have_the_same_bytes_and_a_change_is_told(built, miniature):
    output = miniature.unroll("verify", "--quick", "--keep")
    assert output.count("Built 20 of 20 stages") == 2
    assert "All 36 outputs have the same bytes." in output
    first, second = (miniature.root / checkout.FOLDER / "quick" / name for name in (quick.FIRST, quick.SECOND))
    assert different_files(first, built.root, OUTPUTS) == [], "`dvc repro` builds the same as `unroll repro`"
    assert (second / "runs").stat().st_mode & 0o077 == 0, "it had another umask"

    weights = "runs/jena/jena_gru/weights/seed_0_final.weights.h5"
    (second / weights).chmod(0o600)
    with (second / weights).open("ab") as file:
        file.write(b"1")
    lock = second / "dvc.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace("nfiles: 2", "nfiles: 3", 1), encoding="utf-8")
    verdict = quick._compare(Workspace(first), Workspace(second))
    assert (verdict.holds, verdict.others) == (False, ["dvc.lock", weights])


def test_another_seed_and_a_changed_sum_are_told_of_the_real_graph_without_git(miniature):
    miniature.change(lambda data: data["sources"]["waves"].update(seed=1))
    lock = miniature.root / "dvc.lock"
    kept = plain_yaml.read(lock)
    kept["stages"]["source@sine"]["outs"][0]["md5"] = "0" * 32 + ".dir"
    plain_yaml.write(kept, lock)
    output = miniature.unroll("verify", "prepare@waves", "source@sine", status=1)
    assert "the files as they are (no git repository starts here): 3 stages" in output
    told = {line.split("  ")[1]: line for line in output.splitlines() if "  differs: " in line}
    assert told.keys() == {"data/raw/waves", "data/prepared/waves", "data/raw/sine"}
    assert "in source.json, waves.npz" in told["data/raw/waves"]
    assert "in which files is not known" in told["data/raw/sine"]
    assert "these have changed: params.yaml: sources.waves;" in output


def test_the_circumstances_are_others(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    changed = quick.circumstances()
    assert all(os.environ.get(name) != value for name, value in changed.items())
    assert changed.keys() == {"PYTHONHASHSEED", "TZ", "LC_ALL"}


def test_a_language_with_a_decimal_comma_is_preferred(monkeypatch):
    def locale(argument, *, language):
        return "C\nen_US.utf8\nde_DE\nde_DE.utf8\n" if argument == "-a" else ",."["de_DE" not in language]

    monkeypatch.setattr(quick, "_locale", locale)
    assert quick._language() == "de_DE.utf8"


def test_without_a_command_that_lists_languages_it_is_c(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert quick._language() == "C"


@pytest.mark.parametrize(("recorded", "said"), [("no room", "train@x: no room"), ("", "exit status 1")])
def test_a_miniature_that_cannot_be_built_says_why(tmp_path, recorded, said):
    workspace = Workspace(tmp_path)
    if recorded:
        (workspace.scratch / "failures").mkdir(parents=True)
        (workspace.scratch / "failures/train@x.txt").write_text(recorded)
    with pytest.raises(UnrollError, match=f"cannot be built: {said}"):
        quick._stop_unless_built(workspace, 1)
