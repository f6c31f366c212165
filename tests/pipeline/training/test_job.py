import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training import job
from pipeline.data.dataset import Dataset
from pipeline.metrics import BETTER
from pipeline.training.job import Job
from pipeline.files import read_csv, read_json, read_npz
from pipeline.data.examples import Windows


@pytest.fixture
def squares():
    """Windows of three over 0, 1, 4, ..., with a free run and no validation."""

    def split(start, stop):
        return Windows(np.arange(start, stop)[:, None] ** 2.0, np.arange(3, stop - start), 3, 1, 0, 0)

    splits = {"train": split(0, 20), "test": split(20, 30)}
    return Dataset("squares", "forecast", "mse", splits, scored=(), rollout=True)


@given(st.sampled_from(sorted(BETTER)), st.lists(st.floats(0, 1) | st.sampled_from([0.25, 0.5]), min_size=1))
def test_the_best_epoch_is_the_first_of_the_best_whether_asked_after_each_epoch_or_at_the_end(metric, scores):
    history, epoch = [], None
    for score in scores:
        history.append({"train_loss": 0.0, f"validation_{metric}": score})
        epoch = job.best(history, metric, epoch)
        assert epoch == job.best(history, metric)
    wanted = max(scores) if metric == "accuracy" else min(scores)
    assert epoch == 1 + scores.index(wanted)


@pytest.mark.parametrize("history", [[], [{"train_loss": 0.0}], [{"train_loss": 0.0, "test_mae": 0.0}] * 2])
def test_without_validation_no_epoch_is_the_best(history):
    assert job.best(history, "mae") is None


@pytest.mark.parametrize("chunk", [1, 7, 2048])
def test_chunks_are_all_examples_in_order(squares, chunk, monkeypatch):
    monkeypatch.setattr(job, "CHUNK", chunk)
    examples = squares.splits["train"]
    inputs, targets = (np.concatenate(arrays) for arrays in zip(*job.chunks(examples), strict=True))
    expected = examples.take(np.arange(len(examples)))
    assert (inputs == expected[0]).all()
    assert (targets == expected[1]).all()


def test_a_free_run_starts_from_the_first_window_and_feeds_every_prediction_back(squares):
    test = squares.splits["test"]
    values = list(test.take(np.array([0]))[0][0, :, 0])
    for _ in range(len(test)):
        values.append(values[-1] - values[-3] / 2)
    found = job.rollout(lambda window: window[:, -1, 0] - window[:, -3, 0] / 2, test)
    assert found.tolist() == values[-len(test) :]


def test_what_was_fitted_once_is_the_same_for_every_seed_and_is_written_whole(squares, tmp_path):
    job = Job("x", squares, lambda: None, (3, 5))
    trained = job.fitted(job, lambda inputs: inputs[:, -1, 0] * 2, np.array([2.0]), loss="mse")
    job.save(trained, job, tmp_path, {"fingerprint": "f"})
    assert sorted(p.name for p in (tmp_path / "weights").iterdir()) == ["seed_3_final.npz", "seed_5_final.npz"]
    assert read_npz(tmp_path / "weights" / "seed_5_final.npz")["weights"].tolist() == [2.0]
    predictions = read_npz(tmp_path / "predictions.npz")
    assert list(predictions) == ["seeds", *(f"final_{split}" for split in squares.splits), "rollout"]
    for split, examples in squares.splits.items():
        twice = examples.take(np.arange(len(examples)))[0][:, -1, 0] * 2
        assert predictions[f"final_{split}"].tolist() == [twice.tolist()] * 2
    assert read_csv(tmp_path / "history.csv") == []
    assert read_json(tmp_path / "run.json") == {
        "experiment": "x",
        "dataset": squares.name,
        "parameters": 1,
        "layers": [],
        "trained": False,
        "seeds": [3, 5],
        "epochs": 0,
        "best_epochs": None,
        "loss": "mse",
        "fingerprint": "f",
    }
