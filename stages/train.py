"""Train every replicate of an experiment and write runs/DATASET/EXPERIMENT."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import dataset, fingerprint, networks, params, provenance, run, tracking
from pipeline.checkpoint import Checkpoint
from pipeline.errors import UsageError
from pipeline.params import Experiment
from pipeline.problem import problem
from pipeline.recipe import Recipe, recipe
from pipeline.run import Job
from pipeline.storage import Workspace, atomic_folder
from stages import alone, programs, progress


def train(workspace: Workspace, name: str, *, epochs: int | None = None, seeds: list[int] | None = None) -> Path:
    """Train an experiment.

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: the experiment.
        epochs: makes it a trial, which is written to .unroll/trials/EXPERIMENT and not recorded, so that what DVC
            and MLflow know stays what params.yaml says.
        seeds: as `epochs`.

    Returns:
        The folder that was written.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    experiment = params.load(workspace.params).experiment(name)
    trial = epochs is not None or seeds is not None
    if trial:
        experiment = _changed(name, experiment, epochs, seeds)
    found = recipe(name, experiment)
    prepared = dataset.load(workspace.prepared(experiment.dataset))
    build = partial(found.build, problem(prepared), **found.model)
    job = Job(name, prepared, build, tuple(experiment.seeds))
    on_screen = progress.Epochs(name, found.training, job.seeds)
    network = experiment.model.family != "baselines"
    with (
        alone.at(workspace, "trial" if trial else "train", name),
        programs.kept(workspace.scratch / "programs" / name) if network else nullcontext(),
    ):
        if network:
            networks.start()
        if trial:
            job = replace(job, on_epoch=on_screen)
            return _train_into(workspace.scratch / "trials" / name, workspace, job, found, {})
        return _train_recorded(workspace, job, found, on_screen, _fingerprint(workspace, experiment))


def _train_recorded(
    workspace: Workspace, job: Job, found: Recipe, on_screen: progress.Epochs, made_of: dict[str, str]
) -> Path:
    """Train as params.yaml says: from a checkpoint on if there is one, told to MLflow while it runs."""
    folder = workspace.run(job.dataset.name, job.experiment)
    checkpoint = Checkpoint(workspace.checkpoint(job.experiment), fingerprint.brief(made_of))
    with tracking.live(workspace, job.experiment) as record:

        def on_epoch(seed: int, epoch: int, values: Mapping[str, float]) -> None:
            on_screen(seed, epoch, values)
            record.epoch(seed, epoch, values)

        def on_resume(histories: Mapping[int, list[dict[str, float]]]) -> None:
            on_screen.resume(histories)
            for seed, history in histories.items():
                for epoch, values in enumerate(history, 1):
                    record.epoch(seed, epoch, values)

        job = replace(job, on_epoch=on_epoch, on_resume=on_resume, checkpoint=checkpoint)
        _train_into(folder, workspace, job, found, {"fingerprint": made_of})
        provenance.write(workspace, job.dataset.name, job.experiment)
        record.finish(folder)
    checkpoint.remove()
    return folder


def _train_into(folder: Path, workspace: Workspace, job: Job, found: Recipe, facts: dict[str, Any]) -> Path:
    with atomic_folder(folder, workspace.scratch) as temporary:
        try:
            trained = found.train(job, **found.training)
        except ValueError as error:
            raise UsageError(f"params.yaml: experiments.{job.experiment}: {error}") from None
        run.save(trained, job, temporary, facts)
    return folder


def _changed(name: str, experiment: Experiment, epochs: int | None, seeds: list[int] | None) -> Experiment:
    training = experiment.training
    if epochs is not None:
        if "epochs" not in training.options:
            raise UsageError(f"{name} has no epochs: its training method is {training.method}")
        training = type(training).model_validate(training.model_dump() | {"epochs": epochs})
    return experiment.model_copy(update={"training": training, "seeds": seeds or experiment.seeds})


def _fingerprint(workspace: Workspace, experiment: Experiment) -> dict[str, str]:
    """What shaped the result: the experiment's section, the data set's bytes, the source code, and the packages."""
    used = (f"pipeline.models.{experiment.model.family}", f"pipeline.training.{experiment.training.method}")
    return {
        "params": fingerprint.params(experiment.model_dump()),
        "data": fingerprint.data(workspace.prepared(experiment.dataset)),
        "code": fingerprint.code(used),
        "lock": fingerprint.lock(),
    }
