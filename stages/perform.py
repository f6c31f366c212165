"""Training of one experiment: as a task of the stage `train`, or as a dry run."""

from pathlib import Path

from pipeline.config import params, registry
from pipeline.data import dataset
from pipeline.files import atomic_folder
from pipeline.provenance import fingerprint, record
from pipeline.training import run_folder, tasks
from pipeline.training.epochs import Checkpoint
from pipeline.training.recipe import recipe
from pipeline.training.tasks import RECORD, RUN, Task
from pipeline.workspace import Workspace
from stages.progress import Epochs, line


def perform(workspace: Workspace, task: Task) -> None:
    """Train a task; its finished run and record wait for the stage (`tasks.take`).

    If the task was interrupted, the training goes on from its checkpoint.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    registry.use(workspace.root)
    trainer = recipe(task.name, task.experiment)
    path = workspace.checkpoint(task.dataset, task.name)
    checkpoint = Checkpoint(path, fingerprint.brief(task.fingerprint))
    with tasks.finishing(workspace, task) as folder:
        data = dataset.load(
            workspace.prepared(task.dataset),
            calendar=task.experiment.calendar,
            share=task.experiment.share,
        )
        epochs = Epochs(task.name, trainer.method.keywords)
        job = trainer.job(data, epochs, checkpoint=checkpoint)
        run_folder.save(trainer.train(job), job, folder / RUN, task.fingerprint)
        record.write(workspace, folder / RECORD, folder / RUN, task.made_of)
    checkpoint.remove()


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
