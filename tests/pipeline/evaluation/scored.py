"""Small data sets and runs to score."""

import numpy as np
import pandas as pd

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Arrays
from pipeline.evaluation.scores import evaluate
from pipeline.training.run_folder import Run, Summary


def small(kind="forecast", targets=(0.0, 1.0, 2.0, 3.0), unit="", **options):
    targets = np.array(targets)
    examples = Arrays(np.zeros((len(targets), 2, 1)), targets)
    metric = "accuracy" if kind == "classify" else "mse"
    return Dataset(
        "d",
        kind,
        metric,
        {"train": examples, "test": examples},
        **{"scale": Scale(mean=5.0, std=2.0, unit=unit)} | options,
    )


def params_of(**options):
    """An experiment of params.yaml: a baseline, unless it says otherwise."""
    own = {
        "dataset": "d",
        "model": {"family": "baselines", "name": "linear"},
        "training": {"method": "none"},
    }
    return Experiment.model_validate(own | options)


def evaluated(dataset, runs, **options):
    """The evaluation of runs, each of an experiment with these options."""
    return evaluate(dataset, runs, dict.fromkeys(runs, params_of(**options)))


def of(predictions, best_epochs=None, history=()):
    """A run with these predictions, one row per seed."""
    seeds = list(range(len(next(iter(predictions.values()))))) if predictions else [0]
    summary = Summary(
        experiment="e",
        dataset="d",
        parameters=3,
        layers=[],
        seeds=seeds,
        epochs=max([4, *(line["epoch"] for line in history)]),
        best_epochs=best_epochs,
        loss="mse",
        fingerprint={"params": "a"},
    )
    history = pd.DataFrame(history, columns=None if history else ["seed", "epoch"])
    return Run(
        summary, history, {key: np.array(values) for key, values in predictions.items()}
    )
