"""The stage `report`: the page with every table, plot and verdict."""

from pathlib import Path

from pipeline.report.page import page
from pipeline.report.results import load
from pipeline.storage import Workspace, write_text


def report(workspace: Workspace) -> Path:
    """Write report/index.html from params.yaml, claims.yaml and the evaluations that are there.

    Args:
        workspace: where they are; `.unroll/failures` says why something is missing.

    Returns:
        The path of the page.

    Raises:
        UsageError: params.yaml or claims.yaml is wrong.
        UnrollError: an evaluation is damaged.
    """
    write_text(workspace.report, page(load(workspace)))
    return workspace.report
