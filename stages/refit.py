"""The stage `refit`: the champion of a series, fitted on all rows that there are."""

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline import locks, tables
from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data import dataset, row_files
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.data.series import files_of
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, write_json, write_npz
from pipeline.forecast import backtest, leaderboard
from pipeline.forecast.forecaster import Forecaster
from pipeline.forecast.leaderboard import Leaderboard
from pipeline.forecast.question import Question
from pipeline.forecast.rows import History, histories
from pipeline.forecast.spec import Member, Part, Spec
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.progress import Epochs


def refit(workspace: Workspace, name: str) -> Spec:
    """Write forecasters/NAME, as `Forecaster.load` reads it.

    Networks are trained for as many epochs as they had in the backtest, with the same seeds.

    Raises:
        UsageError: NAME is no key of `forecasts` in params.yaml.
        UnrollError: something is not built.
    """
    wanted = params.load(workspace.params)
    wanted.forecast(name)
    with locks.stage(workspace, "refit", name):
        board = leaderboard.load(workspace.evaluation(name))
        data = dataset.load(workspace.prepared(name), calendar=True)
        questions = Question.of(data)
        question = next(iter(questions.values()))
        paths = files_of(workspace.raw(wanted.dataset(name).source), question.csv.file)
        files = [row_files.RowFile(path, question.csv, question.where) for path in paths]
        rows = histories(questions, files, row_files.unseen, plan=None)
        data = _whole(data, rows)
        with atomic_folder(workspace.forecaster(name), workspace.scratch) as folder:
            members = [_fit(workspace, wanted.experiment(key), key, data, folder / "weights") for key in board.members]
            spec = _spec(board, members, data, questions, rows)
            table = tables.read_parquet(workspace.evaluation(name) / "tables" / backtest.TABLE)
            arrays = backtest.past(table, board.members, data)
            write_json(folder / "forecaster.json", spec.model_dump())
            forecaster = Forecaster.ready(spec, arrays, {key: folder / "weights" / key for key in board.members})
            # What comes next is said now. Rows that nothing can follow are for `predict` to complain of.
            with warnings.catch_warnings(action="ignore"), contextlib.suppress(UnrollError):
                arrays |= forecaster.answers(forecaster.read(paths).values())
            write_npz(folder / "forecaster.npz", arrays)
    return spec


def _whole(data: Dataset, rows: Mapping[str, History]) -> Dataset:
    """The data set with one split, of all windows of all rows, later ones than the backtest's too."""
    parts = [history.windows() for history in rows.values()]
    lengths = np.cumsum([0, *(len(part.series) for part in parts)])
    measured = [part.measured for part in parts if part.measured is not None]
    windows = replace(
        parts[0],
        series=np.concatenate([part.series for part in parts]),
        rows=np.concatenate([part.rows + start for part, start in zip(parts, lengths, strict=False)]),
        measured=np.concatenate(measured) if measured else None,
    )
    thin = data.fitted.windows.stride if data.fitted else 1
    return replace(data, splits={"train": replace(windows, rows=windows.rows[::-thin][::-1])})


def _fit(workspace: Workspace, experiment: Experiment, name: str, data: Dataset, weights: Path) -> Member:
    """Fit a member on all windows, and write its weights into WEIGHTS/NAME."""
    run = run_folder.load_for(workspace.run(data.name, name), data.name, experiment.seeds)
    if run.varies:
        experiment = backtest.with_epochs(experiment, run.summary.epochs)
    train = data.splits["train"]
    if not isinstance(train, Windows):
        raise TypeError(data.name)
    if not experiment.calendar:
        train = replace(train, series=train.series[:, : -data.calendar])
        data = replace(data, splits={"train": train}, calendar=0)
    shown_epochs = Epochs(name, experiment.training.options, experiment.seeds)
    trained, job = backtest.fit(name, experiment, data, train, replace(train, rows=train.rows[-1:]), shown_epochs)
    (weights / name).mkdir(parents=True)
    seeds = [replicate.seed for replicate in trained.replicates][: None if run.varies else 1]
    for replicate in trained.replicates[: len(seeds)]:
        trained.save(replicate.weights["final"], weights / name / f"seed_{replicate.seed}_final")
    return Member(name=name, experiment=experiment, problem=asdict(problem(job.dataset)), seeds=seeds, point="final")


def _spec(
    board: Leaderboard,
    members: list[Member],
    data: Dataset,
    questions: Mapping[str, Question],
    rows: Mapping[str, History],
) -> Spec:
    ranges = {
        name: {"low": history.measured.series.values.min(axis=0), "high": history.measured.series.values.max(axis=0)}
        for name, history in rows.items()
    }
    fitted = next(iter(questions.values())).fitted
    statistics = {
        name: fitted.series[name].model_copy(update={key: ends.tolist() for key, ends in ranges[name].items()})
        for name in fitted.series
    }
    fitted = fitted.model_copy(update={"series": statistics})
    series = {
        name: Part(question=question.model_copy(update={"fitted": fitted}), scale=data.scales[name])
        for name, question in questions.items()
    }
    until = next(iter(rows.values())).measured.series.timestamps[-1]
    first = next(iter(questions.values()))
    return Spec(
        name=board.dataset,
        members=members,
        series=series,
        why=f"{board.champion}, fitted on all rows to {first.when(until)}: {board.why}",
        until=str(until),
        stride=backtest.stride(data),
        judged=f"From {board.origins} rolling origins",
    )
