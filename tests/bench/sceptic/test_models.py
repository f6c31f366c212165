import numpy as np
import pytest

from bench.sceptic.models import GaussianProcess, Perceptron

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(400, 2))
TARGETS = np.column_stack([np.sin(2 * INPUTS[:, 0]), np.abs(INPUTS[:, 0])])


@pytest.mark.parametrize("activation", ["tanh", "sine", "relu"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_perceptron_learns_a_curve_and_the_same_seed_gives_the_same(activation, absolute):
    models = [Perceptron((32, 16), activation, 0.01, 0.01, 600, 32, seed, absolute) for seed in (0, 0, 1)]
    for model in models:
        model.fit(INPUTS[:300], TARGETS[:300])
    first, same, other = (model.predict(INPUTS[300:]) for model in models)
    assert ((first - TARGETS[300:]) ** 2).mean() < 0.1 * TARGETS.var()
    assert (first == same).all()
    assert (first != other).any()


def test_a_gaussian_process_sees_which_input_matters():
    model = GaussianProcess(few=60, many=300, seed=0)
    model.fit(INPUTS[:300], TARGETS[:300, :1])
    assert ((model.predict(INPUTS[300:]) - TARGETS[300:, 0]) ** 2).mean() < 0.01
    scales = model.known.kernel_.k1.k2.length_scale
    assert scales[1] > 5 * scales[0]
