"""Trainings whose seeds run side by side, against those whose seeds ran one after the other."""

import contextlib
import shutil
import sqlite3

import pytest

from pipeline.config import params
from pipeline.errors import UnrollError
from stages.repro import dvc_graph
from stages.repro.by_seed import LEAST, Part, pays
from stages.repro.eta import Estimates, work
from tests.conftest import Miniature
from tests.stages.test_train import contents

STAGE, SEEDS = "train@jena_gru", 3


def edit(data):
    """Several seeds, and what could make them depend on each other."""
    gru = data["experiments"]["jena_gru"]
    gru["model"].update(dropout=0.2, recurrent_dropout=0.2)
    gru["training"].update(epochs=3, patience=1, slopes=4)
    gru["seeds"] = SEEDS


def long(miniature):
    """Make a build think that the training takes long."""
    amounts = work(params.load(miniature.workspace.params))
    Estimates(miniature.workspace.scratch / "seconds.json", amounts).learn(STAGE, 1000.0)


def metrics(miniature):
    """All metrics in MLflow but for times: data set, run, status, name, step, value."""
    query = """SELECT experiments.name, runs.name, status, key, step, value FROM metrics
        JOIN runs USING (run_uuid) JOIN experiments USING (experiment_id)
        WHERE key != 'seconds' ORDER BY 1, 2, 3, 4, 5, 6"""
    with contextlib.closing(sqlite3.connect(miniature.root / "mlflow.db")) as database:
        return database.execute(query).fetchall()


def test_seeds_side_by_side_leave_the_bytes_and_records_of_seeds_one_after_the_other(miniature):
    miniature.change(edit)
    shutil.rmtree(miniature.root / "mlartifacts")  # of the folder that this is a copy of
    (miniature.root / "mlflow.db").unlink()
    other = Miniature(shutil.copytree(miniature.root, miniature.root.with_name("other"), symlinks=True))
    long(miniature)
    said = miniature.unroll("repro", "--jobs", "2", STAGE)
    assert f"1/2  {STAGE}  " in said
    assert f", {SEEDS} seeds side by side" in said
    assert "Built 2 of 4 stages" in said
    assert "train_loss" not in (miniature.workspace.log(STAGE)).read_text(), "there was nothing left to train"
    other.unroll("train", "jena_gru")
    assert contents(miniature.root / "runs/jena/jena_gru") == contents(other.root / "runs/jena/jena_gru")
    assert set(dvc_graph.read(miniature.root).due()) == {"evaluate@jena", "report"}
    assert {run for _, run, *_ in metrics(miniature)} >= {"jena_gru (stand-in)", "jena_gru (stand-in) seed 2"}
    assert metrics(miniature) == metrics(other)
    assert not list(miniature.workspace.part("jena_gru", 0).parent.glob("*"))


class Executor:
    """Loses what it starts, or starts nothing."""

    def __init__(self, *, starts):
        self._starts = starts

    def start(self, stage, command):
        assert (stage, command) == (f"{STAGE} seed 2", "unroll replicate jena_gru 2")
        if not self._starts:
            raise UnrollError("no room")
        return self

    def poll(self):
        raise UnrollError("workers died")

    def interrupt(self):
        pass


@pytest.mark.parametrize("starts", [True, False])
def test_a_part_that_cannot_be_built_says_nothing_since_its_stage_will(starts):
    part = Part(Executor(starts=starts), f"{STAGE} seed 2")
    assert part.poll() == 1
    part.interrupt()


@pytest.mark.parametrize(
    ("seconds", "parts", "after", "left", "slots", "worth_it"),
    [
        (300, 5, 10, 310, 2, True),  # alone at the end of a build
        (300, 5, 10, 310, 1, False),
        (300, 1, 10, 310, 2, False),
        (300, 5, 10, 2000, 2, False),  # others keep both slots busy for longer
        (300, 5, 10, 2000, 16, True),
        (200, 20, 10, 210, 2, False),  # to start twenty takes as long
        (90, 5, 0, 90, 2, False),
        (90, 5, 0, 90, 5, True),
        (LEAST - 1, 5, 0, LEAST - 1, 64, False),
    ],
)
def test_a_stage_is_split_where_the_build_can_end_sooner(seconds, parts, after, left, slots, worth_it):
    assert pays(seconds, parts, after, left, slots) is worth_it
