"""The records, read back through MLflow's own client."""

import json
import logging
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import dataset as datasets
from pipeline import tracking
from pipeline.config import params
from pipeline.provenance import fingerprint
from pipeline.provenance import record
from pipeline.data.dataset import Dataset, Scale
from pipeline.errors import DivergedError, UnrollError
from pipeline.files import write_csv, write_json, write_npz, write_text
from pipeline.workspace import Workspace
from pipeline.tracking import figures, live, payload, store
from pipeline.data.examples import Arrays

PARAMS = """
sources:
  air: {kind: jena}
datasets:
  air:
    source: air
    preparation: {name: series, protocol: as_published}
experiments:
  air_gru:
    dataset: air
    seeds: [0, 3]
    model: {family: recurrent, name: gru, units: 4, hidden: [8, 8]}
    training: {method: compiled, optimizer: adam, epochs: 3}
  air_last_value:
    dataset: air
    seeds: [0]
    model: {family: baselines, name: last_value}
    training: {method: none}
"""

CONNECT = """
import sys, warnings
from pathlib import Path
from pipeline.files import Workspace
from pipeline.tracking import store, runs
sys.stdin.readline()
opened = store.connect(Workspace(Path(sys.argv[1])))
facts = {"stand_in": False, "kind": "forecast", "metric": "mae"}
group = runs.data_set(opened, "air", facts)
for number in range(5):
    run = opened.client.create_run(group, run_name=sys.argv[2])
    runs.log(opened, run.info.run_id, [(step, {"loss": 1.0}) for step in range(3)])
print("well")
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No store of the user's, one commit whatever happens to the checkout meanwhile, loggers as they were."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in store.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(record, "revision", lambda _: ("c0ffee", False))
    loggers = {name: logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3", "matplotlib")}
    levels = {name: logger.level for name, logger in loggers.items()}
    yield
    for name, level in levels.items():
        loggers[name].setLevel(level)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """An initialised mlflow.db: making one takes seconds."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.connect(Workspace(root))
    return root / "mlflow.db"


@pytest.fixture
def workspace(tmp_path, empty_store):
    return _workspace(tmp_path / "a folder, ä", empty_store)


def _workspace(root, empty_store, *, stand_in=False):
    workspace = Workspace(root)
    write_text(workspace.params, PARAMS)
    shutil.copy(empty_store, root / "mlflow.db")
    rows = Arrays(np.zeros((4, 2)), np.arange(4.0))
    scale = Scale(9.0, 8.85, "°C", "temperature")
    splits = {"train": rows, "validation": rows, "test": rows}
    datasets.save(Dataset("air", "forecast", "mae", splits, scale, stand_in=stand_in), workspace.prepared("air"))
    return workspace


def _line(seed, epoch):
    return {"train_loss": 1 / (epoch + seed), "validation_loss": 2 / epoch, "validation_mae": abs(2.5 - epoch) + seed}


def _run(workspace, name="air_gru", *, weights="w"):
    """What a training leaves on disk."""
    experiment = params.load(workspace.params).experiment(name)
    folder, trained = workspace.run("air", name), name == "air_gru"
    epochs = 3 if trained else 0
    lines = [{"seed": s, "epoch": e, **_line(s, e)} for s in experiment.seeds for e in range(1, epochs + 1)]
    write_csv(folder / "history.csv", lines, ["seed", "epoch", *_line(0, 1)] if trained else ["seed", "epoch"])
    write_npz(folder / "predictions.npz", {"seeds": np.array(experiment.seeds)})
    for seed in experiment.seeds:
        write_text(folder / "weights" / f"seed_{seed}_final.weights.h5", weights)
    facts = {"experiment": name, "dataset": "air", "parameters": 51, "layers": [], "trained": trained}
    facts |= {"seeds": experiment.seeds, "epochs": epochs, "best_epochs": [2, 3] if trained else None}
    parts = {
        "params": fingerprint.params(experiment.model_dump()),
        "data": fingerprint.data(workspace.prepared("air")),
        "code": "c" * 64,
        "lock": "1" * 64,
    }
    write_json(folder / "run.json", facts | {"loss": "mae", "fingerprint": parts})
    return folder


def _train(workspace, name="air_gru", **different):
    with tracking.live(workspace, name, warn=pytest.fail) as record:
        for seed in params.load(workspace.params).experiment(name).seeds:
            for epoch in range(1, 4):
                if name == "air_gru":
                    record.epoch(seed, epoch, _line(seed, epoch))
        folder = _run(workspace, name, **different)
        record.write(workspace, "air", name)
        record.finish(folder)


def _evaluate(workspace, *, mae=0.25, stand_in=False):
    """What `evaluate` leaves on disk."""
    stat = {"mean": mae, "std": 0.125, "min": mae - 0.125, "max": mae + 0.125, "values": [mae - 0.125, mae + 0.125]}
    run = json.loads((workspace.run("air", "air_gru") / "run.json").read_text())
    entry = {"parameters": 51, "seeds": [0, 3], "fingerprint": fingerprint.brief(run["fingerprint"])}
    entry |= {"final": {"test": {"mae": stat}}, "best": None, "groups": {"in side": {"mae": stat | {"std": None}}}}
    about = {"name": "air", "kind": "forecast", "metric": "mae", "stand_in": stand_in}
    about |= {"unit": "°C", "quantity": "temperature", "layout": "windows"}
    evaluated = {"dataset": about, "experiments": {"air_gru": entry}}
    write_json(workspace.evaluation("air") / "evaluation.json", evaluated)
    table = [{"index": i, "truth": i / 2, "air_gru": i / 3} for i in range(5)]
    write_csv(workspace.evaluation("air") / "predictions.csv", table, ["index", "truth", "air_gru"])
    return evaluated


def _client(workspace):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{workspace.root.as_posix()}/mlflow.db")


def _runs(workspace, title="air"):
    """Parents by name and children by (name, seed); a name that occurs twice is an error."""
    client = _client(workspace)
    group = client.get_experiment_by_name(title)
    found = client.search_runs([group.experiment_id]) if group else []
    keyed = {(r.data.tags["unroll.experiment"], r.data.tags.get("unroll.seed")): r for r in found}
    assert len(keyed) == len(found)
    return keyed


def _everything(workspace):
    """All that the store says of its runs, but for ids, times and how they were recorded."""
    client = _client(workspace)
    said = {}
    for key, run in _runs(workspace).items():
        tags = {k: v for k, v in run.data.tags.items() if k not in {"mlflow.parentRunId", "unroll.recorded"}}
        curves = {
            m: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, m)] for m in run.data.metrics
        }
        inputs = [(i.dataset.name, i.dataset.digest, i.dataset.source) for i in run.inputs.dataset_inputs]
        files = sorted(_artifacts(client, run))
        said[key] = (run.info.run_name, run.info.status, tags, run.data.params, curves, inputs, files)
    return said


def _artifacts(client, run, folder=None):
    for item in client.list_artifacts(run.info.run_id, folder):
        if item.is_dir:
            yield from _artifacts(client, run, item.path)
        else:
            yield item.path


class TestLive:
    def test_a_child_per_seed_has_every_epoch_and_its_weights(self, workspace):
        _train(workspace)
        runs, client = _runs(workspace), _client(workspace)
        assert set(runs) == {("air_gru", None), ("air_gru", "0"), ("air_gru", "3")}
        child = runs["air_gru", "3"]
        curve = client.get_metric_history(child.info.run_id, "validation_mae")
        assert [(point.step, point.value) for point in curve] == [(1, 4.5), (2, 3.5), (3, 3.5)]
        expected = {"best_epoch": 3, "best_validation_mae": 3.5, "parameters": 51, "epochs": 3}
        assert child.data.metrics.items() >= expected.items()
        assert child.data.tags["mlflow.parentRunId"] == runs["air_gru", None].info.run_id
        assert child.info.status == "FINISHED"
        assert list(_artifacts(client, child)) == ["weights/seed_3_final.weights.h5"]
        assert Path(client.download_artifacts(child.info.run_id, "weights/seed_3_final.weights.h5")).read_text() == "w"

    def test_the_parent_has_means_params_tags_and_files(self, workspace):
        _train(workspace)
        parent, client = _runs(workspace)["air_gru", None], _client(workspace)
        assert parent.info.run_name == "air_gru"
        assert parent.data.params == {
            "dataset": "air",
            "seeds": "[0, 3]",
            "model.family": "recurrent",
            "model.name": "gru",
            "model.units": "4",
            "model.hidden": "[8, 8]",
            "training.method": "compiled",
            "training.optimizer": "adam",
            "training.epochs": "3",
        }
        expected = {"best_epoch": 2.5, "best_validation_mae": 2.0, "validation_mae": 2.0, "parameters": 51}
        assert parent.data.metrics.items() >= expected.items()
        mean = client.get_metric_history(parent.info.run_id, "train_loss")
        assert [(point.step, point.value) for point in mean] == [(1, 0.625), (2, 0.35), (3, 0.25)]
        tags = {
            "unroll.fingerprint": fingerprint.run(workspace.run("air", "air_gru")),
            "unroll.dataset_hash": fingerprint.data(workspace.prepared("air")),
            "unroll.code_hash": "c" * 64,
            "unroll.current": "true",
            "unroll.protocol": "as_published",
            "unroll.recorded": "live",
            "unroll.stage": "train",
            "unroll.stand_in": "false",
            "unroll.unit.mae": "1 = 8.85 °C",
            "unroll.unit.rmse_unit": "°C",
            "unroll.lock_hash": "1" * 64,
            "unroll.python": platform.python_version(),
            "mlflow.source.git.commit": "c0ffee",
            "unroll.git_dirty": "false",
        }
        assert parent.data.tags.items() >= tags.items()
        assert sorted(_artifacts(client, parent)) == ["history.csv", "plots/loss.png", "run.json"]

    def test_the_data_set_is_an_input(self, workspace):
        _train(workspace)
        for run in _runs(workspace).values():
            (entry,) = run.inputs.dataset_inputs
            assert entry.dataset.name == "air"
            assert fingerprint.data(workspace.prepared("air")).startswith(entry.dataset.digest)
            assert json.loads(entry.dataset.source) == {"uri": "data/prepared/air"}
            assert json.loads(entry.dataset.profile)["examples"] == {"train": 4, "validation": 4, "test": 4}

    def test_epochs_are_there_while_the_training_runs(self, workspace, monkeypatch):
        monkeypatch.setattr(live, "INTERVAL", 0)
        with tracking.live(workspace, "air_gru", warn=pytest.fail) as record:
            record.epoch(0, 1, _line(0, 1))
            run = _runs(workspace)["air_gru", "0"]
            assert run.info.status == "RUNNING"
            assert run.data.metrics == _line(0, 1)
            record.finish(_run(workspace))

    def test_a_baseline_has_no_epochs_and_no_curve(self, workspace):
        _train(workspace, "air_last_value")
        runs = _runs(workspace)
        assert runs["air_last_value", "0"].data.metrics == {"parameters": 51, "epochs": 0}
        assert sorted(_artifacts(_client(workspace), runs["air_last_value", None])) == ["history.csv", "run.json"]

    @pytest.mark.parametrize(
        ("error", "status"), [(DivergedError("air_gru", 0, 1, 2), "FAILED"), (KeyboardInterrupt(), "KILLED")]
    )
    def test_a_training_that_stops_leaves_runs_that_say_so(self, workspace, error, status):
        def stop(record):
            record.epoch(0, 1, _line(0, 1))
            raise error

        with pytest.raises(type(error)), tracking.live(workspace, "air_gru", warn=pytest.fail) as record:
            stop(record)
        runs = _runs(workspace)
        assert {run.info.status for run in runs.values()} == {status}
        assert runs["air_gru", "0"].data.metrics == _line(0, 1)
        assert "unroll.fingerprint" not in runs["air_gru", None].data.tags

    def test_what_a_killed_process_left_running_is_ended_by_the_next(self, workspace):
        opened = store.connect(workspace)
        subject = payload.subject(workspace, params.load(workspace.params), "air_gru")
        abandoned = tracking.runs.start(opened, subject, "d", "live")
        with tracking.live(workspace, "air_gru", warn=pytest.fail) as record:
            assert opened.client.get_run(abandoned.parent).info.status == "KILLED"
            record.finish(_run(workspace))

    def test_what_a_killed_process_left_running_is_ended_by_a_replay_whether_or_not_it_is_on_disk(self, workspace):
        opened = store.connect(workspace)
        subject = payload.subject(workspace, params.load(workspace.params), "air_gru")
        abandoned = tracking.runs.start(opened, subject, "d", "live")
        with store.locked(store.experiment_lock(workspace, "air_gru"), 0):  # it is at work yet
            tracking.replay(workspace)
        assert opened.client.get_run(abandoned.parent).info.status == "RUNNING"
        assert tracking.replay(workspace) == [("air_gru", "not built"), ("air_last_value", "not built")]
        assert opened.client.get_run(abandoned.parent).info.status == "KILLED"

    def test_a_stand_in_is_called_one_and_kept_apart(self, tmp_path, empty_store):
        workspace = _workspace(tmp_path / "demo", empty_store, stand_in=True)
        _train(workspace)
        assert _runs(workspace, "air") == {}
        runs = _runs(workspace, "air (stand-in)")
        assert sorted(run.info.run_name for run in runs.values()) == [
            "air_gru (stand-in)",
            "air_gru (stand-in) seed 0",
            "air_gru (stand-in) seed 3",
        ]
        assert {run.data.tags["unroll.stand_in"] for run in runs.values()} == {"true"}
        assert all("no figure here is a result" in run.data.tags["mlflow.note.content"] for run in runs.values())

    def test_params_are_those_of_the_training_that_really_runs(self, workspace):
        experiment = params.load(workspace.params).experiment("air_gru")
        with tracking.live(workspace, "air_gru", experiment.model_copy(update={"seeds": [7]})) as record:
            record.finish(_run(workspace))
        assert _runs(workspace)["air_gru", None].data.params["seeds"] == "[7]"


class TestTrouble:
    """No failure of MLflow stops a training; each costs one line."""

    def _live(self, workspace):
        said = []
        with tracking.live(workspace, "air_gru", warn=said.append) as record:
            for epoch in range(1, 4):
                record.epoch(0, epoch, _line(0, epoch))
            record.finish(_run(workspace))
        (line,) = said
        assert "\n" not in line
        assert "`unroll track` records it later" in line
        return line

    def test_a_new_store_is_there_whole_or_not_at_all(self, tmp_path, monkeypatch):
        def killed(_engine):
            raise KeyboardInterrupt

        monkeypatch.setattr("mlflow.store.db.utils._upgrade_db", killed)
        with pytest.raises(KeyboardInterrupt):
            store.connect(Workspace(tmp_path))
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mlflow.lock"]

    def test_a_server_that_is_away(self, workspace, monkeypatch):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://somebody:secret@{address}")
        line = self._live(workspace)
        assert f"http://{address} failed" in line
        assert "secret" not in line
        with pytest.raises(UnrollError, match="check that the server"):
            tracking.replay(workspace)

    def test_a_damaged_store(self, workspace):
        (workspace.root / "mlflow.db").write_bytes(b"this is no database" * 1000)
        assert "move it away and run `unroll track`" in self._live(workspace)
        with pytest.raises(UnrollError, match=r"file is not a database\); move it away") as error:
            tracking.replay(workspace)
        assert "\n" not in str(error.value)

    def test_a_store_that_another_process_holds(self, workspace, monkeypatch):
        import sqlite3

        monkeypatch.setattr(store, "BUSY", 0.1)
        holder = sqlite3.connect(workspace.root / "mlflow.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            assert "database is locked" in self._live(workspace)
        finally:
            holder.close()

    def test_a_store_that_breaks_while_training(self, workspace, monkeypatch):
        monkeypatch.setattr(live, "INTERVAL", 0)

        def broken(*_, **__):
            raise OSError("disk full")

        monkeypatch.setattr(tracking.runs, "log", broken)
        assert "disk full" in self._live(workspace)
        monkeypatch.undo()
        assert dict(tracking.replay(workspace))["air_gru"] == "recorded"

    def test_a_store_that_was_copied_from_another_workspace(self, workspace, tmp_path):
        _train(workspace)
        copy = Workspace(shutil.copytree(workspace.root, tmp_path / "copy"))
        with pytest.raises(UnrollError, match="made in another folder"):
            tracking.replay(copy)
        assert "made in another folder" in self._live(copy)

    def test_a_misspelt_experiment_is_still_an_error(self, workspace):
        with pytest.raises(UnrollError, match="Did you mean air_gru"), tracking.live(workspace, "air_grü"):
            pytest.fail("started")


class TestEvaluation:
    def test_goes_to_the_parent_and_its_children(self, workspace):
        _train(workspace)
        tracking.evaluation(workspace, "air", _evaluate(workspace), warn=pytest.fail)
        runs = _runs(workspace)
        parent = runs["air_gru", None]
        expected = {"final/test/mae": 0.25, "final/test/mae_std": 0.125, "groups/in side/mae": 0.25}
        assert parent.data.metrics.items() >= expected.items()
        assert runs["air_gru", "3"].data.metrics["final/test/mae"] == 0.375
        assert "plots/predictions.png" in _artifacts(_client(workspace), parent)

    def test_waits_for_a_run_that_is_not_recorded(self, workspace):
        _run(workspace)
        tracking.evaluation(workspace, "air", _evaluate(workspace), warn=pytest.fail)
        assert _runs(workspace) == {}

    def test_does_not_make_a_store(self, workspace):
        (workspace.root / "mlflow.db").unlink()
        _run(workspace)
        tracking.evaluation(workspace, "air", _evaluate(workspace), warn=pytest.fail)
        assert not (workspace.root / "mlflow.db").exists()

    def test_of_another_run_is_not_taken(self, workspace):
        _train(workspace)
        evaluated = _evaluate(workspace)
        evaluated["experiments"]["air_gru"]["fingerprint"] = "0" * 12
        tracking.evaluation(workspace, "air", evaluated, warn=pytest.fail)
        assert "final/test/mae" not in _runs(workspace)["air_gru", None].data.metrics

    def test_a_store_that_fails_costs_a_line(self, workspace):
        _run(workspace)
        (workspace.root / "mlflow.db").write_bytes(b"no database" * 1000)
        said = []
        tracking.evaluation(workspace, "air", _evaluate(workspace), warn=said.append)
        assert len(said) == 1


class TestReplay:
    def test_is_what_a_live_record_would_be(self, workspace, tmp_path, empty_store):
        _train(workspace)
        _train(workspace, "air_last_value")
        tracking.evaluation(workspace, "air", _evaluate(workspace), warn=pytest.fail)
        other = _workspace(tmp_path / "other", empty_store)
        for folder in ("runs", "evaluations", "records"):
            shutil.copytree(workspace.root / folder, other.root / folder)
        assert tracking.replay(other) == [("air_gru", "recorded"), ("air_last_value", "recorded")]
        assert _everything(other) == _everything(workspace)

    def test_without_a_record_no_run_is_said_to_be_made_here(self, workspace):
        _run(workspace)
        tracking.replay(workspace)
        for run in _runs(workspace).values():
            assert run.data.tags.keys().isdisjoint({"mlflow.source.git.commit", "unroll.git_dirty", "unroll.cpu"})

    def test_leaves_what_is_there_as_it_is(self, workspace):
        _train(workspace)
        _evaluate(workspace)
        assert tracking.replay(workspace) == [("air_gru", "updated"), ("air_last_value", "not built")]
        before = _everything(workspace), (workspace.root / "mlflow.db").read_bytes()
        assert tracking.replay(workspace) == [("air_gru", "present"), ("air_last_value", "not built")]
        assert (_everything(workspace), (workspace.root / "mlflow.db").read_bytes()) == before

    def test_updates_an_evaluation_that_changed(self, workspace):
        _run(workspace)
        _evaluate(workspace)
        tracking.replay(workspace)
        _evaluate(workspace, mae=0.5)
        assert dict(tracking.replay(workspace))["air_gru"] == "updated"
        assert _runs(workspace)["air_gru", None].data.metrics["final/test/mae"] == 0.5
        assert dict(tracking.replay(workspace))["air_gru"] == "present"

    def test_a_training_that_was_cut_off_does_not_count_as_there(self, workspace):
        with pytest.raises(KeyboardInterrupt), tracking.live(workspace, "air_gru", warn=pytest.fail):
            raise KeyboardInterrupt
        _run(workspace)
        assert dict(tracking.replay(workspace))["air_gru"] == "recorded"
        assert dict(tracking.replay(workspace))["air_gru"] == "present"

    def test_only_the_run_on_disk_is_current(self, workspace):
        _train(workspace)
        _train(workspace, weights="others")

        def current():
            client = _client(workspace)
            group = client.get_experiment_by_name("air").experiment_id
            found = client.search_runs([group], "tags.`unroll.level` = 'experiment'")
            return {r.data.tags["unroll.fingerprint"]: r.data.tags["unroll.current"] for r in found}

        new = fingerprint.run(workspace.run("air", "air_gru"))
        old = fingerprint.run(_run(workspace))
        assert current() == {new: "true", old: "false"}
        assert dict(tracking.replay(workspace))["air_gru"] == "updated"
        assert current() == {new: "false", old: "true"}

    def test_ignores_what_params_yaml_does_not_name(self, workspace):
        _run(workspace)
        shutil.copytree(workspace.run("air", "air_gru"), workspace.run("air", "removed"))
        assert [name for name, _ in tracking.replay(workspace)] == ["air_gru", "air_last_value"]
        assert {name for name, _ in _runs(workspace)} == {"air_gru"}

    def test_does_not_record_a_run_under_params_that_it_was_not_made_with(self, workspace):
        _run(workspace)
        write_text(workspace.params, PARAMS.replace("units: 4", "units: 5"))
        assert "skipped: params.yaml says otherwise" in dict(tracking.replay(workspace))["air_gru"]
        assert _runs(workspace) == {}

    def test_a_damaged_run_stops_no_other(self, workspace):
        write_text(_run(workspace) / "history.csv", "seed,epoch,train_loss\n0,1,much\n")
        _run(workspace, "air_last_value")
        actions = dict(tracking.replay(workspace))
        assert actions["air_gru"].startswith("skipped: ")
        assert "is damaged" in actions["air_gru"]
        assert actions["air_last_value"] == "recorded"

    def test_leaves_a_training_at_work_alone(self, workspace):
        with tracking.live(workspace, "air_gru", warn=pytest.fail) as record:
            _run(workspace)
            assert dict(tracking.replay(workspace))["air_gru"].startswith("skipped: another process")
            record.finish(workspace.run("air", "air_gru"))
        assert dict(tracking.replay(workspace))["air_gru"] == "present"

    def test_brings_back_an_experiment_from_the_bin(self, workspace):
        _train(workspace)
        client = _client(workspace)
        client.delete_experiment(client.get_experiment_by_name("air").experiment_id)
        tracking.replay(workspace)
        assert client.get_experiment_by_name("air").lifecycle_stage == "active"


class TestStore:
    def test_two_processes_at_once_set_it_up_and_write_quietly(self, tmp_path):
        command = [sys.executable, "-W", "error", "-c", CONNECT, str(tmp_path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        both = [subprocess.Popen([*command, name], **pipes) for name in ("one", "two")]
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60) for process in both] == [("well\n", "")] * 2
        client = _client(Workspace(tmp_path))
        runs = client.search_runs([client.get_experiment_by_name("air").experiment_id])
        assert sorted(run.info.run_name for run in runs) == ["one"] * 5 + ["two"] * 5
        assert sorted(path.name for path in tmp_path.iterdir()) == [".unroll", "mlflow.db"]

    def test_one_training_at_a_time_adds_a_data_set(self, workspace, monkeypatch):
        """MLflow itself looks for it, and then adds it."""
        opened = store.connect(workspace)
        subject = payload.subject(workspace, params.load(workspace.params), "air_gru")
        added = []

        def add(*_):
            with pytest.raises(UnrollError, match="another process"), store.locked(opened.lock, 0):
                pass
            added.append(True)

        monkeypatch.setattr(opened.client, "log_inputs", add)
        tracking.runs.start(opened, subject, "d", "live")
        assert added

    def test_lies_where_the_user_wants_it(self, workspace, tmp_path, empty_store, monkeypatch):
        shutil.copy(empty_store, tmp_path / "shared.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'shared.db').as_posix()}")
        _train(workspace)
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        assert _runs(workspace) == {}
        assert (tmp_path / "mlartifacts" / "air").is_dir()

    def test_is_written_from_any_folder(self, workspace, tmp_path, monkeypatch):
        monkeypatch.chdir(workspace.root)
        _train(Workspace(Path()))
        monkeypatch.chdir(tmp_path)
        parent = _runs(workspace)["air_gru", None]
        assert Path(_client(workspace).download_artifacts(parent.info.run_id, "run.json")).exists()
        assert dict(tracking.replay(workspace))["air_gru"] == "present"


class TestContent:
    def test_units_are_those_of_the_data_set(self):
        scale = {"mean": 9.0, "std": 8.8512, "unit": "°C"}
        forecast = {"kind": "forecast", "scale": scale}
        assert payload.units(forecast)["mse"] == "1 = (8.851 °C)²"
        assert payload.units(forecast)["mae_unit"] == "°C"
        assert payload.units({"kind": "classify"}) == {"accuracy": "share of examples", "loss": "nats"}
        assert set(payload.units({"kind": "regress", "scale": scale | {"unit": ""}})) == {"mae", "mse"}

    def test_the_mean_curve_ends_where_the_shortest_replicate_does(self):
        lines = {0: [(1, {"a": 1.0, "b": 5.0}), (2, {"a": 2.0})], 1: [(1, {"a": 3.0})]}
        assert payload.mean_history(lines) == [(1, {"a": 2.0})]

    def test_scores_are_what_a_real_evaluation_holds(self, tmp_path):
        """The names that `evaluate` gives its numbers, and its fingerprint, are the ones looked for here."""
        from stages.evaluate import evaluate
        from tests.support import fake_runs

        workspace = fake_runs.build(tmp_path)
        entry = evaluate(workspace, "jena_hourly")["experiments"]["jena_hourly_gru"]
        overall, each = payload.scores(entry)
        assert overall["best/validation/mae"] == entry["best"]["validation"]["mae"]["mean"]
        assert overall["final/test/rmse_unit_std"] == entry["final"]["test"]["rmse_unit"]["std"]
        assert each[1]["final/test/mae"] == entry["final"]["test"]["mae"]["values"][1]
        run = json.loads((workspace.run("jena_hourly", "jena_hourly_gru") / "run.json").read_text())
        assert entry["fingerprint"] == fingerprint.brief(run["fingerprint"])


class TestFigures:
    @pytest.mark.parametrize("layout", ["windows", "points", "examples"])
    def test_every_layout_has_a_picture(self, layout, tmp_path):
        rows = [{"index": i, "x": i / 2, "truth": float(i), "gru": i + 0.5} for i in range(3)]
        write_csv(tmp_path / "predictions.csv", rows, ["index", "x", "truth", "gru"])
        about = {"kind": "forecast", "layout": layout, "unit": "", "quantity": "value"}
        for name in ("gru", "summary"):
            figures.predictions(tmp_path / "predictions.csv", about, name, "title", tmp_path / f"{name}.png")
        assert (tmp_path / "gru.png").read_bytes().startswith(b"\x89PNG")
        assert not (tmp_path / "summary.png").exists()  # it predicts nothing
