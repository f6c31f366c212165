from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.report import titles

EVERY = params.load(Path(__file__).parents[3] / "params.yaml")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sine_extrapolation_dense_rnn2_matched", "Dense(32) and 2 stacked SimpleRNN(32), shapes matched"),
        ("sine_extrapolation_lstm2", "2 stacked LSTM(32), loss over all pairs"),
        ("sine_windows_zero", "always 0"),
        ("waves_hidden10", "dense 10, by hand, rate 0.1"),
        ("waves_node", "SimpleRNN(1), no output layer, by hand, rate 0.01"),
        ("waves_linear", "linear, least squares"),
        ("imdb_dense", "dense 32 on the mean of word vectors"),
        ("jena_hourly_ridge_calendar", "linear of the last 24 steps, ridge, calendar"),
        ("jena_hourly_lad", "linear of the last 24 steps, least absolute deviation, calendar"),
        ("jena_hourly_boosting", "boosted trees of the last 48 steps, calendar"),
        ("jena_hourly_gru_dropout", "GRU(32), dropout 0.2"),
        ("jena_hourly_gru_keras2", "GRU(32), as in Keras 2"),
        ("jena_hourly_gru_updates", "GRU(32), 500 steps an epoch"),
    ],
)
def test_an_experiment_in_words(name, words):
    experiment = EVERY.experiments[name]
    assert titles.experiment(experiment, EVERY.datasets[experiment.dataset]) == words


def test_no_two_experiments_of_a_data_set_have_the_same_words():
    for name in EVERY.datasets:
        every = EVERY.experiments_of(name).values()
        words = [titles.experiment(experiment, EVERY.datasets[name]) for experiment in every]
        assert len(words) == len(set(words)), name
