"""The stage `refit`: the best model of a series of one's own, fitted on all rows."""

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline import locks, tables
from pipeline.config import params
from pipeline.config.params import Experiment, Params
from pipeline.data import dataset, row_files
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.data.series import files_of
from pipeline.data.series_options import Fitted
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, write_json, write_npz
from pipeline.report.titles import ensemble_title, short_title
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from series import backtest, leaderboard
from series.backtest import Origins
from series.forecaster import Forecaster
from series.leaderboard import ENSEMBLE, Leaderboard
from series.rows import History, histories
from series.spec import ForecasterSpec, Member, SeriesQuestion, fitted_of
from stages.progress import Epochs


def refit(workspace: Workspace, name: str) -> ForecasterSpec:
    """Write forecasters/NAME, as `Forecaster.load` reads it, and return its forecaster.json.

    Networks are trained for as many epochs as in the backtest, with the same seeds.

    Raises:
        UsageError: NAME is no key of `forecasts` in params.yaml.
        UnrollError: the evaluation, the data set or a run is not built.
    """
    config = params.load(workspace.params)
    config.forecast(name)
    with locks.stage(workspace, "refit", name):
        board = leaderboard.load(workspace.evaluation(name))
        data = dataset.load(workspace.prepared(name), calendar=True)
        fitted = fitted_of(data)
        questions = {key: SeriesQuestion(name, fitted, key) for key in fitted.series}
        where = next(iter(questions.values())).where
        paths = files_of(workspace.raw(config.dataset(name).source), fitted.csv.file)
        files = [row_files.RowFile(path, fitted.csv, where) for path in paths]
        rows = histories(questions, files, row_files.no_progress, plan=None)
        data = _all_rows(data, fitted, rows)
        with atomic_folder(workspace.forecaster(name), workspace.scratch) as folder:
            weights = {key: folder / "weights" / key for key in board.members}
            models = config.experiments_of(name)
            members = [fit_member(workspace, models[key], key, data, weights[key]) for key in board.members]
            spec = _spec(config, board, members, data, rows)
            forecasts = tables.read_parquet(workspace.evaluation(name) / "tables" / backtest.TABLE)
            arrays = Origins.of(data, forecasts).arrays(board.members)
            write_json(folder / "forecaster.json", spec.model_dump())
            forecaster = Forecaster.ready(spec, arrays, weights)
            # Store the forecasts after the last row, too. If these cannot be made, `predict` will say why.
            with warnings.catch_warnings(action="ignore"), contextlib.suppress(UnrollError):
                arrays |= forecaster.answers(forecaster.read(paths).values())
            write_npz(folder / "forecaster.npz", arrays)
    return spec


def _all_rows(data: Dataset, fitted: Fitted, histories: Mapping[str, History]) -> Dataset:
    """The data set with all windows of all rows as its train split, those after the last origin included."""
    series = [history.windows() for history in histories.values()]
    starts = np.cumsum([0, *(len(windows.series) for windows in series)])[:-1]
    measured = [windows.measured for windows in series if windows.measured is not None]
    rows = np.concatenate([windows.rows + start for windows, start in zip(series, starts, strict=True)])
    train = replace(
        series[0],
        series=np.concatenate([windows.series for windows in series]),
        rows=rows[:: -fitted.windows.stride][::-1],  # every stride-th, with the last
        measured=np.concatenate(measured) if measured else None,
    )
    return replace(data, splits={"train": train})


def fit_member(workspace: Workspace, experiment: Experiment, name: str, data: Dataset, weights: Path) -> Member:
    """Fit a model on the train split of `data`, its only one, and write the weights into the new folder `weights`."""
    run = run_folder.load_for(workspace.run(data.name, name), data.name, experiment.seeds)
    if run.varies:
        experiment = backtest.with_epochs(experiment, run.summary.epochs)
    train = data.splits["train"]
    if not isinstance(train, Windows):
        raise TypeError(data.name)
    if not experiment.calendar:
        train = replace(train, series=train.series[:, : -data.calendar])
        data = replace(data, splits={"train": train}, calendar=0)
    epochs = Epochs(f"{data.name}/{name}", experiment.training.options, experiment.seeds)
    trained, job = backtest.fit(name, experiment, data, train, replace(train, rows=train.rows[-1:]), epochs)
    weights.mkdir(parents=True)
    replicates = trained.replicates if run.varies else trained.replicates[:1]
    for replicate in replicates:
        trained.save(replicate.weights["final"], weights / f"seed_{replicate.seed}_final")
    seeds = [replicate.seed for replicate in replicates]
    return Member(name=name, experiment=experiment, problem=asdict(problem(job.dataset)), seeds=seeds, point="final")


def _spec(
    config: Params, board: Leaderboard, members: list[Member], data: Dataset, rows: Mapping[str, History]
) -> ForecasterSpec:
    """What forecaster.json holds; `low` and `high`, beyond which `predict` warns of a value, are of all rows."""
    question = next(iter(rows.values())).question
    until = max(history.measured.series.timestamps[-1] for history in rows.values())
    statistics = {}
    for name, history in rows.items():
        values = history.measured.series.values
        ends = {"low": values.min(axis=0).tolist(), "high": values.max(axis=0).tolist()}
        statistics[name] = history.question.statistics.model_copy(update=ends)
    titles = {key: short_title(config, f"{board.dataset}/{key}") for key in board.models if key != ENSEMBLE}
    champion = titles.get(board.champion, ensemble_title(len(members)))
    return ForecasterSpec(
        name=board.dataset,
        dataset=board.dataset,
        members=members,
        fitted=question.fitted.model_copy(update={"series": statistics}),
        stride=backtest.stride(data),
        judged="rolling origins",
        why=f"{champion}, fitted on all rows to {question.when(until)}: {board.why(titles)}",
        until=str(until),
    )
