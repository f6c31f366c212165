import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from bench.sceptic.models import GaussianProcess, Perceptron, _likelihood

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(400, 2))
TARGETS = np.column_stack([np.sin(2 * INPUTS[:, 0]), np.abs(INPUTS[:, 0])])


@pytest.mark.parametrize("activation", ["tanh", "sine", "relu"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_perceptron_learns_a_curve_and_the_same_seed_gives_the_same(
    activation, absolute
):
    models = [
        Perceptron((32, 16), activation, 0.01, 0.01, 600, 32, seed, absolute)
        for seed in (0, 0, 1)
    ]
    for model in models:
        model.fit(INPUTS[:300], TARGETS[:300])
    first, same, other = (model.predict(INPUTS[300:]) for model in models)
    assert ((first - TARGETS[300:]) ** 2).mean() < 0.1 * TARGETS.var()
    assert (first == same).all()
    assert (first != other).any()


def test_likelihood_is_that_of_scikit_learn_and_its_gradient_that_of_small_steps():
    logs = np.array([-0.3, 0.5, -1.5, 0.4])
    few = 40
    kernel = ConstantKernel(np.exp(0.4)) * RBF(np.exp(logs[:2])) + WhiteKernel(
        np.exp(-1.5)
    )
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(
        INPUTS[:few], TARGETS[:few]
    )
    constant = few * TARGETS.shape[1] * np.log(2 * np.pi) / 2
    ours = (
        -_likelihood(logs, INPUTS[:few], TARGETS[:few])[0] * TARGETS[:few].size
        - constant
    )
    assert ours == pytest.approx(theirs.log_marginal_likelihood_value_)
    value, slope = (
        lambda logs, part=part: _likelihood(logs, INPUTS[:few], TARGETS[:few])[part]
        for part in (0, 1)
    )
    assert check_grad(value, slope, logs) < 1e-5


def test_a_gaussian_process_sees_which_input_matters():
    model = GaussianProcess(few=60, many=300, steps=40, seed=0)
    model.fit(INPUTS[:300], TARGETS[:300, :1])
    assert ((model.predict(INPUTS[300:]) - TARGETS[300:, 0]) ** 2).mean() < 0.01
    assert model.scales[1] > 5 * model.scales[0]
