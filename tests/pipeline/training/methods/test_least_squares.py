from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from threadpoolctl import threadpool_limits

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.data.problem import problem
from pipeline.models import baselines
from pipeline.training import prediction
from pipeline.training.job import Job
from pipeline.training.methods import boosting, least_absolute, least_squares, logistic_regression


def trained(dataset, ridge=0.0, **options):
    job = Job("x", dataset, partial(baselines.linear, problem(dataset), **options), (0,))
    return least_squares.train(job, ridge=ridge)


@pytest.mark.parametrize("ridge", [0.0, 2.5])
@pytest.mark.parametrize("chunk", [7, 2048])
def test_coefficients_are_those_of_a_library_whatever_the_chunks(station, ridge, chunk, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK", chunk)
    ours = trained(station, ridge, last=3)
    inputs, targets = station.splits["train"].take(np.arange(len(station.splits["train"])))
    features = inputs[:, -3:].reshape(len(inputs), -1).astype(np.float64)
    library = (Ridge(alpha=ridge) if ridge else LinearRegression()).fit(features, targets.astype(np.float64))
    coefficients = ours.replicates[0].weights["final"]
    np.testing.assert_allclose(coefficients, [*library.coef_, library.intercept_], rtol=1e-6)
    assert ours.parameters == len(coefficients) == 10
    test = station.splits["test"].take(np.arange(len(station.splits["test"])))[0][:, -3:].reshape(-1, 9)
    np.testing.assert_allclose(
        ours.replicates[0].predictions["final_test"], library.predict(test.astype(np.float64)), rtol=1e-6
    )


def test_two_numbers_continue_a_sine_exactly(sine_windows):
    """sin(x + h) = 2 cos(h) sin(x) - sin(x - h): found from data, and good for a free run."""
    ours = trained(sine_windows, last=2, intercept=False).replicates[0]
    np.testing.assert_allclose(ours.weights["final"], [-1.0, 2 * np.cos(0.5)], rtol=1e-12)
    targets = sine_windows.splits["test"].targets
    assert np.mean((ours.predictions["final_test"] - targets) ** 2) < 1e-28
    assert np.mean((ours.predictions["rollout"] - targets) ** 2) < 1e-24


def test_several_targets_are_fitted_each_by_itself(shape):
    dataset = shape("vector_to_sequence")
    ours = trained(dataset)
    train, test = dataset.splits["train"], dataset.splits["test"]
    library = LinearRegression().fit(train.inputs, train.targets)
    predictions = ours.replicates[0].predictions["final_test"]
    np.testing.assert_allclose(predictions, library.predict(test.inputs), rtol=1e-6, atol=1e-9)
    assert ours.parameters == 7 * 40


def test_targets_that_are_answered_step_by_step_are_refused(shape):
    with pytest.raises(ValueError, match="least_squares sees the whole input"):
        trained(shape("delayed"))


@pytest.mark.parametrize(
    "method",
    [
        least_squares.train,
        logistic_regression.train,
        partial(least_absolute.train, rounds=3),
        partial(boosting.train, trees=3),
    ],
    ids=["least_squares", "logistic_regression", "least_absolute", "boosting"],
)
def test_bits_do_not_depend_on_the_number_of_threads(random, method):
    from scipy import linalg  # noqa: F401 - what is loaded later is not limited

    def split(size):
        inputs = random.standard_normal((size, 500))
        return Arrays(inputs, (inputs.sum(axis=1) > 0).astype(np.float64))

    dataset = Dataset("many", "classify", "mse", {"train": split(3000), "test": split(300)}, scored=())
    job = Job("x", dataset, partial(baselines.linear, problem(dataset)), (0,))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            replicate = method(job).replicates[0]
        found.append(replicate.weights["final"].tobytes() + replicate.predictions["final_test"].tobytes())
    assert found[0] == found[1]
