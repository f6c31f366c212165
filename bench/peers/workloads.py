"""What every framework is given: the same rows, the same batches in the same order, the same first weights."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Arrays, Examples
from pipeline.files import read_npz, write_npz
from pipeline.workspace import Workspace
from stages.workspaces import scaled

FRAMEWORKS = ("unroll", "documents", "keras", "keras_jit", "pytorch", "pytorch_compiled", "jax")
BY_HAND = ("unroll", "documents")

SEED = 0


@dataclass(frozen=True)
class Workload:
    """A model on a data set, as an experiment of params.yaml has them.

    Attributes:
        experiment: where model, data set, batch size, optimizer and loss are from.
        steps: batches of one epoch of a round; an epoch of `experiment` may have more.
        epochs: times that a round goes through these batches.
        evaluated: batches of a round's evaluation.
        evaluations: times that a round goes through those.
        frameworks: who does it.
    """

    experiment: str
    steps: int
    epochs: int = 1
    evaluated: int = 1
    evaluations: int = 1
    frameworks: tuple[str, ...] = FRAMEWORKS


WORKLOADS = {
    "jena_lstm": Workload("jena_lstm", 10, evaluated=12),
    "jena_lstm_dropout": Workload("jena_lstm_dropout", 10, evaluated=12),
    "jena_gru": Workload("jena_gru", 10, evaluated=12),
    "jena_gru_dropout": Workload("jena_gru_dropout", 10, evaluated=12),
    "imdb_simple_rnn": Workload("imdb_rnn", 10, evaluated=20),
    "imdb_lstm": Workload("imdb_lstm", 10, evaluated=20),
    "imdb_gru": Workload("imdb_gru", 10, evaluated=20),
    "sine_dense": Workload("sine_interpolation_dense", 31, 10, 3, 20),
    "sine_windowed": Workload("sine_windows_lstm", 18, 10, 20, 4),
    "waves_by_hand": Workload("waves_node", 2000, evaluated=1000, frameworks=BY_HAND),
    "waves_by_hand_dense": Workload("waves_perceptron", 2000, evaluated=1000, frameworks=BY_HAND),
}


@dataclass(frozen=True)
class Task:
    """A workload with its data.

    Attributes:
        name: of the workload.
        workload: what is done.
        experiment: model and training, as in params.yaml.
        data: the whole data set.
        batch: examples per step; 1 where training is by hand.
        rows: (steps, batch) the examples of each step, numbers into the train split.
        held_out: the examples that are evaluated: steps * batch of the validation split, or of test without one.
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
        """Whether training draws: dropout."""
        return bool(self.experiment.model.options.get("dropout"))

    @property
    def by_hand(self) -> bool:
        """Whether one example after the other is learnt by a rule written out, without automatic differentiation."""
        return self.experiment.training.method == "by_hand"

    @property
    def steps(self) -> int:
        """Batches that a round trains on."""
        return self.workload.steps * self.workload.epochs

    def doubles(self) -> tuple[Array, Array]:
        """The examples of a round's training by hand: inputs (n, values) and targets (n,), float64."""
        inputs, targets = self.data.splits["train"].take(self.rows.reshape(-1))
        return inputs.reshape(len(inputs), -1).astype(np.float64), targets.astype(np.float64)

    def write_weights(self, arrays: list[Array]) -> None:
        """Keep the weights that every framework starts from."""
        write_npz(self.weights, {str(place): array for place, array in enumerate(arrays)})

    def read_weights(self) -> list[Array]:
        """The weights that every framework starts from: fresh arrays, kernel before recurrent kernel before bias."""
        return list(read_npz(self.weights).values())


def load(root: Path, name: str) -> Task:
    """The task of a workload, from a workspace that `prepare` made."""
    workload, workspace = WORKLOADS[name], Workspace(root)
    experiment = params.load(workspace.params).experiment(workload.experiment)
    data = dataset.load(workspace.prepared(experiment.dataset))
    batch = int(experiment.training.options.get("batch_size", 1))
    train = data.splits["train"]
    order = np.random.default_rng(SEED).permutation(len(train)).astype(np.int32)
    rows = order[: workload.steps * batch].reshape(workload.steps, batch)
    held_out = first(data.splits.get("validation", data.splits["test"]), workload.evaluated * batch)
    return Task(name, workload, experiment, data, batch, rows, held_out, root / f"{name}.npz")


def first(examples: Examples, count: int) -> Examples:
    """The first `count` examples."""
    if isinstance(examples, Arrays):
        return Arrays(examples.inputs[:count], examples.targets[:count])
    return replace(examples, rows=examples.rows[:count])


def prepare(root: Path, repository: Path, names: Collection[str], *, mirror: bool) -> None:
    """Make a workspace with the data of some experiments, in the official size.

    What the repository has prepared is taken as it is. The rest is made: without a mirror every download is stood in
    for, since only the shapes and lengths count here.

    Args:
        root: an empty folder.
        repository: the folder of params.yaml.
        names: of the experiments.
        mirror: whether IMDB may be asked for (UNROLL_MIRROR).
    """
    from stages.prepare import prepare
    from stages.source import source

    plain = plain_yaml.read(repository / "params.yaml")
    experiments = {name: one for name, one in plain["experiments"].items() if name in names}
    datasets = {name: plain["datasets"][name] for name in dict.fromkeys(e["dataset"] for e in experiments.values())}
    sources = {name: plain["sources"][name] for name in dict.fromkeys(d["source"] for d in datasets.values())}
    for official, (_, rows) in scaled.ROWS.items():
        if official in sources and not (mirror and official == "imdb"):
            sources[official] = {"kind": "stand_in", "of": official, "rows": rows}
    workspace, built = Workspace(root), Workspace(repository)
    plain_yaml.write({"sources": sources, "datasets": datasets, "experiments": experiments}, workspace.params)
    for name, section in datasets.items():
        if (built.prepared(name) / "dataset.json").is_file() and not dataset.load(built.prepared(name)).stand_in:
            workspace.prepared(name).parent.mkdir(parents=True, exist_ok=True)
            workspace.prepared(name).symlink_to(built.prepared(name))
            continue
        source(workspace, section["source"])
        prepare(workspace, name)
