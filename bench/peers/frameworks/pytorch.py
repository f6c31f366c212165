"""PyTorch: a plain loop over batches that lie in memory, the model eager or under `torch.compile`.

Without recurrent dropout PyTorch's own fused layers are the fastest. With it, Keras drops the state before every
step, by masks of each gate that hold for the whole sequence; PyTorch has no such layer, so a loop over time does it,
with the input's product of all steps taken first.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from bench.peers.workloads import Task
from pipeline.data.examples import Array

BLOCK = 12
"""Timesteps that are compiled as one: all 240 compile for longer than five minutes, fewer than these run slower."""


class PyTorch:
    """The task's network as a `torch.nn.Module`."""

    def __init__(self, task: Task, *, compiled: bool) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.task, self.network = task, Network(task, compiled=compiled)
        self.forward: Callable[[Tensor], Tensor] = self.network
        if compiled and not self.network.looped:
            self.forward = torch.compile(self.network)
        self.loss = LOSSES[task.training["loss"]]
        train = task.data.splits["train"]
        self.batches = [tensors(*train.take(rows)) for rows in task.rows]
        held_out = np.arange(len(task.held_out)).reshape(task.workload.evaluated, -1)
        self.held_out = [tensors(*task.held_out.take(rows)) for rows in held_out]
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Framework`; dropout goes on from where it is."""
        del seed
        self.network.assign(self.task.read_weights())
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = OPTIMIZERS[self.task.training["optimizer"]](
            parameters, self.task.training.get("learning_rate", 0.001)
        )

    def train(self) -> float:
        """See `Framework`."""
        start = time.perf_counter()
        for _ in range(self.task.workload.epochs):
            self.learn(len(self.batches))
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        """See `Framework`."""
        self.network.train()
        total = torch.zeros(())
        for inputs, targets in self.batches[:steps]:
            loss = self.loss(self.forward(inputs), targets)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) / steps

    def evaluate(self) -> tuple[float, float]:
        """See `Framework`."""
        self.network.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(self.task.workload.evaluations):
                losses = [self.loss(self.forward(inputs), targets) for inputs, targets in self.held_out]
        seconds = time.perf_counter() - start
        return seconds, float(torch.stack(losses).mean())


def tensors(inputs: Array, targets: Array) -> tuple[Tensor, Tensor]:
    """A batch as contiguous tensors, word numbers as PyTorch's embedding wants them."""
    kind = np.int64 if inputs.dtype.kind in "iu" else np.float32
    return torch.from_numpy(inputs.astype(kind)), torch.from_numpy(targets.astype(np.float32))


class Network(nn.Module):
    """Embedding, one recurrent layer and a dense one; or dense layers."""

    def __init__(self, task: Task, *, compiled: bool) -> None:
        super().__init__()
        options = task.experiment.model.options
        shapes = [weight.shape for weight in task.read_weights()]
        self.kind = task.experiment.model.name
        self.looped = bool(options.get("recurrent_dropout"))
        self.embedding = nn.Embedding(*shapes.pop(0)) if task.data.vocabulary else None
        self.recurrent: nn.RNNBase | Dropped | None = None
        if self.kind != "mlp":
            (inputs, _), (units, _), _ = shapes[:3]
            del shapes[:3]
            if self.looped:
                rates = options["dropout"], options["recurrent_dropout"]
                self.recurrent = Dropped(self.kind, inputs, units, *rates, compiled=compiled)
            else:
                layer = {"simple_rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[self.kind]
                self.recurrent = layer(inputs, units, batch_first=True)
        self.dense = nn.ModuleList(nn.Linear(*shape) for shape in shapes[::2])
        self.sigmoid = task.data.kind == "classify"

    def assign(self, weights: list[Array]) -> None:
        """Take Keras' weights."""
        left = [torch.from_numpy(weight) for weight in weights]
        with torch.no_grad():
            if self.embedding:
                self.embedding.weight.copy_(left.pop(0))
            if self.recurrent is not None:
                own = [*self.recurrent.parameters()]
                given = left[:3] if self.looped else fused(self.kind, *left[:3])
                for parameter, value in zip(own, given, strict=True):
                    parameter.copy_(value)
                del left[:3]
                # PyTorch's second bias of an LSTM or RNN is none of Keras' parameters: it stays 0.
                if not self.looped and self.kind != "gru":
                    own[-1].requires_grad_(False)
            for layer, kernel, bias in zip(self.dense, left[::2], left[1::2], strict=True):
                layer.weight.copy_(kernel.T)
                layer.bias.copy_(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (batch,)."""
        values = inputs if self.embedding is None else self.embedding(inputs)
        if isinstance(self.recurrent, Dropped):
            values = self.recurrent(values)
        elif self.recurrent is not None:
            values = self.recurrent(values)[0][:, -1]
        for layer in self.dense[:-1]:
            values = torch.relu(layer(values))
        values = self.dense[-1](values)[:, 0]
        return torch.sigmoid(values) if self.sigmoid else values


def fused(kind: str, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> list[Tensor]:
    """Keras' weights as `nn.RNNBase` has them: weight_ih, weight_hh, bias_ih, bias_hh.

    An LSTM's gates are i, f, c, o in both. Keras' GRU has z, r, h, PyTorch's r, z, n.
    """
    if kind != "gru":
        return [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]
    units = len(recurrent)
    order = torch.cat([torch.arange(units, 2 * units), torch.arange(units), torch.arange(2 * units, 3 * units)])
    return [kernel.T[order], recurrent.T[order], bias[0][order], bias[1][order]]


class Dropped(nn.Module):
    """An LSTM or GRU with Keras' dropout; its parameters have Keras' shapes."""

    def __init__(
        self, kind: str, inputs: int, units: int, dropout: float, recurrent_dropout: float, *, compiled: bool
    ) -> None:
        super().__init__()
        self.gates = {"lstm": 4, "gru": 3}[kind]
        self.kernel = nn.Parameter(torch.empty(inputs, self.gates * units))
        self.recurrent = nn.Parameter(torch.empty(units, self.gates * units))
        self.bias = nn.Parameter(torch.empty((2,) * (kind == "gru") + (self.gates * units,)))
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.block = {"lstm": lstm_steps, "gru": gru_steps}[kind]
        # The LSTM's three sigmoids side by side: i, f, o, c.
        self.order = {"lstm": [0, 1, 3, 2], "gru": [0, 1, 2]}[kind]
        self.several = BLOCK if compiled else 0
        if compiled:
            self.block = torch.compile(self.block)

    def forward(self, inputs: Tensor) -> Tensor:
        """The last states (batch, units) for inputs (batch, timesteps, values)."""
        batch, steps, _ = inputs.shape
        units = len(self.recurrent)
        kernel = self.kernel.view(-1, self.gates, units).transpose(0, 1)[self.order]
        recurrent = self.recurrent.view(units, self.gates, units).transpose(0, 1)[self.order]
        bias = self.bias.view(-1, self.gates, 1, units)[:, self.order]
        series = inputs.transpose(0, 1).reshape(1, steps * batch, -1)
        if self.training:
            masks = nn.functional.dropout(inputs.new_ones(self.gates, 1, batch, inputs.shape[2]), self.dropout)
            series = (series.view(1, steps, batch, -1) * masks).flatten(1, 2)
            mask = nn.functional.dropout(inputs.new_ones(self.gates, batch, units), self.recurrent_dropout)
        else:
            series = series.expand(self.gates, -1, -1)
            mask = inputs.new_ones(self.gates, batch, units)
        sums = torch.baddbmm(bias[0], series, kernel).view(self.gates, steps, batch, units).transpose(0, 1)
        state = (inputs.new_zeros(batch, units), inputs.new_zeros(batch, units))
        extra = bias[-1]
        size = self.several or steps
        for start in range(0, steps, size):
            state = self.block(sums[start : start + size], state, mask, recurrent, extra)
        return state[0]


State = tuple[Tensor, Tensor]


def lstm_steps(sums: Tensor, state: State, mask: Tensor, recurrent: Tensor, _extra: Tensor) -> State:
    """The state after the steps whose input products are `sums` (steps, gate, batch, units)."""
    hidden, carry = state
    for given in sums.unbind(0):
        gates = torch.baddbmm(given, hidden * mask, recurrent)
        i, f, o = torch.sigmoid(gates[:3]).unbind(0)
        carry = torch.addcmul(f * carry, i, torch.tanh(gates[3]))
        hidden = o * torch.tanh(carry)
    return hidden, carry


def gru_steps(sums: Tensor, state: State, mask: Tensor, recurrent: Tensor, extra: Tensor) -> State:
    """As `lstm_steps`; the second of the state goes through unused."""
    hidden, unused = state
    for given in sums.unbind(0):
        inner = torch.baddbmm(extra, hidden * mask, recurrent)
        gates = torch.sigmoid(given[:2] + inner[:2])
        candidate = torch.tanh(torch.addcmul(given[2], gates[1], inner[2]))
        hidden = torch.lerp(candidate, hidden, gates[0])
    return hidden, unused


class Rmsprop:
    """Keras' form: epsilon stands under the root."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, rho: float = 0.9, epsilon: float = 1e-7) -> None:
        self.parameters, self.rate, self.rho, self.epsilon = parameters, rate, rho, epsilon
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients, and forget them."""
        for parameter, square in zip(self.parameters, self.squares, strict=True):
            gradient = parameter.grad
            square.mul_(self.rho).addcmul_(gradient, gradient, value=1 - self.rho)
            parameter.addcdiv_(gradient, (square + self.epsilon).sqrt_(), value=-self.rate)
            parameter.grad = None


class Adam:
    """Keras' form: epsilon is added before the moments' start is corrected."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-7,
    ) -> None:
        self.parameters, self.rate, self.betas, self.epsilon = parameters, rate, betas, epsilon
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients, and forget them."""
        self.steps += 1
        first, second = self.betas
        gradients = [parameter.grad for parameter in self.parameters]
        torch._foreach_lerp_(self.means, gradients, 1 - first)
        torch._foreach_mul_(self.squares, second)
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - second)
        roots = [square.sqrt().add_(self.epsilon) for square in self.squares]
        rate = self.rate * (1 - second**self.steps) ** 0.5 / (1 - first**self.steps)
        torch._foreach_addcdiv_(self.parameters, self.means, roots, -rate)
        for parameter in self.parameters:
            parameter.grad = None


OPTIMIZERS: dict[str, Callable[[list[nn.Parameter], float], "Rmsprop | Adam"]] = {"rmsprop": Rmsprop, "adam": Adam}

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": nn.functional.l1_loss,
    "mse": nn.functional.mse_loss,
    "binary_crossentropy": nn.functional.binary_cross_entropy,
}
