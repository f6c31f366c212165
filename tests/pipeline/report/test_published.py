from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.report import published


def built(values):
    """IMDB's SimpleRNN with these accuracies (seeds, epochs)."""
    rows = [
        {"experiment": "imdb_rnn", "seed": seed, "epoch": epoch, "validation_accuracy": value}
        for seed, each in enumerate(values)
        for epoch, value in enumerate(each, 1)
    ]
    about = SimpleNamespace(kind="classify")
    known = {"experiments": {"imdb_rnn": None}, "titles": {"imdb_rnn": "SimpleRNN"}, "families": {"imdb_rnn": "rnn"}}
    return SimpleNamespace(name="imdb", history=pd.DataFrame(rows), about=about, **known)


def test_a_published_epoch_lies_inside_where_one_more_run_would():
    values = np.random.default_rng(0).uniform(0.7, 0.9, (5, 10))
    band = published.bands(built(values))["imdb_rnn"]
    assert ([*band.index], [*band["Chollet"]][:2]) == ([*range(1, 11)], [0.7758, 0.7742])
    for place, each in enumerate(values.T):
        logits = np.log(each / (1 - each))
        reach = stats.t.ppf(0.975, 4) * logits.std(ddof=1) * np.sqrt(1 + 1 / 5)
        ends = 1 / (1 + np.exp(-(logits.mean() + np.array([-reach, reach]))))
        assert (band["low"].iloc[place], band["high"].iloc[place]) == pytest.approx(tuple(ends))
    inside = sum(a <= value <= b for a, value, b in zip(band["low"], band["Chollet"], band["high"], strict=True))
    ((words, drawn),) = published.curves(built(values)).panels.items()
    assert words == f"SimpleRNN: {inside} of 10 of Chollet's epochs inside"
    assert drawn.startswith("<svg")


def test_others_who_ran_the_same_listing_are_judged_beside_it():
    losses = np.random.default_rng(0).uniform(0.26, 0.3, (3, 20))
    one = built(losses)
    one.history = one.history.assign(experiment="jena_hourly_gru").rename(
        columns={"validation_accuracy": "validation_loss"}
    )
    one.experiments = {"jena_hourly_gru": None}
    band = published.bands(one)["jena_hourly_gru"].drop(columns=["low", "high"])
    assert {who: [*band[who]][:2] for who in band} == {
        "Chollet": [0.2738, 0.2654],
        "tessy1234": [0.2666, 0.2612],
    }
