import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.problem import Problem
from pipeline.models.baselines import MODELS


def test_last_value_is_the_target_column_of_the_last_timestep():
    inputs = np.arange(24.0).reshape(2, 4, 3)
    baseline = MODELS["last_value"](Problem((4, 3), target=1))
    assert baseline.features(inputs).tolist() == [10.0, 22.0]


@given(period=st.integers(1, 30), horizon=st.integers(1, 90))
def test_daily_cycle_is_whole_cycles_before_the_target_and_as_late_as_can_be(period, horizon):
    timesteps = 40
    clock = np.arange(200.0)
    inputs = clock[None, 60 : 60 + timesteps, None]
    last = clock[60 + timesteps - 1]
    baseline = MODELS["daily_cycle"](Problem((timesteps, 1), horizon=horizon, period=period))
    predicted = baseline.features(inputs)[0]
    before = (last + horizon) - predicted
    assert before % period == 0
    assert predicted <= last < predicted + period


def test_daily_cycle_at_a_horizon_of_one_day_is_the_last_value():
    inputs = np.random.default_rng(0).random((5, 48, 2))
    problem = Problem((48, 2), target=1, horizon=24, period=24)
    assert (MODELS["daily_cycle"](problem).features(inputs) == MODELS["last_value"](problem).features(inputs)).all()


@pytest.mark.parametrize("shape", [(1,), (500,)])
def test_last_value_needs_a_series(shape):
    with pytest.raises(ValueError, match=r"last_value needs inputs \(timesteps, features\)"):
        MODELS["last_value"](Problem(shape))


def test_daily_cycle_needs_a_cycle_and_enough_timesteps():
    with pytest.raises(ValueError, match="needs a data set with a period"):
        MODELS["daily_cycle"](Problem((48, 2)))
    with pytest.raises(ValueError, match="needs 24 timesteps. Received: 20"):
        MODELS["daily_cycle"](Problem((20, 2), horizon=25, period=24))


def test_linear_takes_the_last_timesteps_in_order():
    inputs = np.arange(24.0).reshape(2, 4, 3)
    baseline = MODELS["linear"](Problem((4, 3)), last=2)
    assert baseline.features(inputs).tolist() == [[6, 7, 8, 9, 10, 11], [18, 19, 20, 21, 22, 23]]
    with pytest.raises(ValueError, match="`last` must be at most 4 timesteps. Received: 5"):
        MODELS["linear"](Problem((4, 3)), last=5)


def test_bag_of_words_says_which_words_occur_and_ignores_padding():
    baseline = MODELS["bag_of_words"](Problem((4,), classify=True, vocabulary=6))
    bag = baseline.features(np.array([[0, 0, 3, 3], [5, 1, 2, 5]]))
    assert bag.toarray().tolist() == [[0, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1]]
    with pytest.raises(ValueError, match="needs a data set of words"):
        MODELS["bag_of_words"](Problem((4,)))
