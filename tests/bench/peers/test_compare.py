"""Processes of frameworks, what losses are compared with, and the rows of results."""

import pytest

from bench.peers import compare
from bench.peers.compare import FrameworkError, Worker
from pipeline.errors import UnrollError


@pytest.fixture
def worker(tmp_path):
    worker = Worker("keras", tmp_path)
    yield worker
    worker.close()


def test_a_framework_that_cannot_says_why_and_one_whose_process_ended_is_not_waited_for(worker, tmp_path):
    with pytest.raises(FrameworkError, match="ValueError: nothing is loaded"):
        worker.ask(do="evaluate")
    with pytest.raises(FrameworkError, match=r"params\.yaml is missing"):
        worker.ask(do="load", framework="documents", root=str(tmp_path), workload="jena_lstm")
    worker.process.kill()
    with pytest.raises(FrameworkError, match="its process ended"):
        worker.ask(do="evaluate")


class Drawn:
    """Answers as a worker does: losses that go with the seed, and round after round the seconds that it is given."""

    def __init__(self, *seconds, framework="unroll", own_settings=False):
        self.seconds, self.learnt = [*seconds], 0
        self.framework, self.own_settings = framework, own_settings

    def __str__(self):
        return self.framework

    def ask(self, do, seed=0, steps=None, **_request):
        if do == "load" and not self.seconds:
            raise FrameworkError("no such library")
        self.learnt = steps or self.learnt
        return {"loss": 0.4 + 0.001 * seed, "seconds": self.seconds.pop(0) if do == "train" else 1.0}


def test_with_dropout_the_reference_is_the_spread_over_seeds(tiny):
    losses = {"before": 0.5, "train": 0.4}
    task = tiny("lstm", units=4, dropout=0.2, recurrent_dropout=0.2)
    found = compare.reference(task, unroll := Drawn(), losses)
    assert found["before"] == (0.5, 0.5 * compare.TOLERANCE)
    assert found["train"] == pytest.approx((0.4045, 6 * 0.00302765 * 1.1**0.5), rel=1e-4)
    assert unroll.learnt == task.workload.steps
    assert compare.reference(tiny("lstm", units=4), Drawn(), losses)["train"] == (0.4, 0.4 * compare.TOLERANCE)


def test_without_dropout_the_first_steps_are_compared_before_rounding_grows(tiny, tmp_path):
    losses, _ = compare.start(worker := Drawn(1.0), "jax", tiny("lstm", units=4), tmp_path)
    assert losses == {"before": 0.4, "train": 0.4}
    assert worker.learnt == compare.CHECKED


def compared(task, folder, *workers):
    found = {"rows": [], "absent": [], "works": {}}
    compare.compare(task, folder, workers, False, lambda _text: None, found)
    return found


def test_rows_have_times_and_their_ratios_round_by_round_and_who_is_absent_is_named(tiny, tmp_path):
    jax = Drawn(0.1, 9.0, 12.0, 60.0, 6.0, 6.0, framework="jax")
    same = Drawn(0.1, *[3.0] * 5, framework="jax", own_settings=True)
    found = compared(
        tiny("gru", units=4), tmp_path, Drawn(0.1, 3.0, 6.0, 12.0, 3.0, 3.0), same, jax, Drawn(framework="keras")
    )
    assert found["absent"] == [{"work": "tiny", "side": "keras", "reason": "no such library"}]
    rows = {(row["side"], row["own_settings"], row["phase"]): row for row in found["rows"]}
    sides = [("unroll", False), ("jax", True), ("jax", False)]
    assert list(rows) == [(*side, phase) for phase in ("train", "evaluate") for side in sides]
    row = rows["jax", False, "train"]
    assert row["ms_per_step"] == {"min": 2000.0, "median": 3000.0, "max": 20000.0}
    assert row["ratio"] == {"min": 2.0, "median": 2.0, "max": 5.0}
    assert rows["jax", True, "train"]["ratio"] == {"min": 0.25, "median": 1.0, "max": 1.0}
    assert row["flops"] is None
    assert rows["unroll", False, "train"]["flops"] > 0
    assert found["works"]["tiny"]["checks"]["jax"]["train"]["difference"] == 0


def test_there_are_more_rounds_where_ratios_spread(tiny, tmp_path):
    steady = compared(tiny("gru", units=4), tmp_path, Drawn(*[1.0] * 6), Drawn(*[2.0] * 6, framework="jax"))
    assert steady["works"]["tiny"]["rounds"] == compare.ROUNDS
    loose = Drawn(2.0, 2.0, 2.0, 2.5, 2.0, 2.0, framework="jax")
    assert compared(tiny("gru", units=4), tmp_path, Drawn(*[1.0] * 6), loose)["works"]["tiny"]["rounds"] == 5


def test_a_peer_as_it_comes_has_none_of_unrolls_settings(tmp_path, monkeypatch):
    found = []
    monkeypatch.setenv("GIVEN", "outside")
    monkeypatch.setattr(compare, "SETTINGS", {"GIVEN": "unroll"})
    monkeypatch.setattr(compare.subprocess, "Popen", lambda _command, env, **_options: found.append(env.get("GIVEN")))
    for own in (True, False):
        Worker("keras", tmp_path, own_settings=own)
    assert found == [None, "unroll"]


@pytest.mark.parametrize(
    ("loss", "said"), [(0.41, "of the first training steps is 0.41"), (float("nan"), "steps is nan")]
)
def test_a_framework_that_comes_to_other_losses_is_an_error(tiny, loss, said):
    reference = {"unroll": compare.exact({"before": 0.5, "train": 0.4})}
    task = tiny("lstm", units=4)
    assert compare.check(task, "jax", {"train": 0.40001}, reference)["train"]["tolerance"] == 0.4 * compare.TOLERANCE
    with pytest.raises(UnrollError, match=f"jax does not agree on tiny: the loss .*{said}"):
        compare.check(task, "jax", {"before": 0.5, "train": loss}, reference)
