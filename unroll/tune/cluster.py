"""Trials on the workers of a Dask cluster, in place of this machine.

The head asks for trials, hands them out one by one, and keeps what they come to, as a local process does. A worker
trains in a slot (`unroll.tune.slot`); whether to give up it judges by the trials that had ended when its own began.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.cluster.carrier import Carrier, Made
from unroll.cluster.connection import Address
from unroll.cluster.head import DEATHS, Cluster
from unroll.runner import dvc_graph
from unroll.runner.build import Local
from unroll.runner.scheduler import POLL
from unroll.runner.signals import terminable
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
        """Have trials trained until there are enough."""
        trials = tuning.trials
        flying: dict[Future, Trial] = {}
        before, more = 0, True
        try:
            while flying or more:
                slots, ended = self.slots(), [future for future in flying if future.done()]
                for future in ended:
                    self._take(tuning, future, flying.pop(future))
                more, before = more or bool(ended) or slots != before, slots  # to ask each time would read the file
                while more and len(flying) < slots:
                    if more := (trial := trials.begin()) is not None:
                        flying[self._train(tuning, trial)] = trial
                time.sleep(POLL)
        finally:
            for future, trial in flying.items():
                future.cancel()
                trials.put_back(trial)

    def _train(self, tuning: Tuning, trial: "Trial") -> "Future":
        """Hand out a trial, to `unroll.tune.slot`."""
        ended = [(one.value, one.intermediate_values) for one in tuning.trials.done() if one.state.name == "COMPLETE"]
        section = tuning.experiment(trial.params).model_dump()
        task = {"data": self.data, "name": tuning.name, "section": section, "ended": ended}
        task["direction"] = tuning.trials.study.direction.name.lower()
        return self.submit("train@trial", task, module=MODULE)[0]

    def _take(self, tuning: Tuning, future: "Future", trial: "Trial") -> None:
        """Keep what a trial came to; one that was lost, or failed by a fault of its worker's, is put back.

        Raises:
            UnrollError: it cannot be trained there; or it does not fit, and it is not known that any would.
        """
        from distributed import KilledWorker

        trials, value, where = tuning.trials, None, ""
        if future.status == "cancelled":  # the scheduler was restarted
            trials.put_back(trial)
            return
        if future.status == "finished":
            (made, why, said, elsewhere), name = future.result()
            if elsewhere and self.failed_on("train@trial", name, (), why, said):
                trials.put_back(trial)
                return
            if isinstance(made, UnrollError):
                raise UnrollError(f"worker {name}: {made}")
            where = f" on {name}"
            if made:
                self._failures[name] = 0
                value, why, reports = made
                for step, reported in reports.items():
                    trial.report(reported, step)
            elif trials.best() is None:
                raise UnrollError(why)
        elif isinstance(error := future.exception(), KilledWorker):
            why = DEATHS.format(error.allowed_failures + 1)
        else:
            raise UnrollError(f"the cluster could not train it: {type(error).__name__}: {error}")
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
