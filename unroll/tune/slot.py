"""A slot of a worker that trains trials, in a copy of the head's code; see `unroll.cluster.slot`."""

import os
import pickle
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline import numerics
from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.cluster.carrier import Carrier
from unroll.runner import dvc_graph
from unroll.runner.build import environment

if TYPE_CHECKING:
    from optuna import Trial

Ended = tuple[tuple[float | None, str, dict[int, float]] | UnrollError | None, str]
"""What `trial.train` gave and what was reported after epochs; or why nothing can be trained here; or None, and why the
options do not fit."""


def serve(workspace: Workspace, tasks: "SimpleQueue[dict[str, Any]]", answers: BinaryIO) -> None:
    """Train the trials that come in; answer with `Ended`, and as `unroll.cluster.slot` does."""
    with dvc_graph.opened(workspace.root) as dvc:
        carrier = Carrier(dvc)
        while True:
            pickle.dump((*_trained(workspace, carrier, tasks.get()), b"", False), answers)
            answers.flush()


def _trained(workspace: Workspace, carrier: Carrier, task: dict[str, Any]) -> Ended:
    from unroll.tune.trial import seen, train

    experiment = Experiment.model_validate(task["section"])
    try:
        carrier.take(*task["data"])
        data = seen(workspace, experiment)
    except UnrollError as error:
        return error, ""
    trial = _trial(experiment, task)
    try:
        value, why = train(task["name"], experiment, data, trial)
    except UnrollError as error:
        return None, str(error)
    return (value, why, trial.study.trials[-1].intermediate_values), ""


def _trial(experiment: Experiment, task: dict[str, Any]) -> "Trial":
    """A trial in a study of this process, which knows what the head's trials came to."""
    import optuna

    from unroll.tune.trial import pruner

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=task["direction"], pruner=pruner(experiment))
    study.add_trials(optuna.create_trial(value=value, intermediate_values=each) for value, each in task["ended"])
    return study.ask()


def _read(tasks: BinaryIO, queue: "SimpleQueue[dict[str, Any]]") -> None:
    """Take tasks in until the input ends, as it does if the worker is killed; then nobody waits for a trial."""
    try:
        while True:
            queue.put(pickle.load(tasks))
    finally:
        os._exit(1)


def main() -> None:
    """Serve in the current folder until standard input ends."""
    numerics.start_with()
    os.environ.update(environment())
    numerics.settle()  # before NumPy is imported
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between answers
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_read, args=(tasks, queue), daemon=True).start()
    serve(Workspace(Path.cwd()), queue, answers)


if __name__ == "__main__":
    main()
