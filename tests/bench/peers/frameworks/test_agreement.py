"""Every framework does the same work: the same losses from the same weights on the same batches."""

import pytest

from bench.peers import compare, frameworks
from tests.bench.peers.frameworks.agreement import agree, losses


def test_keras_does_what_unroll_does_on_windows_and_gates_in_another_order_are_seen(tiny):
    task = tiny("gru", units=4)
    unroll = agree(task, ("documents", "keras"))
    weights = task.read_weights()
    weights[0] = weights[0][:, ::-1].copy()
    task.write_weights(weights)
    assert abs(losses("keras", task)["train"] - unroll["train"]) > 10 * compare.TOLERANCE * unroll["train"]


def test_keras_does_what_unroll_does_on_words_once_it_sums_their_gradients_compiled_or_not(tiny_words):
    task = tiny_words("simple_rnn", units=4, embedding=3)
    summed = agree(task, (frameworks.SUMMED,))["train"]
    keras, compiled = (losses(name, task)["train"] for name in ("keras", "keras_jit"))
    assert compiled == pytest.approx(keras, rel=compare.TOLERANCE)
    assert abs(compiled - summed) > 2 * compare.TOLERANCE * summed


@pytest.mark.parametrize(
    "model",
    [
        {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False},
        {"family": "dense", "name": "mlp", "hidden": [], "output": "tanh"},
    ],
)
def test_the_documents_loops_do_what_unroll_does_by_hand(tiny_by_hand, model):
    agree(tiny_by_hand(model), ("documents",))
