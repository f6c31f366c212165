"""The records, read back through MLflow's own client."""

import json
import platform
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline import tables
from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Scale
from pipeline.errors import DivergedError, UnrollError
from pipeline.evaluation import plot_data, scores
from pipeline.files import read_json, write_json, write_text
from pipeline.provenance import fingerprint, record
from pipeline.tracking import live, payload, queries, replay, runs, store, views
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from tests.support import REPOSITORY, fake_runs

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
    model: {family: recurrent, name: gru, units: 4}
    training: {method: gradient_descent, optimizer: adam, loss: mae, epochs: 20, batch_size: 8}
  air_last_value:
    dataset: air
    model: {family: baselines, name: last_value}
    training: {method: none}
"""

DAMAGED = b"this is no database" * 1000


@pytest.fixture(scope="module")
def contested(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    """A store that this process and another set up and wrote to at the same time, and what the other said."""
    root = tmp_path_factory.mktemp("store")
    code = "import sys; from tests.pipeline.tracking.test_tracking import write; sys.stdin.readline(); "
    code += "write(*sys.argv[1:])"
    command = [sys.executable, "-W", "error", "-c", code, str(root), "one"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    other = subprocess.Popen(command, cwd=REPOSITORY, **pipes)
    other.stdin.write("go\n")
    other.stdin.flush()
    write(root, "two")
    said, _ = other.communicate(timeout=60)
    return Workspace(root), other.returncode, said


@pytest.fixture(scope="module")
def empty_store(contested):
    """A store without runs of the data set that is tested with: making one takes seconds."""
    return contested[0].root / "mlflow.db"


@pytest.fixture
def workspace(tmp_path, empty_store):
    return prepared(tmp_path / "a folder, ä", empty_store)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, empty_store):
    """Both experiments trained and evaluated while MLflow listened. Read only."""
    workspace = prepared(tmp_path_factory.mktemp("whole") / "a folder, ä", empty_store)
    for name in ("air_gru", "air_last_value"):
        train(workspace, name)
    live.scored(workspace, "air", evaluate(workspace), warn=pytest.fail)
    return workspace


def prepared(root, empty_store, *, stand_in=False):
    workspace = Workspace(root)
    write_text(workspace.params, PARAMS)
    shutil.copy(empty_store, root / "mlflow.db")
    datasets.save(fake_runs.dataset("air", "series", stand_in=stand_in), workspace.prepared("air"))
    return workspace


def section(workspace, name="air_gru"):
    return params.load(workspace.params).experiment(name)


def leave(workspace, name="air_gru", *, weights="w"):
    """What a training leaves on disk: its folder and what it was made of."""
    experiment, folder = section(workspace, name), workspace.run("air", name)
    shutil.rmtree(folder, ignore_errors=True)
    fake_runs.run(workspace, datasets.load(workspace.prepared("air")), name, experiment)
    for seed in experiment.seeds:
        write_text(folder / "weights" / f"seed_{seed}_final.weights.h5", weights)
    made_of = fingerprint.ingredients(workspace.prepared("air"), experiment)
    write_json(folder / "run.json", read_json(folder / "run.json") | {"fingerprint": made_of.fingerprint})
    return folder, made_of


def train(workspace, name="air_gru", *, warn=pytest.fail, **different):
    with live.recording(workspace, name, section(workspace, name), warn=warn) as recorded:
        folder, made_of = leave(workspace, name, **different)
        for row in run_folder.load(folder).history.to_dict("records"):
            recorded.epoch(row.pop("seed"), row.pop("epoch"), row)
        record.write(workspace, folder, made_of)
        recorded.finish(folder)


def evaluate(workspace):
    """What `evaluate` leaves on disk of what is trained."""
    data = datasets.load(workspace.prepared("air"))
    found = {folder.name: run_folder.load(folder) for folder in sorted(workspace.runs("air").iterdir())}
    evaluated = scores.evaluate(data, found, ["air_last_value"])
    write_json(workspace.evaluation("air") / "evaluation.json", evaluated.model_dump())
    tables.write(workspace.evaluation("air") / "tables" / "predictions.csv", plot_data.predictions(data, found))
    return evaluated


def write(root, name):
    """Set a store up, if need be, and write five runs to it."""
    opened = store.connect(Workspace(Path(root)))
    data = SimpleNamespace(stand_in=False, kind="forecast", metric="mae", examples={})
    group = runs.data_set(opened, "contested", data)
    for _ in range(5):
        run = opened.client.create_run(group, run_name=name)
        runs.log(opened, run.info.run_id, [(step, {"loss": 1.0}) for step in range(3)])


def again(workspace):
    return replay.replay(workspace, params.load(workspace.params))


def client_of(workspace):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{workspace.root.as_posix()}/mlflow.db")


def recorded_runs(workspace, title="air"):
    """Parents by name and children by (name, seed); a name that occurs twice is an error."""
    client = client_of(workspace)
    group = client.get_experiment_by_name(title)
    found = client.search_runs([group.experiment_id]) if group else []
    keyed = {(r.data.tags["unroll.experiment"], r.data.tags.get("unroll.seed")): r for r in found}
    assert len(keyed) == len(found)
    return keyed


def everything(workspace):
    """All that the store says of its runs, but for ids, times and how they were recorded."""
    client = client_of(workspace)
    said = {}
    for key, run in recorded_runs(workspace).items():
        where = {"mlflow.parentRunId", "unroll.place", "unroll.recorded"}
        tags = {k: v for k, v in run.data.tags.items() if k not in where}
        curves = {name: curve(client, run, name) for name in run.data.metrics}
        inputs = [(i.dataset.name, i.dataset.digest, i.dataset.source) for i in run.inputs.dataset_inputs]
        files = sorted(artifacts(client, run))
        said[key] = (run.info.run_name, run.info.status, tags, run.data.params, curves, inputs, files)
    return said


def curve(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def artifacts(client, run, folder=None):
    for item in client.list_artifacts(run.info.run_id, folder):
        if item.is_dir:
            yield from artifacts(client, run, item.path)
        else:
            yield item.path


class TestLive:
    def test_a_child_per_seed_has_every_epoch_and_its_scores(self, whole):
        found, client = recorded_runs(whole), client_of(whole)
        assert set(found) == {("air_gru", None), ("air_gru", "0"), ("air_gru", "3")} | {
            ("air_last_value", None),
            ("air_last_value", "0"),
        }
        child, folder = found["air_gru", "3"], whole.run("air", "air_gru")
        history = run_folder.load(folder).history.query("seed == 3").set_index("epoch")
        best = run_folder.load(folder).summary.best_epochs[1]
        for name in ("train_loss", "validation_loss", "validation_mae"):
            assert curve(client, child, name) == [*history[name].items()]
        _, of_seed_3 = evaluate(whole).experiments["air_gru"].best["test"]["mae"].model_dump()["values"]
        assert child.data.metrics.items() >= {"best_epoch": best, "epochs": 20, "score": of_seed_3}.items()
        assert child.data.tags["mlflow.parentRunId"] == found["air_gru", None].info.run_id
        assert child.info.status == "FINISHED"
        assert list(artifacts(client, child)) == []

    def test_the_parent_has_means_options_with_defaults_tags_and_files(self, whole):
        parent, client = recorded_runs(whole)["air_gru", None], client_of(whole)
        assert parent.info.run_name == "air_gru"
        assert parent.data.params == {
            "dataset": "air",
            "seeds": "[0, 3]",
            "calendar": "false",
            "model.family": "recurrent",
            "model.name": "gru",
            "model.units": "4",
            "model.layers": "1",
            "model.activation": "tanh",
            "model.dropout": "0.0",
            "model.recurrent_dropout": "0.0",
            "model.sequences": "false",
            "model.before": "0",
            "model.embedding": "0",
            "model.head": "true",
            "model.recurrent_activation": "sigmoid",
            "model.reset_after": "true",
            "training.method": "gradient_descent",
            "training.optimizer": "adam",
            "training.loss": "mae",
            "training.epochs": "20",
            "training.batch_size": "8",
            "training.learning_rate": "0.001",
            "training.order": "permutation",
            "training.steps_per_epoch": "null",
            "training.patience": "null",
            "training.slopes": "0",
        }
        run = run_folder.load(whole.run("air", "air_gru"))
        means = run.history.groupby("epoch")["train_loss"].mean()
        assert curve(client, parent, "train_loss") == [*means.items()]
        entry = evaluate(whole).experiments["air_gru"]
        chosen = entry.best["test"]
        values = {"best_epoch": sum(run.summary.best_epochs) / 2, "parameters": run.summary.parameters}
        values |= {"test/rmse_unit": chosen["rmse_unit"].mean, "score_in_unit": chosen["mae_unit"].mean}
        values |= {"score": chosen["mae"].mean, "at_end/test/mae": entry.final["test"]["mae"].mean}
        values |= dict(zip(("score_low", "score_high"), chosen["mae"].sure, strict=True))
        assert parent.data.metrics.items() >= values.items()
        assert parent.data.metrics["seconds"] >= 0
        tags = {
            "unroll.fingerprint": fingerprint.run(whole.run("air", "air_gru")),
            "unroll.brief": entry.fingerprint,
            **{f"unroll.{part}_hash": value for part, value in run.summary.fingerprint.items() if part != "data"},
            "unroll.dataset_hash": run.summary.fingerprint["data"],
            "unroll.current": "true",
            "unroll.protocol": "as_published",
            "unroll.recorded": "live",
            "unroll.stage": "train",
            "unroll.stand_in": "false",
            "unroll.unit.mae": "1 = 8.85 °C",
            "unroll.python": platform.python_version(),
        }
        assert parent.data.tags.items() >= tags.items()
        files = ["history.csv", "plots/loss.svg", "plots/predictions.svg", "run.json"]
        weights = [f"weights/seed_{seed}_final.weights.h5" for seed in (0, 3)]
        assert sorted(artifacts(client, parent)) == files + weights
        assert Path(client.download_artifacts(parent.info.run_id, weights[0])).read_text() == "w"
        for name in files[1:3]:
            svg = Path(client.download_artifacts(parent.info.run_id, name)).read_text(encoding="utf-8")
            assert re.match(r"(<\?xml[^>]*>\s*)?<svg[^>]* xmlns=", svg)

    def test_the_data_set_is_an_input(self, whole):
        for name in ("air_gru", "air_last_value"):
            (entry,) = recorded_runs(whole)[name, None].inputs.dataset_inputs
            assert entry.dataset.name == "air"
            assert fingerprint.data(whole.prepared("air")).startswith(entry.dataset.digest)
            assert json.loads(entry.dataset.source) == {"uri": "data/prepared/air"}
            assert json.loads(entry.dataset.profile)["examples"] == {"train": 976, "validation": 376, "test": 546}

    def test_a_baseline_has_the_same_headline_and_no_curve(self, whole):
        found = recorded_runs(whole)
        parent, network = found["air_last_value", None], found["air_gru", None].data.metrics
        metrics = parent.data.metrics
        headline = {"score", "score_low", "score_high", "score_in_unit", "against_best_baseline"}
        assert {name for name in metrics if "/" not in name} == headline | {"parameters", "epochs", "seconds"}
        assert headline <= network.keys()
        assert metrics["against_best_baseline"] == 0
        assert network["against_best_baseline"] == network["score"] - metrics["score"]
        files = sorted(artifacts(client_of(whole), parent))
        assert files[:3] == ["history.csv", "plots/predictions.svg", "run.json"]

    def test_no_number_has_two_names(self, whole):
        for (name, _), run in recorded_runs(whole).items():
            numbers = {key: value for key, value in run.data.metrics.items() if value not in {0, 1}}
            if name == "air_last_value":  # it has no spread: its interval is a point
                numbers = {key: value for key, value in numbers.items() if key not in {"score_low", "score_high"}}
            same = [sorted(key for key in numbers if numbers[key] == value) for value in set(numbers.values())]
            curves = {"train_loss", "validation_loss", "validation_mae"}
            if name == "air_gru":  # its loss is the measure, and the last point of a curve may be the best one
                same = [[key for key in keys if key not in curves] for keys in same]
            assert [keys for keys in same if len(keys) > 1] == []

    def test_the_saved_view_names_what_every_run_has_and_the_description_leads_to_it(self, whole):
        client = client_of(whole)
        group = client.get_experiment_by_name("air")
        view = json.loads(group.tags[views.TAG])
        parent = recorded_runs(whole)["air_gru", None]
        known = {"metrics": parent.data.metrics, "params": parent.data.params}
        for column in view["selectedColumns"]:
            kind, _, name = column.partition(".")
            assert name.strip("`") in known[kind]
        for card in view["compareRunCharts"]:
            assert card["metricKey"] in parent.data.metrics
        assert f"#/experiments/{group.experiment_id}/runs?viewStateShareKey=scores" in group.tags["mlflow.note.content"]
        order = f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"
        found = client.search_runs([group.experiment_id], view["searchFilter"], order_by=[order])
        by_score = sorted(
            evaluate(whole).experiments.items(), key=lambda one: (one[1].best or one[1].final)["test"]["mae"].mean
        )
        assert [run.data.tags["unroll.experiment"] for run in found] == [name for name, _ in by_score]

    def test_epochs_are_there_while_the_training_runs_and_what_a_killed_one_left_is_ended(self, workspace, monkeypatch):
        monkeypatch.setattr(live, "INTERVAL", 0)
        opened = store.connect(workspace)
        subject = payload.subject(workspace, "air_gru", section(workspace))
        abandoned = runs.start(opened, subject, "d", "live")
        with live.recording(workspace, "air_gru", section(workspace), warn=pytest.fail) as recorded:
            assert opened.client.get_run(abandoned.parent).info.status == "KILLED"
            opened.client.delete_run(abandoned.parent)
            recorded.epoch(0, 1, {"train_loss": 0.5})
            run = recorded_runs(workspace)["air_gru", "0"]
            assert (run.info.status, run.data.metrics) == ("RUNNING", {"train_loss": 0.5})
            assert dict(again(workspace))["air_gru"] == "not built"
            leave(workspace)
            assert dict(again(workspace))["air_gru"].startswith("skipped: another process"), "it is at work"
            recorded.finish(workspace.run("air", "air_gru"))
        assert dict(again(workspace))["air_gru"] == "present"

    def test_what_a_lost_worker_of_a_cluster_left_is_ended_and_no_other_workers(self, workspace, monkeypatch):
        opened, left = store.connect(workspace), {}
        for worker in ("build/a", "build/b", "other/a"):
            monkeypatch.setenv("UNROLL_WORKER", worker)
            left[worker] = runs.start(opened, payload.subject(workspace, "air_gru", section(workspace)), "d", "live")

        def running():
            return [name for name, one in left.items() if opened.client.get_run(one.parent).info.status == "RUNNING"]

        queries.end_worker(opened, "build/a")
        assert running() == ["build/b", "other/a"]
        queries.end_worker(opened, "build/%")
        assert running() == ["other/a"]

    @pytest.mark.parametrize(
        ("error", "status"), [(DivergedError("air_gru", 0, 1, 2), "FAILED"), (KeyboardInterrupt(), "KILLED")]
    )
    def test_a_training_that_stops_leaves_runs_that_say_so_and_do_not_count_as_there(self, workspace, error, status):
        def stop(recorded):
            recorded.epoch(0, 1, {"train_loss": 0.5})
            raise error

        with (
            pytest.raises(type(error)),
            live.recording(workspace, "air_gru", section(workspace), warn=pytest.fail) as recorded,
        ):
            stop(recorded)
        found = recorded_runs(workspace)
        assert {run.info.status for run in found.values()} == {status}
        assert found["air_gru", "0"].data.metrics == {"train_loss": 0.5}
        assert "unroll.fingerprint" not in found["air_gru", None].data.tags
        leave(workspace)
        assert [dict(again(workspace))["air_gru"] for _ in range(2)] == ["recorded", "present"]

    def test_an_experiment_of_dvc_says_what_it_changes_and_stands_beside_its_baseline(
        self, workspace, tmp_path, monkeypatch
    ):
        train(workspace)
        for command in ("init", "add params.yaml", "-c user.name=a -c user.email=a@b.c commit --message=first"):
            subprocess.run(["git", *command.split()], cwd=workspace.root, check=True, capture_output=True)
        copy = Workspace(tmp_path / "copy")  # as with `dvc exp run --temp`
        shutil.copytree(workspace.root, copy.root, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"))
        write_text(copy.params, PARAMS.replace("units: 4", "units: 5"))
        for name, value in {"NAME": "coy-auk", "BASELINE_REV": "HEAD"}.items():
            monkeypatch.setenv(f"DVC_EXP_{name}", value)
        monkeypatch.setenv("DVC_ROOT", str(workspace.root))
        with live.recording(copy, "air_gru", section(copy), warn=pytest.fail) as recorded:
            folder, _ = leave(copy, weights="others")
            recorded.finish(folder)
        client = client_of(workspace)
        group = client.get_experiment_by_name("air").experiment_id
        query = "tags.`unroll.level` = 'experiment' AND tags.`unroll.current` = 'true'"
        newest, oldest = client.search_runs([group], query)
        assert (oldest.info.run_name, newest.info.run_name) == ("air_gru", "air_gru [coy-auk: model.units=5]")
        assert newest.data.params["model.units"] == "5"
        assert (
            newest.data.tags.items() >= {"unroll.dvc_experiment": "coy-auk", "unroll.changed": "model.units=5"}.items()
        )
        assert not (copy.root / "mlflow.db").exists()

    def test_a_stand_in_is_called_one_and_kept_apart(self, tmp_path, empty_store):
        workspace = prepared(tmp_path / "demo", empty_store, stand_in=True)
        train(workspace)
        assert recorded_runs(workspace, "air") == {}
        found = recorded_runs(workspace, "air (stand-in)")
        names = sorted(run.info.run_name for run in found.values())
        assert names == ["air_gru (stand-in)", "air_gru (stand-in) seed 0", "air_gru (stand-in) seed 3"]
        assert {run.data.tags["unroll.stand_in"] for run in found.values()} == {"true"}
        assert all("no figure here is a result" in run.data.tags["mlflow.note.content"] for run in found.values())


class TestTrouble:
    """No failure of MLflow stops a training; each costs one line."""

    def train(self, workspace):
        said = []
        train(workspace, warn=said.append)
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
        line = self.train(workspace)
        assert f"http://{address} failed" in line
        assert "secret" not in line
        with pytest.raises(UnrollError, match="check that the server"):
            again(workspace)

    def test_a_damaged_store(self, workspace):
        (workspace.root / "mlflow.db").write_bytes(DAMAGED)
        assert "move it away and run `unroll track`" in self.train(workspace)
        said = []
        live.scored(workspace, "air", evaluate(workspace), warn=said.append)
        assert len(said) == 1
        with pytest.raises(UnrollError, match=r"file is not a database\); move it away") as error:
            again(workspace)
        assert "\n" not in str(error.value)

    def test_a_store_that_another_process_holds(self, workspace, monkeypatch):
        monkeypatch.setattr(store, "BUSY", 0.1)
        holder = sqlite3.connect(workspace.root / "mlflow.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            assert "database is locked" in self.train(workspace)
        finally:
            holder.close()

    def test_a_store_that_breaks_while_training(self, workspace, monkeypatch):
        def broken(*_, **__):
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(live, "INTERVAL", 0)
            patch.setattr(runs, "log", broken)
            assert "disk full" in self.train(workspace)
        assert {run.info.status for run in recorded_runs(workspace).values()} == {"FAILED"}
        assert dict(again(workspace))["air_gru"] == "recorded"

    def test_a_store_that_was_copied_from_another_workspace(self, whole, tmp_path):
        copy = Workspace(shutil.copytree(whole.root, tmp_path / "copy"))
        with pytest.raises(UnrollError, match="made in another folder"):
            again(copy)
        assert "made in another folder" in self.train(copy)


class TestScores:
    def test_of_a_run_that_is_not_recorded_make_neither_a_run_nor_a_store(self, workspace):
        leave(workspace)
        live.scored(workspace, "air", evaluate(workspace), warn=pytest.fail)
        assert recorded_runs(workspace) == {}
        (workspace.root / "mlflow.db").unlink()
        live.scored(workspace, "air", evaluate(workspace), warn=pytest.fail)
        assert not (workspace.root / "mlflow.db").exists()

    def test_of_another_run_are_not_taken(self, workspace):
        train(workspace)
        evaluated = evaluate(workspace)
        other = evaluated.experiments["air_gru"].model_copy(update={"fingerprint": "0" * 12})
        evaluated = evaluated.model_copy(update={"experiments": {"air_gru": other}})
        live.scored(workspace, "air", evaluated, warn=pytest.fail)
        assert "score" not in recorded_runs(workspace)["air_gru", None].data.metrics


class TestReplay:
    def test_is_what_a_live_record_would_be(self, whole, tmp_path, empty_store):
        other = prepared(tmp_path / "other", empty_store)
        for folder in ("runs", "evaluations", "records"):
            shutil.copytree(whole.root / folder, other.root / folder)
        assert again(other) == [("air_gru", "recorded"), ("air_last_value", "recorded")]
        assert everything(other) == everything(whole)

    def test_leaves_what_is_there_as_it_is_and_updates_an_evaluation_that_changed(self, workspace):
        leave(workspace)
        evaluated = evaluate(workspace).model_dump()
        assert again(workspace) == [("air_gru", "recorded"), ("air_last_value", "not built")]
        for run in recorded_runs(workspace).values():
            of_a_record = {"mlflow.source.git.commit", "unroll.git_dirty", "unroll.cpu"}
            assert run.data.tags.keys().isdisjoint(of_a_record), "without a record nobody knows where it was made"
        database = workspace.root / "mlflow.db"
        before = everything(workspace), database.read_bytes()
        assert again(workspace) == [("air_gru", "present"), ("air_last_value", "not built")]
        assert (everything(workspace), database.read_bytes()) == before
        evaluated["experiments"]["air_gru"]["best"]["test"]["mae"]["mean"] = 0.5
        write_json(workspace.evaluation("air") / "evaluation.json", evaluated)
        assert [dict(again(workspace))["air_gru"] for _ in range(2)] == ["updated", "present"]
        assert recorded_runs(workspace)["air_gru", None].data.metrics["score"] == 0.5

    def test_only_the_run_on_disk_is_current(self, workspace):
        def current():
            client = client_of(workspace)
            group = client.get_experiment_by_name("air").experiment_id
            found = client.search_runs([group], "tags.`unroll.level` = 'experiment'")
            return {r.data.tags["unroll.fingerprint"]: r.data.tags["unroll.current"] for r in found}

        train(workspace)
        old = fingerprint.run(workspace.run("air", "air_gru"))
        train(workspace, weights="others")
        new = fingerprint.run(workspace.run("air", "air_gru"))
        assert current() == {new: "true", old: "false"}
        leave(workspace)
        assert dict(again(workspace))["air_gru"] == "updated"
        assert current() == {new: "false", old: "true"}

    def test_records_no_run_that_params_yaml_does_not_name_or_names_otherwise(self, workspace):
        folder, _ = leave(workspace)
        shutil.copytree(folder, workspace.run("air", "removed"))
        write_text(workspace.params, PARAMS.replace("units: 4", "units: 5"))
        actions = again(workspace)
        assert [name for name, _ in actions] == ["air_gru", "air_last_value"]
        assert "skipped: params.yaml says otherwise" in dict(actions)["air_gru"]
        assert recorded_runs(workspace) == {}

    def test_a_damaged_run_stops_no_other(self, workspace):
        folder, _ = leave(workspace)
        write_text(folder / "history.csv", "seed,epoch,train_loss\n0,1,much\n")
        leave(workspace, "air_last_value")
        actions = dict(again(workspace))
        assert actions["air_gru"].startswith("skipped: the run of air_gru is damaged")
        assert actions["air_last_value"] == "recorded"

    def test_ends_what_a_killed_process_left_running_and_brings_back_what_is_in_the_bin(self, workspace):
        leave(workspace)
        opened = store.connect(workspace)
        subject = payload.subject(workspace, "air_gru", section(workspace))
        abandoned = runs.start(opened, subject, "d", "live")
        opened.client.delete_experiment(abandoned.experiment)
        assert dict(again(workspace))["air_gru"] == "recorded"
        assert opened.client.get_experiment_by_name("air").lifecycle_stage == "active"
        again(workspace)
        assert opened.client.get_run(abandoned.parent).info.status == "KILLED"

    def test_ends_in_a_shared_store_what_was_left_running_here_and_not_elsewhere(self, workspace, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(workspace.root / 'mlflow.db').as_posix()}")
        here = store.connect(workspace)
        subject = payload.subject(workspace, "air_gru", section(workspace))
        left = [runs.start(one, subject, "d", "live").parent for one in (here, replace(here, place="elsewhere"))]
        leave(workspace)
        again(workspace)
        assert [here.client.get_run(run).info.status for run in left] == ["KILLED", "RUNNING"]


class TestStore:
    def test_two_processes_at_once_set_it_up_and_write_quietly(self, contested):
        workspace, status, said = contested
        assert (status, said) == (0, "")
        client = client_of(workspace)
        found = client.search_runs([client.get_experiment_by_name("contested").experiment_id])
        assert sorted(run.info.run_name for run in found) == ["one"] * 5 + ["two"] * 5
        assert sorted(path.name for path in workspace.root.iterdir()) == [".unroll", "mlflow.db"]

    def test_two_first_trainings_at_once_both_have_their_data_set(self, workspace, monkeypatch):
        """MLflow looks for it, and then adds it: in between, another one does."""
        from mlflow.store.tracking import sqlalchemy_store

        opened, subject = store.connect(workspace), payload.subject(workspace, "air_gru", section(workspace))
        began = []

        def begin():
            began.append(runs.start(opened, subject, "d", "live").parent)

        def in_between():
            with monkeypatch.context() as patch:
                patch.setattr(sqlalchemy_store, "uuid", uuid)
                begin()
            return uuid.uuid4()

        def ask():
            return answers.pop(0)() if answers else uuid.uuid4()

        answers = [uuid.uuid4, in_between]  # of the run's own id, then of the data set's
        monkeypatch.setattr(sqlalchemy_store, "uuid", SimpleNamespace(uuid4=ask))
        begin()
        assert not answers
        assert [len(opened.client.get_run(run).inputs.dataset_inputs) for run in began] == [1, 1]

    def test_lies_where_the_user_wants_it(self, workspace, tmp_path, empty_store, monkeypatch):
        shutil.copy(empty_store, tmp_path / "shared.db")
        with monkeypatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'shared.db').as_posix()}")
            train(workspace)
        assert recorded_runs(workspace) == {}
        assert (tmp_path / "mlartifacts" / "air").is_dir()

    def test_is_written_from_any_folder(self, workspace, tmp_path, monkeypatch):
        monkeypatch.chdir(workspace.root)
        train(Workspace(Path()))
        monkeypatch.chdir(tmp_path)
        parent = recorded_runs(workspace)["air_gru", None]
        assert Path(client_of(workspace).download_artifacts(parent.info.run_id, "run.json")).exists()
        assert dict(again(workspace))["air_gru"] == "present"


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        ("forecast", "°C", {"mse": "1 = (8.851 °C)²", "mae": "1 = 8.851 °C", "mae_unit": "°C", "rmse_unit": "°C"}),
        ("regress", "", {"mse": "(unit of the data)²", "mae": "unit of the data"}),
        (
            "classify",
            "",
            {"accuracy": "share of examples", "brier": "probability²", "binary_crossentropy": "nats"},
        ),
    ],
)
def test_units_are_those_of_the_measures_and_the_data_set(kind, unit, expected):
    scale = Scale(mean=9.0, std=8.8512, unit=unit)
    assert payload.units(SimpleNamespace(kind=kind, scale=scale)) == expected


def test_the_mean_of_the_seeds_epoch_by_epoch():
    history = pd.DataFrame({"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "a": [1.0, 2.0, 3.0, 5.0]})
    assert payload.mean_points(history) == [(1, {"a": 2.0}), (2, {"a": 3.5})]
