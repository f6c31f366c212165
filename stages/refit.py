"""The stage `refit`: the champion of a backtest, fitted on all rows that there are."""

import contextlib
import warnings
from dataclasses import asdict, replace

import numpy as np

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset, row_files, several
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.data.series import files_of
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, read_npz, write_json, write_npz
from pipeline.forecast import backtest, rolling
from pipeline.forecast.forecaster import Forecaster
from pipeline.forecast.question import Question
from pipeline.forecast.rows import History, histories
from pipeline.forecast.spec import Member, Part, Spec
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.progress import Epochs


def refit(workspace: Workspace, name: str) -> Spec:
    """Write forecasters/NAME, as `Forecaster.load` reads it.

    Networks are trained for as many epochs as were best on validation, with the same seeds.

    Raises:
        UsageError: NAME is no key of `forecasts` in params.yaml.
        UnrollError: something is not built.
    """
    wanted = params.load(workspace.params)
    candidates, section = wanted.candidates(name), wanted.dataset(name)
    with locks.stage(workspace, "refit", name):
        chosen = backtest.load(workspace.backtest(name))
        data = dataset.load(workspace.prepared(name), calendar=True)
        questions = Question.of(data)
        question = next(iter(questions.values()))
        paths = files_of(workspace.raw(section.source), question.preparation["file"])
        files = [row_files.File(path, question.form, question.where) for path in paths]
        found = histories(questions, files, row_files.unseen, plan=None)
        each = [found[word].windows() for word in questions]
        inputs, rows = several.behind([one.series for one in each], {"train": [one.rows for one in each]})
        windows = replace(each[0], series=inputs, rows=rows["train"])
        with atomic_folder(workspace.forecaster(name), workspace.scratch) as folder:
            members = []
            for key in chosen.members:
                experiment = candidates[key]
                if key in wanted.experiments_of(name):
                    run = run_folder.load_for(workspace.run(name, key), name, experiment.seeds)
                    experiment = rolling.settled(experiment, run.summary.best_epochs)
                seen = replace(data, splits={"train": windows})
                if not experiment.calendar:
                    bare = replace(windows, series=windows.series[:, : -data.calendar])
                    seen = replace(data, splits={"train": bare}, calendar=0)
                train = rolling.whole(seen)
                shown_epochs = Epochs(key, experiment.training.options, experiment.seeds)
                trained = rolling.fit(key, experiment, seen, train, replace(train, rows=train.rows[-1:]), shown_epochs)
                (folder / "weights" / key).mkdir(parents=True)
                seeds = [one.seed for one in trained.replicates][: None if trained.layers else 1]
                for one in trained.replicates[: len(seeds)]:
                    trained.save(one.weights["final"], folder / "weights" / key / f"seed_{one.seed}_final")
                asked = asdict(problem(replace(seen, splits={"train": rolling.seen_by(experiment, train)})))
                members.append(Member(name=key, experiment=experiment, problem=asked, seeds=seeds, point="final"))
            spec = _spec(name, chosen, members, data, questions, found)
            write_json(folder / "forecaster.json", spec.model_dump())
            backtested = read_npz(workspace.backtest(name) / "forecasts.npz")
            said = np.stack([backtested[key] for key in chosen.members])
            arrays = {"truth": backtested["truth"], "said": said}
            arrays |= {"series": backtested["series"]} if chosen.each else {}
            forecaster = Forecaster.ready(spec, arrays, {key: folder / "weights" / key for key in chosen.members})
            # What comes next is said now. Rows that nothing can follow are for `predict` to complain of.
            with warnings.catch_warnings(action="ignore"), contextlib.suppress(UnrollError):
                arrays |= forecaster.answers(forecaster.read(paths).values())
            write_npz(folder / "forecaster.npz", arrays)
    return spec


def _spec(
    name: str,
    chosen: backtest.Backtest,
    members: list[Member],
    data: Dataset,
    questions: dict[str, Question],
    found: dict[str, History],
) -> Spec:
    asked = {}
    for word, question in questions.items():
        values = found[word].measured.series.values
        ranges = {"low": values.min(axis=0).tolist(), "high": values.max(axis=0).tolist()}
        asked[word] = question.model_copy(update={"fitted": question.fitted.model_copy(update=ranges)})
    word, question = next(iter(asked.items()))
    until = found[word].measured.series.stamps[-1]
    return Spec(
        name=name,
        members=members,
        each={word: Part(question=asked[word], scale=scale) for word, scale in several.scales(data).items()},
        why=f"{chosen.champion}, fitted on all rows to {question.when(until)}: {chosen.why}",
        until=str(until),
        apart=rolling.stride(data),
        judged=f"From {chosen.origins} rolling origins",
    )
