"""The stage `evaluate`: every experiment of a data set, scored side by side."""

from pipeline import locks, tables
from pipeline.config import params
from pipeline.data import dataset
from pipeline.evaluation import answers, backtest, networks, plot_data, scores
from pipeline.evaluation.schema import Evaluation
from pipeline.files import atomic_folder, write_json
from pipeline.tracking import live
from pipeline.training import run_folder
from pipeline.workspace import Workspace


def evaluate(workspace: Workspace, name: str) -> Evaluation:
    """Score the runs of data set `name`; write results/metrics/NAME/ and results/evaluations/NAME/.

    Which experiments there are comes from params.yaml, never from the folder: one that was removed
    there is in no table, whatever it left behind.

    Raises:
        UsageError: there is no such data set.
        UnrollError: the data set is not prepared, or a run is missing or damaged.
    """
    wanted = params.load(workspace.params)
    preparation = wanted.dataset(name).preparation.name
    with locks.stage(workspace, "evaluate", name):
        data = dataset.load(workspace.prepared(name))
        experiments = wanted.experiments_of(name)
        runs = {key: run_folder.load_for(workspace.run(name, key), name, e.seeds) for key, e in experiments.items()}
        evaluation = scores.evaluate(data, runs, experiments)
        with atomic_folder(workspace.evaluation(name), workspace.scratch) as folder:
            write_json(folder / "evaluation.json", evaluation.model_dump())
            tables.write(folder / "history.csv", plot_data.rounded(plot_data.history(runs)))
            headline = answers.headline(evaluation)
            tables.write(folder / "scores.csv", plot_data.scores(headline))
            answer = answers.answer(evaluation)
            compared = [name for name in (answer.network, answer.opponent) if name]
            shown = plot_data.tables(data, runs, compared)
            if best := answers.champion(evaluation):
                shown |= backtest.tables(data, best[0], runs[best[0]])
            for table, columns in shown.items():
                tables.write(folder / "tables" / f"{table}.csv", plot_data.rounded(columns))
            played = networks.network(data, preparation, runs, experiments, evaluation, workspace.runs(name))
            if played:
                write_json(folder / "tables" / "network.json", played.model_dump())
            # Before the folder takes its place: on a full disk both stay what they were.
            with atomic_folder(workspace.metrics(name), workspace.scratch) as headlines:
                for key, numbers in headline.items():
                    write_json(headlines / f"{key}.json", numbers)
        live.scored(workspace, wanted, name)
    return evaluation
