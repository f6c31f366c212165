"""The command `answer`: does a series of one's own need a recurrent network, and what comes next? In one command."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import params, registry
from pipeline.config.params import Experiment, Params
from pipeline.data.dataset import Dataset
from pipeline.data.series_options import Windowing
from pipeline.errors import UsageError, printable
from pipeline.evaluation.verdicts import SEASON
from pipeline.files import write_text
from pipeline.report.page import answer_page
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from series import backtest, leaderboard, plot
from series.backtest import Fold
from series.question import Wanted
from series.reading.profile import Overrides
from stages.estimates import Estimates
from stages.progress import duration
from unroll.add.add import add
from unroll.hints import program
from unroll.repro import repro, require_built
from unroll.results import compare, predict
from unroll.results.answer import ANSWERS, SeriesAnswer, answer, errors_by_block, later_half, months_per_row, table
from unroll.results.predict import Predicted
from unroll.workspaces import make

START, FIXED = 1.0, 4.0
"""CPU seconds of each stage, and of those that are no model."""

EPOCHS = 12
"""That networks have, as a rule."""


def series_named(workspace: Workspace, target: str, name: str | None = None) -> str | None:
    """The data set that a target names: by its own name, or by its file; None where params.yaml has neither.

    Raises:
        UsageError: the file has several, and `name` does not say which.
    """
    if not workspace.params.is_file():
        return None
    config = params.load(workspace.params)
    if target in config.datasets:
        return target
    path = Path(target).resolve()
    names = [key for key, file in config.files.items() if (workspace.root / file.path).resolve() == path]
    names = [key for key in names if key in config.datasets and name in {None, key}]
    if len(names) > 1:
        raise UsageError(f"{target} has several questions; name one: {', '.join(names)}")
    return names[0] if names else None


def workspace_for(root: Path | None, files: Sequence[str]) -> Workspace:
    """Where a series is answered: the folder that is named, else this one if it has a params.yaml, else one to make.

    Raises:
        UsageError: no file is named, and there is no params.yaml.
    """
    here = Path("params.yaml").is_file()
    if root is None and not here and not files:
        raise UsageError("there is no params.yaml here; name a file, such as `unroll answer meter.csv`")
    workspace = Workspace((root or Path("" if here else Path(files[0]).stem)).resolve())
    if not workspace.params.is_file() and not (files and Path(files[0]).is_file()):
        lacking = f"{files[0]} is {'a folder' if Path(files[0]).is_dir() else 'not there'}" if files else "no file"
        raise UsageError(f"{lacking}; name a CSV or Parquet file")
    return workspace


def build(workspace: Workspace, files: Sequence[str], wanted: Wanted, overrides: Overrides, jobs: int) -> SeriesAnswer:
    """Add a series if it is new, build what is out of date, and say what came out.

    Raises:
        UsageError, UnrollError: in one line; what was built is kept, and the same command goes on.
    """
    name = series_named(workspace, files[0], wanted.name)
    if name is None:
        name = _added(workspace, [Path(file) for file in files], wanted, overrides)
        print()
    elif len(files) > 1 and files[0] == name:
        raise UsageError("name one series; `unroll compare` shows several")
    config = params.load(workspace.params)
    one_of(name, config.forecasts, "the series")
    as_before(config, name, wanted)
    if not (workspace.forecaster(name) / "forecaster.json").is_file():
        announce(workspace, config, name, jobs)
    os.environ["UNROLL_JOBS"] = str(jobs)
    require_built(workspace, repro(workspace, [f"refit@{name}"], quiet=True), name)
    print()
    return answer(workspace, name)


def _added(workspace: Workspace, files: Sequence[Path], wanted: Wanted, overrides: Overrides) -> str:
    """Add a series, in a new workspace if there is none: if the series cannot be added, no new folder is left."""
    made, there = not workspace.params.is_file(), workspace.root.exists()
    if made:
        make.own(workspace.root)
    try:
        name = add(workspace, files, wanted, overrides)
    except BaseException:
        if not there:
            shutil.rmtree(workspace.root)
        raise
    if made:
        print(f"Made {workspace.root.name}/ for this series: its params.yaml, results and page.", flush=True)
    return name


def as_before(config: Params, name: str, wanted: Wanted) -> None:
    """Refuse a question that is not the one that a series was added with. Raises UsageError."""
    options = config.dataset(name).preparation.options
    windows, target = Windowing(**options["windows"]), options["csv"]["target"]
    known = {"target": target, "horizon": windows.horizon, "lookback": windows.lookback // windows.step}
    for key, value in known.items():
        if (received := getattr(wanted, key)) not in {None, value}:
            cure = "--name with a new one asks another question of the same file"
            raise UsageError(f"{name} was added with --{key} {value}; {cure}. Received: {received!r}")


def announce(workspace: Workspace, config: Params, name: str, jobs: int) -> None:
    """Say what the rows can decide and how long that takes; stages that were never built get the time they may take."""
    (file, *_), settings = predict.own_files(workspace, config, name), config.forecast(name)
    data = registry.preparation(config, name)(name, file.parent)
    folds = backtest.folds(data, settings)
    cutoffs = np.unique(np.concatenate([np.asarray(data.stamps)[fold.test.rows - fold.test.step] for fold in folds]))
    (_, weeks), months = leaderboard.halves_of(cutoffs), months_per_row(config, name)
    span = later_half(cutoffs[0], cutoffs[-1], len(cutoffs), weeks, months)
    season = SEASON // 7
    enough = "enough for a verdict" if weeks >= season else f"a verdict takes {season} weeks, so you get what these say"
    estimates = Estimates(workspace.scratch / "seconds.json")
    built = [key for key in config.experiments_of(name) if (workspace.run(name, key) / backtest.TABLE).is_file()]
    seconds = expected_seconds(config.experiments_of(name), data, folds)
    for stage, took in seconds.items():
        estimates.expect(stage, took)
    estimates.keep()
    times = f"{settings.refits} times" if settings.refits > 1 else "once"
    *models, last = [took for stage, took in seconds.items() if stage.rpartition("/")[2] not in built]
    left = duration(max([sum(models) / jobs, *models]) + last + FIXED)
    print(
        f"Each model forecasts from {len(cutoffs)} moments of the past, fitted {times} on what came "
        f"before.\nThe last {span} compare the models: {enough}.\n"
        f"About {left} on {jobs} core{'s' * (jobs > 1)}; stopped, the same command goes on.",
        flush=True,
    )


def expected_seconds(experiments: dict[str, Experiment], data: Dataset, folds: Sequence[Fold]) -> dict[str, float]:
    """Stage -> seconds that it may take, of each model's backtest, and of the champion's fit on all rows.

    CPU seconds of one core, measured on 10,000 hourly rows; `Estimates` scales them by what stages take here, as they
    end.
    """
    models = {name: _backtest_seconds(experiment, data, folds) for name, experiment in experiments.items()}
    members = sum(took for name, took in models.items() if experiments[name].training.method == "boosting")
    last = {f"refit@{data.name}": START + members / len(folds)}
    return {f"train@{data.name}/{name}": took for name, took in models.items()} | last


def _backtest_seconds(experiment: Experiment, data: Dataset, folds: Sequence[Fold]) -> float:
    method, options = experiment.training.method, experiment.training.options
    trained, origins = sum(len(fold.train) for fold in folds), sum(len(fold.test) for fold in folds)
    if experiment.model.family == "statistical":
        return START + 0.013 * origins
    if method == "gradient_descent":
        steps = min(int(experiment.model.options.get("last", 1)), data.input_shape[0])
        window = 1.1e-6 * steps if "units" in experiment.model.options else 5e-5
        return START + 3 + EPOCHS * trained * len(experiment.seeds) * window
    if method == "boosting":
        rows, outputs = int(options.get("rows", 10**9)), folds[0].test.outputs
        values = sum(min(len(fold.train) * outputs, rows) for fold in folds)
        return START + 2.5e-7 * values * int(options.get("trees", 100))
    return START + 1.5e-7 * trained * data.input_shape[0] * (method != "none")


def show_models(series: SeriesAnswer) -> None:
    """Print the answer and the table of models."""
    print(*map(printable, filter(None, (series.sentence, series.hint))), "", sep="\n")
    compare.show([table(series) | {"title": "", "answers": []}])
    print()


def show(workspace: Workspace, series: SeriesAnswer, predicted: Predicted) -> None:
    """Print the answer, the table, the forecast and where the files are."""
    show_models(series)
    predict.show(predicted)
    files = [os.path.relpath(file) for file in write(workspace, series, predicted)]
    print(f"\nFiles: {', '.join(files)}")
    if (unroll := program(workspace)) != "unroll":
        print(f"Next: {unroll} predict {series.name} --plot next.png")


def as_data(series: SeriesAnswer, predicted: Predicted | None) -> dict[str, Any]:
    """All of it as plain data; without a forecast where there is none."""
    forecast = predict.as_data(predicted) if predicted else {"forecasts": []}
    return {
        "dataset": series.name,
        "answer": series.sentence,
        "outcome": str(series.outcome),
        "hint": series.hint,
        "error_unit": series.unit,
        "span": series.span,
        "models": [asdict(model) for model in series.models],
        "members": series.members,
        **{key: value for key, value in forecast.items() if key != "dataset"},
    }


def write(workspace: Workspace, series: SeriesAnswer, predicted: Predicted) -> list[Path]:
    """Write pictures, the table and the page of a series; their paths."""
    folder, pictures, files = workspace.root / ANSWERS / series.name, {}, []
    if len(predicted.windows) == 1:
        files.append(folder / "forecast.svg")
        predict.draw(predicted, files[-1])
        caption = f"What was measured, and the forecast with its {100 * predicted.level:.0f} % interval."
        pictures[caption] = files[-1].read_text(encoding="utf-8")
    if series.compared:
        files.append(folder / "weeks.svg")
        errors = errors_by_block(workspace, series.name)
        plot.by_week(files[-1], errors, series.compared, unit=series.unit)
        pictures[f"The error of both, in the {errors.index.name} that compare them."] = files[-1].read_text(
            encoding="utf-8"
        )
    files += [folder / "forecast.csv", folder / "index.html"]
    write_text(files[-2], predict.csv(predicted))
    page = answer_page(as_data(series, predicted), table(series), predict.texts(predicted), pictures)
    write_text(files[-1], page)
    return files
