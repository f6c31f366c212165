"""PyTorch does the same work. It is there once `make bench` has installed it; `make bench` runs this first."""

import pytest
import torch

from bench.peers.frameworks.pytorch import fused
from tests.bench.peers.frameworks.agreement import agree, losses


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_pytorch_does_what_keras_does(tiny, tiny_words, name):
    agree(tiny(name, units=4), ("pytorch",))
    agree(tiny_words(name, units=4, embedding=3), ("pytorch",))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_pytorch_with_dropout_evaluates_as_keras_does(tiny, name):
    task = tiny(name, units=4, dropout=0.2, recurrent_dropout=0.2)
    unroll, pytorch = losses("unroll", task), losses("pytorch", task)
    assert pytorch["before"] == pytest.approx(unroll["before"], rel=1e-5)


@pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru"])
def test_weights_go_to_pytorch_and_back(kind):
    units, gates = 5, {"simple_rnn": 1, "lstm": 4, "gru": 3}[kind]
    kernel, recurrent = torch.randn(3, gates * units), torch.randn(units, gates * units)
    bias = torch.randn(*((2,) if kind == "gru" else ()), gates * units)
    given = fused(kind, kernel, recurrent, bias)
    # The order of a GRU's gates is its own inverse.
    back = fused(kind, given[0].T, given[1].T, torch.stack(given[2:]) if kind == "gru" else given[2])
    for one, other in zip(back, (kernel.T, recurrent.T, bias[0] if kind == "gru" else bias), strict=False):
        assert torch.equal(one, other)
