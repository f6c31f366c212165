"""An experiment of DVC (`dvc exp run -S ...`) that this process trains a part of: its name, and what it changes."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import environment
from pipeline.workspace import Workspace


def current() -> str:
    """The name of DVC's experiment; empty in an ordinary build."""
    return os.environ.get("DVC_EXP_NAME", "") if os.environ.get("DVC_ROOT") else ""


def home(workspace: Workspace) -> Workspace:
    """The workspace that keeps the records: this one, or that which DVC copied it from, to throw the copy away."""
    return Workspace(Path(os.environ["DVC_ROOT"])) if current() else workspace


def changed(workspace: Workspace, name: str) -> list[str]:
    """The options, such as "model.units=16", that differ from those of the commit that DVC's experiment starts from.

    They are an experiment's and its data set's; there are none where the commit cannot be read.
    """
    text = environment.at_commit(workspace, os.environ.get("DVC_EXP_BASELINE_REV", ""), workspace.params.name)
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
