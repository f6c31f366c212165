"""Training without DVC, records and MLflow, which take longer than a small model."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.training import run_folder
from pipeline.training.job import Job
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from series.backtest import TABLE, cross_validate
from stages.evaluate import evaluate
from stages.prepare import prepare
from stages.refit import refit
from stages.source import source
from unroll.commands.main import invoke

if TYPE_CHECKING:
    import pandas as pd


def train(workspace: Workspace, name: str) -> None:
    """Leave the run of an experiment, such as waves/gru, where it belongs."""
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    name = params.own_name(name)
    folder = workspace.run(experiment.dataset, name)
    data = dataset.load(workspace.prepared(experiment.dataset), calendar=experiment.calendar)
    folder.mkdir(parents=True)
    if data.name in every.forecasts:
        table, trained, job = cross_validate(name, experiment, data, every.forecast(data.name), lambda *_: None)
        table.to_parquet(folder / TABLE, index=False)
    else:
        chosen = recipe(name, experiment)
        job = chosen.job(data)
        trained = chosen.train(job)
    run_folder.save(trained, job, folder, {})


def added(
    root: Path,
    name: str,
    rows: "pd.DataFrame",
    models: Sequence[str],
    *flags: str,
    change: Callable[[Any], object] = lambda _: None,
    **section: Any,
) -> Workspace:
    """A workspace after `unroll add` of NAME.csv and all stages, with some of the models that it wrote.

    `change` gets the data of params.yaml before it is built; `section` is that of `forecasts`.
    """
    workspace = Workspace(root)
    plain_yaml.write({"sources": {}, "datasets": {}, "experiments": {}}, workspace.params)
    rows.to_csv(root / f"{name}.csv", index=False)
    invoke(["--root", str(root), "add", str(root / f"{name}.csv"), *flags, "--yes"])
    data = plain_yaml.read(workspace.params)
    entries = data["experiments"][name]
    data["experiments"][name] = {model: entries[model] for model in entries if model in models}
    data["forecasts"][name] = section
    change(data)
    plain_yaml.write(data, workspace.params)
    source(workspace, name)
    prepare(workspace, name)
    for experiment in data["experiments"][name]:
        train(workspace, f"{name}/{experiment}")
    evaluate(workspace, name)
    refit(workspace, name)
    return workspace


def job(data: Dataset, build: Callable[..., Any], *seeds: int, **options: Any) -> Job:
    """The experiment `x`: a builder of `pipeline.models` with options, on a data set, with seed 0 or others."""
    return Job("x", data, partial(build, problem(data), **options), seeds or (0,))
