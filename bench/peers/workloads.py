"""The work of every framework: the same rows, batches, order and first weights."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import REPOSITORY
from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Arrays, Examples
from pipeline.files import read_npz, write_npz
from pipeline.workspace import Workspace

FRAMEWORKS = (
    "unroll",
    "documents",
    "keras",
    "keras_jit",
    "pytorch",
    "jax",
)
"""The frameworks that are measured, Unroll first."""

SEED = 0
"""The seed of the order of examples."""

ROWS = {
    "imdb": 25_000,
    "jena": 420_551,
}
"""Official data -> rows of its file, for imdb the reviews of each half. A stand-in has as
many rows."""


@dataclass(frozen=True)
class Workload:
    """The model and the data set of an experiment of params.yaml, as work of a round.

    Attributes:
        experiment: the experiment with the model, data set, batch size, optimizer and
            loss.
        steps: batches of an epoch of a round; an epoch of `experiment` may have more.
        evaluated: batches of an evaluation of a round.
        epochs: epochs of a round.
        evaluations: evaluations of a round.
    """

    experiment: str
    steps: int
    evaluated: int
    epochs: int = 1
    evaluations: int = 1


WORKLOADS = {
    "jena_lstm": Workload("jena/lstm", 10, 12),
    "jena_lstm_dropout": Workload("jena/lstm_dropout", 10, 12),
    "jena_gru": Workload("jena/gru", 10, 12),
    "jena_gru_dropout": Workload("jena/gru_dropout", 10, 12),
    "imdb_simple_rnn": Workload("imdb/rnn", 10, 20),
    "imdb_lstm": Workload("imdb/lstm", 10, 20),
    "imdb_gru": Workload("imdb/gru", 10, 20),
    "sine_dense": Workload(
        "sine_interpolation/dense", 31, 3, epochs=10, evaluations=20
    ),
    "sine_windowed": Workload("sine_windows/lstm", 18, 20, epochs=10, evaluations=4),
}


@dataclass(frozen=True)
class Task:
    """A workload with its data.

    Attributes:
        name: the name of the workload.
        workload: the workload.
        experiment: its experiment.
        data: its data set.
        batch: examples of a step.
        rows: (steps, batch) the numbers of each step's examples in the train split.
        held_out: the examples that are evaluated, from the validation split, or from
            test if there is none.
        weights: the file of the first weights, in Keras' order.
    """

    name: str
    workload: Workload
    experiment: Experiment
    data: Dataset
    batch: int
    rows: Array
    held_out: Examples
    weights: Path

    @property
    def training(self) -> dict[str, Any]:
        """The options of the training method."""
        return self.experiment.training.options

    @property
    def random(self) -> bool:
        """True if training draws random numbers, for dropout."""
        return bool(self.experiment.model.options.get("dropout"))

    def write_weights(self, arrays: list[Array]) -> None:
        """Write the weights that every framework starts from."""
        write_npz(
            self.weights, {str(index): array for index, array in enumerate(arrays)}
        )

    def read_weights(self) -> list[Array]:
        """Return the weights that every framework starts from, in Keras' order.

        A layer has its kernel first, then the recurrent kernel, then the bias.
        """
        return list(read_npz(self.weights).values())


def load(root: Path, name: str) -> Task:
    """Load the task of a workload, from a workspace that `prepare` made."""
    workload = WORKLOADS[name]
    workspace = Workspace(root)
    experiment = params.load(workspace.params).experiment(workload.experiment)
    data = dataset.load(workspace.prepared(experiment.dataset))
    batch = int(experiment.training.options["batch_size"])
    train = data.splits["train"]
    held_out = data.splits.get("validation", data.splits["test"])
    order = np.random.default_rng(SEED).permutation(len(train)).astype(np.int32)
    rows = order[: workload.steps * batch].reshape(workload.steps, batch)
    held_out = first(held_out, workload.evaluated * batch)
    return Task(
        name, workload, experiment, data, batch, rows, held_out, root / f"{name}.npz"
    )


def first(examples: Examples, count: int) -> Examples:
    """Return the first `count` examples."""
    if isinstance(examples, Arrays):
        return Arrays(examples.inputs[:count], examples.targets[:count])
    return replace(examples, rows=examples.rows[:count])


def prepare(root: Path, names: Iterable[str]) -> None:
    """Make a workspace with the data of some workloads, in the official size.

    Data sets that this repository has prepared are linked. Other downloads are replaced
    by stand-ins, since only shapes and lengths count.
    """
    from stages.prepare import prepare
    from stages.source import source

    workspace = Workspace(root)
    built = Workspace(REPOSITORY)
    plain = plain_yaml.read(built.params)
    for section, entries in params.official(built.params).items():
        plain[section].update(entries)
    for name, rows in ROWS.items():
        if name in plain["sources"]:
            plain["sources"][name] = {"kind": "stand_in", "of": name, "rows": rows}
    plain_yaml.write(plain, workspace.params)
    shutil.copyfile(built.root / params.TEMPLATES, workspace.root / params.TEMPLATES)
    every = params.load(workspace.params)
    experiments = [WORKLOADS[workload].experiment for workload in names]
    for name in {every.experiment(experiment).dataset for experiment in experiments}:
        there = built.prepared(name)
        if (there / "dataset.json").is_file() and not dataset.load(there).stand_in:
            workspace.prepared(name).parent.mkdir(parents=True, exist_ok=True)
            workspace.prepared(name).symlink_to(there)
        else:
            source(workspace, every.dataset(name).source)
            prepare(workspace, name)
