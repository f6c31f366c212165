"""The driver of the sides: its processes, its rows, its references."""

import pytest

from bench import peers
from bench.peers import SideError, Worker


@pytest.fixture
def worker(tmp_path):
    worker = Worker("keras", tmp_path / "log")
    yield worker
    worker.close()


def test_a_side_that_cannot_says_why_and_lives_on(worker, tmp_path):
    with pytest.raises(SideError, match="ValueError: nothing is loaded"):
        worker.ask(do="evaluate")
    with pytest.raises(SideError, match=r"params\.yaml is missing"):
        worker.ask(do="load", side="documents", root=str(tmp_path), work="jena_lstm")


def test_a_process_that_ended_is_an_error_and_no_wait(worker):
    worker.process.kill()
    with pytest.raises(SideError, match="its process ended"):
        worker.ask(do="evaluate")


def test_with_dropout_the_reference_is_the_spread_over_seeds(tiny):
    class Drawn:
        def ask(self, **request):
            self.seed = request.get("seed", getattr(self, "seed", 0))
            return {"loss": 0.4 + 0.001 * self.seed}

    task = tiny("lstm", units=4, dropout=0.2, recurrent_dropout=0.2)
    found = peers.reference(task, Drawn(), {"before": 0.5, "train": 0.4, "after": 0.4})
    assert found["before"] == (0.5, 0.5 * peers.TOLERANCE)
    middle, tolerance = found["train"]
    assert middle == pytest.approx(0.4045)
    assert tolerance == pytest.approx(6 * 0.00302765 * 1.1**0.5, rel=1e-4)
    plain = peers.reference(tiny("lstm", units=4), Drawn(), {"before": 0.5, "train": 0.4, "after": 0.4})
    assert plain["train"] == (0.4, 0.4 * peers.TOLERANCE)


def test_a_row_has_times_and_their_ratio_round_by_round(tiny):
    task = tiny("gru", units=4)
    times = {"unroll": {"train": [1.0, 2.0, 4.0]}, "jax": {"train": [3.0, 4.0, 20.0]}}
    row = peers.row(task, "train", "jax", times, 1.234, {})
    assert row["ms_per_step"] == {"min": 3.0, "median": 4.0, "max": 20.0}
    assert row["ratio"] == {"min": 2.0, "median": 3.0, "max": 5.0}
    assert row["flops"] is None
    assert peers.row(task, "train", "unroll", times, 1.0, {})["flops"] > 0
