"""A small graph with an experiment of each kind, on generated data, for `unroll verify --quick` and the tests."""

import json
import shutil
from pathlib import Path

from pipeline.config import plain_yaml
from pipeline.files import write_text
from pipeline.provenance.machine import PACKAGES
from pipeline.workspace import Workspace
from unroll.workspaces.scaled import CONFIG

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots", "locks/numerics.lock", *PACKAGES)
"""The graph and the code."""

SERIES = {
    "name": "series",
    "file": "jena_climate_2009_2016.csv",
    "stamp": "Date Time",
    "stamp_format": "%d.%m.%Y %H:%M:%S",
    "protocol": "as_published",
    "target": "T (degC)",
    "unit": "°C",
    "quantity": "temperature",
    "train": 200,
    "validation": 100,
    "lookback": 24,
    "step": 6,
    "delay": 12,
    "batch_size": 16,
}
COMPILED = {"method": "gradient_descent", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16}
EXPERIMENTS = {
    "sine_dense": ("sine", {"family": "dense", "name": "mlp", "hidden": [4], "activation": "relu"}, COMPILED),
    "waves_linear": ("waves", {"family": "baselines", "name": "linear"}, {"method": "least_squares", "ridge": 0.0}),
    "waves_node": (
        "waves",
        {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False},
        {"method": "by_hand", "learning_rate": 0.01, "epochs": 2},
    ),
    "jena_last_value": ("jena", {"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "jena_gru": ("jena", {"family": "recurrent", "name": "gru", "units": 2}, COMPILED | {"loss": "mae"}),
    "imdb_bag_of_words": (
        "imdb",
        {"family": "baselines", "name": "bag_of_words"},
        {"method": "logistic_regression"},
    ),
    "imdb_rnn": (
        "imdb",
        {"family": "recurrent", "name": "simple_rnn", "units": 2, "embedding": 2},
        COMPILED | {"loss": "binary_crossentropy"},
    ),
}
PARAMS = {
    "sources": {
        "sine": {"kind": "sine", "points": 60, "test_points": 20},
        "waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30},
        "jena": {"kind": "stand_in", "of": "jena", "rows": 500},
        "imdb": {"kind": "stand_in", "of": "imdb", "rows": 100},
    },
    "templates": {"series": {"preparation": SERIES}},
    "datasets": {
        "sine": {"source": "sine", "preparation": {"name": "sine_points", "part": "interpolation"}},
        "waves": {"source": "waves", "preparation": {"name": "waves"}},
        "jena": {"source": "jena", "like": "series"},
        "imdb": {
            "source": "imdb",
            "preparation": {"name": "imdb", "words": 200, "length": 20, "validation": 0.2},
        },
    },
    "experiments": {
        name: {"dataset": dataset, "model": model, "training": training}
        for name, (dataset, model, training) in EXPERIMENTS.items()
    },
}
CLAIMS = [
    {
        "document": "003",
        "words": "close to 0.02",
        "experiment": "waves_linear",
        "metric": "final.test.mse",
        "value": "0.02",
        "width": 2.0,
    }
]


def make_workspace(root: Path, folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with the miniature, and with copies of the graph and the code of `root`."""
    for name in COPIED:
        source, target = root / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    write_text(folder / ".dvc" / "config", CONFIG)
    plain_yaml.write(PARAMS, folder / "params.yaml")
    # YAML holds JSON: claims.yaml is a list, and `plain_yaml.write` writes mappings.
    write_text(folder / "claims.yaml", json.dumps(CLAIMS, ensure_ascii=False))
    return Workspace(folder)
