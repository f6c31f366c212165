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
from unroll.tune import storage

if TYPE_CHECKING:
    from optuna import Study
    from sqlalchemy import URL

    from pipeline.data.dataset import Dataset

Known = dict[str, tuple["Study", "Dataset"]]
"""What was loaded for the study of the last trial."""

Ended = tuple[tuple[float | None, str] | UnrollError | None, str]
"""What `trial.train` gave, or why nothing can be trained here; or None, and why the options do not fit."""


def serve(workspace: Workspace, tasks: "SimpleQueue[dict[str, Any]]", answers: BinaryIO) -> None:
    """Train the trials that come in; answer with `Ended`, and as `unroll.cluster.slot` does."""
    known: Known = {}
    with dvc_graph.opened(workspace.root) as dvc:
        carrier = Carrier(dvc)
        while True:
            pickle.dump((*_trained(workspace, carrier, tasks.get(), known), b"", False), answers)
            answers.flush()


def _trained(workspace: Workspace, carrier: Carrier, task: dict[str, Any], known: Known) -> Ended:
    from optuna import Trial

    from unroll.tune.trial import seen, train

    name, experiment = task["name"], Experiment.model_validate(task["section"])
    try:
        with storage.explained(url := storage.shared()):
            carrier.take(*task["data"])
            if task["study"] not in known:  # it says which data, too
                known.clear()
                known[task["study"]] = _study(url, task["study"], experiment), seen(workspace, experiment)
            study, data = known[task["study"]]
            try:
                return train(name, experiment, data, Trial(study, task["trial"])), ""
            except UnrollError as error:
                return None, str(error)
    except UnrollError as error:
        return error, ""


def _study(url: "URL", name: str, experiment: Experiment) -> "Study":
    import optuna

    from unroll.tune.trial import pruner

    try:
        return optuna.load_study(study_name=name, storage=storage.connect(url), pruner=pruner(experiment))
    except KeyError:
        raise UnrollError(f"its {storage.STUDIES} leads to another database than the head's") from None


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
