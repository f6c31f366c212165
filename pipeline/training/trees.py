"""Boosted trees as one array of numbers, followed in NumPy.

Predictions are those of scikit-learn to the last bit, and need no scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    parts = []
    begin = 0
    for number, model in enumerate(models):
        # What all predictions begin with is a tree of a single leaf.
        first = np.array([[number, 0, 0, 0, begin, begin, 0]], np.float64)
        first[:, -1] = model._baseline_prediction  # noqa: SLF001 - there is no other way
        parts.append(first)
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


@dataclass(frozen=True)
class Trees:
    """The trees of one model or several, each of which predicts one value.

    Attributes:
        feature: the number of the feature that each node (nodes,) asks for.
        threshold: of each node, as `missing_left`, `left`, `right` and `value`.
        roots: for each model the rows of its trees' first nodes, in order.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    left: Array
    right: Array
    value: Array
    roots: list[Array]

    def predict(self, features: Array) -> Array:
        """Return predictions (n, models) of features (n, features), NaN if missing.

        Raises:
            ValueError: a node asks for a feature that is not there.
        """
        if self.feature.max() >= features.shape[1]:
            raise ValueError(
                f"a tree asks for feature {self.feature.max()} of {features.shape[1]}"
            )
        chunks = [
            self._of_chunk(np.asarray(features[start : start + CHUNK], np.float64))
            for start in range(0, len(features), CHUNK)
        ]
        return np.concatenate(chunks)

    def _of_chunk(self, features: Array) -> Array:
        """Predictions of a chunk: all examples go down all trees at once."""
        examples = np.arange(len(features))[:, None]
        node = np.tile(np.concatenate(self.roots), (len(features), 1))
        while True:
            asked = features[examples, self.feature[node]]
            goes_left = asked <= self.threshold[node]
            goes_left |= np.isnan(asked) & self.missing_left[node]
            child = np.where(goes_left, self.left[node], self.right[node])
            if np.array_equal(child, node):
                break
            node = child
        ends = np.cumsum([len(roots) for roots in self.roots])
        of_models = np.split(self.value[node], ends[:-1], axis=1)
        # `sum` adds in another order, and has other last bits.
        return np.stack([np.cumsum(values, axis=1)[:, -1] for values in of_models], 1)


def trees_of(weights: Array) -> Trees:
    """Return the trees of an array that `table` made.

    A child comes after its parent, so that each way ends.

    Raises:
        ValueError: the array is no such table.
    """
    if weights.ndim != 2 or weights.shape[1] != len(COLUMNS) or not len(weights):
        raise ValueError(
            f"trees have {len(COLUMNS)} columns. Received: {weights.shape}"
        )
    model, feature, threshold, missing_left, left, right, value = weights.T
    rows = np.arange(len(weights))
    leads_on = (feature >= 0) & (feature < np.iinfo(np.int32).max)
    for children in (left, right):
        leads_on &= (children >= rows) & (children < len(rows))
    if not leads_on.all():
        raise ValueError("a node of a tree leads out of the tree or the columns")
    left = left.astype(int)
    right = right.astype(int)
    is_root = np.ones(len(rows), bool)
    for children in (left, right):
        is_root[children[children != rows]] = False
    return Trees(
        feature.astype(int),
        threshold.copy(),
        missing_left == 1,
        left,
        right,
        value.copy(),
        [np.flatnonzero(is_root & (model == number)) for number in np.unique(model)],
    )
