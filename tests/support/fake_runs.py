"""Small data sets and runs made of noise, in the formats of the real ones: nothing is
trained."""

import functools
from pathlib import Path

import numpy as np

from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Arrays, Windows
from pipeline.training import run_folder
from pipeline.training.job import Job, Replicate, Trained
from pipeline.workspace import Workspace

TEMPLATES = """
none: {model: {family: baselines}, training: {method: none}}
keras: {model: {family: recurrent}, training: {method: keras}}
by_hand: {training: {method: by_hand}}
"""

PARAMS = """
sources:
  sine: {kind: sine}
  waves: {kind: waves}
  imdb: {kind: stand_in}
  jena_hourly: {kind: jena, part: hourly}
  jena: {kind: jena}
datasets:
  sine_extrapolation: {source: sine, preparation: {name: sine_points}}
  sine_windows: {source: sine, preparation: {name: sine_windows}}
  waves: {source: waves, preparation: {name: waves}}
  imdb: {source: imdb, preparation: {name: imdb}}
  jena_hourly: {source: jena_hourly, preparation: {name: series}}
  jena: {source: jena, preparation: {name: series}}
experiments:
  sine_extrapolation:
    zero: {like: none, seeds: 1, model: {name: constant}}
    dense: {like: keras, seeds: 3, model: {family: dense, name: mlp}}
  sine_windows:
    last_value: {like: none, seeds: 1, model: {name: last_value}}
    lstm: {like: keras, seeds: 2, model: {name: lstm}}
  waves:
    last_value: {like: none, seeds: 1, model: {name: last_value}}
    perceptron: {like: by_hand, seeds: 3, model: {family: dense, name: mlp}}
    node: {like: by_hand, seeds: 1, model: {family: recurrent, name: simple_rnn}}
  imdb:
    majority: {like: none, seeds: 1, model: {name: majority}}
    rnn: {like: keras, seeds: 2, model: {name: simple_rnn}}
    summary: {like: none, seeds: 1, model: {family: recurrent, name: simple_rnn, head: false}}
  jena_hourly:
    last_value: {like: none, seeds: 1, model: {name: last_value}}
    gru: {like: keras, seeds: 2, model: {name: gru}}
  jena:
    gru: {like: keras, seeds: 1, model: {name: gru}}
"""

CLAIMS = """
- {document: "003", words: MSE 0.02, experiment: waves/last_value, metric: final.test.mse, value: "0.02", width: 2}
- {document: "003", words: MSE 1000, experiment: waves/perceptron, metric: best.test.mse, value: "1000", width: 1e+6}
- {document: "002", words: about 85 %, experiment: imdb/rnn, metric: best.validation.accuracy, value: "0.85", width: 9}
- {document: "001", words: the last state, experiment: imdb/summary, metric: layers.SimpleRNN.output, value: [null, 32]}
- {document: "002", words: MAE 0.265, experiment: jena/gru, metric: best.validation.mae, value: "0.265", width: 2}
- {document: "002", words: three parameters, experiment: waves/node, metric: parameters, value: 3}
"""

ERRORS = {"constant": 0.7, "last_value": 0.35, "majority": 0.5}
"""How far off models are; networks less."""


def build(root: Path, *, without: tuple[str, ...] = ("jena",)) -> Workspace:
    """A workspace with params.yaml, claims.yaml and the runs of every data set but
    those `without`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (root / "templates.yaml").write_text(TEMPLATES, encoding="utf-8")
    (root / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    return fill(Workspace(root), without=without)


def fill(workspace: Workspace, *, without: tuple[str, ...] = ()) -> Workspace:
    """Prepared data and runs for the params.yaml that is there."""
    every = params.load(workspace.params)
    for name, section in every.datasets.items():
        if name not in without:
            stand_in = every.source(section.source).kind == "stand_in"
            data = dataset(name, section.preparation.name, stand_in=stand_in)
            datasets.save(data, workspace.prepared(name))
            for key, experiment in every.experiments_of(name).items():
                run(workspace, data, key, experiment)
    return workspace


@functools.cache
def dataset(name: str, preparation: str, *, stand_in: bool = False) -> Dataset:
    """A data set of the layout that `preparation` makes, with a few hundred examples."""
    rng = np.random.default_rng(len(name))
    if preparation == "sine_points":
        x = {"train": np.arange(0, 100, 0.5), "test": np.arange(90, 200, 0.5)}
        splits = {
            split: Arrays(values[:, None], np.sin(values))
            for split, values in x.items()
        }
        groups = {"inside": np.arange(20), "outside": np.arange(20, 220)}
        return Dataset(
            name,
            "regress",
            "mse",
            splits,
            groups=groups,
            scored=(),
            facts={"spacing of x": 0.5},
        )
    if preparation == "sine_windows":
        series = {
            "train": np.sin(np.arange(0, 100, 0.5)),
            "test": np.sin(np.arange(90, 200, 0.5)),
        }
        splits = {
            split: Windows(sine[:, None], np.arange(20, len(sine)), 20, 1, 0, 0)
            for split, sine in series.items()
        }
        return Dataset(
            name,
            "forecast",
            "mse",
            splits,
            scored=(),
            rollout=True,
            floors={"exact recurrence": 0.0},
        )
    if preparation == "waves":
        sizes = {"train": 600, "validation": 200, "test": 300}
        splits = {
            split: Arrays(rng.random((n, 50, 1)), rng.uniform(-0.7, 0.7, n))
            for split, n in sizes.items()
        }
        scored = ("validation", "test")
        floors = {"noise variance": 0.1**2 / 12}
        return Dataset(name, "forecast", "mse", splits, scored=scored, floors=floors)
    if preparation == "imdb":
        sizes = {"train": 80, "validation": 20, "test": 100}
        truth = np.arange(100, dtype=np.float32) % 2
        splits = {
            split: Arrays(rng.integers(0, 99, (n, 12)), truth[:n])
            for split, n in sizes.items()
        }
        facts = {"reviews to train on": 100}
        return Dataset(
            name,
            "classify",
            "accuracy",
            splits,
            vocabulary=99,
            stand_in=stand_in,
            facts=facts,
        )
    hours = np.arange(2000)
    series = np.stack(
        [np.sin(hours * 2 * np.pi / 24), np.cos(hours / 50)], axis=1
    ).astype(np.float32)
    rows = {"train": (24, 1000), "validation": (1024, 1400), "test": (1424, 1970)}
    splits = {
        split: Windows(series, np.arange(*ends), 24, 1, 24, 0)
        for split, ends in rows.items()
    }
    facts = {"rows": 2000, "protocol": "as_published", "gaps": 3, "quantities": 14}
    facts |= {"validation batches": 5, "horizon in hours": 25.0}
    scale = Scale(mean=8.8, std=8.85, unit="°C", quantity="temperature")
    return Dataset(
        name,
        "forecast",
        "mae",
        splits,
        scale=scale,
        period=24,
        stand_in=stand_in,
        facts=facts,
    )


def run(
    workspace: Workspace, dataset: Dataset, name: str, experiment: params.Experiment
) -> None:
    """Write what training would leave: predictions that are the truth with noise on it."""
    model = experiment.model
    whole_name = f"{dataset.name}/{name}"
    rng = np.random.default_rng([*whole_name.encode(), 1])
    dataset = datasets.shortened(dataset, experiment.share)
    if experiment.mirrored:
        dataset = datasets.mirrored(dataset)
    learns = experiment.training.method in {"keras", "by_hand"}
    baseline = model.family == "baselines"
    validated = learns and "validation" in dataset.splits
    points = ["final", "best"] if validated else ["final"]
    error = ERRORS.get(model.name, 0.05 + 0.1 * rng.random())
    replicates = [
        Replicate(
            seed,
            [_losses(rng, dataset, epoch, error) for epoch in range(1, 21)]
            if learns
            else [],
            int(rng.integers(5, 15)) if validated else None,
            _predictions(rng, dataset, points, error * (1 + 0.1 * index))
            if learns or baseline
            else {},
            {},
        )
        for index, seed in enumerate(experiment.seeds)
    ]
    kinds = (
        []
        if baseline
        else ["Embedding", "SimpleRNN", "Dense"]
        if model.family == "recurrent"
        else ["Dense"]
    )
    trained = Trained(
        replicates,
        3
        if whole_name == "waves/node"
        else 0
        if baseline
        else int(rng.integers(10, 400_000)),
        save=lambda *_: None,
        layers=[
            {
                "name": kind.lower(),
                "type": kind,
                "output": [None, 32],
                "parameters": 2080,
            }
            for kind in kinds
        ],
        loss=("binary_crossentropy" if dataset.kind == "classify" else dataset.metric)
        if learns
        else None,
    )
    folder = workspace.run(dataset.name, name)
    folder.mkdir(parents=True)
    job = Job(name, dataset, build=lambda: None, seeds=tuple(experiment.seeds))
    run_folder.save(
        trained, job, folder, {"params": whole_name, "data": dataset.name, "code": "c"}
    )


def _predictions(rng, dataset, points, error):
    predictions = {}
    for point in points:
        for split, examples in dataset.splits.items():
            targets = examples.targets
            if dataset.kind == "classify":
                right = rng.random(len(targets)) > error
                values = (
                    np.where(right, targets, 1 - targets).astype(np.float32) * 0.8 + 0.1
                )
            else:
                values = (targets + error * rng.normal(size=len(targets))).astype(
                    np.float32
                )
            predictions[f"{point}_{split}"] = values
    if dataset.rollout:
        truth = dataset.splits["test"].targets
        predictions["rollout"] = truth * np.cos(np.linspace(0, 12 * error, len(truth)))
    return predictions


def _losses(rng, dataset, epoch, error):
    fall = np.exp(-epoch / 4) + error
    columns = [
        "train_loss",
        *(
            f"{split}_{what}"
            for split in dataset.scored
            for what in ("loss", dataset.metric)
        ),
    ]
    return {
        key: 1 - 0.5 * fall
        if key.endswith("accuracy")
        else fall * (1 + 0.05 * rng.random())
        for key in columns
    }
