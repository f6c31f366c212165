from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.data.problem import problem
from pipeline.models import baselines
from pipeline.training.job import Job
from pipeline.training.methods import boosting

OPTIONS = {"trees": 7, "leaves": 5, "learning_rate": 0.3, "examples": 10}


def trained(dataset):
    job = Job("x", dataset, partial(baselines.lags, problem(dataset), last=4), (0,))
    return boosting.train(job, **OPTIONS)


def features(dataset, split):
    inputs, targets = dataset.splits[split].take(np.arange(len(dataset.splits[split])))
    return np.column_stack([inputs[:, -4:, 1], inputs[:, -1, [0, 2]]]), targets


def test_predictions_are_those_of_a_library(station):
    library = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=7,
        max_leaf_nodes=5,
        learning_rate=0.3,
        min_samples_leaf=10,
        early_stopping=False,
    ).fit(*features(station, "train"))
    found = trained(station).replicates[0].predictions["final_test"]
    np.testing.assert_allclose(found, library.predict(features(station, "test")[0]), rtol=1e-12)


def test_what_is_saved_is_all_that_predicts(station):
    ours = trained(station)
    (constant, *rows) = ours.replicates[0].weights["final"]
    trees = [[row for row in rows if row[0] == number] for number in range(7)]

    def answer(tree, asked):
        node = tree[0]
        while node[1] >= 0:
            node = tree[int(node[3] if asked[int(node[1])] <= node[2] else node[4])]
        return node[2]

    inputs, _ = features(station, "test")
    expected = [constant[2] + sum(answer(tree, asked) for tree in trees) for asked in inputs]
    np.testing.assert_allclose(ours.replicates[0].predictions["final_test"], expected, rtol=1e-12)
    assert ours.parameters == 1 + sum(map(len, trees)) == 1 + 7 * (2 * 5 - 1)


def test_the_same_bytes_twice(station):
    first, second = (trained(station).replicates[0] for _ in range(2))
    assert first.predictions["final_test"].tobytes() == second.predictions["final_test"].tobytes()
    assert first.weights["final"].tobytes() == second.weights["final"].tobytes()


def test_each_of_several_values_has_the_trees_that_it_would_have_alone(station):
    several = replace(
        station, splits={split: replace(w, rows=w.rows[:-1], outputs=2) for split, w in station.splits.items()}
    )
    second = replace(
        station,
        splits={split: replace(w, rows=w.rows[:-1], delay=w.delay + w.step) for split, w in station.splits.items()},
    )
    found, alone = (trained(dataset).replicates[0].predictions["final_test"] for dataset in (several, second))
    assert found.shape == (len(alone), 2)
    np.testing.assert_array_equal(found[:, 1], alone)
