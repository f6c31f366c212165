"""A dry run of an experiment with other epochs or seeds, which neither DVC nor MLflow
records.
"""

from pathlib import Path

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset
from pipeline.files import atomic_folder
from pipeline.training import run_folder
from pipeline.training.recipe import recipe
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages.progress import Epochs


def trial(
    workspace: Workspace,
    name: str,
    experiment: str,
    epochs: int | None,
    seeds: list[int] | None,
) -> Path:
    """Train an experiment of data set `name` in this process, into .unroll/trials;
    returns the run folder.

    Raises:
        UsageError: a name or an option is wrong, or the experiment has no epochs.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    config = params.load(workspace.params)
    config.dataset(name)
    experiments = config.experiments_of(name)
    one_of(experiment, experiments, f"the experiment of {name}")
    changed = experiments[experiment].trial(epochs, seeds)
    trainer = recipe(experiment, changed)
    with locks.stage(workspace, "trial", f"{name}-{experiment}"):
        data = dataset.load(
            workspace.prepared(name), calendar=changed.calendar, share=changed.share
        )
        shown = Epochs(experiment, trainer.method.keywords, trainer.seeds)
        job = trainer.job(data, shown)
        with atomic_folder(
            workspace.trial(name, experiment), workspace.scratch
        ) as unfinished:
            run_folder.save(trainer.train(job), job, unfinished, {})
    return workspace.trial(name, experiment)
