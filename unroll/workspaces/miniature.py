"""A small graph with an experiment of each kind, on generated data, for `unroll verify --quick` and the tests."""

import shutil
from pathlib import Path

from pipeline.files import write_text
from pipeline.provenance.machine import PACKAGES
from pipeline.workspace import Workspace
from unroll.workspaces.scaled import copy_graph

PARAMS = Path(__file__).with_suffix(".yaml")

CLAIMS = """
- {document: "003", words: close to 0.02, experiment: waves_linear, metric: final.test.mse, value: "0.02", width: 2}
"""


def make_workspace(root: Path, folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with the miniature, and with copies of the graph and the code of `root`."""
    copy_graph(root, folder)
    for name in PACKAGES:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PARAMS, folder / "params.yaml")
    write_text(folder / "claims.yaml", CLAIMS)
    return Workspace(folder)
