"""A workspace to measure in, and the environment of the processes that run there."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import process_cost
from bench.repository import REPOSITORY
from pipeline.config import plain_yaml
from pipeline.files import write_text
from pipeline.workspace import Workspace
from stages.workspaces import scaled


def make_workspace(folder: Path, plain: Mapping[str, Any]) -> Workspace:
    """A fresh DVC workspace with the code and the graph of this repository, for `plain` as its params.yaml."""
    workspace = scaled.make_workspace(REPOSITORY, folder)
    # Copied, compiled files too, so that an edit during a build does not change what is measured.
    for name in scaled.LINKED:
        (folder / name).unlink()
        shutil.copytree(REPOSITORY / name, folder / name)
    plain_yaml.write(plain, workspace.params)
    # The page of a scaled workspace gives no verdict on a published figure; it needs none then.
    write_text(workspace.claims, "[]\n")
    return workspace


def environment(workspace: Workspace, *on_path: Path) -> dict[str, str]:
    """The variables of a process that runs in a workspace; `on_path` is where else it finds modules."""
    own = ("DVC_", "MLFLOW_", "UNROLL_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {
        "PATH": os.pathsep.join([str(process_cost.interpreter().parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(str(path) for path in (workspace.root, *on_path)),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(workspace.scratch / "site-cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
