"""One seed of an experiment in a process of its own, and how `stages.train` goes on from what such processes did.

A part is a checkpoint of the training (`pipeline.training.trainer`) that knows of one seed only. So nothing here shapes
a result: `stages.train` finds a checkpoint, as after a crash, and ends with the bytes that it would have ended with.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from pipeline import locks
from pipeline.config import params
from pipeline.config.params import Experiment, Training
from pipeline.data import dataset
from pipeline.data.problem import problem
from pipeline.provenance import fingerprint
from pipeline.training import compile_cache, keras_models
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.job import Job
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from stages.console.progress import Epochs


def replicate(workspace: Workspace, name: str, seed: int) -> None:
    """Train one seed as params.yaml says, into its part; from there on, or from the checkpoint of all, if it can.

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: an experiment whose training method has epochs.
        seed: one of its seeds.

    Raises:
        UsageError, UnrollError: as in `stages.train.train`.
    """
    experiment = params.load(workspace.params).experiment(name)
    alone = _alone(experiment, seed)
    chosen = recipe(name, alone)
    with locks.stage(workspace, "train", f"{name}.{seed}"), compile_cache.kept(workspace.scratch / "programs" / name):
        made_of = _made_of(workspace, experiment)
        part = Part(workspace.part(name, seed), made_of)
        found = part.read()
        if not found and (found := _share(Checkpoint(workspace.checkpoint(name), made_of).read(), seed)):
            part.keep(found)
        if found and found["trained"]:
            return
        data = dataset.load(workspace.prepared(experiment.dataset), calendar=experiment.calendar)
        if chosen.network:
            keras_models.start()
        watchers = (Epochs(name, chosen.method.options, alone.seeds),)
        job = Job(name, data, partial(chosen.build, problem(data)), (seed,), watchers, part)
        part.keep(_state(seed, [asdict(one) for one in chosen.train(job).replicates]))


@contextmanager
def gathered(workspace: Workspace, name: str) -> Iterator[None]:
    """Let a training in the block go on from its parts: from those of the first seeds that are done, and the next one.

    Parts are removed once the block has ended well; those of other params, data, code or packages do not count.

    Raises:
        UsageError, UnrollError: as in `stages.train.train`.
    """
    if workspace.parts(name):
        _gather(workspace, name)
    yield
    for part in workspace.parts(name):
        part.unlink(missing_ok=True)


class Part(Checkpoint):
    """A checkpoint that can also be written when it is not due."""

    def keep(self, state: Any) -> None:
        """Write `state` now."""
        self._due = 0.0
        self.write(lambda: state)


def _gather(workspace: Workspace, name: str) -> None:
    with locks.stage(workspace, "train", name):
        experiment = params.load(workspace.params).experiment(name)
        made_of = _made_of(workspace, experiment)
        trained, last = [], _state(experiment.seeds[0])
        for seed in experiment.seeds:
            last = Checkpoint(workspace.part(name, seed), made_of).read() or _state(seed)
            trained += last["trained"]
            if not last["trained"]:
                break
        whole, found = Part(workspace.checkpoint(name), made_of), last | {"trained": trained}
        if _far(found) > _far(whole.read() or _state(0)):
            whole.keep(found)


def _state(seed: int, trained: list[Any] | None = None) -> dict[str, Any]:
    """A checkpoint of one seed, done (as its replicate in a list) or about to start."""
    history, best = (trained[0]["history"], trained[0]["best_epoch"]) if trained else ([], None)
    return {"trained": trained or [], "seed": seed, "history": history, "best": best, "kept": {}, "state": None}


def _share(found: Any, seed: int) -> Any:
    """What a checkpoint of the whole training, or None, holds of one seed."""
    if not found:
        return None
    if mine := [one for one in found["trained"] if one["seed"] == seed]:
        return _state(seed, mine)
    return found | {"trained": []} if found["seed"] == seed else None


def _far(found: Any) -> tuple[int, int]:
    return len(found["trained"]), len(found["history"])


def _alone(experiment: Experiment, seed: int) -> Experiment:
    """The experiment with one seed, and without slopes: `stages.train` takes them."""
    options = {key: value for key, value in experiment.training.model_dump().items() if key != "slopes"}
    return experiment.model_copy(update={"seeds": [seed], "training": Training.model_validate(options)})


def _made_of(workspace: Workspace, experiment: Experiment) -> str:
    """What ties parts to the training of all seeds: the same as its checkpoint's."""
    prepared = workspace.prepared(experiment.dataset)
    return fingerprint.brief(fingerprint.ingredients(prepared, experiment).fingerprint)
