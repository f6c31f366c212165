"""PyTorch: a plain loop over batches in memory."""

import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from bench.peers.workloads import Task
from pipeline.data.examples import Array

EPSILON = 1e-7
"""Keras' epsilon."""


class PyTorch:
    """The task's network as a `torch.nn.Module`."""

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(1)
        self.task = task
        self.network = TorchNetwork(task)
        self.loss = LOSSES[task.training["loss"]]
        self.batches = [
            tensors(*task.data.splits["train"].take(rows)) for rows in task.rows
        ]
        held_out = np.arange(len(task.held_out)).reshape(task.workload.evaluated, -1)
        self.held_out = [tensors(*task.held_out.take(rows)) for rows in held_out]
        self.reset()

    def reset(self) -> None:
        self.network.assign(self.task.read_weights())
        trained = filter(lambda each: each.requires_grad, self.network.parameters())
        rate = self.task.training.get("learning_rate", 0.001)
        self.optimizer = OPTIMIZERS[self.task.training["optimizer"]](trained, rate)

    def train(self) -> float:
        start = time.perf_counter()
        for _ in range(self.task.workload.epochs):
            self.learn(len(self.batches))
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        self.network.train()
        total = torch.zeros(())
        for inputs, targets in self.batches[:steps]:
            loss = self.loss(self.network(inputs), targets)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            total += loss.detach()
        return float(total) / steps

    def evaluate(self) -> tuple[float, float]:
        self.network.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(self.task.workload.evaluations):
                losses = [
                    self.loss(self.network(inputs), targets)
                    for inputs, targets in self.held_out
                ]
        seconds = time.perf_counter() - start
        return seconds, float(torch.stack(losses).mean())


def tensors(inputs: Array, targets: Array) -> tuple[Tensor, Tensor]:
    """Return a batch as contiguous tensors; word numbers are int64."""
    kind = np.int64 if inputs.dtype.kind in "iu" else np.float32
    return (
        torch.from_numpy(inputs.astype(kind)),
        torch.from_numpy(targets.astype(np.float32)),
    )


class TorchNetwork(nn.Module):
    """An embedding, a recurrent layer and a dense layer; or dense layers."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        shapes = [weight.shape for weight in task.read_weights()]
        self.kind = task.experiment.model.name
        self.sigmoid = task.data.kind == "classify"
        self.embedding = nn.Embedding(*shapes.pop(0)) if task.data.vocabulary else None
        self.recurrent: nn.RNNBase | None = None
        if self.kind != "mlp":
            (inputs, _), (units, _), _ = shapes[:3]
            del shapes[:3]
            layer = {"simple_rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[self.kind]
            self.recurrent = layer(inputs, units, batch_first=True)
        self.dense = nn.ModuleList(nn.Linear(*shape) for shape in shapes[::2])

    def assign(self, weights: list[Array]) -> None:
        """Set the weights of a Keras model."""
        left = [torch.from_numpy(weight) for weight in weights]
        with torch.no_grad():
            if self.embedding:
                self.embedding.weight.copy_(left.pop(0))
            if self.recurrent is not None:
                own = [*self.recurrent.parameters()]
                for parameter, value in zip(
                    own, fused(self.kind, *left[:3]), strict=True
                ):
                    parameter.copy_(value)
                del left[:3]
                # Keras has no second bias in an LSTM or RNN, so PyTorch's stays 0.
                own[-1].requires_grad_(self.kind == "gru")
            for layer, kernel, bias in zip(
                self.dense, left[::2], left[1::2], strict=True
            ):
                layer.weight.copy_(kernel.T)
                layer.bias.copy_(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs (batch,)."""
        values = inputs if self.embedding is None else self.embedding(inputs)
        if self.recurrent is not None:
            values = self.recurrent(values)[0][:, -1]
        for layer in self.dense[:-1]:
            values = torch.relu(layer(values))
        values = self.dense[-1](values)[:, 0]
        return torch.sigmoid(values) if self.sigmoid else values


def fused(kind: str, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> list[Tensor]:
    """Return Keras' weights as weight_ih, weight_hh, bias_ih, bias_hh of `nn.RNNBase`.

    An LSTM's gates are i, f, c, o in both. Keras' GRU has z, r, h, PyTorch's r, z, n.
    """
    if kind != "gru":
        return [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]
    gates = torch.arange(3 * len(recurrent)).reshape(3, -1)
    order = gates[[1, 0, 2]].reshape(-1)
    return [kernel.T[order], recurrent.T[order], bias[0][order], bias[1][order]]


class Rmsprop(torch.optim.Optimizer):
    """RMSprop as in Keras: epsilon is under the root."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"rate": rate})
        self.trained = self.param_groups[0]["params"]
        self.squares = [torch.zeros_like(parameter) for parameter in self.trained]

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for parameter, square in zip(self.trained, self.squares, strict=True):
            gradient = parameter.grad
            square.mul_(0.9).addcmul_(gradient, gradient, value=0.1)
            parameter.addcdiv_(
                gradient, (square + EPSILON).sqrt_(), value=-self.defaults["rate"]
            )


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "rmsprop": Rmsprop,
    "adam": partial(torch.optim.Adam, eps=EPSILON, foreach=True),
}

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": nn.functional.l1_loss,
    "mse": nn.functional.mse_loss,
    "binary_crossentropy": nn.functional.binary_cross_entropy,
}
