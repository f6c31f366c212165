"""Global networks: each learns from all series of a panel at once.

A network sees the last timesteps of a series, two cycles or four timesteps if they are
more, and forecasts all steps ahead, both less the mean of the last cycle. If all values
are above 0 their logarithms are taken, so that a window of a large series looks like
that of a small one. Values come in units of the usual changes of their series.

These models are trained by `numpy_adam`.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models import Positive, Size
from pipeline.models.dense import mlp_title
from pipeline.models.recurrent import stack_title
from unroll.series.models.residual import Residual

BEYOND_A_CYCLE = 2
"""Values beyond a whole cycle that a window to learn from has at least.

One with fewer holds little but the value that stands for those before."""


def lookback(cycle: int) -> int:
    """Return the number of timesteps that a network sees."""
    return max(4, 2 * cycle)


@dataclass(frozen=True)
class View:
    """What a network sees of the windows of a panel.

    Attributes:
        problem: of the panel.
        cycle: timesteps of a cycle; 1 without one.
        logarithms: whether logarithms of the values are taken.
        history: the last timesteps of a window that are seen.
    """

    problem: Problem
    cycle: int
    logarithms: bool
    history: int

    def _target(self, inputs: Array) -> Array:
        """The target (n, history), NaN before the first row of a series."""
        return inputs[:, -self.history :, self.problem.target].astype(np.float64)

    def values(self, inputs: Array) -> Array:
        """The target (n, history); a series' first value stands for those before."""
        target = self._target(inputs)
        known = np.isfinite(target)
        first = known.argmax(axis=1)[:, None]
        values = np.where(known, target, np.take_along_axis(target, first, axis=1))
        if self.logarithms:
            values = np.log(np.maximum(values, np.finfo(float).tiny))
        return values

    def level(self, inputs: Array) -> Array:
        """The mean (n, 1) of the last cycle."""
        last = self.values(inputs)[:, -self.cycle :]
        return np.asarray(last.mean(axis=1, keepdims=True))

    def naive(self, inputs: Array) -> Array:
        """The forecast (n, outputs) that a network corrects."""
        return np.repeat(self.level(inputs), self.problem.outputs, axis=1)

    def changes(self, inputs: Array) -> Array:
        """The values (n, history) less their level."""
        return np.asarray(self.values(inputs) - self.level(inputs), np.float32)

    def steps(self, inputs: Array) -> Array:
        """The same, for a recurrent network: (n, history, 1)."""
        return self.changes(inputs)[..., None]

    def weights(self, inputs: Array) -> Array:
        """How much the errors (n,) of windows count.

        Errors of logarithms count more in a large series, as they are larger there.
        """
        target = self._target(inputs)
        needed = min(self.cycle + BEYOND_A_CYCLE, self.history)
        enough = np.isfinite(target).sum(axis=1) >= needed
        sizes = target[:, -1] if self.logarithms else 1.0
        return np.where(enough, sizes, 0.0)


def mlp(
    problem: Problem,
    *,
    cycle: Positive,
    logarithms: bool,
    history: Positive,
    hidden: Annotated[list[Size], Field(min_length=1, max_length=16)],
) -> Residual:
    """A perceptron on the last timesteps of a series.

    Args:
        problem: of a panel.
        cycle: timesteps of a cycle; 1 without one.
        logarithms: whether logarithms of the values are taken.
        history: timesteps that are seen.
        hidden: width of each hidden layer.
    """
    view = View(problem, cycle, logarithms, history)
    return Residual(
        rows=view.changes,
        naive=view.naive,
        layer="Dense",
        sizes=hidden,
        outputs=problem.outputs,
        logarithms=logarithms,
        weights=view.weights,
    )


def gru(
    problem: Problem,
    *,
    cycle: Positive,
    logarithms: bool,
    history: Positive,
    units: Size = 32,
) -> Residual:
    """A GRU that reads the last timesteps of a series one by one.

    Args:
        problem: of a panel.
        cycle: timesteps of a cycle; 1 without one.
        logarithms: whether logarithms of the values are taken.
        history: timesteps that are seen.
        units: width of the state.
    """
    view = View(problem, cycle, logarithms, history)
    return Residual(
        rows=view.steps,
        naive=view.naive,
        layer="GRU",
        sizes=[units],
        outputs=problem.outputs,
        logarithms=logarithms,
        weights=view.weights,
    )


def global_mlp_title(model: Options, training: Options) -> str:
    """Return the title of a network that learns from all series."""
    return f"global {mlp_title(model, training)}"


def global_gru_title(model: Options, training: Options) -> str:
    """Return the title of a recurrent network that learns from all series."""
    return f"global {stack_title('GRU', model, training)}"


MODELS = {"mlp": mlp, "gru": gru}

CARDS = {
    "mlp": ModelCard(kind="network", gives="residual", title=global_mlp_title),
    "gru": ModelCard(kind="recurrent", gives="residual", title=global_gru_title),
}
