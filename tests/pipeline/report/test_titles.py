import pytest

from pipeline.config import params
from pipeline.report import titles
from tests.support import REPOSITORY

EVERY = params.load(REPOSITORY / "params.yaml")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sine_extrapolation_dense_rnn2_matched", "Dense(32) and 2 stacked SimpleRNN(32), shapes matched"),
        ("sine_extrapolation_lstm2", "2 stacked LSTM(32), loss over all pairs"),
        ("waves_hidden10", "dense network 10, by hand, rate 0.1"),
        ("waves_node", "SimpleRNN(1), no output layer, by hand, rate 0.01"),
        ("waves_linear", "linear regression"),
        ("jena_hourly_ridge_calendar", "ridge regression on the last 24 steps, calendar"),
        ("jena_hourly_lad", "least absolute deviation on the last 24 steps, calendar"),
        ("jena_hourly_boosting", "boosted trees on the last 48 steps, calendar"),
        ("jena_hourly_gru_dropout", "GRU(32), dropout 0.2"),
        ("jena_hourly_gru_updates", "GRU(32), 500 steps an epoch"),
    ],
)
def test_an_experiment_in_words(name, words):
    experiment = EVERY.experiments[name]
    assert titles.experiment(experiment, EVERY.datasets[experiment.dataset]) == words


def test_no_two_experiments_of_a_data_set_have_the_same_words():
    for name, section in EVERY.datasets.items():
        words = [titles.experiment(experiment, section) for experiment in EVERY.experiments_of(name).values()]
        assert len(words) == len(set(words)), name
