"""One task of the stage `train`: an experiment, from the prepared data set into the
store of runs.
"""

from pipeline.config import extensions
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.provenance import fingerprint, record
from pipeline.tracking import runs
from pipeline.training import run_folder, run_store
from pipeline.training.job import Checkpoint
from pipeline.training.recipe import recipe
from pipeline.training.task import Task
from pipeline.workspace import Workspace
from stages.progress import Epochs


def perform(workspace: Workspace, task: Task) -> None:
    """Train a task, from its checkpoint on if it was interrupted; the run gets into the
    store and into runs/.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, it or the code is not what the task
            was made of, or the loss is not finite.
    """
    extensions.use(workspace.root)
    trainer = recipe(task.name, task.experiment)
    prepared = workspace.prepared(task.dataset)
    ingredients = fingerprint.ingredients(prepared, task.experiment, task.preparation)
    if run_store.key(task.dataset, task.name, ingredients.fingerprint) != task.key:
        raise UnrollError(
            f"{task.whole_name}: its data or the code has changed since this began; run it again"
        )
    path = workspace.checkpoint(task.dataset, task.name)
    checkpoint = Checkpoint(path, fingerprint.brief(ingredients.fingerprint))
    with run_store.adding(workspace, task.dataset, task.name, task.key) as folder:
        data = dataset.load(
            prepared, calendar=task.experiment.calendar, share=task.experiment.share
        )
        epochs = Epochs(task.name, trainer.method.keywords, trainer.seeds)
        job = trainer.job(data, epochs, checkpoint=checkpoint)
        run_folder.save(trainer.train(job), job, folder, ingredients.fingerprint)
    run_store.place(workspace, task.dataset, task.name, task.key)
    record.write(workspace, workspace.run(task.dataset, task.name), ingredients)
    checkpoint.remove()
    runs.trained(workspace, task.whole_name, task.experiment)
