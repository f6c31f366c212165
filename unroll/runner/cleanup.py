"""What removed experiments have left behind."""

from pipeline.config.params import Params
from pipeline.files import remove
from pipeline.workspace import Workspace


def prune(workspace: Workspace, wanted: Params) -> None:
    """Remove the runs, evaluations and metrics of what `wanted` does not have; make the folders that DVC hashes."""
    used = {name: {*wanted.experiments_of(name)} for name in wanted.datasets}
    evaluations, metrics = workspace.root / "results" / "evaluations", workspace.root / "results" / "metrics"
    every = (workspace.root / "runs", evaluations, metrics)
    stale = [path for folder in every for path in folder.glob("*/") if path.name not in used]
    for name, experiments in used.items():
        stale += [run for run in workspace.runs(name).glob("*") if run.name not in experiments]
        stale += [file for file in workspace.metrics(name).glob("*.json") if file.stem not in experiments]
    checkpoints = workspace.scratch / "checkpoints"
    stale += [file for file in checkpoints.glob("*.npz") if file.name.partition(".")[0] not in wanted.experiments]
    for path in stale:
        remove(path)
    for folder in (evaluations, metrics, *(workspace.runs(name) for name in used)):
        folder.mkdir(parents=True, exist_ok=True)
