"""Document 003's learning rules, one example at a time, without automatic
differentiation.

Both rules are gradient descent on half the squared error of one example. One is the
delta rule through the layers of a perceptron. The other is backpropagation through time
for one recurrent node. The rules change the weights of the Keras model, in float64. A
test shows that each step equals a step by Keras' gradients.
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
from pipeline.training.epochs import Epochs, Patience, train_replicates
from pipeline.training.job import Job, Trained

TRAINS = ("network",)

if TYPE_CHECKING:
    import keras

Learn = Callable[[list[Array], Array, Array, float], None]
"""One pass over the examples: weights, inputs, targets, rate; changes the weights."""

Forward = Callable[[list[Array], Array], Array]
"""Weights and inputs -> outputs (n,)."""


def train(
    job: Job,
    *,
    learning_rate: Annotated[float, Field(gt=0, le=10)],
    epochs: Epochs,
    patience: Patience = None,
) -> Trained:
    """Train every replicate. Examples keep their order, as in document 003.

    Args:
        job: its `build` makes a `keras.Model`: Dense layers with tanh, or one SimpleRNN
            node without a head.
        learning_rate: the share of the negative gradient that is added for each
            example.
        epochs: the most passes over the train split.
        patience: epochs without a better validation error after which a replicate ends;
            None for never.

    Raises:
        DivergedError: a weight is not finite; names the first such epoch.
        UnrollError: the model is of another kind.
    """
    model = keras_models.seeded(job.build, job.seeds[0])
    learner = RuleLearner(job, learning_rate, *rules(job.experiment, model))

    def save(weights: list[Array], path: Path) -> None:
        model.set_weights(weights)
        keras_models.save_weights(model, keras_models.values(model), path)

    replicates = train_replicates(job, epochs, learner, patience)
    layers = keras_models.layers(model)
    return Trained(replicates, model.count_params(), save, layers, "mse")


def rules(experiment: str, model: "keras.Model") -> tuple[Learn, Forward]:
    """Return the learning rule and the forward pass of a model.

    Both take weights as `model.get_weights()` returns them.

    Raises:
        UnrollError: no rule is known for this model.
    """
    trained = [layer for layer in model.layers if layer.weights]
    kinds = {type(layer).__name__ for layer in trained}
    activations = {
        layer.activation.__name__ for layer in trained if hasattr(layer, "activation")
    }
    one_output = model.output_shape[1:] == (1,)
    if activations == {"tanh"} and kinds == {"Dense"} and one_output:
        return perceptron_epoch, perceptron
    if activations == {"tanh"} and kinds == {"SimpleRNN"} and model.count_params() == 3:
        return node_epoch, node
    raise UnrollError(
        f"{experiment}: by_hand knows Dense layers with tanh and one SimpleRNN node "
        "without a head, with one output. Received: "
        f"{', '.join(sorted(kinds))}"
    )


def perceptron(weights: list[Array], inputs: Array) -> Array:
    """Return outputs (n,) of tanh layers for inputs (n, ...).

    `weights` are kernel, bias, kernel, bias, and so on.
    """
    outputs = inputs.reshape(len(inputs), -1)
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        outputs = np.tanh(outputs @ kernel + bias)
    return outputs[:, 0]


def perceptron_epoch(
    weights: list[Array], inputs: Array, targets: Array, rate: float
) -> None:
    """Change `weights` by the delta rule, for one example after the other.

    Inputs are (n, values) and targets (n,).

    The derivative of tanh, 1 / cosh², is written as 1 - tanh², which does not overflow.
    """
    kernels = weights[::2]  # (values, units) each
    biases = weights[1::2]  # (units,) each
    for values, target in zip(inputs, targets, strict=True):
        outputs = [values]  # of each layer, the input first
        for kernel, bias in zip(kernels, biases, strict=True):
            outputs.append(np.tanh(outputs[-1] @ kernel + bias))
        # the negative gradient of half the squared error, by the sums in the last layer
        delta = (target - outputs[-1]) * (1 - outputs[-1] ** 2)
        for layer in reversed(range(len(kernels))):
            below = outputs[layer]
            change = rate * delta
            if layer > 0:
                # Computed before the kernel changes: the outputs, and so the gradient,
                # belong to the old kernel.
                delta = (kernels[layer] @ delta) * (1 - below**2)
            kernels[layer] += below[:, None] * change
            biases[layer] += change


def node(weights: list[Array], inputs: Array) -> Array:
    """Return the last states (n,) of one recurrent node for inputs (n, timesteps, 1).

    The initial state is 0.
    """
    kernel, recurrent, bias = (float(weight.item()) for weight in weights)
    series = inputs.reshape(len(inputs), -1)
    state = np.zeros(len(series))
    for step in range(series.shape[1]):
        state = np.tanh(kernel * series[:, step] + recurrent * state + bias)
    return state


def node_epoch(
    weights: list[Array], inputs: Array, targets: Array, rate: float
) -> None:
    """Change `weights` by backpropagation through time, for one series after the other.

    Inputs are (n, timesteps) and targets (n,).
    """
    kernel, recurrent, bias = (float(weight.item()) for weight in weights)
    for series, target in zip(inputs.tolist(), targets.tolist(), strict=True):
        states = [0.0]  # one more than the series has values
        for value in series:
            states.append(math.tanh(kernel * value + recurrent * states[-1] + bias))
        # All steps share the three weights, so the changes of the steps add up.
        kernel_change = 0.0
        recurrent_change = 0.0
        bias_change = 0.0
        # the error's negative gradient by the last state, then by the states before
        delta = target - states[-1]
        for step in reversed(range(len(series))):
            delta *= 1.0 - states[step + 1] ** 2
            kernel_change += delta * series[step]
            recurrent_change += delta * states[step]
            bias_change += delta
            delta *= recurrent
        kernel += rate * kernel_change
        recurrent += rate * recurrent_change
        bias += rate * bias_change
    for weight, number in zip(weights, (kernel, recurrent, bias), strict=True):
        weight[...] = number


class RuleLearner:
    """A trainer of one replicate after the other by a rule (an `epochs.Learner`).

    Args:
        job: the training job.
        rate: the learning rate.
        learn: see `rules`.
        forward: see `rules`.
    """

    def __init__(self, job: Job, rate: float, learn: Learn, forward: Forward) -> None:
        self._job = job
        self._rate = rate
        self._learn = learn
        self._forward = forward
        self._inputs = {
            split: examples.take(np.arange(len(examples)))[0]
            for split, examples in job.dataset.splits.items()
        }
        train = self._inputs["train"].reshape(len(job.train), -1)
        self._train_inputs = train.astype(np.float64)  # (n, values)
        self._train_targets = job.train.targets.astype(np.float64)  # (n,)
        self._seed = 0
        self._weights = list[Array]()

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:  # noqa: ARG002 - no order
        if state is None:
            state = keras_models.seeded(self._job.build, seed).get_weights()
        self._seed = seed
        self._weights = [weight.astype(np.float64) for weight in state]

    def epoch(self, number: int) -> dict[str, float]:
        self._learn(self._weights, self._train_inputs, self._train_targets, self._rate)
        if not all(np.isfinite(weight).all() for weight in self._weights):
            job = self._job
            raise DivergedError(job.dataset.name, job.experiment, self._seed, number)
        loss = score("mse", self._predict("train"), self._job.train.targets)
        return {"train_loss": loss, **self._job.scores("mse", self._predict)}

    def _predict(self, split: str) -> Array:
        return self._forward(self._weights, self._inputs[split])

    def state(self) -> list[Array]:
        return self._weights

    def weights(self) -> list[Array]:
        return [weight.copy() for weight in self._weights]

    def predictions(self, point: str, weights: list[Array]) -> dict[str, Array]:
        return {
            f"{point}_{split}": self._forward(weights, inputs)
            for split, inputs in self._inputs.items()
        }
