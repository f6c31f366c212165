"""Operations counted from the shapes against a count of every product, and shares of the roofline."""

import itertools

import numpy as np
import pytest

from bench.peers import roofline


def count_dense(widths):
    products = 0
    for inputs, outputs in itertools.pairwise(widths):
        for _ in range(outputs):
            products += inputs
    return 2 * products


def count_recurrent(timesteps, inputs, units, gates):
    products = 0
    for _ in range(timesteps):
        for _ in range(gates * units):
            products += inputs + units
    return 2 * products


def test_counts_every_product_once():
    assert roofline.dense([20, 64, 64, 1]) == count_dense([20, 64, 64, 1])
    assert roofline.recurrent(7, 14, 32, 4) == count_recurrent(7, 14, 32, 4)


@pytest.mark.parametrize("phase", ["train", "evaluate"])
def test_a_task_counts_its_recurrent_and_its_dense_layer(tiny, phase):
    task = tiny("gru", units=5)
    forward = count_recurrent(6, 3, 5, 3) + count_dense([5, 1])
    assert roofline.flops(task, phase) == task.batch * forward * (3 if phase == "train" else 1)
    assert roofline.traffic(task, phase) is None


def test_words_cost_traffic_and_no_operations_of_their_own(tiny_words):
    task = tiny_words("lstm", units=4, embedding=2)
    assert roofline.flops(task, "evaluate") == task.batch * (count_recurrent(9, 2, 4, 4) + count_dense([4, 1]))
    vectors = np.zeros((task.batch, 9, 2), np.float32).nbytes
    table = np.zeros((task.data.vocabulary, 2), np.float32).nbytes
    assert roofline.traffic(task, "evaluate") == {"vectors": 2 * vectors}
    assert roofline.traffic(task, "train") == {"vectors": 4 * vectors, "table": 6 * table}


def test_a_text_is_filled_from_its_first_word_on(tiny, tiny_words):
    task = tiny_words("lstm", units=4, embedding=2)
    first = [next((place for place, word in enumerate(text) if word), 9) for text in task.held_out.inputs]
    assert roofline.filled(task, "evaluate") == pytest.approx(1 - np.mean(first) / 9, abs=1e-4)
    assert 0 < roofline.filled(task, "train") < 1
    assert roofline.filled(tiny("lstm", units=4), "train") == 1


def test_shares_are_of_unroll_alone_and_of_the_median():
    ms = {"min": 1.0, "median": 2.0, "max": 4.0}
    mine = {"side": "unroll", "ms_per_step": ms, "flops": 10**8, "traffic": {"vectors": 10**6}, "share_of_peak": 9.0}
    other = {"side": "jax", "ms_per_step": ms, "flops": None, "traffic": None}
    rows = roofline.with_shares([mine, other], {"sgemm_peak_gflops": 100.0, "copy_gbytes": 5.0})
    assert rows[0]["share_of_peak"] == 0.5
    assert rows[0]["share_of_copy"] == 0.1
    assert rows[1] == other


def test_measures_this_machine(monkeypatch):
    monkeypatch.setattr(roofline, "SIZES", (64, 128))
    monkeypatch.setattr(roofline, "COPIED", 2**20)
    said = []
    found = roofline.measure(quick=True, on_step=said.append)
    assert found["sgemm_peak_gflops"] == max(found["sizes"].values()) > 0
    assert found["copy_gbytes"] > 0
    assert len(said) == len(roofline.SIZES) + 1
