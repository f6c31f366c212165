from functools import partial

import numpy as np

from pipeline.data.problem import problem
from pipeline.models import baselines, recurrent
from pipeline.training.job import Job
from pipeline.training.methods import none


def test_a_baseline_predicts_every_split(station):
    job = Job("x", station, partial(baselines.last_value, problem(station)), (0,))
    predictions = none.train(job).replicates[0].predictions
    for split, examples in station.splits.items():
        assert predictions[f"final_{split}"].tolist() == [
            float(station.splits[split].series[row - 2, 1]) for row in examples.rows
        ]


def test_majority_is_the_class_of_most_train_targets(reviews):
    job = Job("x", reviews, partial(baselines.majority, problem(reviews)), (0,))
    trained = none.train(job)
    expected = round(float(reviews.splits["train"].targets.mean()))
    assert set(trained.replicates[0].predictions["final_test"]) == {float(expected)}
    assert trained.parameters == 1


def test_a_rollout_of_the_last_value_stays_where_it_began(sine_windows):
    job = Job("x", sine_windows, partial(baselines.last_value, problem(sine_windows)), (0,))
    rollout = none.train(job).replicates[0].predictions["rollout"]
    assert np.unique(rollout).tolist() == [np.sin(32.0)]


def test_a_network_is_built_and_summarised_but_predicts_nothing(reviews):
    build = partial(recurrent.build, "SimpleRNN", problem(reviews), units=4, embedding=3, head=False, sequences=True)
    trained = none.train(Job("x", reviews, build, (0,)))
    assert trained.replicates == []
    assert trained.parameters == 30 * 3 + 4 * 8
    assert [layer["type"] for layer in trained.layers] == ["Embedding", "SimpleRNN"]
