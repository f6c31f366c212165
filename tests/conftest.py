"""One small workspace with an experiment of each kind, built once by DVC itself, and how tests share cores."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots", "numerics.lock", "pipeline", "stages")

# Python runs this file when it starts: every stage leaves behind which modules of ours it imported.
WITNESS = """
import atexit, json, os, sys
from pathlib import Path

def leave():
    folder = Path(os.environ["UNROLL_TEST_MODULES"])
    names = sorted(name for name in sys.modules if name.split(".")[0] in ("pipeline", "stages"))
    (folder / (os.environ["DVC_STAGE"] + ".json")).write_text(json.dumps(names))

if "DVC_STAGE" in os.environ and "UNROLL_TEST_MODULES" in os.environ:
    atexit.register(leave)
"""

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
COMPILED = {"method": "compiled", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16}
EXPERIMENTS = {
    "sine_dense": ("sine", {"family": "dense", "name": "mlp", "hidden": [4], "activation": "relu"}, COMPILED),
    "waves_linear": ("waves", {"family": "baselines", "name": "linear"}, {"method": "least_squares"}),
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
    "datasets": {
        "sine": {"source": "sine", "preparation": {"name": "sine_points", "part": "interpolation"}},
        "waves": {"source": "waves", "preparation": {"name": "waves"}},
        "jena": {"source": "jena", "preparation": SERIES},
        "imdb": {
            "source": "imdb",
            "preparation": {"name": "imdb", "words": 200, "length": 20, "validation": 0.2},
        },
    },
    "experiments": {
        name: {"dataset": dataset, "seeds": [0], "model": model, "training": training}
        for name, (dataset, model, training) in EXPERIMENTS.items()
    },
}
CLAIMS = [
    {
        "document": "003",
        "words": "close to 0.02",
        "experiment": "waves_linear",
        "metric": "final.test.mse",
        "value": 0.02,
    }
]


@dataclass(frozen=True)
class Miniature:
    """A DVC workspace with its own copy of the code, and the commands that run in it."""

    root: Path

    def run(self, *command: str, status: int = 0) -> str:
        """The output, both streams, of a command that has to end with `status`."""
        own = ("DVC_", "MLFLOW_", "UNROLL_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        environment |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(self.root),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "site-cache"),
            "UNROLL_TEST_MODULES": str(self.root / "imported"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=self.root, env=environment, check=False, **streams)
        assert done.returncode == status, done.stdout
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def unroll(self, *arguments: str, status: int = 0) -> str:
        return self.run(sys.executable, "-m", "stages", *arguments, status=status)

    def repro(self) -> set[str]:
        """The stages that a `dvc repro` ran."""
        lines = self.dvc("repro").splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}

    def change(self, change) -> None:
        """Edit params.yaml: `change` gets its data."""
        from pipeline import params

        data = params.read_plain(self.root / "params.yaml")
        change(data)
        params.dump(data, self.root / "params.yaml")

    def json(self, path: str):
        return json.loads((self.root / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Miniature:
    """The miniature, built with a plain `dvc repro`. Do not change it: `miniature` is a copy to work on."""
    from pipeline import params
    from stages.demo import CONFIG

    root = tmp_path_factory.mktemp("miniature") / "built"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(CONFIG)
    (root / "imported").mkdir()
    (root / "sitecustomize.py").write_text(WITNESS)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, root / name)
    params.dump(PARAMS, root / "params.yaml")
    # YAML holds JSON: claims.yaml is a list, and `params.dump` writes mappings.
    (root / "claims.yaml").write_text(json.dumps(CLAIMS, ensure_ascii=False), encoding="utf-8")
    miniature = Miniature(root)
    miniature.dvc("repro")
    return miniature


@pytest.fixture
def miniature(built, tmp_path) -> Miniature:
    """A copy of the built miniature that a test may change."""
    shutil.copytree(built.root, tmp_path / "copy", symlinks=True)
    return Miniature(tmp_path / "copy")


def pytest_collection_modifyitems(items) -> None:
    """On several cores (`pytest -n 2`) a file stays with one process, and so do all tests of the built miniature."""
    for item in items:
        group = "miniature" if {"built", "miniature"} & {*item.fixturenames} else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
