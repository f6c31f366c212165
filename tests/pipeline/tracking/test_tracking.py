"""The records, read back through MLflow's own client."""

import json
import platform
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlparse

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
from pipeline.tracking import live, payload, queries, replay, runs, store
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from tests.support import fake_runs

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


@pytest.fixture(scope="module")
def empty_store(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    """Making one takes seconds, a copy none."""
    root = tmp_path_factory.mktemp("store")
    store.connect(Workspace(root))
    return root / "mlflow.db"


@pytest.fixture
def workspace(tmp_path, empty_store):
    return prepared(tmp_path / "a folder, ä", empty_store)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, empty_store):
    """Both experiments trained and evaluated while MLflow listened. Read only."""
    workspace = prepared(tmp_path_factory.mktemp("whole") / "a folder, ä", empty_store)
    for name in ("air_gru", "air_last_value"):
        train(workspace, name)
    evaluate(workspace)
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


def train(workspace, name="air_gru", **different):
    with live.Recording(workspace, name, section(workspace, name)) as recorded:
        folder, made_of = leave(workspace, name, **different)
        for row in run_folder.load(folder).history.to_dict("records"):
            recorded.epoch(row.pop("seed"), row.pop("epoch"), row)
        record.write(workspace, folder, made_of)
        recorded.finish()


def evaluate(workspace):
    """What `evaluate` leaves on disk, and in MLflow, of what is trained."""
    data = datasets.load(workspace.prepared("air"))
    found = {folder.name: run_folder.load(folder) for folder in sorted(workspace.runs("air").iterdir())}
    evaluated = scores.evaluate(data, found, ["air_last_value"])
    write_json(workspace.evaluation("air") / "evaluation.json", evaluated.model_dump())
    tables.write(workspace.evaluation("air") / "tables" / "predictions.csv", plot_data.predictions(data, found))
    live.scored(workspace, params.load(workspace.params), "air")
    return evaluated


def again(workspace):
    return dict(replay.replay(workspace, params.load(workspace.params)))


def started(opened, workspace):
    one = runs.Runs(opened, payload.subject(workspace, "air_gru", section(workspace)), "live")
    return one.run()


def status(opened, run):
    return opened.client.get_run(run).info.status


def client_of(workspace):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{workspace.root.as_posix()}/mlflow.db")


def recorded_runs(workspace, title="air"):
    """Parents by name and children by (name, seed); of those with the same name the newest."""
    client = client_of(workspace)
    group = client.get_experiment_by_name(title)
    found = client.search_runs([group.experiment_id]) if group else []
    return {(r.data.tags["unroll.experiment"], r.data.tags.get("unroll.seed")): r for r in found[::-1]}


def everything(workspace):
    """All that the store says of its runs, but for ids, times, where and how they were recorded."""
    client, said = client_of(workspace), {}
    for key, run in recorded_runs(workspace).items():
        how = {"mlflow.parentRunId", "unroll.recorded"}
        tags = {k: v for k, v in run.data.tags.items() if k not in how}
        curves = {name: curve(client, run, name) for name in run.data.metrics}
        inputs = [(i.dataset.name, i.dataset.digest, i.dataset.source) for i in run.inputs.dataset_inputs]
        files = sorted(artifacts(client, run))
        said[key] = (run.info.run_name, run.info.status, tags, run.data.params, curves, inputs, files)
    return said


def curve(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def artifacts(client, run, folder=None):
    for item in client.list_artifacts(run.info.run_id, folder):
        yield from artifacts(client, run, item.path) if item.is_dir else [item.path]


class TestWhatIsThere:
    def test_a_child_has_every_epoch_and_its_score(self, whole):
        found, client = recorded_runs(whole), client_of(whole)
        child, run = found["air_gru", "3"], run_folder.load(whole.run("air", "air_gru"))
        history = run.history.query("seed == 3").set_index("epoch")
        for name in ("train_loss", "validation_loss", "validation_mae"):
            assert curve(client, child, name) == [*history[name].items()]
        score = evaluate(whole).experiments["air_gru"].best["test"]["mae"].model_dump()["values"][1]
        values = {"best_epoch": run.summary.best_epochs[1], "epochs": 20, "score": score}
        assert child.data.metrics.items() >= values.items()
        assert child.data.tags["mlflow.parentRunId"] == found["air_gru", None].info.run_id
        assert (child.info.status, [*artifacts(client, child)]) == ("FINISHED", [])

    def test_the_parent_has_means_options_with_defaults_tags_files_and_its_data(self, whole):
        parent, client, folder = recorded_runs(whole)["air_gru", None], client_of(whole), whole.run("air", "air_gru")
        run, entry = run_folder.load(folder), evaluate(whole).experiments["air_gru"]
        options = {"seeds": "[0, 3]", "model.name": "gru", "model.units": "4", "training.learning_rate": "0.001"}
        assert parent.data.params.items() >= (options | {"training.patience": "null", "calendar": "false"}).items()
        assert curve(client, parent, "train_loss") == [*run.history.groupby("epoch")["train_loss"].mean().items()]
        values = {"best_epoch": sum(run.summary.best_epochs) / 2, "parameters": run.summary.parameters}
        values |= {"test/rmse_unit": entry.best["test"]["rmse_unit"].mean, "score": entry.best["test"]["mae"].mean}
        values |= {"score_in_unit": entry.best["test"]["mae_unit"].mean}
        values |= {"at_end/test/mae": entry.final["test"]["mae"].mean}
        values |= dict(zip(("score_low", "score_high"), entry.best["test"]["mae"].sure, strict=True))
        assert parent.data.metrics.items() >= values.items()
        tags = {
            "unroll.fingerprint": fingerprint.run(folder),
            "unroll.brief": entry.fingerprint,
            **{f"unroll.{part}_hash": run.summary.fingerprint[part] for part in ("params", "code", "lock")},
            "unroll.dataset_hash": run.summary.fingerprint["data"],
            "unroll.current": "true",
            "unroll.protocol": "as_published",
            "unroll.recorded": "live",
            "unroll.stand_in": "false",
            "unroll.unit.mae": "1 = 8.85 °C",
            "unroll.python": platform.python_version(),
        }
        assert parent.data.tags.items() >= tags.items()
        weights = [f"weights/seed_{seed}_final.weights.h5" for seed in (0, 3)]
        files = ["history.csv", "plots/loss.svg", "plots/predictions.svg", "run.json", *weights]
        assert sorted(artifacts(client, parent)) == files
        assert Path(client.download_artifacts(parent.info.run_id, files[1])).read_text("utf-8").startswith("<svg ")
        (data,) = [one.dataset for one in parent.inputs.dataset_inputs]
        assert fingerprint.data(whole.prepared("air")).startswith(data.digest)
        assert json.loads(data.profile)["examples"] == {"train": 976, "validation": 376, "test": 546}

    def test_a_baseline_has_the_same_headline_and_no_number_has_two_names(self, whole):
        found = recorded_runs(whole)
        metrics, network = (found[name, None].data.metrics for name in ("air_last_value", "air_gru"))
        headline = {"score", "score_low", "score_high", "score_in_unit", "against_best_baseline"}
        assert {name for name in metrics if "/" not in name} == headline | {"parameters", "epochs", "seconds"}
        assert network["against_best_baseline"] == network["score"] - metrics["score"]
        names = [name for name in network if name not in {"train_loss", "validation_loss", "validation_mae"}]
        assert len({network[name] for name in names}) == len(names), "the loss is the measure, so only curves may agree"

    def test_the_address_of_a_data_set_shows_its_experiments_by_score(self, whole):
        opened = store.connect(whole)
        ((title, address),) = queries.addresses(opened, whole).items()
        group = opened.client.get_experiment_by_name(title)
        assert address in group.tags["mlflow.note.content"]
        asked = {key: value for key, (value,) in parse_qs(urlparse(address[1:]).query).items()}
        order = f"{asked['orderByKey']} {'ASC' if asked['orderByAsc'] == 'true' else 'DESC'}"
        found = opened.client.search_runs([group.experiment_id], asked["searchFilter"], order_by=[order])
        assert [run.info.run_name for run in found] == ["air_gru", "air_last_value"]

    def test_a_stand_in_is_called_one_and_kept_apart(self, tmp_path, empty_store):
        workspace = prepared(tmp_path / "demo", empty_store, stand_in=True)
        train(workspace, "air_last_value")
        assert recorded_runs(workspace, "air") == {}
        parent = recorded_runs(workspace, "air (stand-in)")["air_last_value", None]
        assert parent.info.run_name == "air_last_value (stand-in)"
        assert "no figure here is a result" in parent.data.tags["mlflow.note.content"]


class TestReplay:
    def test_is_what_a_live_record_would_be_once_and_follows_the_evaluation(self, whole, tmp_path, empty_store):
        other = prepared(tmp_path / "other", empty_store)
        for folder in ("runs", "evaluations", "records"):
            shutil.copytree(whole.root / folder, other.root / folder)
        assert again(other) == {"air_gru": "recorded", "air_last_value": "recorded"}
        assert everything(other) == everything(whole)
        before = (other.root / "mlflow.db").read_bytes()
        assert {*again(other).values()} == {"present"}
        assert (other.root / "mlflow.db").read_bytes() == before
        file = other.evaluation("air") / "evaluation.json"
        evaluated = read_json(file)
        evaluated["experiments"]["air_gru"]["best"]["test"]["mae"]["mean"] = 0.5
        evaluated["experiments"]["air_last_value"]["fingerprint"] = "of another run"
        evaluated["experiments"]["air_last_value"]["final"]["test"]["mae"]["mean"] = 0.5
        write_json(file, evaluated)
        assert again(other) == {"air_gru": "updated", "air_last_value": "present"}

    def test_only_the_run_on_disk_is_current(self, workspace):
        def current():
            found = [r for r in client_of(workspace).search_runs(["1"]) if "unroll.fingerprint" in r.data.tags]
            return {r.data.tags["unroll.fingerprint"]: r.data.tags.get("unroll.current") for r in found}

        marks = []
        for weights in ("some", "others"):
            train(workspace, "air_last_value", weights=weights)
            marks.append(fingerprint.run(workspace.run("air", "air_last_value")))
        leave(workspace, "air_last_value", weights="some")
        assert again(workspace)["air_last_value"] == "updated"
        found = client_of(workspace).search_runs(["1"], "tags.`unroll.current` = 'true'")
        assert [run.data.tags["unroll.fingerprint"] for run in found] == marks[:1]

    def test_leaves_out_what_is_not_known_what_is_damaged_and_what_params_yaml_says_otherwise(self, workspace):
        folder, _ = leave(workspace)
        write_text(folder / "history.csv", "seed,epoch,train_loss\n0,1,much\n")
        leave(workspace, "air_last_value")
        actions = again(workspace)
        assert actions["air_gru"].startswith("skipped: the run of air_gru is damaged")
        assert actions["air_last_value"] == "recorded"
        for run in recorded_runs(workspace).values():
            of_a_record = {"mlflow.source.git.commit", "unroll.git_dirty", "unroll.cpu"}
            assert run.data.tags.keys().isdisjoint(of_a_record), "without a record nobody knows where it was made"
        leave(workspace)
        write_text(workspace.params, PARAMS.replace("units: 4", "units: 5"))
        assert "skipped: params.yaml says otherwise" in again(workspace)["air_gru"]

    def test_an_evaluation_of_what_is_not_recorded_makes_neither_a_run_nor_a_store(self, workspace, capsys):
        leave(workspace)
        evaluate(workspace)
        assert recorded_runs(workspace) == {}
        (workspace.root / "mlflow.db").unlink()
        evaluate(workspace)
        assert not (workspace.root / "mlflow.db").exists()
        assert capsys.readouterr().err == ""


class TestLive:
    def test_epochs_are_there_while_it_runs_and_what_a_killed_one_left_is_ended(self, workspace, monkeypatch):
        monkeypatch.setattr(live, "INTERVAL", 0)
        opened = store.connect(workspace)
        abandoned = started(opened, workspace)
        with live.Recording(workspace, "air_gru", section(workspace)) as recorded:
            assert status(opened, abandoned) == "KILLED"
            recorded.epoch(0, 1, {"train_loss": 0.5})
            run = recorded_runs(workspace)["air_gru", "0"]
            assert (run.info.status, run.data.metrics) == ("RUNNING", {"train_loss": 0.5})
            leave(workspace)
            assert again(workspace)["air_gru"].startswith("skipped: another process"), "it is at work"
            recorded.finish()
        assert again(workspace)["air_gru"] == "present"

    @pytest.mark.parametrize(
        ("error", "ended"), [(DivergedError("air_gru", 0, 1, 2), "FAILED"), (KeyboardInterrupt(), "KILLED")]
    )
    def test_a_training_that_stops_leaves_runs_that_say_so_and_do_not_count(self, workspace, error, ended):
        def stop(recorded):
            recorded.epoch(0, 1, {"train_loss": 0.5})
            raise error

        with pytest.raises(type(error)), live.Recording(workspace, "air_gru", section(workspace)) as recorded:
            stop(recorded)
        found = recorded_runs(workspace)
        assert {run.info.status for run in found.values()} == {ended}
        assert found["air_gru", "0"].data.metrics == {"train_loss": 0.5}
        assert "unroll.fingerprint" not in found["air_gru", None].data.tags

    def test_an_experiment_of_dvc_says_what_it_changes_and_stands_beside_its_baseline(
        self, workspace, tmp_path, monkeypatch
    ):
        train(workspace)
        for command in ("init", "add params.yaml", "-c user.name=a -c user.email=a@b.c commit --message=first"):
            subprocess.run(["git", *command.split()], cwd=workspace.root, check=True, capture_output=True)
        copy = Workspace(tmp_path / "copy")  # as with `dvc exp run --temp`
        shutil.copytree(workspace.root, copy.root, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"))
        write_text(copy.params, PARAMS.replace("units: 4", "units: 5"))
        for name, value in {"EXP_NAME": "coy-auk", "EXP_BASELINE_REV": "HEAD", "ROOT": str(workspace.root)}.items():
            monkeypatch.setenv(f"DVC_{name}", value)
        train(copy, weights="others")
        client = client_of(workspace)
        newest, oldest = client.search_runs(["1"], payload.CURRENT)
        assert (oldest.info.run_name, newest.info.run_name) == ("air_gru", "air_gru [coy-auk: model.units=5]")
        assert newest.data.params["model.units"] == "5"
        tags = {"unroll.dvc_experiment": "coy-auk", "unroll.changed": "model.units=5"}
        assert newest.data.tags.items() >= tags.items()
        assert not (copy.root / "mlflow.db").exists()


class TestTrouble:
    """No failure of MLflow stops a training or leaves a run RUNNING; `tests/faults` has the causes."""

    def test_a_store_that_breaks_while_training_and_is_back_at_the_end(self, workspace, monkeypatch, capsys):
        answers = [OSError("disk full")]

        def log(*arguments):
            if answers:
                raise answers.pop()
            return whole(*arguments)

        whole = runs.log
        monkeypatch.setattr(runs, "log", log)
        train(workspace)
        assert capsys.readouterr().err == ""
        found = client_of(workspace).search_runs(["1"], "tags.`unroll.level` = 'experiment'")
        assert sorted(run.info.status for run in found) == ["FAILED", "FINISHED"]
        assert again(workspace)["air_gru"] == "present"

    def test_a_store_that_breaks_at_the_end(self, workspace, monkeypatch, capsys):
        def broken(*_, **__):
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(runs.Runs, "_input", broken)
            train(workspace)
        line = capsys.readouterr().err
        assert line.startswith("warning: not recorded in MLflow: MLflow's store sqlite:///")
        assert line.endswith("(disk full). `unroll track` records it later\n")
        assert {run.info.status for run in recorded_runs(workspace).values()} == {"FAILED"}
        assert again(workspace)["air_gru"] == "recorded"

    def test_a_store_that_was_copied_from_another_workspace(self, whole, tmp_path, capsys):
        copy = Workspace(shutil.copytree(whole.root, tmp_path / "copy"))
        with pytest.raises(UnrollError, match="made in another folder"):
            again(copy)
        train(copy)
        assert "made in another folder" in capsys.readouterr().err

    def test_a_password_is_not_shown(self):
        with pytest.raises(UnrollError, match="http://host failed") as error, store.guard("http://me:secret@host"):
            raise OSError("no http://me:secret@host\nand more")
        assert "secret" not in str(error.value)
        assert "\n" not in str(error.value)

    def test_in_a_shared_store_only_what_this_place_or_that_worker_left_is_ended(self, workspace, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(workspace.root / 'mlflow.db').as_posix()}")
        here = store.connect(workspace)
        elsewhere = replace(here, place="elsewhere")
        left = {"here": started(here, workspace)}
        for worker in ("build/a", "build/b", "other/a"):
            monkeypatch.setenv("UNROLL_WORKER", worker)
            left[worker] = started(elsewhere, workspace)

        def running():
            return [name for name, run in left.items() if status(here, run) == "RUNNING"]

        queries.end_abandoned(here, workspace)
        assert running() == ["build/a", "build/b", "other/a"]
        queries.end_worker(here, "build/a")
        assert running() == ["build/b", "other/a"]
        queries.end_worker(here, "build/%")
        assert running() == ["other/a"]

    def test_two_first_trainings_at_once_both_have_their_data_set(self, workspace, monkeypatch):
        """MLflow looks for it, and then adds it: in between, another one does."""
        from mlflow.store.tracking import sqlalchemy_store

        opened, experiment = store.connect(workspace), section(workspace, "air_last_value")
        leave(workspace, "air_last_value")
        look, others = runs.Runs._input, []

        def in_between():
            monkeypatch.setattr(sqlalchemy_store, "uuid", uuid)
            others.append(replay.record(opened, workspace, "air_last_value", experiment))
            return uuid.uuid4()

        def ask(*arguments):  # the next id that MLflow draws is the data set's
            monkeypatch.setattr(runs.Runs, "_input", look)
            monkeypatch.setattr(sqlalchemy_store, "uuid", SimpleNamespace(uuid4=in_between))
            look(*arguments)

        monkeypatch.setattr(runs.Runs, "_input", ask)
        assert [replay.record(opened, workspace, "air_last_value", experiment), *others] == ["recorded"] * 2
        parents = opened.client.search_runs(["1"], "tags.`unroll.level` = 'experiment'")
        assert [len(run.inputs.dataset_inputs) for run in parents] == [1, 1]


class TestStore:
    def test_a_new_one_is_there_whole_or_not_at_all_and_one_process_makes_it(self, tmp_path, monkeypatch):
        def killed(_engine):
            raise KeyboardInterrupt

        monkeypatch.setattr("mlflow.store.db.utils._upgrade_db", killed)
        with pytest.raises(KeyboardInterrupt):
            store.connect(Workspace(tmp_path))
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mlflow.lock"]
        monkeypatch.setattr(store, "PATIENCE", 0)
        with store.hold(tmp_path / ".unroll" / "mlflow.lock", 0), pytest.raises(UnrollError, match="another process"):
            store.connect(Workspace(tmp_path))

    def test_lies_where_the_user_wants_it_and_is_written_from_any_folder(
        self, workspace, tmp_path, empty_store, monkeypatch
    ):
        shutil.copy(empty_store, tmp_path / "shared.db")
        with monkeypatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'shared.db').as_posix()}")
            train(workspace, "air_last_value")
        assert recorded_runs(workspace) == {}
        assert (tmp_path / "mlartifacts" / "air").is_dir()
        monkeypatch.chdir(workspace.root)
        train(Workspace(Path()), "air_last_value")
        monkeypatch.chdir(tmp_path)
        client, parent = client_of(workspace), recorded_runs(workspace)["air_last_value", None]
        assert Path(client.download_artifacts(parent.info.run_id, "run.json")).exists()
        client.delete_experiment(parent.info.experiment_id)
        assert again(workspace)["air_last_value"] == "present", "it is brought back from the bin"


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        ("forecast", "°C", {"mse": "1 = (8.851 °C)²", "mae": "1 = 8.851 °C", "mae_unit": "°C", "rmse_unit": "°C"}),
        ("regress", "", {"mse": "(unit of the data)²", "mae": "unit of the data"}),
        ("classify", "", {"accuracy": "share of examples", "brier": "probability²", "binary_crossentropy": "nats"}),
    ],
)
def test_units_are_those_of_the_measures_and_the_data_set(kind, unit, expected):
    assert payload.units(SimpleNamespace(kind=kind, scale=Scale(mean=9.0, std=8.8512, unit=unit))) == expected


def test_the_mean_of_the_seeds_epoch_by_epoch():
    history = pd.DataFrame({"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "a": [1.0, 2.0, 3.0, 5.0]})
    assert payload.points(history) == [(1, {"a": 2.0}), (2, {"a": 3.5})]
