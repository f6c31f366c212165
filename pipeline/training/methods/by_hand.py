"""Document 003's learning rules, one example at a time, without automatic
differentiation.

Both rules are gradient descent on half the squared error of one example: the delta rule
through the layers of a perceptron, and backpropagation through time for one recurrent
node. They act on the weights of the Keras model, in float64; a test shows that each
step equals one by Keras' gradients.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import score
from pipeline.training import keras_models
from pipeline.training.job import Job, Patience, Trained, train_replicates

TRAINS = ("network",)

if TYPE_CHECKING:
    import keras

Rate = Annotated[float, Field(gt=0, le=10)]
Step = Callable[[list[Array], Array, Array, float], None]
Forward = Callable[[list[Array], Array], Array]


def train(
    job: Job,
    *,
    learning_rate: Rate,
    epochs: Annotated[int, Field(ge=1, le=100_000)],
    patience: Patience = None,
) -> Trained:
    """Train every replicate, the examples in their order, as document 003 does.

    Args:
        job: its `build` makes a `keras.Model`: Dense layers with tanh, or one SimpleRNN
            node without a head.
        learning_rate: the share of the (negative) gradient that is added for each
            example.
        epochs: passes over the train split, at most.
        patience: as for `train_replicates`.

    Raises:
        DivergedError: a weight is not finite; names the epoch and the step after which
            it was so first.
        UnrollError: the model is of another kind.
    """
    model = keras_models.seeded(job.build, job.seeds[0])
    learner = RuleLearner(job, learning_rate, *rules(job.experiment, model))

    def save(numbers: list[Array], path: Path) -> None:
        model.set_weights(numbers)
        keras_models.save_weights(model, keras_models.values(model), path)

    replicates = train_replicates(job, epochs, learner, patience)
    return Trained(
        replicates, model.count_params(), save, keras_models.layers(model), "mse"
    )


class RuleLearner:
    """Trains one replicate after the other by one of the rules
    (`pipeline.training.job.Learner`).

    Args:
        job: what is trained.
        rate: the learning rate.
        one_epoch, forward: see `rules`.
    """

    def __init__(
        self, job: Job, rate: float, one_epoch: Step, forward: Forward
    ) -> None:
        self._job = job
        self._rate = rate
        self._one_epoch = one_epoch
        self._forward = forward
        splits = job.dataset.splits
        self._inputs = {
            split: examples.take(np.arange(len(examples)))[0]
            for split, examples in splits.items()
        }
        self._flat = (
            self._inputs["train"].reshape(len(splits["train"]), -1).astype(np.float64)
        )
        self._targets = splits["train"].targets.astype(np.float64)
        self._seed = 0
        self._weights = list[Array]()

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:  # noqa: ARG002 - no order
        fresh = (
            keras_models.seeded(self._job.build, seed).get_weights()
            if state is None
            else state
        )
        self._seed = seed
        self._weights = [w.astype(np.float64) for w in fresh]

    def epoch(self, number: int) -> dict[str, float]:
        before = self.weights()
        self._one_epoch(self._weights, self._flat, self._targets, self._rate)
        if not _finite(self._weights):
            raise DivergedError(
                self._job.experiment, self._seed, number, self._first_bad(before)
            )
        train_loss = score(
            "mse", self._predict("train"), self._job.dataset.splits["train"].targets
        )
        return {"train_loss": train_loss} | self._job.scores("mse", self._predict)

    def _first_bad(self, weights: list[Array]) -> int:
        """The example, from 1, after which a weight is not finite: looked for only once
        it is known to be there.
        """
        for step in range(len(self._targets)):
            self._one_epoch(
                weights,
                self._flat[step : step + 1],
                self._targets[step : step + 1],
                self._rate,
            )
            if not _finite(weights):
                return step + 1
        return len(self._targets)

    def _predict(self, split: str) -> Array:
        return self._forward(self._weights, self._inputs[split])

    def state(self) -> list[Array]:
        return self._weights

    def weights(self) -> list[Array]:
        return [w.copy() for w in self._weights]

    def predictions(self, point: str, weights: list[Array]) -> dict[str, Array]:
        return {
            f"{point}_{split}": self._forward(weights, inputs)
            for split, inputs in self._inputs.items()
        }


def _finite(weights: list[Array]) -> bool:
    return all(np.isfinite(w).all() for w in weights)


def rules(experiment: str, model: "keras.Model") -> tuple[Step, Forward]:
    """One epoch of learning and the forward pass for the model's kind; both act on
    `model.get_weights()`.

    Raises:
        UnrollError: no rule is known for this model.
    """
    trained = [layer for layer in model.layers if layer.weights]
    kinds = {type(layer).__name__ for layer in trained}
    tanh = all(
        layer.activation.__name__ == "tanh"
        for layer in trained
        if hasattr(layer, "activation")
    )
    single = model.output_shape[1:] == (1,)
    if kinds == {"Dense"} and tanh and single:
        return perceptron_epoch, perceptron
    if kinds == {"SimpleRNN"} and tanh and model.count_params() == 3:
        return node_epoch, node
    raise UnrollError(
        f"{experiment}: by_hand knows Dense layers with tanh and one SimpleRNN node without a head, with one "
        f"output. Received: {', '.join(sorted(kinds))}"
    )


def perceptron(weights: list[Array], inputs: Array) -> Array:
    """Outputs (n,) of tanh layers for inputs (n, ...); weights are kernel, bias,
    kernel, bias, ...
    """
    outputs = inputs.reshape(len(inputs), -1)
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        outputs = np.tanh(outputs @ kernel + bias)
    return outputs[:, 0]


def perceptron_epoch(
    weights: list[Array], inputs: Array, targets: Array, rate: float
) -> None:
    """The delta rule on inputs (n, values) and targets (n,), one example after the
    other; changes `weights`.

    tanh' = 1 / cosh^2 is written as 1 - tanh^2, which does not overflow.
    """
    kernels = weights[::2]
    biases = weights[1::2]
    top = len(kernels) - 1
    for values, target in zip(inputs, targets, strict=True):
        outputs = [values]
        for kernel, bias in zip(kernels, biases, strict=True):
            outputs.append(np.tanh(outputs[-1] @ kernel + bias))
        delta = (target - outputs[-1]) * (1 - outputs[-1] ** 2)
        for layer in range(top, -1, -1):
            below = outputs[layer]
            change = rate * delta
            # before the kernel changes: the outputs, and so the gradient, are of the
            # old one
            if layer:
                delta = (kernels[layer] @ delta) * (1 - below**2)
            kernels[layer] += below[:, None] * change
            biases[layer] += change


def node(weights: list[Array], inputs: Array) -> Array:
    """Last states (n,) of one recurrent node for inputs (n, timesteps, 1); the first
    state is 0.
    """
    kernel, recurrent, bias = (float(w.reshape(-1)[0]) for w in weights)
    series = inputs.reshape(len(inputs), -1)
    state = np.zeros(len(series))
    for step in range(series.shape[1]):
        state = np.tanh(kernel * series[:, step] + recurrent * state + bias)
    return state


def node_epoch(
    weights: list[Array], inputs: Array, targets: Array, rate: float
) -> None:
    """Backpropagation through time on inputs (n, timesteps), one series after the
    other; changes `weights`.
    """
    kernel, recurrent, bias = (float(w.reshape(-1)[0]) for w in weights)
    tanh = math.tanh
    for series, target in zip(inputs.tolist(), targets.tolist(), strict=True):
        state = 0.0
        states = [0.0]
        for value in series:
            state = tanh(kernel * value + recurrent * state + bias)
            states.append(state)
        # the error's negative gradient by the last state, and then by each one before
        delta = target - state
        kernel_sum = recurrent_sum = bias_sum = 0.0
        # each step has the same three weights: what it asks of them adds up
        for step in range(len(series), 0, -1):
            delta *= 1.0 - states[step] ** 2
            kernel_sum += delta * series[step - 1]
            recurrent_sum += delta * states[step - 1]
            bias_sum += delta
            delta *= recurrent
        kernel += rate * kernel_sum
        recurrent += rate * recurrent_sum
        bias += rate * bias_sum
    for weight, number in zip(weights, (kernel, recurrent, bias), strict=True):
        weight[...] = number
