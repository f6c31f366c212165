"""Gradient boosting of regression trees on histograms, by scikit-learn."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained

TRAINS = ("features",)


def train(
    job: Job,
    *,
    trees: Annotated[int, Field(ge=1, le=100_000)] = 100,
    leaves: Annotated[int, Field(ge=2, le=10_000)] = 31,
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1,
    examples: Annotated[int, Field(ge=1, le=1_000_000)] = 20,
) -> Trained:
    """Fit the baseline's features to the train targets by the data set's measure, to each of several by its own trees.

    No tree is drawn at random and none is left out in the end, so seeds change nothing.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        trees: how many, one on the errors of those before.
        leaves: of a tree, at most.
        learning_rate: the share of a tree's answer that counts.
        examples: in a leaf, at least.

    Raises:
        ValueError: targets are one for each timestep, and features of the whole input know what comes after it.
    """
    if job.dataset.each_step:
        raise ValueError("boosting sees the whole input, and these targets are to be answered step by step")
    loss: Literal["mse", "mae"] = "mse" if job.dataset.metric == "mse" else "mae"
    baseline: Baseline = job.build()
    split = job.dataset.splits["train"]
    features = np.concatenate([baseline.features(inputs) for inputs, _ in prediction.chunks(split)])
    targets = split.targets.astype(np.float64)
    models = [regressor(loss, trees, leaves, learning_rate, examples) for _ in range(targets[0].size)]

    def predict(inputs: Array) -> Array:
        answers = np.stack([model.predict(baseline.features(inputs)) for model in models], axis=1)
        return answers if targets.ndim > 1 else answers[:, 0]

    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        for model, wanted in zip(models, targets.reshape(len(targets), -1).T, strict=True):
            model.fit(features, wanted)
        weights = np.concatenate([nodes(model) for model in models])
        return replace(prediction.fitted(job, predict, weights, loss=loss), parameters=len(weights))


def regressor(loss: Literal["mse", "mae"], trees: int, leaves: int, learning_rate: float, examples: int) -> Any:
    """scikit-learn's, without anything that is drawn or held out; options as for `train`."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="squared_error" if loss == "mse" else "absolute_error",
        learning_rate=learning_rate,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=examples,
        early_stopping=False,
        random_state=0,
    )


def nodes(model: Any) -> Array:
    """The fitted numbers, one for each node of each tree and so one a row: a leaf's value or a split's threshold.

    Returns:
        (nodes, 5) float64: the tree; the column that is asked, -1 in a leaf; the threshold or the value; and the
        nodes of the same tree that follow at or below the threshold, and above it. The first row is the constant
        that the trees correct, as a leaf of tree -1.
    """
    rows = [[-1.0, -1.0, float(model._baseline_prediction.item()), 0.0, 0.0]]  # noqa: SLF001 - there is no other way
    for number, (tree,) in enumerate(model._predictors):  # noqa: SLF001
        for node in tree.nodes:
            leaf = bool(node["is_leaf"])
            column, value = (-1, node["value"]) if leaf else (node["feature_idx"], node["num_threshold"])
            rows.append([number, column, value, node["left"], node["right"]])
    return np.array(rows, np.float64)
