"""The stage `evaluate`: every experiment of a data set, scored side by side."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.evaluation import playable, plot_data, scores, verdicts
from pipeline.evaluation.schema import Evaluation, metrics
from pipeline.files import atomic_folder, write_json, write_table
from pipeline.training import run_folder
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace


def evaluate(workspace: Workspace, name: str) -> Evaluation:
    """Score the runs of data set `name`; write results/metrics/NAME/ and
    results/evaluations/NAME/.

    Only experiments of params.yaml are scored. The run folder of an experiment that was
    removed from params.yaml is ignored.

    Raises:
        UsageError: there is no such data set.
        UnrollError: the data set is not prepared, or a run is missing or damaged.
    """
    config = params.load(workspace.params)
    experiments = config.experiments_of(name)
    params.require_prepared(workspace, name, f"evaluate@{name}")
    with workspace.stage("evaluate", name):
        data = dataset.load(workspace.prepared(name))
        runs = {
            key: run_folder.load_for(workspace.run(name, key), name, experiment.seeds)
            for key, experiment in experiments.items()
        }
        scratch = workspace.scratch
        with (
            atomic_folder(workspace.evaluation(name), scratch) as folder,
            atomic_folder(workspace.metrics(name), scratch) as metrics_folder,
        ):
            evaluation = scores.evaluate(data, runs, experiments)
            (folder / "tables").mkdir()
            _write_tables(workspace, config, data, runs, evaluation, folder / "tables")
            write_json(folder / "evaluation.json", evaluation.model_dump())
            history = plot_data.rounded(plot_data.history(runs))
            write_table(folder / "history.csv", history)
            write_table(folder / "scores.csv", plot_data.scores(evaluation))
            for key, values in metrics(evaluation).items():
                write_json(metrics_folder / f"{key}.json", values)
    return evaluation


def _write_tables(
    workspace: Workspace,
    config: Params,
    data: Dataset,
    runs: Mapping[str, Run],
    evaluation: Evaluation,
    folder: Path,
) -> None:
    """Write the tables behind a data set's plots, and its playable networks, into a folder."""
    compared = verdicts.answer(evaluation).compared
    for table, columns in plot_data.tables(data, runs, compared).items():
        write_table(folder / f"{table}.csv", plot_data.rounded(columns))
    preparation = config.dataset(data.name).preparation.name
    experiments = config.experiments_of(data.name)
    networks = playable.networks(
        data, preparation, runs, experiments, evaluation, workspace.runs(data.name)
    )
    for file, network in networks.items():
        write_json(folder / file, network.model_dump())
