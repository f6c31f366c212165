from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import QuantileRegressor, Ridge

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays
from pipeline.data.problem import problem
from pipeline.models import baselines
from pipeline.training.job import Job
from pipeline.training.methods import least_absolute


@pytest.fixture
def outliers(random):
    """A weighted sum, with noise that now and then is large and to one side."""

    def split(size):
        inputs = random.standard_normal((size, 4, 2))
        noise = 0.1 * random.standard_normal(size) + 5 * (random.random(size) < 0.2)
        return Arrays(inputs, inputs.reshape(size, -1) @ np.arange(8) / 8 + noise)

    return Dataset("outliers", "forecast", "mae", {"train": split(400), "test": split(100)}, scored=())


def trained(dataset, ridge=0.0, **options):
    job = Job("x", dataset, partial(baselines.linear, problem(dataset), **options), (0,))
    return least_absolute.train(job, ridge=ridge)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_absolute_error_is_that_of_the_linear_programme(outliers, intercept):
    ours = trained(outliers, intercept=intercept)
    x, y = outliers.splits["train"].inputs.reshape(400, -1), outliers.splits["train"].targets
    library = QuantileRegressor(alpha=0, fit_intercept=intercept).fit(x, y)
    least = abs(library.predict(x) - y).mean()
    found = abs(ours.replicates[0].predictions["final_train"] - y).mean()
    assert least <= found < 1.001 * least
    assert abs(Ridge(alpha=0, fit_intercept=intercept).fit(x, y).predict(x) - y).mean() > 1.05 * least
    assert ours.parameters == len(ours.replicates[0].weights["final"]) == 8 + intercept
    assert ours.loss == "mae"


def test_predictions_are_the_weighted_sum_and_the_same_twice(outliers):
    first, second = (trained(outliers, ridge=3.0, last=2).replicates[0] for _ in range(2))
    *weights, constant = first.weights["final"]
    inputs = outliers.splits["test"].inputs[:, -2:].reshape(100, -1)
    np.testing.assert_allclose(first.predictions["final_test"], inputs @ weights + constant, rtol=1e-12)
    assert first.predictions["final_test"].tobytes() == second.predictions["final_test"].tobytes()
