"""A small graph with an experiment of each kind, on generated data, for `unroll verify --quick` and the tests."""

import shutil
from pathlib import Path

from pipeline.files import write_text
from pipeline.provenance.machine import PACKAGES
from pipeline.workspace import Workspace
from unroll.workspaces.scaled import CONFIG

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots", ".ci/locks/numerics.lock", *PACKAGES)
"""The graph and the code."""

PARAMS = Path(__file__).with_suffix(".yaml")

CLAIMS = """
- {document: "003", words: close to 0.02, experiment: waves_linear, metric: final.test.mse, value: "0.02", width: 2}
"""


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
    shutil.copyfile(PARAMS, folder / "params.yaml")
    write_text(folder / "claims.yaml", CLAIMS)
    return Workspace(folder)
