"""The records, read back through MLflow's own client."""

import itertools
import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np
import pytest

from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.errors import UnrollError
from pipeline.evaluation import answers
from pipeline.files import hashes_of, read_json, write_json, write_text
from pipeline.locks import alone
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint, record
from pipeline.tracking import runs, store
from pipeline.training import run_folder, tasks
from pipeline.training.tasks import Task
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.train import Finished
from tests.support import fake_runs

PARAMS = """
sources: {{air: {{kind: jena}}}}
datasets: {{{0}: {{source: air, preparation: {{name: series, protocol: as_published}}}}}}
experiments:
  {0}:
    gru:
      seeds: [0, 3]
      model: {{family: recurrent, name: gru, units: 4}}
      training: {{method: keras, optimizer: adam, loss: mae, epochs: 20, batch_size: 8}}
    last: {{model: {{family: baselines, name: last_value}}, training: {{method: none}}}}
"""
numbers = itertools.count()


@dataclass(frozen=True)
class Tracked:
    """A workspace with a data set, and the stages as far as MLflow hears of them."""

    workspace: Workspace
    data: str

    @property
    def params(self):
        return params.load(self.workspace.params)

    def experiment(self, name):
        return self.params.experiments_of(self.data)[name]

    def folder(self, name):
        return self.workspace.run(self.data, name)

    def leave(self, name, weights="w"):
        """What a training leaves on disk, and what it was made of."""
        experiment = self.experiment(name)
        folder = self.folder(name)
        shutil.rmtree(folder, ignore_errors=True)
        fake_runs.run(
            self.workspace,
            datasets.load(self.workspace.prepared(self.data)),
            name,
            experiment,
        )
        write_text(folder / "weights" / "seed_0_final.weights.h5", weights)
        files = hashes_of(self.workspace.prepared(self.data))
        made_of = fingerprint.Ingredients(experiment.model_dump(), files, {}, "lock")
        write_json(
            folder / "run.json",
            read_json(folder / "run.json") | {"fingerprint": made_of.fingerprint},
        )
        return made_of

    def train(self, name, weights="w"):
        made_of = self.leave(name, weights)
        folder = self.folder(name)
        path = self.workspace.record(self.data, name)
        record.write(self.workspace, path, folder, made_of)
        task = Task(name, self.experiment(name), made_of)
        finished = tasks.finished(self.workspace, task)
        shutil.copytree(folder, finished / tasks.RUN)
        shutil.copyfile(path, finished / tasks.RECORD)
        Finished(self.workspace, [task]).log(task)
        shutil.rmtree(finished)

    def track(self):
        """Experiment, within its data set -> what was done."""
        actions = dict(runs.track(self.workspace, self.params.runs))
        return {params.own_name(name): action for name, action in actions.items()}

    def search(self, query="", mark=""):
        """Runs that there are, newest first."""
        with store.opened(self.workspace) as opened:
            group = opened.client.get_experiment_by_name(self.data + mark)
            return opened.search(query, group.experiment_id) if group else []

    def read(self):
        """Experiment and seed (None: the parent) -> all that MLflow says of it, but for
        ids and times."""
        with store.opened(self.workspace) as opened:
            client = opened.client
        records = {}
        for run in self.search():
            tags = dict(run.data.tags)
            files = Path(unquote(urlparse(run.info.artifact_uri).path))
            parent = tags.pop("mlflow.parentRunId", None)
            metrics = run.data.metrics
            records[tags["experiment"], tags.get("seed")] = SimpleNamespace(
                name=run.info.run_name,
                status=run.info.status,
                parent=client.get_run(parent).info.run_name if parent else None,
                tags=tags,
                params=run.data.params,
                metrics=metrics,
                curves={
                    name: [
                        (point.step, point.value)
                        for point in client.get_metric_history(run.info.run_id, name)
                    ]
                    for name in metrics
                },
                files={
                    str(file.relative_to(files)): file.read_text("utf-8")
                    for file in files.rglob("*.*")
                },
            )
        return records


def full_disk(*_, **_options):
    raise OSError("disk full")


def status(*some_runs):
    return sorted({run.info.status for run in some_runs})


def make(workspace, data, *, stand_in=False):
    write_text(workspace.params, PARAMS.format(data))
    datasets.save(
        fake_runs.dataset(data, "series", stand_in=stand_in), workspace.prepared(data)
    )
    return Tracked(workspace, data)


@pytest.fixture(scope="module")
def workspace(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    """All share a store: making one takes seconds."""
    workspace = Workspace(tmp_path_factory.mktemp("tracking") / "a folder, ä")
    with store.opened(workspace):
        pass
    shutil.copy(store.database(workspace), workspace.root / "empty.db")
    return workspace


@pytest.fixture
def lab(workspace):
    """A data set of its own."""
    return make(workspace, f"air_{next(numbers)}")


@pytest.fixture
def other(workspace, tmp_path):
    """A workspace of its own."""
    shutil.copy(workspace.root / "empty.db", tmp_path / "mlflow.db")
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def whole(workspace):
    """Both experiments trained and evaluated: the evaluation, and what MLflow says."""
    lab = make(workspace, "whole")
    lab.train("gru")
    lab.train("last")
    return lab, evaluate(lab.workspace, lab.data), lab.read()


def test_a_child_has_every_epoch_and_its_scores(whole):
    lab, evaluated, records = whole
    child = records["gru", "3"]
    run = run_folder.load(lab.folder("gru"))
    for name, values in (
        run.history.query("seed == 3").set_index("epoch").drop(columns="seed").items()
    ):
        assert child.curves[f"epoch/{name}"] == [*values.items()]
    metrics = {"best_epoch": run.summary.best_epochs[1], "epochs": 20}
    for split, prefix in (("test", ""), ("validation", "validation_")):
        for measure in ("mae", "mse"):
            metrics[f"{prefix}{measure}"] = (
                evaluated.experiments["gru"].best[split][measure].values[1]
            )
    assert child.metrics.items() >= metrics.items()
    assert (child.parent, child.status, child.files) == ("gru", "FINISHED", {})


def test_the_parent_has_the_metrics_of_dvc_options_with_defaults_tags_and_files(whole):
    lab, _, records = whole
    parent = records["gru", None]
    run = run_folder.load(lab.folder("gru"))
    options = {
        "seeds": "[0, 3]",
        "model.units": "4",
        "training.learning_rate": "0.001",
        "training.patience": "null",
    }
    assert parent.params.items() >= options.items()
    assert parent.curves["epoch/train_loss"] == [
        *run.history.groupby("epoch")["train_loss"].mean().items()
    ]
    assert parent.metrics["best_epoch"] == sum(run.summary.best_epochs) / 2
    assert parent.metrics["parameters"] == run.summary.parameters
    of_dvc = lab.workspace.metrics(lab.data)
    gru = read_json(of_dvc / "gru.json")
    gru["validation_mae"] = gru.pop("val")
    assert parent.metrics.items() >= gru.items(), "to the last digit"
    compared_by_default = ["mae", "mae_std", "validation_mae", "validation_mae_std"]
    assert [*parent.metrics][:4] == compared_by_default
    assert {"mse_std", "validation_mse_std"} <= parent.metrics.keys()
    assert [*records["last", None].metrics][:2] == ["mae", "validation_mae"]
    last = read_json(of_dvc / "last.json")
    assert records["last", "0"].metrics["mae"] == last["mae"]
    tags = {
        "fingerprint": fingerprint.folder(lab.folder("gru")),
        "current": "true",
    }
    assert parent.tags.items() >= (tags | {"python": platform.python_version()}).items()
    assert sorted(parent.files) == [
        "history.csv",
        "run.json",
        "weights/seed_0_final.weights.h5",
    ]


def test_what_is_logged_later_is_what_is_logged_at_the_end_of_a_training_and_once(
    whole, other
):
    for folder in ("runs", "results", "records"):
        shutil.copytree(whole[0].workspace.root / folder, other.root / folder)
    lab = make(other, "whole")
    database = other.root / "mlflow.db"
    assert lab.track() == {"gru": "recorded", "last": "recorded"}
    assert lab.read() == whole[2]
    before = database.read_bytes()
    assert lab.track() == {"gru": "present", "last": "present"}
    assert database.read_bytes() == before


def test_a_new_metric_reaches_runs_that_are_logged_already_once(lab, monkeypatch):
    lab.train("gru")
    lab.train("last")
    before = lab.read()
    monkeypatch.setitem(MEASURES, "again", MEASURES["mae"])
    assert lab.track() == {"gru": "updated", "last": "updated"}
    assert lab.track() == {"gru": "present", "last": "present"}
    after = lab.read()
    for key, logged in before.items():
        new = {
            name: value for name, value in after[key].metrics.items() if "again" in name
        }
        assert after[key].metrics == logged.metrics | new
        assert new == {
            name.replace("mae", "again"): value
            for name, value in logged.metrics.items()
            if "mae" in name and "unit" not in name and "epoch" not in name
        }
        assert after[key].curves.items() >= logged.curves.items()


def test_committed_results_are_shown_until_the_experiment_is_trained_here(whole, other):
    shutil.copytree(whole[0].workspace.root / "results", other.root / "results")
    write_text(other.params, PARAMS.format("whole"))
    lab = Tracked(other, "whole")

    def shown():
        with store.opened(other) as opened:
            names = runs.log_committed(opened, other, lab.params)
        current = {run.info.run_name: run for run in lab.search(store.CURRENT)}
        return names, current

    names, current = shown()
    assert names == ["whole/gru", "whole/last"]
    assert sorted(current) == ["gru (committed)", "last (committed)"]
    gru = current["gru (committed)"]
    parent = whole[2]["gru", None]
    curves = {name for name in parent.metrics if name.startswith("epoch")}
    assert gru.data.metrics == {
        name: value
        for name, value in parent.metrics.items()
        if name not in curves | {"seconds", "epochs"}
    }
    assert gru.data.params == parent.params
    assert gru.data.tags["committed"] == "true"
    assert "trained elsewhere. GRU(4), trained on" in gru.data.tags[store.NOTE]
    database = (other.root / "mlflow.db").read_bytes()
    assert shown()[0] == names
    assert (other.root / "mlflow.db").read_bytes() == database
    file = other.evaluation("whole") / "evaluation.json"
    results = read_json(file)
    results["experiments"]["last"]["parameters"] += 1
    write_json(file, results)
    _, current = shown()
    assert sorted(current) == ["gru (committed)", "last (committed)"]
    assert current["last (committed)"].data.metrics["parameters"] == 1
    shutil.copytree(whole[0].workspace.root / "data", other.root / "data")
    shutil.copytree(
        whole[0].folder("gru"), other.runs("whole") / "gru", dirs_exist_ok=True
    )
    assert lab.track() == {"gru": "recorded", "last": "not built"}
    assert sorted(shown()[1]) == ["gru", "last (committed)"]


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
    lab.train("gru", "first")
    lab.train("gru", "second")
    (second,) = lab.search(store.CURRENT)
    (first,) = lab.search("tags.`current` = 'false'")
    assert first.info.run_name == second.info.run_name == "gru"
    lab.leave("gru", "first")
    assert lab.track()["gru"] == "recorded"
    (current,) = lab.search(store.CURRENT)
    assert current.info.run_id == first.info.run_id


def test_what_is_logged_leaves_out_what_is_unknown_damaged_or_otherwise_in_params_yaml(
    lab,
):
    lab.leave("gru")
    write_text(lab.folder("gru") / "history.csv", "seed,epoch,train_loss\n0,1,much\n")
    lab.leave("last")
    actions = lab.track()
    assert actions["gru"].startswith(f"skipped: the run of {lab.data}/gru is damaged")
    assert actions["last"] == "recorded"
    (run,) = lab.search(store.CURRENT)
    assert run.data.tags["fingerprint"] == fingerprint.folder(lab.folder("last"))
    assert not {"git_dirty", "cpu"} & {*run.data.tags}, (
        "without a record nobody knows where it was made"
    )
    lab.leave("gru")
    write_text(
        lab.workspace.params, PARAMS.format(lab.data).replace("units: 4", "units: 5")
    )
    assert "skipped: params.yaml says otherwise" in lab.track()["gru"]


def test_an_experiment_of_dvc_stands_beside_its_baseline(lab, tmp_path, monkeypatch):
    lab.train("gru")
    copy = make(Workspace(tmp_path), lab.data)  # as with `dvc exp run --temp`
    write_text(
        copy.workspace.params, PARAMS.format(lab.data).replace("units: 4", "units: 5")
    )
    for name, value in {"EXP_NAME": "coy-auk", "ROOT": str(lab.workspace.root)}.items():
        monkeypatch.setenv(f"DVC_{name}", value)
    copy.train("gru", "others")
    oldest, newest = sorted(
        lab.search(store.CURRENT), key=lambda run: run.info.run_name
    )
    assert (oldest.info.run_name, newest.info.run_name) == ("gru", "gru [coy-auk]")
    assert newest.data.tags["dvc_experiment"] == "coy-auk"
    assert newest.data.params["model.units"] == "5"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_stand_in_is_called_one_and_kept_apart(workspace):
    lab = make(workspace, "invented", stand_in=True)
    lab.train("last")
    assert lab.search() == []
    (parent,) = lab.search(store.CURRENT, " (stand-in)")
    assert parent.info.run_name == "last (stand-in)"
    assert "no figure here is a result" in parent.data.tags["mlflow.note.content"]


def test_what_a_killed_process_left_is_ended_and_logged_anew(lab, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", full_disk)
        patch.setattr("mlflow.MlflowClient.set_terminated", full_disk)
        lab.train("gru")
    assert status(*lab.search()) == ["RUNNING"]
    assert lab.track()["gru"] == "recorded"
    assert status(*lab.search()) == ["FINISHED", "KILLED"]
    assert status(*lab.search(store.CURRENT)) == ["FINISHED"]


def test_a_store_that_breaks_at_the_end_costs_a_line_and_leaves_no_run_running(
    lab, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", full_disk)
        lab.train("gru")
    line = capsys.readouterr().err
    assert line.startswith("warning: not recorded in MLflow: ")
    assert line.endswith("(disk full). `unroll track` records it later\n")
    assert "FAILED" in status(*lab.search())
    assert lab.search(store.CURRENT) == []
    assert lab.track()["gru"] == "recorded"


def test_a_store_that_was_copied_from_another_workspace_is_refused(
    whole, other, capsys
):
    shutil.copy(store.database(whole[0].workspace), other.root)
    copy = make(other, "whole")
    copy.train("last")
    assert "made in another folder" in capsys.readouterr().err
    copy.leave("last", "other weights")
    with pytest.raises(UnrollError, match="made in another folder"):
        copy.track()


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
    lab = whole[0]
    write_text(lab.workspace.claims, "[]")
    write_text(lab.workspace.params, PARAMS.format("whole"))  # which all share
    answers.write(lab.workspace, lab.params)
    with store.opened(lab.workspace) as opened:
        lines = {"whole": ["untuned networks: open."]}
        address = runs.describe(opened, lab.workspace, lines)["whole"]
        group = opened.client.get_experiment_by_name("whole")
    note = group.tags["mlflow.note.content"]
    assert note.startswith("untuned networks: open. A data ")
    assert address in note
    (key,) = parse_qs(urlparse(address[1:]).query)["viewStateShareKey"]
    shared = json.loads(group.tags[f"mlflow.sharedViewState.{key}"])
    order = f"{shared['orderByKey']} {'ASC' if shared['orderByAsc'] else 'DESC'}"
    shown = opened.client.search_runs(
        [group.experiment_id], shared["searchFilter"], order_by=[order]
    )
    assert [run.info.run_name for run in shown] == ["gru", "last"]
    assert {
        column.partition(".")[2].strip("`") for column in shared["selectedColumns"]
    } <= {*shown[0].data.metrics}
    assert (
        [*shared["columnWidths"]] == shared["columnOrder"] == shared["selectedColumns"]
    )
