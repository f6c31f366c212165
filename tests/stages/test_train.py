"""What is kept, what is trained, and what is left where a training fails or is
stopped."""

import os
import shutil
import signal
import time

import pytest

from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json, write_json
from pipeline.processes import Children
from pipeline.training import tasks
from pipeline.workspace import Workspace
from stages import pool
from stages.train import train, train_ahead
from tests.support import content, ended_by, trainable
from tests.support.trainable import AWAY, LAST_VALUE, LINEAR, NODE
from unroll import terminal
from unroll.commands.main import invoke

RIDGE = LINEAR | {"training": {"method": "least_squares", "ridge": 1.0}}


@pytest.fixture(autouse=True)
def without_mlflow(monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace with two trained experiments."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWAY.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("two") / "with a blank and an ü"
        workspace = trainable.waves(folder, linear=LINEAR, last_value=LAST_VALUE)
        train(workspace, "waves", jobs=2)
    return workspace


@pytest.fixture
def two(trained, tmp_path):
    """A copy of it that a test may change."""
    return Workspace(shutil.copytree(trained.root, tmp_path / trained.root.name))


def lines(capsys):
    output = capsys.readouterr()
    return output.err.splitlines(), output.out.splitlines()


def test_what_was_trained_stays_without_a_process(two, capsys, monkeypatch):
    monkeypatch.setattr(pool, "Server", None)
    runs = content(two.runs("waves"))
    train(two, "waves")
    shown, _ = lines(capsys)
    assert shown == ["waves: 0 of 2 experiments to train"]
    assert content(two.runs("waves")) == runs


def test_train_ends_with_the_scores_beside_those_of_the_last_evaluation(
    two, capsys, monkeypatch
):
    monkeypatch.chdir(two.root)
    write_json(two.metrics("waves") / "linear.json", {"mse": 0.25})
    invoke(["train", "waves"])
    _, (head, linear, last_value, last) = lines(capsys)
    assert head.split() == ["run", "mse", "on", "test", "evaluated", "before"]
    name, score, before = linear.split()
    assert (name, before) == ("waves/linear", "0.25")
    assert 0 < float(score) < 1
    assert last_value.split()[0] == "waves/last_value"
    assert last == "Next: `unroll repro evaluate@waves`, then `unroll compare waves`."
    (two.metrics("waves") / "linear.json").unlink()
    monkeypatch.chdir(two.root.parent)
    monkeypatch.setenv("DVC_STAGE", "train@waves")
    invoke(["--root", two.root.name, "train", "waves", "linear"])
    _, (_, row, last) = lines(capsys)
    assert row.split() == ["waves/linear", score]
    program = f"unroll --root '{two.root.name}'"
    assert last == f"Next, when waves is evaluated: `{program} compare waves`."
    monkeypatch.setenv(terminal.BUILD, "1")
    invoke(["--root", two.root.name, "train", "waves", "linear"])
    assert lines(capsys)[1] == [], "`unroll repro` ends with its answers"


@pytest.mark.parametrize(
    ("experiment", "facts", "message"),
    [
        (
            NODE | {"residual": True},
            {"rollout": True},
            "node.residual and the free run",
        ),
        (NODE | {"rows": {}}, {"rollout": True}, "node.rows and the free run"),
        (NODE, {"rollout": True}, "by_hand has no free run, which waves asks for"),
        (
            LAST_VALUE | {"model": {"family": "baselines", "name": "daily_cycle"}},
            {"splits": {"train": {"every": True}}},
            "daily_cycle forecasts one column, and waves asks for every column",
        ),
    ],
)
def test_an_experiment_that_cannot_answer_for_its_data_set_is_refused(
    tmp_path, experiment, facts, message
):
    workspace = trainable.waves(tmp_path, node=experiment)
    file = workspace.prepared("waves") / "dataset.json"
    write_json(file, read_json(file) | facts)
    with pytest.raises(UsageError, match=message):
        train(workspace, "waves")


def test_one_edited_option_trains_one_run(two, capsys):
    before = content(two.runs("waves"))
    trainable.write(two, linear=RIDGE, last_value=LAST_VALUE)
    train(two, "waves")
    shown, _ = lines(capsys)
    assert shown[0] == "waves: 1 of 2 experiments to train"
    assert shown[1].startswith("1/1  waves/linear  ")
    (warning,) = shown[2:]
    assert warning.startswith("warning: not recorded in MLflow: ")
    changed = {
        path
        for path, data in content(two.runs("waves")).items()
        if data != before[path]
    }
    assert "linear/run.json" in changed
    assert not any(path.startswith("last_value") for path in changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "predictions.npz").write_bytes(b"other"),
        lambda run: (run / "history.csv").unlink(),
        lambda run: (run / "more").touch(),
        lambda run: (run / "run.json").write_text("{"),
        lambda run: (run / "sha256.json").unlink(),
    ],
)
def test_a_damaged_run_is_named_and_trained_again(damage, two, capsys):
    before = content(two.runs("waves"))
    damage(two.run("waves", "linear"))
    train(two, "waves")
    shown, _ = lines(capsys)
    assert "waves/linear is trained again" in shown[0]
    assert shown[1] == "waves: 1 of 2 experiments to train"
    assert content(two.runs("waves")) == before


def test_mlflow_that_cannot_be_reached_is_asked_once(two, capsys):
    before = content(two.runs("waves"))
    shutil.rmtree(two.runs("waves"))
    train(two, "waves", jobs=2)
    shown, _ = lines(capsys)
    assert [line[:4] for line in shown[1:] if not line.startswith("warning")] == [
        "1/2 ",
        "2/2 ",
    ]
    assert len([line for line in shown if line.startswith("warning")]) == 1
    assert content(two.runs("waves")) == before


def test_a_run_in_the_place_of_another_is_not_taken_for_it(two, capsys):
    before = content(two.runs("waves"))
    shutil.rmtree(two.run("waves", "linear"))
    shutil.copytree(two.run("waves", "last_value"), two.run("waves", "linear"))
    train(two, "waves")
    assert lines(capsys)[0][0] == "waves: 1 of 2 experiments to train"
    assert content(two.runs("waves")) == before


def test_one_experiment_is_trained_and_its_folder_alone_is_replaced(two):
    trainable.write(two, linear=RIDGE)
    trained = train(two, "waves", "linear")
    shutil.move(two.prepared("waves"), two.root / "away")
    assert 0 < trained.scores()["waves/linear"] < 1, "nothing is read again"
    shutil.move(two.root / "away", two.prepared("waves"))
    assert sorted(path.name for path in two.runs("waves").iterdir()) == [
        "last_value",
        "linear",
    ]
    train(two, "waves")
    assert [path.name for path in two.runs("waves").iterdir()] == ["linear"]


def test_what_was_trained_ahead_or_in_a_copy_that_is_lost_waits_for_its_stage(
    two, tmp_path, monkeypatch, capsys
):
    before = content(two.runs("waves"))
    record = two.record("waves", "linear").read_bytes()
    trainable.write(two, linear=RIDGE, last_value=LAST_VALUE)
    with monkeypatch.context() as patch:
        copy = Workspace(tmp_path / "copy")  # as with `dvc exp run --temp`
        shutil.copytree(two.root, copy.root)
        patch.setenv("DVC_EXP_NAME", "coy-auk")
        patch.setenv("DVC_ROOT", str(two.root))
        train(copy, "waves")
        capsys.readouterr()
        made = content(copy.runs("waves"))
        shutil.rmtree(copy.root)
    assert content(two.runs("waves")) == before
    train(two, "waves")
    assert lines(capsys)[0] == ["waves: 0 of 2 experiments to train"]
    assert content(two.runs("waves")) == made
    assert two.record("waves", "linear").read_bytes() != record

    trainable.write(two, linear=LINEAR, last_value=LAST_VALUE)
    train_ahead(two, ["waves"], 1)
    assert content(two.runs("waves")) == made, "only its stage writes there"
    capsys.readouterr()
    train(two, "waves")
    assert lines(capsys)[0] == ["waves: 0 of 2 experiments to train"]
    assert content(two.runs("waves")) == before
    assert list((two.scratch / "finished").iterdir()) == []


def test_what_nobody_takes_is_removed_after_some_days(two):
    finished = two.scratch / "finished"
    for name, age in (("young", tasks.DAYS - 1), ("old", tasks.DAYS + 1)):
        (finished / name).mkdir(parents=True)
        then = time.time() - age * 24 * 3600
        os.utime(finished / name, (then, then))
    train(two, "waves")
    assert [path.name for path in finished.iterdir()] == ["young"]


def test_one_that_fails_is_named_and_the_others_are_kept(two, capsys):
    other = LINEAR | {"training": {"method": "least_squares", "ridge": 2.0}}
    wrong = LINEAR | {"training": {"method": "least_squares", "ridge": -1}}
    trainable.write(two, wrong=wrong, linear=other)
    with pytest.raises(UnrollError) as raised:
        train(two, "waves", jobs=1)
    assert str(raised.value).startswith(
        "1 of 2 trainings failed (waves/wrong: params.yaml: experiments."
    )
    assert str(raised.value).endswith(
        "; the others are kept, and the same command trains the failed ones again"
    )
    assert any("waves/wrong  FAILED: params.yaml" in line for line in lines(capsys)[0])
    trainable.write(two, linear=other)
    train(two, "waves")
    assert lines(capsys)[0] == ["waves: 0 of 1 experiments to train"]


def test_what_is_not_there_is_named(two):
    with pytest.raises(UsageError, match="the data set must be one of: waves"):
        train(two, "wave")
    with pytest.raises(UsageError, match="the experiment of waves must be one of"):
        train(two, "waves", "gru")
    trainable.write(two, linear=LINEAR | {"model": {"family": "none", "name": "x"}})
    with pytest.raises(UsageError, match=r"experiments\.waves\.linear\.model\.family"):
        train(two, "waves")


def test_data_or_code_that_change_while_it_trains_are_noticed(two, monkeypatch):
    before = content(two.runs("waves"))
    trainable.write(two, linear=RIDGE, last_value=LAST_VALUE)

    def ended(work, original=Children.ended):
        yield from original(work)
        (two.prepared("waves") / "more").touch()

    monkeypatch.setattr(Children, "ended", ended)
    with pytest.raises(UnrollError, match="its data or the code has changed since"):
        train(two, "waves")
    assert list((two.scratch / "finished").iterdir()) == []
    assert content(two.runs("waves")) == before


def test_a_run_that_cannot_be_read_is_a_training_that_failed(two, monkeypatch):
    before = content(two.runs("waves"))
    trainable.write(two, linear=RIDGE, last_value=LAST_VALUE)

    def ended(work, original=Children.ended):
        for one in original(work):
            (tasks.finished(two, one.key) / tasks.RUN / "history.csv").unlink()
            yield one

    monkeypatch.setattr(Children, "ended", ended)
    with pytest.raises(UnrollError, match=r"1 of 1 trainings failed .*is damaged"):
        train(two, "waves")
    assert content(two.runs("waves")) == before


def test_a_network_has_the_same_bytes_killed_or_not_and_for_any_number_of_jobs(
    tmp_path,
):
    def experiments(workspace):
        trainable.write(workspace, linear=LINEAR, node=NODE, last_value=LAST_VALUE)

    whole = trainable.waves(tmp_path / "whole")
    experiments(whole)
    train(whole, "waves", jobs=1)
    killed = trainable.waves(tmp_path / "killed")
    experiments(killed)
    process = trainable.start_training(killed, "--jobs", "2")
    checkpoint = killed.checkpoint("waves", "node")
    ended_by(signal.SIGKILL, process, checkpoint.exists)
    train(killed, "waves", jobs=4)
    assert "where it was interrupted" in killed.log("waves/node").read_text()
    assert not checkpoint.exists()
    assert content(killed.runs("waves")) == content(whole.runs("waves"))
    assert not list(killed.scratch.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_ends_all_in_one_line(number, tmp_path):
    workspace = trainable.waves(tmp_path, linear=LINEAR, last_value=LAST_VALUE)
    process = trainable.start_training(workspace, "--jobs", "2")
    # by then a child has started
    output = ended_by(number, process, workspace.log("waves/linear").exists)
    assert process.returncode == 130
    assert output.splitlines()[-1].startswith(
        "unroll: stopped; what was finished is kept"
    )
    assert not list(workspace.scratch.glob(".*"))
