"""What goes to the process or the machine that trains one experiment, and what comes
back.
"""

from dataclasses import dataclass

from pipeline.config.params import Experiment, Preparation

WHOLE = "UNROLL_WHOLE"
"""The variable by which `unroll repro` says that it builds everything: a stage may
train for later ones, too."""


@dataclass(frozen=True, eq=False)
class Task:
    """One experiment to be trained. It can be pickled; no two are equal, so it may be a
    key of a dictionary.

    Attributes:
        dataset: the name of the data set.
        name: of the experiment.
        experiment: as in params.yaml.
        preparation: of the data set.
        key: of the run in the store (`run_store.key`).
    """

    dataset: str
    name: str
    experiment: Experiment
    preparation: Preparation
    key: str

    @property
    def whole_name(self) -> str:
        """The name of the experiment among those of all data sets, such as `waves/gru`."""
        return f"{self.dataset}/{self.name}"

    @property
    def network(self) -> bool:
        """Whether it may need TensorFlow."""
        return self.experiment.model.family != "baselines"


@dataclass(frozen=True)
class Result:
    """How a task ended.

    Attributes:
        task: the task.
        seconds: since it began.
        error: why it failed, in one line; "" where it went well.
    """

    task: Task
    seconds: float
    error: str
