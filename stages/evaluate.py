"""The stage `evaluate`: every experiment of a data set, scored side by side."""

from typing import Any

from pipeline import dataset as datasets
from pipeline import excerpts, params, tracking
from pipeline.evaluation import evaluate as score
from pipeline.evaluation import load_run
from pipeline.params import Params
from pipeline.storage import Workspace, atomic_folder, write_csv, write_json
from stages import alone


def evaluate(workspace: Workspace, name: str) -> dict[str, Any]:
    """Score the runs of data set `name`; write metrics/NAME.json and evaluations/NAME/.

    Which experiments there are comes from params.yaml, never from the folder: one that was removed
    there is in no table, whatever it left behind.

    Args:
        workspace: where params.yaml, the prepared data and the runs are.
        name: a data set of params.yaml.

    Returns:
        What evaluation.json holds (see `pipeline.evaluation.evaluate`).

    Raises:
        UsageError: there is no such data set.
        UnrollError: the data set is not prepared, or a run is missing or damaged.
    """
    wanted = params.load(workspace.params)
    wanted.dataset(name)
    with alone.at(workspace, "evaluate", name):
        return _evaluate(workspace, wanted, name)


def _evaluate(workspace: Workspace, wanted: Params, name: str) -> dict[str, Any]:
    dataset = datasets.load(workspace.prepared(name))
    runs = [
        load_run(workspace.run(name, key), name, key, experiment.seeds, baseline=experiment.model.family == "baselines")
        for key, experiment in wanted.experiments_of(name).items()
    ]
    evaluation = score(dataset, runs)
    with atomic_folder(workspace.evaluation(name), workspace.scratch) as folder:
        write_json(folder / "evaluation.json", evaluation)
        write_csv(folder / "history.csv", *excerpts.history(runs))
        write_csv(folder / "predictions.csv", *excerpts.predictions(dataset, runs))
        # Always there, since dvc.yaml names each file: of a data set without rollout it has no lines.
        rollout = excerpts.rollouts(dataset, runs) if dataset.rollout else ([], ["step", "truth"])
        write_csv(folder / "rollout.csv", *rollout)
        # Before the folder takes its place: on a full disk both stay what they were.
        write_json(workspace.metrics(name), excerpts.compact(evaluation))
    tracking.evaluation(workspace, name, evaluation)
    return evaluation
