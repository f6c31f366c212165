"""An experiment of DVC (`dvc exp run -S ...`) that this process trains a part of: its name, and what it changes."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import environment
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class DvcExperiment:
    """What DVC says of itself to the stages that it runs.

    Attributes:
        name: of DVC's experiment; empty in an ordinary build.
        root: the workspace that it belongs to: DVC may run it in a copy that is thrown away.
        baseline: the commit that it starts from.
    """

    name: str = ""
    root: Path | None = None
    baseline: str = ""


def current() -> DvcExperiment:
    """The one that this process is run for."""
    name, root = os.environ.get("DVC_EXP_NAME", ""), os.environ.get("DVC_ROOT")
    if not name or not root:
        return DvcExperiment()
    return DvcExperiment(name, Path(root), os.environ.get("DVC_EXP_BASELINE_REV", ""))


def home(workspace: Workspace) -> Workspace:
    """The workspace that keeps the records: this one, or that which DVC copied it from."""
    found = current()
    return Workspace(found.root) if found.root else workspace


def changed(workspace: Workspace, baseline: str, name: str) -> list[str]:
    """The options of an experiment and its data set that differ from those of a commit, such as "model.units=16".

    Args:
        workspace: its params.yaml is that of today.
        baseline: the commit; nothing has changed where it cannot be read.
        name: the experiment.
    """
    text = environment.at_commit(workspace, baseline, workspace.params.name)
    if text is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / workspace.params.name
        write_text(path, text)
        try:
            before, today = _options(params.load(path), name), _options(params.load(workspace.params), name)
        except UnrollError:
            return []
    return [f"{key}={value}" for key, value in today.items() if before.get(key) != value]


def _options(every: Params, name: str) -> dict[str, str]:
    if name not in every.experiments:
        return {}
    one, flat = every.experiments[name], dict[str, Any]()
    preparation = every.datasets[one.dataset].preparation.model_dump()
    for key, value in {**one.model_dump(), "preparation": preparation}.items():
        flat |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat.items()}
