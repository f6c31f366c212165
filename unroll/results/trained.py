"""The end of `unroll train`: the score of each run beside the committed score."""

from statistics import fmean

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import compared
from pipeline.files import read_checked
from pipeline.metrics import score
from pipeline.training import run_folder
from pipeline.training.run_folder import Run
from pipeline.validation import Metrics
from pipeline.workspace import Workspace
from unroll import tables
from unroll.hints import program


def show_trained(workspace: Workspace, name: str, only: str = "") -> None:
    """Print the scores of one or all runs of a data set, and the next command.

    Raises:
        UnrollError: a run is damaged.
    """
    config = params.load(workspace.params)
    data = dataset.load(workspace.prepared(name))
    rows = []
    for key in config.experiments_of(name):
        if only in {"", key}:
            new = score_of(data, run_folder.load(workspace.run(name, key)))
            committed = committed_score(workspace, name, key, data.metric)
            rows.append([f"{name}/{key}", _text(new), _text(committed)])
    header = ("run", f"{data.metric} on test", "committed")
    tables.show(header, rows, numeric=header[1:])
    unroll = program(workspace)
    print(f"Next: `{unroll} repro evaluate@{name}`, then `{unroll} compare {name}`.")


def score_of(data: Dataset, run: Run) -> float | None:
    """Return the mean over seeds of the data set's metric on test.

    It is that of the weights that validation has chosen. Return None if a run has no
    predictions on test.
    """
    predictions = run.predictions.get(f"{run.points[-1]}_test")
    if predictions is None:
        return None
    targets = compared(data.splits["test"])
    return fmean(score(data.metric, of_seed, targets) for of_seed in predictions)


def committed_score(
    workspace: Workspace, name: str, experiment: str, metric: str
) -> float | None:
    """Return the score of an experiment in results/metrics, or None."""
    path = workspace.metrics(name)
    if not path.exists():
        return None
    return read_checked(path, Metrics).root.get(experiment, {}).get(metric)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
