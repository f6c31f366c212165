"""Every side does the same work: the same losses from the same weights on the same batches."""

import pytest

from bench import peers, sides
from bench.works import BY_HAND
from pipeline.errors import UnrollError
from tests.bench.sides_agree import agree, losses

KERAS = ("unroll", "documents", "keras")


def test_keras_does_what_unroll_does_on_windows(tiny):
    agree(tiny("lstm", units=4), KERAS)


def test_keras_does_what_unroll_does_on_words(tiny_words):
    task = tiny_words("gru", units=4, embedding=3)
    agree(task, ("unroll", sides.SUMMED))
    agree(task, ("keras", "documents"), "keras")


@pytest.mark.parametrize(
    "model",
    [
        {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False},
        {"family": "dense", "name": "mlp", "hidden": [], "output": "tanh"},
    ],
)
def test_the_documents_loops_do_what_unroll_does_by_hand(tiny_by_hand, model):
    agree(tiny_by_hand(model), BY_HAND)


def test_a_side_that_does_less_is_an_error(tiny):
    task = tiny("lstm", units=4)
    reference = {"unroll": peers.exact({"before": 0.5, "train": 0.4, "after": 0.3})}
    assert peers.check(task, "keras", {"before": 0.5, "train": 0.40001, "after": 0.3}, reference)["train"]["tolerance"]
    with pytest.raises(UnrollError, match="keras does not agree on tiny: the loss of the training steps is 0.41"):
        peers.check(task, "keras", {"before": 0.5, "train": 0.41, "after": 0.3}, reference)
    with pytest.raises(UnrollError, match="jax does not agree on tiny: the loss before training is nan"):
        peers.check(task, "jax", {"before": float("nan"), "train": 0.4, "after": 0.3}, reference)


def test_gates_in_another_order_are_seen(tiny):
    task = tiny("lstm", units=4)
    true = losses("unroll", task)
    weights = task.read_weights()
    weights[0] = weights[0][:, ::-1].copy()
    task.write_weights(weights)
    other = losses("keras", task)
    assert abs(other["train"] - true["train"]) > 10 * peers.TOLERANCE * true["train"]
