"""How far a test set's error moves when document 003's waves are drawn again.

The document draws its own 2,000 test series, so a published error carries the luck of that draw.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sources.waves import generate
from pipeline.metrics import score
from pipeline.training.methods.by_hand import node, perceptron
from pipeline.workspace import Workspace
from stages.console import tables
from stages.console.tables import Column

SERIES = 2000
FORWARD = {"waves_perceptron": perceptron, "waves_hidden10": perceptron, "waves_node": node, "waves_node_slow": node}


def measure(workspace: Workspace, draws: int) -> dict[str, list[float]]:
    """Experiment -> its test MSE on each of many draws: of the first seed's weights, at the best epoch.

    Raises:
        OSError: an experiment is not trained.
    """
    files = {name: workspace.run("waves", name) / "weights" / "seed_0_best.weights.h5" for name in FORWARD}
    weights = {name: _read(file) for name, file in files.items()}
    scores: dict[str, list[float]] = {"waves_last_value": [], **{name: [] for name in FORWARD}}
    for seed in range(draws):
        waves = generate(np.random.default_rng(seed), SERIES)
        inputs, targets = waves[:, :-1, None], waves[:, -1]
        scores["waves_last_value"].append(score("mse", inputs[:, -1, 0], targets))
        for name, forward in FORWARD.items():
            scores[name].append(score("mse", forward(weights[name], inputs), targets))
    return scores


def show(scores: Mapping[str, list[float]]) -> None:
    """Print mean and standard deviation of each experiment."""
    columns = [Column("experiment"), Column("mean of test MSE", number=True), Column("standard deviation", number=True)]
    rows = [[name, f"{np.mean(each):.5f}", f"{np.std(each, ddof=1):.5f}"] for name, each in scores.items()]
    draws = len(next(iter(scores.values())))
    tables.show(columns, rows, caption=f"over {draws} draws of {SERIES:,} series")


def _read(path: Path) -> list[Array]:
    """The arrays of a `.weights.h5` file, layer by layer, in Keras' order."""
    import h5py

    found: list[Array] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found
