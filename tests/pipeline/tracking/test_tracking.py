"""The records of trained runs, read back through MLflow's own client."""

import json
import platform
import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np
import pytest

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.files import read_json, write_json, write_text
from pipeline.locks import alone
from pipeline.provenance import fingerprint
from pipeline.tracking import runs, store
from pipeline.training import run_folder, tasks
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.perform import perform
from stages.train import Finished, tasks_of
from tests.support import fake_runs, trainable
from tests.support.trainable import LAST_VALUE

TRAINING = {"method": "by_hand", "learning_rate": 0.01, "epochs": 5}
NODE = trainable.NODE | {"seeds": [0, 3], "training": TRAINING}
LONGER = NODE | {"training": TRAINING | {"epochs": 6}}


def train(workspace, name):
    """Train, log and keep a run as the stage does, but in this process."""
    [task] = tasks_of(workspace, params.load(workspace.params), "waves", name)
    perform(workspace, task)
    Finished(workspace, [task]).log(task)
    tasks.take(workspace, task)


def track(workspace):
    """Full name of an experiment -> what was done."""
    return dict(runs.track(workspace, params.load(workspace.params).runs))


def search(workspace, query="", title="waves"):
    """Runs of a data set, newest first."""
    with store.opened(workspace) as opened:
        group = opened.client.get_experiment_by_name(title)
        return opened.search(query, group.experiment_id) if group else []


def status(workspace, query=""):
    return sorted({run.info.status for run in search(workspace, query)})


def read(workspace):
    """Name of a run -> all that MLflow says of it, but for ids and times."""
    with store.opened(workspace) as opened:
        client = opened.client
    records = {}
    for run in search(workspace):
        number = run.info.run_id
        tags = dict(run.data.tags)
        parent = tags.pop("mlflow.parentRunId", None)
        files = Path(unquote(urlparse(run.info.artifact_uri).path))
        records[run.info.run_name] = SimpleNamespace(
            status=run.info.status,
            parent=client.get_run(parent).info.run_name if parent else None,
            tags=tags,
            params=run.data.params,
            metrics=run.data.metrics,
            curves={
                name: {
                    point.step: point.value
                    for point in client.get_metric_history(number, name)
                }
                for name in run.data.metrics
            },
            files={
                path.relative_to(files).as_posix(): path.read_bytes()
                for path in files.rglob("*.*")
            },
        )
    return records


@pytest.fixture(scope="module")
def empty(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    """A workspace with an empty store, which takes seconds to make, and a data set."""
    root = tmp_path_factory.mktemp("tracking") / "a folder, ä"
    workspace = trainable.waves(root, node=NODE, last=LAST_VALUE)
    with store.opened(workspace):
        pass
    return workspace


@pytest.fixture(scope="module")
def whole(empty, tmp_path_factory):
    """Both experiments trained and evaluated."""
    root = tmp_path_factory.mktemp("whole") / "copy"
    workspace = Workspace(shutil.copytree(empty.root, root))
    train(workspace, "node")
    train(workspace, "last")
    evaluate(workspace, "waves")
    return workspace


@pytest.fixture
def lab(empty, tmp_path):
    """A workspace of its own."""
    return Workspace(shutil.copytree(empty.root, tmp_path / "lab"))


def full_disk(*_, **_options):
    raise OSError("disk full")


def test_a_child_has_every_epoch_and_its_scores(whole):
    child = read(whole)["node seed 3"]
    run = run_folder.load(whole.run("waves", "node"))
    history = run.history.query("seed == 3").set_index("epoch").drop(columns="seed")
    for name, values in history.items():
        assert child.curves[f"epoch/{name}"] == dict(values)
    scores = evaluate(whole, "waves").experiments["node"].best
    metrics = {"best_epoch": run.summary.best_epochs[1], "epochs": 5}
    for split, prefix in (("test", ""), ("validation", "validation_")):
        for measure in ("mae", "mse"):
            metrics[f"{prefix}{measure}"] = scores[split][measure].values[1]
    assert child.metrics.items() >= metrics.items()
    assert (child.parent, child.status, child.files) == ("node", "FINISHED", {})


def test_the_parent_has_the_metrics_of_dvc_options_with_defaults_tags_and_files(whole):
    records = read(whole)
    parent = records["node"]
    folder = whole.run("waves", "node")
    run = run_folder.load(folder)
    options = {
        "seeds": "[0, 3]",
        "model.units": "1",
        "training.learning_rate": "0.01",
        "model.dropout": "0.0",
    }
    assert parent.params.items() >= options.items()
    by_epoch = run.history.groupby("epoch")["train_loss"].mean()
    assert parent.curves["epoch/train_loss"] == dict(by_epoch)
    assert parent.metrics["best_epoch"] == sum(run.summary.best_epochs) / 2
    assert parent.metrics["parameters"] == run.summary.parameters
    node = read_json(whole.metrics("waves") / "node.json")
    node["validation_mse"] = node.pop("val")
    assert parent.metrics.items() >= node.items(), "to the last digit"
    compared_by_default = ["mse", "mse_std", "validation_mse", "validation_mse_std"]
    assert [*parent.metrics][:4] == compared_by_default
    assert {"mae_std", "validation_mae_std"} <= parent.metrics.keys()
    assert [*records["last"].metrics][:2] == ["mse", "validation_mse"]
    last = read_json(whole.metrics("waves") / "last.json")
    assert records["last seed 0"].metrics["mse"] == last["mse"]
    tags = {"fingerprint": fingerprint.folder(folder), "current": "true"}
    assert parent.tags.items() >= (tags | {"python": platform.python_version()}).items()
    record = whole.record("waves", "node")
    assert parent.files == {"record.json": record.read_bytes()} | {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.*")
        if path.name not in {"predictions.npz", "sha256.json"}
    }
    assert parent.params["data.lookback"] == "50"


def test_what_is_logged_later_is_what_is_logged_at_the_end_of_a_training_and_once(
    whole, lab
):
    for folder in ("runs", "records"):
        shutil.copytree(whole.root / folder, lab.root / folder)
    assert track(lab) == {"waves/node": "recorded", "waves/last": "recorded"}
    assert read(lab) == read(whole)
    before = store.database(lab).read_bytes()
    assert track(lab) == {"waves/node": "present", "waves/last": "present"}
    assert store.database(lab).read_bytes() == before


def test_committed_results_are_shown_until_the_experiment_is_trained_here(whole, lab):
    shutil.copytree(whole.root / "results", lab.root / "results")

    def shown():
        with store.opened(lab) as opened:
            names = runs.log_committed(opened, lab, params.load(lab.params))
        assert names == ["waves/node", "waves/last"][-len(names) :]
        return {run.info.run_name: run.data for run in search(lab, store.CURRENT)}

    current = shown()
    assert sorted(current) == ["last (committed)", "node (committed)"]
    node = current["node (committed)"]
    parent = read(whole)["node"]
    assert node.metrics == {
        name: value
        for name, value in parent.metrics.items()
        if not name.startswith("epoch") and name != "seconds"
    }
    assert node.params == parent.params
    assert node.tags["committed"] == "true"
    assert "trained elsewhere. SimpleRNN(1), no output" in node.tags[store.NOTE]
    database = store.database(lab).read_bytes()
    shown()
    assert store.database(lab).read_bytes() == database
    file = lab.evaluation("waves") / "evaluation.json"
    results = read_json(file)
    results["experiments"]["last"]["parameters"] += 1
    write_json(file, results)
    current = shown()
    assert sorted(current) == ["last (committed)", "node (committed)"]
    assert current["last (committed)"].metrics["parameters"] == 1
    shutil.copytree(whole.run("waves", "node"), lab.run("waves", "node"))
    assert track(lab) == {"waves/node": "recorded", "waves/last": "not built"}
    assert sorted(shown()) == ["last (committed)", "node"]


def test_reviews_are_scored_by_accuracy_and_cross_entropy():
    data = fake_runs.dataset("imdb", "imdb")
    predictions = {
        f"final_{split}": np.full((1, len(data.splits[split])), 0.25)
        for split in ("test", "validation")
    }
    run = SimpleNamespace(points=["final"], predictions=predictions)
    scores = runs._scores(data, run)
    assert [*scores][:2] == ["accuracy", "validation_accuracy"]
    assert {"binary_crossentropy", "validation_binary_crossentropy"} <= scores.keys()


def test_only_the_run_on_disk_is_current(lab):
    train(lab, "node")
    trainable.write(lab, node=LONGER)
    train(lab, "node")
    (longer,) = search(lab, store.CURRENT)
    assert longer.data.metrics["epochs"] == 6
    assert longer.data.params["training.epochs"] == "6"
    trainable.write(lab, node=NODE)
    train(lab, "node")
    (current,) = search(lab, store.CURRENT)
    assert current.data.metrics["epochs"] == 5
    old = search(lab, "tags.`current` = 'false'")
    assert {run.info.run_name for run in old} == {"node"}


def test_what_is_logged_leaves_out_what_is_unknown_damaged_or_otherwise_in_params_yaml(
    whole, lab
):
    shutil.copytree(whole.root / "runs", lab.root / "runs")
    damaged = lab.run("waves", "node") / "history.csv"
    text = damaged.read_text()
    write_text(damaged, "seed,epoch,train_loss\n0,1,much\n")
    actions = track(lab)
    assert actions["waves/node"].startswith("skipped: the run of waves/node is damaged")
    assert actions["waves/last"] == "recorded"
    (run,) = search(lab, store.CURRENT)
    assert run.data.tags["fingerprint"] == fingerprint.folder(lab.run("waves", "last"))
    assert not {"git_dirty", "cpu"} & {*run.data.tags}, (
        "without a record nobody knows where it was made"
    )
    write_text(damaged, text)
    trainable.write(lab, node=LONGER)
    assert "skipped: params.yaml says otherwise" in track(lab)["waves/node"]


def test_an_experiment_of_dvc_stands_beside_its_baseline(lab, tmp_path, monkeypatch):
    train(lab, "node")
    # as with `dvc exp run --temp`
    copy = trainable.waves(tmp_path / "copy", node=LONGER)
    monkeypatch.setenv("DVC_EXP_NAME", "coy-auk")
    monkeypatch.setenv("DVC_ROOT", str(lab.root))
    train(copy, "node")
    by_name = {run.info.run_name: run.data for run in search(lab, store.CURRENT)}
    assert sorted(by_name) == ["node", "node [coy-auk]"]
    assert by_name["node [coy-auk]"].tags["dvc_experiment"] == "coy-auk"
    assert by_name["node [coy-auk]"].params["training.epochs"] == "6"
    assert not (copy.root / "mlflow.db").exists()


def test_a_stand_in_is_called_one_and_kept_apart(lab):
    file = lab.prepared("waves") / "dataset.json"
    write_json(file, read_json(file) | {"stand_in": True})
    train(lab, "last")
    assert search(lab) == []
    (parent,) = search(lab, store.CURRENT, "waves (stand-in)")
    assert parent.info.run_name == "last (stand-in)"
    assert "no figure here is a result" in parent.data.tags["mlflow.note.content"]


def test_what_a_killed_process_left_is_ended_and_logged_anew(lab, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", full_disk)
        patch.setattr("mlflow.MlflowClient.set_terminated", full_disk)
        train(lab, "node")
    assert status(lab) == ["RUNNING"]
    assert track(lab)["waves/node"] == "recorded"
    assert status(lab) == ["FINISHED", "KILLED"]
    assert status(lab, store.CURRENT) == ["FINISHED"]


def test_a_store_that_breaks_at_the_end_costs_a_line_and_leaves_no_run_running(
    lab, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", full_disk)
        train(lab, "last")
    line = capsys.readouterr().err
    assert line.startswith("warning: not recorded in MLflow: ")
    assert line.endswith("(disk full). `unroll track` records it later\n")
    assert status(lab) == ["FAILED"]
    assert track(lab)["waves/last"] == "recorded"


def test_a_store_that_was_copied_from_another_workspace_is_refused(whole, lab, capsys):
    shutil.copy(store.database(whole), lab.root)
    train(lab, "last")
    assert "made in another folder" in capsys.readouterr().err
    trainable.write(lab, node=LONGER)
    train(lab, "node")
    with pytest.raises(UnrollError, match="made in another folder"):
        track(lab)


def test_projects_that_share_a_store_have_experiments_of_their_own(
    whole, lab, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared.db")
    named = "project: dunes\n" + lab.params.read_text(encoding="utf-8")
    lab.params.write_text(named, encoding="utf-8")
    train(lab, "last")
    assert len(search(whole, title="dunes/waves")) == 2, "a run and its seed"
    assert search(whole, title="copy/waves") == []
    assert set(track(whole).values()) == {"recorded"}, "not those of the other project"
    assert set(track(whole).values()) == {"present"}
    for title in ("dunes/waves", "copy/waves"):
        [last] = search(lab, f"{store.CURRENT} and tags.experiment = 'last'", title)
        assert last.data.tags["mlflow.user"]


def test_two_builds_that_make_an_experiment_at_once_both_have_it(lab, monkeypatch):
    with store.opened(lab) as opened:
        number = opened.experiment("first")
        known = [None, opened.client.get_experiment(number)]
        # the other one makes it between question and answer
        monkeypatch.setattr(
            opened.client, "get_experiment_by_name", lambda _: known.pop(0)
        )
        assert opened.experiment("first") == number


def test_an_error_shows_no_password():
    with (
        pytest.raises(UnrollError, match="http://host failed") as error,
        store.guard("http://me:secret@host"),
    ):
        raise OSError("no http://me:secret@host\nand more")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_new_store_is_there_whole_or_not_at_all_and_one_process_makes_it(
    tmp_path, monkeypatch
):
    def killed(_engine):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.store.db.utils._upgrade_db", killed)
    with pytest.raises(KeyboardInterrupt), store.opened(Workspace(tmp_path)):
        pass
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [
        "mlflow.lock"
    ]
    monkeypatch.setattr(store, "PATIENCE", 0)
    with (
        alone(tmp_path / ".unroll" / "mlflow.lock", ""),
        pytest.raises(UnrollError, match="another process"),
        store.opened(Workspace(tmp_path)),
    ):
        pass


def test_a_store_lies_in_its_folder_whatever_its_name_and_without_what_a_killed_one_left(
    tmp_path,
):
    root = tmp_path / "a?b%20c#d {e} %"
    left = root / ".unroll/.mlflow.db.1.ab12.tmp"
    left.mkdir(parents=True)
    (root / "page.html").write_text("page")
    for _ in range(2):
        with store.opened(Workspace(root)) as opened:
            run = opened.client.create_run(opened.experiment("one title"))
            opened.client.log_artifact(run.info.run_id, str(root / "page.html"))
            folder = opened.client.download_artifacts(run.info.run_id, "")
            assert (Path(folder) / "page.html").read_text() == "page"
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    assert not left.exists()
    assert {path.name for path in root.iterdir()} == {
        ".unroll",
        "mlartifacts",
        "mlflow.db",
        "page.html",
    }


def test_the_address_of_a_data_set_shows_its_answers_and_its_experiments_by_score(
    whole,
):
    with store.opened(whole) as opened:
        lines = {"waves": ["untuned networks: open."]}
        address = runs.describe(opened, whole, lines)["waves"]
        group = opened.client.get_experiment_by_name("waves")
    note = group.tags["mlflow.note.content"]
    assert note.startswith("untuned networks: open. A data ")
    assert address in note
    (key,) = parse_qs(urlparse(address[1:]).query)["viewStateShareKey"]
    shared = json.loads(group.tags[f"mlflow.sharedViewState.{key}"])
    order = f"{shared['orderByKey']} {'ASC' if shared['orderByAsc'] else 'DESC'}"
    shown = opened.client.search_runs(
        [group.experiment_id], shared["searchFilter"], order_by=[order]
    )
    assert [run.info.run_name for run in shown] == ["last", "node"]
    assert {
        column.partition(".")[2].strip("`") for column in shared["selectedColumns"]
    } <= {*shown[1].data.metrics}, "the node has two seeds"
    assert (
        [*shared["columnWidths"]] == shared["columnOrder"] == shared["selectedColumns"]
    )
