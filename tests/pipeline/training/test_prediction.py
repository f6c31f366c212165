import numpy as np
import pytest

from pipeline.files import read_npz
from pipeline.training import prediction
from pipeline.training.job import Job


@pytest.mark.parametrize("chunk", [1, 7, 2048])
def test_what_was_fitted_once_predicts_every_split_in_order_for_every_seed(sine_windows, chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK", chunk)
    job = Job("x", sine_windows, lambda: None, (3, 5))
    trained = prediction.fitted(job, lambda inputs: inputs[:, -1, 0] * 2, np.array([2.0]), loss="mse")
    assert [replicate.seed for replicate in trained.replicates] == [3, 5]
    for replicate in trained.replicates:
        assert list(replicate.predictions) == ["final_train", "final_test", "rollout"]
        for split, examples in sine_windows.splits.items():
            inputs, targets = examples.take(np.arange(len(examples)))
            assert (replicate.predictions[f"final_{split}"] == inputs[:, -1, 0] * 2).all()
            assert (np.concatenate([some for _, some in prediction.chunks(examples)]) == targets).all()
    assert (trained.parameters, trained.loss) == (1, "mse")
    trained.save(replicate.weights["final"], tmp_path / "seed_5_final")
    assert read_npz(tmp_path / "seed_5_final.npz")["weights"].tolist() == [2.0]


def test_one_number_counts_for_each_of_several_targets_and_step_by_step_nothing_is_seen_ahead(shape):
    """So the last value is the one that is repeated, or at each step the one that has just come."""
    test = shape("sequence_to_vector").splits["test"]
    last = prediction.predict_split(lambda inputs: inputs[:, -1, 0], test)
    assert (last == np.repeat(test.inputs[:, -1], 4, axis=1)).all()
    test = shape("sequence_to_sequence").splits["test"]
    last = prediction.predict_split(lambda inputs: inputs[:, -1, 0], test, each_step=True)
    assert (last == test.inputs[:, :, 0]).all()


def test_a_free_run_starts_from_the_first_window_and_feeds_every_prediction_back(sine_windows):
    test = sine_windows.splits["test"]
    values = list(test.take(np.array([0]))[0][0, :, 0])
    for _ in range(len(test)):
        values.append(values[-1] - values[-3] / 2)
    found = prediction.rollout(lambda window: window[:, -1, 0] - window[:, -3, 0] / 2, test)
    assert found.tolist() == values[-len(test) :]
