"""The stage `report`: writes the answers, and the page with all tables, plots and
verdicts.
"""

from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import verdicts
from pipeline.files import write_text
from pipeline.report.built_results import load
from pipeline.report.page import page
from pipeline.workspace import Workspace


def report(workspace: Workspace) -> Path:
    """Write results/answers.json and results/index.html; return the path of the page.

    Both files are made from params.yaml, official.yaml, claims.yaml and the evaluations
    that are built.

    Raises:
        UsageError: params.yaml or claims.yaml is wrong.
        UnrollError: an evaluation is damaged.
    """
    config = params.load_all(workspace.params)
    verdicts.write(workspace, config)
    write_text(workspace.report, page(load(workspace, config, own_code=True)))
    return workspace.report
