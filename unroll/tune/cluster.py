"""Trials on the workers of a Dask cluster, in place of this machine.

The head asks for trials, hands them out one by one, and keeps what they come to, as a local process does. A worker
trains in a slot (`unroll.tune.slot`), and asks the shared database after epochs whether to give up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.cluster.carrier import Carrier, Made
from unroll.cluster.connection import Address
from unroll.cluster.head import DEATHS, EVERY, Cluster
from unroll.runner import dvc_graph
from unroll.runner.build import Local
from unroll.runner.scheduler import POLL
from unroll.runner.signals import terminable
from unroll.tune.storage import SILENCE
from unroll.tune.study import key
from unroll.tune.tuning import Tuning

if TYPE_CHECKING:
    from distributed import Future
    from optuna import Trial

MODULE = "unroll.tune.slot"
"""What a slot runs."""


class Trainers(Cluster):
    """A cluster, while it trains trials. Made by `opened`.

    Attributes:
        data: the stage that made the data set, and what it made, which is in DVC's remote.
    """

    data: tuple[str, Made]

    def go_on(self, tuning: Tuning) -> None:
        """Have trials trained until there are enough; those that another head has asked for are waited for."""
        trials = tuning.trials
        flying: dict[Future, Trial] = {}
        due, waits = 0.0, False
        try:
            while True:
                slots, ended = self.slots(), [future for future in flying if future.done()]
                for future in ended:
                    self._take(tuning, future, flying.pop(future))
                if ended or time.monotonic() >= due:
                    due = time.monotonic() + EVERY
                    trials.vouch(flying.values())
                    while len(flying) < slots and (trial := trials.begin()) is not None:
                        flying[self._train(tuning, trial)] = trial
                    if not flying and len(trials.done()) >= trials.wanted:
                        return
                    if not flying and slots and not waits:
                        waits = True
                        print(f"Waiting for trials of another head, or until it is silent for {SILENCE} s.", flush=True)
                time.sleep(POLL)
        finally:
            for future, trial in flying.items():
                future.cancel()
                trials.put_back(trial)

    def _train(self, tuning: Tuning, trial: "Trial") -> "Future":
        """Hand out a trial, to `unroll.tune.slot`."""
        section = tuning.experiment(trial.params).model_dump()
        study = tuning.trials.study.study_name
        task = {"data": self.data, "name": tuning.name, "section": section, "study": study, "trial": key(trial)}
        return self.submit("train@trial", task, module=MODULE)[0]

    def _take(self, tuning: Tuning, future: "Future", trial: "Trial") -> None:
        """Keep what a trial came to; one that was lost, or failed by a fault of its worker's, is put back."""
        trials = tuning.trials
        if future.status == "cancelled":  # the scheduler was restarted
            trials.put_back(trial)
            return
        if future.status == "finished":
            (_, why, said, elsewhere), name = future.result()
            if elsewhere and self.failed_on("train@trial", name, (), why, said):
                trials.put_back(trial)
                return
            if not elsewhere:
                self._failures[name] = 0
        value, why, where = _answer(future, fits=trials.best() is not None)
        tuning.ended(trial, value, why, len(trials.done()) + 1, where)

    def _end(self, name: str) -> None:
        """Nothing: it is the head that records trials."""


@contextmanager
def opened(workspace: Workspace, dataset: str, on: Address) -> Iterator[Trainers]:
    """Connect to a cluster, and copy a data set to DVC's remote.

    Raises:
        UnrollError: there is no cluster or no remote, or the data set is out of date.
    """
    stage = f"prepare@{dataset}"
    with terminable(), dvc_graph.opened(workspace.root) as dvc:
        if dvc.graph.within([stage]).due():
            raise UnrollError(f"{stage} is out of date; `unroll repro {stage}` builds it")
        with Trainers.opened(workspace, dvc, Local(workspace), on) as found:
            found.data = stage, Carrier(dvc).send(stage)
            yield found


def _answer(future: "Future", *, fits: bool) -> tuple[float | None, str, str]:
    """What a trial came to, or why it was given up, and where.

    Raises:
        UnrollError: it cannot be trained there; or it does not fit, and it is not known that any would (`fits`).
    """
    from distributed import KilledWorker

    if future.status != "error":
        (ended, why, _, _), name = future.result()
        where = f" on {name}"
    elif isinstance(error := future.exception(), KilledWorker):
        ended, why, where = None, DEATHS.format(error.allowed_failures + 1), ""
    else:
        raise UnrollError(f"the cluster could not train it: {type(error).__name__}: {error}")
    if isinstance(ended, UnrollError):
        raise UnrollError(f"worker {name}: {ended}")
    if ended is None and not fits:
        raise UnrollError(why)
    value, given_up = ended or (None, why)
    return value, given_up, where
