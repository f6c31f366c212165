"""A data set that is prepared and can be trained, without DVC, MLflow and a copy of the
code."""

import os

from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from tests.support import start_unroll

MODEL = {"family": "baselines", "name": "linear"}
LINEAR = {"model": MODEL, "training": {"method": "least_squares", "ridge": 0.0}}
LAST_VALUE = LINEAR | {
    "model": MODEL | {"name": "last_value"},
    "training": {"method": "none"},
}
NODE = {
    "seeds": 2,
    "model": {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False},
    "training": {"method": "by_hand", "learning_rate": 0.01, "epochs": 300},
}
AWAY = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
"""Variables without which MLflow would take seconds."""


def waves(folder, **experiments):
    """A workspace whose data set `waves` is prepared, with these experiments."""
    workspace = Workspace(folder)
    write(workspace, **experiments)
    source(workspace, "waves")
    prepare(workspace, "waves")
    return workspace


def write(workspace, **experiments):
    """Let params.yaml have these experiments and no other."""
    sections = {
        "sources": {
            "waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30}
        },
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {"waves": experiments},
    }
    workspace.root.mkdir(exist_ok=True)
    plain_yaml.write(sections, workspace.params)


def start_training(workspace, *arguments, **options):
    """`unroll train waves` as a process, with MLflow away."""
    return start_unroll(
        workspace.root,
        "train",
        "waves",
        *arguments,
        env={**os.environ, **AWAY},
        **options,
    )
