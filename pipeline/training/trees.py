"""Boosted trees as one array of numbers, followed in NumPy.

Predictions are those of scikit-learn to the last bit, and need no scikit-learn.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.training.job import CHUNK

COLUMNS = ("model", "feature", "threshold", "missing_left", "left", "right", "value")
"""The columns of an array of trees, whose rows are nodes.

A feature of at most the threshold leads to the row `left`, a larger one to `right`, and
one that is missing to the left if `missing_left` is 1. Both ways of a leaf lead to its
own row. The trees of a model lie in the order in which their values are added."""


def table(models: Sequence[Any]) -> Array:
    """Return the trees of boosted models as an array (nodes, `COLUMNS`).

    Args:
        models: fitted `HistGradientBoostingRegressor`s, one for each value predicted.
    """
    parts = list[Any]()
    begin = 0
    for number, model in enumerate(models):
        # What all predictions begin with is a tree of a single leaf.
        [[first]] = model._baseline_prediction  # noqa: SLF001 - there is no other way
        parts.append([[number, 0, 0, 0, begin, begin, first]])
        begin += 1
        for (tree,) in model._predictors:  # noqa: SLF001
            nodes = tree.nodes
            rows = begin + np.arange(len(nodes))
            is_leaf = nodes["is_leaf"] == 1
            columns = (
                np.full(len(nodes), number),
                np.where(is_leaf, 0, nodes["feature_idx"]),
                nodes["num_threshold"],
                nodes["missing_go_to_left"],
                np.where(is_leaf, rows, begin + nodes["left"].astype(int)),
                np.where(is_leaf, rows, begin + nodes["right"].astype(int)),
                nodes["value"],
            )
            parts.append(np.column_stack(columns))
            begin += len(nodes)
    return np.concatenate(parts)


def checked(trees: Array) -> Array:
    """Return an array of trees, after a check that `predict` ends and stays inside.

    A child comes after its parent, so that each way ends.

    Raises:
        ValueError: the array is none that `table` made.
    """
    if trees.ndim != 2 or trees.shape[1] != len(COLUMNS) or not len(trees):
        raise ValueError(f"trees have {len(COLUMNS)} columns. Received: {trees.shape}")
    _, feature, _, _, *children, _ = trees.T
    rows = np.arange(len(trees))
    leads_on = (feature >= 0) & (feature < np.iinfo(np.int32).max)
    for child in children:
        leads_on &= (child >= rows) & (child < len(rows))
    if not leads_on.all():
        raise ValueError("a node of a tree leads out of the tree or the columns")
    return trees


def predict(trees: Array, features: Array) -> Array:
    """Return predictions (n, models) of features (n, features), NaN if missing.

    Args:
        trees: as `checked` returns them.
        features: of each example.

    Raises:
        ValueError: a node asks for a feature that is not there.
    """
    model, feature, threshold, missing_left, left, right, value = trees.T
    if feature.max() >= features.shape[1]:
        raise ValueError(
            f"a tree asks for feature {feature.max():g} of {features.shape[1]}"
        )
    feature = feature.astype(int)
    children = np.stack([right, left], axis=1).astype(int)
    rows = np.arange(len(trees))
    roots = np.setdiff1d(rows, children[children != rows[:, None]])
    of_models = np.flatnonzero(np.diff(model[roots])) + 1
    predictions = []
    for start in range(0, len(features), CHUNK):
        some = np.asarray(features[start : start + CHUNK], np.float64)
        # All examples go down all trees at once: (examples, trees).
        examples = np.arange(len(some))[:, None]
        node = np.tile(roots, (len(some), 1))
        is_inner = True
        while is_inner:
            asked = some[examples, feature[node]]
            goes_left = asked <= threshold[node]
            goes_left |= np.isnan(asked) & (missing_left[node] == 1)
            child = children[node, goes_left.astype(int)]
            is_inner = not np.array_equal(child, node)
            node = child
        # `sum` adds in another order, and has other last bits.
        sums = [
            np.cumsum(values, axis=1)[:, -1]
            for values in np.split(value[node], of_models, axis=1)
        ]
        predictions.append(np.stack(sums, axis=1))
    return np.concatenate(predictions)
