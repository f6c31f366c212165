"""`unroll verify` of a small repository whose stages are shell lines."""

import json
import os
import shutil
import signal

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.locks import alone
from pipeline.workspace import Workspace
from tests.support import ended_by, start_unroll, toy
from tests.unroll.builds.test_workspaces import git
from unroll import dvc_lock
from unroll.builds import repro, verify
from unroll.commands.main import invoke, run


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("repository") / "work")


@pytest.fixture
def root(built, tmp_path, monkeypatch):
    """A copy that a test may change."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.copytree(built, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def unroll(root, capfd, *arguments):
    """Exit code, standard output and standard error, of the builds too."""
    return run(lambda: invoke(["--root", str(root), *arguments])), *capfd.readouterr()


def locked(root):
    return dvc_lock.locked(root / "dvc.lock")


SAME_WAVES = """\
prepare@waves   same bytes
train@waves     same bytes
evaluate@waves  same bytes
All 3 stages have the same bytes.
"""


def test_a_stopped_verification_leaves_no_process_and_the_next_believes_nothing_of_it(
    root, capfd
):
    (root / "params.yaml").write_text("not even valid\n")
    write_text(root / ".unroll/seconds.json", "{}")
    before = git(root, "status", "--porcelain", "--ignored")
    environment = os.environ | {"NAP": "600"}
    verification = start_unroll(
        root, "verify", "waves", env=environment, start_new_session=True
    )
    waiting = root / ".verify/rebuild/waiting"
    output = ended_by(signal.SIGTERM, verification, waiting.exists)
    assert verification.returncode == 130, output
    assert output.count("stopped; what was finished is kept") == 1

    # as somebody may have sent it along
    toy.edit(root, ".verify/rebuild/code", "1", "2")
    shutil.copy(root / "dvc.lock", root / ".verify/rebuild/dvc.lock")
    code, out, err = unroll(root, capfd, "verify", "waves")
    assert (code, out) == (0, SAME_WAVES), err
    assert "not committed, so not built: 1 files, such as params.yaml" in err
    assert "Running stage 'prepare@waves'" in err
    assert "sine" not in err
    assert not (root / ".verify").exists()
    assert git(root, "status", "--porcelain", "--ignored") == before


def test_a_changed_output_is_named_with_its_stage_and_its_inputs_and_kept(
    root, capfd, monkeypatch
):
    lock = root / "dvc.lock"
    lock_data = plain_yaml.read(lock)
    del lock_data["stages"]["prepare@sine"]
    plain_yaml.write(lock_data, lock)
    failing = "mkdir -p .unroll/failures; echo no luck > .unroll/failures/train@sine.txt; exit 3;"
    toy.edit(
        root,
        "dvc.yaml",
        "cat code",
        f"if [ ${{key}} = sine ]; then {failing} fi; cat code",
    )
    toy.commit(root, "One stage less in dvc.lock, and one that fails")
    monkeypatch.setenv("NOISE", "5")
    code, out, _ = unroll(root, capfd, "verify")
    assert code == 1
    assert sorted(line for line in out.splitlines() if line) == sorted(
        [
            "prepare@waves   same bytes",
            "prepare@sine    not committed",
            "train@waves     differs: runs/waves, as do its inputs cmd",
            "evaluate@waves  differs: results/metrics/waves, as do its inputs runs/waves",
            "report          differs: results/answers.json, as do its inputs results/metrics/waves, runs/waves",
            "evaluate@sine   not built: DVC says above why, or what it needs is not built",
            "train@sine      not built: no luck",
            "Stages that are not committed: 1.",
            f"1 of 6 stages have the same bytes. What was built: {root}/.verify",
            "The metrics that differ:",
            "Path                            Metric    HEAD    workspace    Change",
            "results/metrics/waves/gru.json  mse       0.32    0.325        0.005",
        ]
    )
    assert (root / ".verify/rebuild/runs/waves/weights").read_text() == "325\n"


def test_a_figure_edited_by_hand_is_found(root):
    toy.edit(root, "results/metrics/waves/gru.json", "0.32", "0.31")
    edited = verify.compare(
        locked(root), root, changed=["results/metrics/waves/gru.json"]
    )
    assert [stage for stage, finding in edited.items() if finding != verify.SAME] == [
        "evaluate@waves"
    ]
    assert edited["evaluate@waves"].endswith(
        "was committed with other bytes than dvc.lock names"
    )


def test_a_forged_run_is_trained_anew_though_the_lock_agrees_and_every_store_is_committed(
    root, capfd
):
    training = "echo ${item.units}$NOISE >"
    taking = f"(cat .unroll/store/${{key}} 2> /dev/null || {training[:-2]}) >"
    toy.edit(root, "dvc.yaml", training, taking)
    write_text(root / ".unroll/store/waves", "1\n")
    toy.repro(root)
    assert "0.1" in (root / "results/metrics/waves/gru.json").read_text()
    git(root, "add", "-f", ".unroll/store", ".dvc/cache")
    toy.commit(root, "With a run that was not trained")
    code, out, _ = unroll(root, capfd, "verify", "waves")
    assert code == 1
    assert "train@waves     differs: runs/waves, from the same inputs\n" in out
    assert (root / ".verify/rebuild/runs/waves/weights").read_text() == "32\n"
    assert "sine" not in out, "the metrics of what was not built do not differ"


def test_a_frozen_stage_does_not_pass_with_what_is_committed(root, capfd):
    toy.edit(
        root,
        "dvc.yaml",
        "{cache: false}]\n  report",
        "{cache: false}]\n      frozen: true\n  report",
    )
    toy.edit(root, "results/metrics/waves/gru.json", "0.32", "0.01")
    repro.dvc(root, "commit", "-f")
    toy.commit(root, "A frozen stage, with a result that the lock agrees to")
    code, out, _ = unroll(root, capfd, "verify", "waves")
    assert code == 1
    assert "evaluate@waves  not built: " in out


def test_results_that_no_stage_of_the_lock_made_fail_by_name(root, capfd):
    data = plain_yaml.read(root / "dvc.lock")
    del data["stages"]["evaluate@sine"]
    plain_yaml.write(data, root / "dvc.lock")
    toy.edit(root, "results/metrics/sine/gru.json", "0.16", "0.01")
    for name in (
        "results/evaluations/fäke/evaluation.json",
        "results/evaluations/waves",
        "results/trials/waves/gru.csv",
    ):
        write_text(root / name, "{}")
    toy.commit(root, "Forged results")
    code, out, _ = unroll(root, capfd, "verify", "waves")
    assert code == 1
    made = "is committed, but no stage in dvc.lock made it."
    assert out.startswith(
        SAME_WAVES.rpartition("All")[0]
        + f"results/evaluations/fäke/evaluation.json {made}\n"
        f"results/evaluations/waves {made}\n"
        f"results/metrics/sine/gru.json {made}\n"
        "3 of 3 stages have the same bytes. "
    )


def test_each_field_of_the_lock_is_compared(root, capfd):
    lock = plain_yaml.read(root / "dvc.lock")
    stages = lock["stages"]
    stages["train@waves"]["deps"][0]["md5"] = 32 * "0"
    stages["train@waves"]["params"]["params.yaml"]["experiments.waves"]["units"] = 400
    stages["prepare@waves"]["cmd"] = "true"
    stages["evaluate@waves"]["outs"][0]["size"] = 1
    plain_yaml.write(lock, root / "dvc.lock")
    toy.commit(root, "A forged lock")
    code, out, _ = unroll(root, capfd, "verify", "waves")
    assert code == 1
    assert out.splitlines()[:3] == [
        "prepare@waves   differs: dvc.lock names other inputs: cmd",
        "train@waves     differs: dvc.lock names other inputs: code, experiments.waves",
        "evaluate@waves  differs: results/metrics/waves, from the same inputs",
    ]


def test_a_damaged_lock_is_one_line(root, tmp_path, capfd):
    for text in (
        "stages: [\n",
        "stages: {a: 1}\n",
        "schema: '2.0'\n",
        "stages: {a: {cmd: b, outs: [c]}}\n",
        "stages: {a: {cmd: b}}",
    ):
        (tmp_path / "dvc.lock").write_text(text)
        assert locked(tmp_path) == {}
    (root / "dvc.lock").write_text("stages: [")
    toy.commit(root, "Damaged")
    code, _, err = unroll(root, capfd, "verify")
    assert code == 1
    assert err.splitlines()[-1].startswith("unroll: the committed dvc.lock is damaged")


def test_a_stage_that_fails_does_not_hold_though_it_is_not_committed(root):
    assert verify.compare(locked(root), root, ["train@new"])["train@new"].startswith(
        "not built: "
    )


def test_a_data_set_that_is_not_committed_is_not_built(root, capfd):
    locked = plain_yaml.read(root / "dvc.lock")
    del locked["stages"]["evaluate@waves"]
    (root / "dvc.lock").write_text(json.dumps(locked) + "\n", encoding="utf-8")
    toy.commit(root, "Without waves")
    code, out, err = unroll(root, capfd, "verify", "waves")
    assert (code, out) == (1, "")
    assert "evaluate@waves is not in the committed dvc.lock" in err


def test_what_cannot_be_verified_is_one_line(root, tmp_path, capfd):
    code, _, err = unroll(root, capfd, "verify", "wave")
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("Received: 'wave'. Did you mean waves?\n")
    with (
        alone(root / ".unroll/verify.lock", ""),
        pytest.raises(UnrollError, match="another `unroll verify`"),
    ):
        verify.verify(Workspace(root), [], 1)
    (tmp_path / "nowhere").mkdir()
    git(root, "rm", "-q", "--cached", "dvc.lock")
    git(root, "commit", "-qm", "No lock")
    for folder, message in (
        (root, r"no dvc\.lock is committed"),
        (root / "results", "is not the top of its git repository"),
        (
            tmp_path / "nowhere",
            r"git cannot read the last commit of .* \(fatal: not a git repository",
        ),
    ):
        with pytest.raises(UnrollError, match=message):
            verify.verify(Workspace(folder), [], 1)


def test_the_environment_of_a_build_is_its_own(tmp_path, monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    monkeypatch.setenv("UNROLL_MIRROR", "data")
    monkeypatch.chdir(tmp_path)
    assert verify.environment(tmp_path / "fresh", 1)["PYTHONPATH"] == "/theirs"
    (tmp_path / "fresh/unroll").mkdir(parents=True)
    variables = verify.environment(tmp_path / "fresh", 3)
    assert "the user's" not in variables.values()
    assert variables["PYTHONPATH"] == f"{tmp_path}/fresh:/theirs"
    assert variables["UNROLL_MIRROR"] == str(tmp_path / "data"), "it is meant from here"
    assert variables["UNROLL_JOBS"] == "3"
