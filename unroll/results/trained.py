"""The end of `unroll train`: the score of each run beside the committed score."""

from statistics import fmean

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import compared
from pipeline.errors import UnrollError
from pipeline.metrics import score
from pipeline.report.formatting import measured
from pipeline.training import run_folder
from pipeline.training.run_folder import Run
from pipeline.validation import Metrics
from pipeline.workspace import Workspace
from unroll import tables
from unroll.workspaces.checkout import git


def show_trained(workspace: Workspace, name: str, only: str = "") -> None:
    """Print the score on test of all runs of a data set, or of the run `only`, beside
    the committed score.

    Raises:
        UnrollError: a run is damaged.
    """
    data = dataset.load(workspace.prepared(name))
    rows = []
    for key in params.load(workspace.params).experiments_of(name):
        if only in {"", key}:
            new = score_of(data, run_folder.load(workspace.run(name, key)))
            old = committed_score(workspace, name, key, data.metric)
            texts = (_text(new, data.metric), _text(old, data.metric))
            rows.append([f"{name}/{key}", *texts])
    header = ("run", f"{data.metric} on test", "committed")
    tables.show(header, rows, numeric=header[1:])


def score_of(data: Dataset, run: Run) -> float | None:
    """Return the mean over seeds of the data set's metric on test.

    It is the metric of the weights that validation has chosen. Return None if a run has
    no predictions on test.
    """
    predictions = run.predictions.get(f"{run.points[-1]}_test")
    if predictions is None:
        return None
    targets = compared(data.splits["test"])
    return fmean(score(data.metric, of_seed, targets) for of_seed in predictions)


def committed_score(
    workspace: Workspace, name: str, key: str, metric: str
) -> float | None:
    """Return the score of experiment `key` in results/metrics of the last commit.

    Return None if there is no such file, for example outside git, or if it is damaged.
    """
    file = workspace.metrics(name) / f"{key}.json"
    path = file.relative_to(workspace.root).as_posix()
    try:
        text = git(workspace.root, "show", f"HEAD:./{path}")
        return Metrics.model_validate_json(text).root.get(metric)
    except (UnrollError, ValueError):
        return None


def _text(value: float | None, metric: str) -> str:
    return "" if value is None else measured(value, metric)
