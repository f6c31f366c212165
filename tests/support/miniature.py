"""A small graph with an experiment of each kind, on generated data."""

import shutil
from pathlib import Path

from pipeline.config.params import TEMPLATES
from pipeline.files import write_text
from pipeline.provenance.places import CODE, project_of
from pipeline.workspace import Workspace
from unroll.builds.demo import copy_code, copy_graph

CLAIMS = """
- document: "003"
  words: close to 0.02
  experiment: waves/linear
  metric: final.test.mse
  value: "0.02"
  width: 2
"""
"""The text of the miniature's claims.yaml."""


def make(folder: Path) -> Workspace:
    """Make a new folder a DVC workspace with copies of the graph and of the code."""
    copy_graph(project_of(CODE), folder)
    copy_code(folder)
    here = Path(__file__).parent
    shutil.copyfile(here / "miniature.yaml", folder / "params.yaml")
    shutil.copyfile(here / "miniature_templates.yaml", folder / TEMPLATES)
    write_text(folder / "claims.yaml", CLAIMS)
    return Workspace(folder)
