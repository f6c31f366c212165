"""How long a model's backtest takes, so that the longest begin first and the time left
can be told.
"""

from dataclasses import dataclass, field

from pipeline.config.params import Experiment
from series.backtest import Fold

START = 0.1
"""CPU seconds of any model."""

FORECAST = 0.013
"""CPU seconds of a statistical model, which is fitted anew for each forecast."""

TREE_VALUE = 1.2e-7
"""CPU seconds of boosting for each tree and each value that it learns."""

INPUT = 1.5e-7
"""CPU seconds of a linear model for each input of each window that it learns."""

NETWORK = 8.0
"""CPU seconds of a network, whose number of steps does not grow with the rows."""


def expected_seconds(experiment: Experiment, folds: list[Fold]) -> float:
    """Return the CPU seconds that the backtest of a model may take, as measured on one
    core.

    Args:
        experiment: the model.
        folds: its fits.
    """
    method = experiment.training.method
    options = experiment.training.options
    if experiment.model.family == "statistical":
        return START + FORECAST * sum(len(fold.test) for fold in folds)
    if method == "none":
        return START
    outputs = folds[0].test.outputs
    windows = [len(fold.train) for fold in folds]
    if method == "boosting":
        most = options.get("rows", max(windows) * outputs)
        values = sum(min(count * outputs, int(most)) for count in windows)
        return START + TREE_VALUE * values * int(options.get("trees", 100))
    if method == "least_squares":
        timesteps, columns = folds[0].test.input_shape
        return START + INPUT * sum(windows) * timesteps * columns
    return NETWORK


@dataclass
class TimeLeft:
    """How long the rest of several models takes.

    Attributes:
        expected: name of a model that is not done -> CPU seconds that it may take.
        jobs: how many are fitted at a time.
    """

    expected: dict[str, float]
    jobs: int
    _done: float = field(default=0.0, init=False)
    _took: float = field(default=0.0, init=False)

    def ended(self, name: str, seconds: float) -> None:
        """Learn that a model is done, after so many seconds by the clock."""
        self._done += self.expected.pop(name)
        self._took += seconds

    @property
    def seconds(self) -> float:
        """Seconds by the clock that the others take, at the speed of those that are
        done.
        """
        if not self.expected or not self._done:
            return 0.0
        rest = max(
            sum(self.expected.values()) / self.jobs, *self.expected.values(), 0.0
        )
        return rest * self._took / self._done


def in_words(seconds: float) -> str:
    """Return a time as text: 40 s, 3 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
