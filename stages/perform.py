"""Training of one experiment: as a task of the stage `train`, or as a dry run."""

import math
import time
from pathlib import Path
from statistics import fmean

from pipeline.config import named_modules, params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.errors import DivergedError, UnrollError, one_line
from pipeline.files import atomic_folder, write_json
from pipeline.metrics import score
from pipeline.provenance import fingerprint, record
from pipeline.training import run_folder, tasks
from pipeline.training.epochs import Checkpoint
from pipeline.training.recipe import recipe
from pipeline.training.tasks import OUTCOME, RECORD, RUN, Outcome, Task
from pipeline.workspace import Workspace
from stages.progress import Epochs, line


def perform(workspace: Workspace, task: Task) -> None:
    """Train a task; its finished run and record wait for the stage (`tasks.take`).

    If the task was interrupted, the training goes on from its checkpoint.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    named_modules.use(workspace.root)
    path = workspace.checkpoint(task.dataset, task.name)
    checkpoint = Checkpoint(path, fingerprint.brief(task.fingerprint))
    with tasks.finishing(workspace, task) as folder:
        data = dataset.load(
            workspace.prepared(task.dataset),
            calendar=task.experiment.calendar,
            share=task.experiment.share,
        )
        if task.searching:
            outcome = _outcome(task, dataset.on_validation(data), checkpoint)
            write_json(folder / OUTCOME, outcome.model_dump())
        else:
            trainer = recipe(task.name, task.experiment)
            epochs = Epochs(task.name, trainer.method.keywords)
            job = trainer.job(data, epochs, checkpoint=checkpoint)
            run_folder.save(trainer.train(job), job, folder / RUN, task.fingerprint)
            record.write(workspace, folder / RECORD, folder / RUN, task.made_of)
    checkpoint.remove()


def _outcome(task: Task, data: Dataset, checkpoint: Checkpoint) -> Outcome:
    """Train a task of a search, and score it on validation.

    Options that do not fit, and losses that are not finite, are outcomes, too.
    """
    ended = "diverged"
    replicates = []
    try:
        trainer = recipe(task.name, task.experiment)
        shown = Epochs(task.name, trainer.method.keywords)
        job = trainer.job(data, shown, checkpoint=checkpoint)
        replicates = trainer.train(job).replicates
    except UnrollError as error:
        if not isinstance(error, DivergedError):
            ended = one_line(str(error))
    targets = data.splits["validation"].targets
    scores = []
    for replicate in replicates:
        point = "final" if replicate.best_epoch is None else "best"
        predictions = replicate.predictions[f"{point}_validation"]
        scores.append(score(data.metric, predictions, targets))
    value = fmean(scores) if scores else math.nan
    if not math.isfinite(value):
        return Outcome(ended=ended, cpu_seconds=time.process_time())
    return Outcome(
        value=value,
        ended="complete",
        epochs=len(replicates[0].history) or None,
        best_epoch=replicates[0].best_epoch,
        cpu_seconds=time.process_time(),
    )


def trial(
    workspace: Workspace,
    name: str,
    experiment: str,
    epochs: int | None,
    seeds: list[int] | None,
) -> Path:
    """Train an experiment of data set `name` in this process, with other epochs or
    seeds. Neither DVC nor MLflow records the run.

    Returns:
        The run folder, in .unroll/trials.

    Raises:
        UsageError: a name or an option is wrong, or the experiment has no epochs.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    [whole] = params.load(workspace.params).experiments_of(name, experiment).values()
    params.require_prepared(workspace, name, f"prepare@{name}")
    changed = whole.trial(epochs, seeds)
    trainer = recipe(experiment, changed)
    path = workspace.trial(name, experiment)
    with workspace.stage("trial", f"{name}-{experiment}"):
        data = dataset.load(
            workspace.prepared(name), calendar=changed.calendar, share=changed.share
        )
        shown = Epochs(experiment, trainer.method.keywords)
        job = trainer.job(data, shown)
        trained = trainer.train(job)
        line(f"{name}/{experiment} is trained", last=True)
        with atomic_folder(path, workspace.scratch) as folder:
            run_folder.save(trained, job, folder, {})
    return path
