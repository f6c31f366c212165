"""The stage `report`: the page with every table, plot and verdict."""

from pathlib import Path

from pipeline.config import params
from pipeline.files import write_text
from pipeline.report.page import page
from pipeline.report.results import load
from pipeline.workspace import Workspace


def report(workspace: Workspace) -> Path:
    """Write results/index.html from params.yaml, claims.yaml and the evaluations that are built; returns its path.

    Raises:
        UsageError: params.yaml or claims.yaml is wrong.
        UnrollError: an evaluation is damaged.
    """
    write_text(workspace.report, page(load(workspace, params.load(workspace.params))))
    return workspace.report
