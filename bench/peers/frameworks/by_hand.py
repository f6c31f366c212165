"""Document 003 as its text has it: one example after the other, in a loop over steps or layers in Python."""

import time
from abc import ABC, abstractmethod

import numpy as np

from bench.peers.workloads import Task
from pipeline.data.examples import Array


class ByHand(ABC):
    """A `Framework` without batches and without anything drawn; `task` has its first weights."""

    def __init__(self, task: Task) -> None:
        self.task, self.rate = task, task.training["learning_rate"]
        self.inputs, self.targets = task.doubles()
        held_out, self.truth = task.held_out.take(np.arange(len(task.held_out)))
        self.held_out = held_out.reshape(len(held_out), -1)
        self.reset(0)

    def reset(self, seed: int) -> None:
        del seed
        self.weights = [weight.astype(np.float64) for weight in self.task.read_weights()]

    def train(self) -> float:
        start = time.perf_counter()
        self.epoch()
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        del steps
        self.epoch()
        return self.loss(self.inputs, self.targets)

    def evaluate(self) -> tuple[float, float]:
        start = time.perf_counter()
        loss = self.loss(self.held_out, self.truth)
        return time.perf_counter() - start, loss

    @abstractmethod
    def epoch(self) -> None:
        """Learn from each example once."""

    @abstractmethod
    def loss(self, inputs: Array, targets: Array) -> float:
        """The mean squared error."""


class Documents(ByHand):
    """One recurrent node, or one perceptron, with tanh' = 1 / cosh^2."""

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self.recurrent = self.task.experiment.model.family == "recurrent"
        if self.recurrent:
            self.weights = [weight.reshape(()) for weight in self.weights]

    def epoch(self) -> None:
        learn = self.node_learns if self.recurrent else self.perceptron_learns
        for series, target in zip(self.inputs, self.targets, strict=True):
            learn(series, target)

    def loss(self, inputs: Array, targets: Array) -> float:
        error = 0.0
        for series, target in zip(inputs, targets, strict=True):
            output = self.states(series)[1][-1] if self.recurrent else np.tanh(self.dot(series)).item()
            error += (target - output) ** 2
        return float(error / len(targets))

    def dot(self, series: Array) -> Array:
        """(1, 1): the perceptron before its activation, for a column of inputs."""
        kernel, bias = self.weights
        return np.asarray(kernel.T @ series.reshape(-1, 1) + bias)

    def perceptron_learns(self, series: Array, target: float) -> None:
        """The delta rule for one series."""
        dot = self.dot(series)
        delta = (target - np.tanh(dot)) / np.cosh(dot) ** 2
        self.weights[0] = self.weights[0] + self.rate * series.reshape(-1, 1) @ delta
        self.weights[1] = self.weights[1] + self.rate * delta[0]

    def states(self, series: Array) -> tuple[list[float], list[float]]:
        """Every step's sum and its activation."""
        kernel, recurrent, bias = self.weights
        dots: list[float] = []
        states: list[float] = []
        state = 0.0
        for value in series:
            dots.append(kernel * value + recurrent * state + bias)
            state = np.tanh(dots[-1])
            states.append(state)
        return dots, states

    def node_learns(self, series: Array, target: float) -> None:
        """Backpropagation through time for one series."""
        kernel, recurrent, bias = self.weights
        dots, states = self.states(series)
        delta = (target - states[-1]) / np.cosh(dots[-1]) ** 2
        deltas = [delta]
        for dot in dots[-2::-1]:
            delta = delta * recurrent / np.cosh(dot) ** 2
            deltas.append(delta)
        deltas.reverse()
        self.weights = [
            kernel + self.rate * sum(d * value for d, value in zip(deltas, series, strict=True)),
            recurrent + self.rate * sum(d * state for d, state in zip(deltas[1:], states[:-1], strict=True)),
            bias + self.rate * sum(deltas),
        ]
