"""A small graph with an experiment of each kind, on generated data."""

import shutil
from pathlib import Path

from pipeline.config.params import TEMPLATES
from pipeline.provenance.machine import PACKAGES, PACKED
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.workspaces.make import copy_graph

CLAIMS = """
- document: "003"
  words: close to 0.02
  experiment: waves/linear
  metric: final.test.mse
  value: "0.02"
  width: 2
"""


def make(folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with copies of the graph and of the code."""
    copy_graph(REPOSITORY, folder)
    ignored = shutil.ignore_patterns("__pycache__", PACKED[-1])
    for name in PACKAGES:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    here = Path(__file__).parent
    shutil.copyfile(here / "miniature.yaml", folder / "params.yaml")
    shutil.copyfile(here / "miniature_templates.yaml", folder / TEMPLATES)
    (folder / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    return Workspace(folder)
