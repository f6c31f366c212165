"""Gradient boosting of regression trees on histograms, fitted by scikit-learn; its trees are arrays, walked by NumPy.

Of several values ahead by one of the strategies of Ben Taieb and others 2012, "A review and comparison of strategies
for multi-step ahead time series forecasting", Expert Systems with Applications 39.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array, Windows
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained

TRAINS = ("features", "features ahead")

MASKS = True
"""Targets may be NaN: such a value is left out, the others of its window stay."""

Strategy = Literal["direct", "joint", "recursive"]
Corrections = Sequence[Callable[[Array], Array]]
"""Of each model: rows (n, numbers) -> (n,) what its trees say."""


def train(
    job: Job,
    *,
    strategy: Strategy = "direct",
    trees: Annotated[int, Field(ge=1, le=100_000)] = 100,
    leaves: Annotated[int, Field(ge=2, le=10_000)] = 31,
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1,
    examples: Annotated[int, Field(ge=1, le=1_000_000)] = 20,
    rows: Annotated[int, Field(ge=1, le=100_000_000)] | None = None,
) -> Trained:
    """Fit features to the train targets by the data set's measure: mse, or else mae.

    No tree is drawn at random and none is left out in the end, so seeds change nothing.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix, or a `seasonal.Direct`.
        strategy: `direct`, a model for each value ahead; `joint`, one for all, which sees how far ahead each is; or
            `recursive`, one of the next value, which is told what it said of those before.
        trees: how many, one on the errors of those before.
        leaves: of a tree, at most.
        learning_rate: the share of a tree's answer that counts.
        examples: in a leaf, at least.
        rows: values ahead that are learnt from, at most; of more the windows are drawn evenly. None for all.

    Raises:
        ValueError: targets are one for each timestep, and features of the whole input know what comes after it; a
            `Baseline` and a strategy but `direct`; a delay and `recursive`; no target was measured.
    """
    if job.dataset.each_step:
        raise ValueError("boosting sees the whole input, and these targets are to be answered step by step")
    model, split = job.build(), job.dataset.splits["train"]
    if strategy != "direct" and isinstance(model, Baseline):
        raise ValueError(f"`strategy` {strategy} is for the model boosting of the family seasonal")
    if strategy == "recursive" and isinstance(split, Windows) and split.delay:
        raise ValueError("`strategy` recursive begins with the next value, and these targets begin later")
    loss: Literal["mse", "mae"] = "mse" if job.dataset.metric == "mse" else "mae"
    targets = split.targets.reshape(len(split), -1)
    outputs = 1 if strategy == "recursive" else targets.shape[1]
    most = len(split) if rows is None else max(1, rows // outputs)
    chosen = np.unique(np.linspace(0, len(split) - 1, min(len(split), most)).astype(int))

    def seen(start: int) -> tuple[Array, Array]:
        inputs, _ = split.take(chosen[start : start + prediction.CHUNK])
        return _seen(model, inputs, np.empty((len(inputs), 0)) if strategy == "recursive" else None)

    parts = [seen(start) for start in range(0, len(chosen), prediction.CHUNK)]
    features, base = (np.concatenate(part) for part in zip(*parts, strict=True))
    features = np.broadcast_to(features, (len(chosen), outputs, features.shape[2]))
    wanted = targets[chosen, :outputs] - base
    measured = np.isfinite(wanted)
    learnt = [measured] if strategy == "joint" else [measured & (np.arange(outputs) == step) for step in range(outputs)]
    if not all(some.any() for some in learnt):
        raise ValueError("boosting needs a target that was measured for each value ahead")
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        options = loss, trees, leaves, learning_rate, examples
        models = [regressor(*options).fit(features[some], wanted[some]) for some in learnt]
        weights = np.concatenate([nodes(each) for each in models])
        # As `load`, which needs no scikit-learn; of many rows this is faster.
        quick = _answers(model, [each.predict for each in models], strategy)
        one = split.targets.ndim == 1
        trained = prediction.fitted(job, lambda inputs: quick(inputs)[:, 0] if one else quick(inputs), weights, loss)
    return replace(trained, parameters=len(weights))


def _seen(model: Any, inputs: Array, said: Array | None) -> tuple[Array, Array]:
    """What trees see (n, values ahead, numbers) and correct (n, values ahead); of a `Baseline` 1 stands for all."""
    if isinstance(model, Baseline):
        return np.asarray(model.features(inputs))[:, None], np.zeros((len(inputs), 1))
    found: tuple[Array, Array] = model.features(inputs, said)
    return found


def load(model: Any, weights: Array, strategy: Strategy) -> Callable[[Array], Array]:
    """What the trees of a run say: inputs (n, timesteps, columns) -> (n, values).

    `weights` are (nodes, 5) as `nodes` gives them, those of several models one after the other.
    """
    each = np.split(weights, np.flatnonzero(weights[:, 0] == -1)[1:])  # a model begins with its constant
    return _answers(model, [_walk(nodes) for nodes in each], strategy)


def _answers(model: Any, corrections: Corrections, strategy: Strategy) -> Callable[[Array], Array]:
    def direct(inputs: Array) -> Array:
        features, base = _seen(model, inputs, None)
        outputs = max(len(corrections), base.shape[1])
        features = np.broadcast_to(features, (len(inputs), outputs, features.shape[2]))
        groups = np.array_split(features, len(corrections), axis=1)
        parts = [correct(group.reshape(-1, group.shape[2])) for correct, group in zip(corrections, groups, strict=True)]
        return np.asarray(base + np.concatenate([part.reshape(len(inputs), -1) for part in parts], axis=1))

    def recursive(inputs: Array) -> Array:
        said = np.empty((len(inputs), 0))
        for _ in range(model.outputs):
            features, base = _seen(model, inputs, said)
            said = np.column_stack([said, base[:, 0] + corrections[0](features[:, 0])])
        return said

    return recursive if strategy == "recursive" else direct


CHUNK = 4096
"""Rows to walk down the trees at once: bounds memory."""


def _walk(weights: Array) -> Callable[[Array], Array]:
    """Rows (n, numbers) -> (n,) the sum over all trees, which all rows go down together, a level each turn."""
    first = np.flatnonzero(np.diff(weights[:, 0], prepend=-2))  # of each tree; the constant is the first one
    offset = np.repeat(first, np.diff(first, append=len(weights)))
    leaf = weights[:, 1] < 0
    here = np.arange(len(weights))
    column, value = np.where(leaf, 0, weights[:, 1]).astype(int), weights[:, 2]
    low, high = (np.where(leaf, here, weights[:, side].astype(int) + offset) for side in (3, 4))

    def sums(rows: Array) -> Array:
        at = np.tile(first, (len(rows), 1))
        numbers = np.arange(len(rows))[:, None]
        while not leaf[at].all():
            at = np.where(rows[numbers, column[at]] <= value[at], low[at], high[at])
        return np.asarray(value[at].sum(axis=1))

    return lambda rows: np.concatenate([sums(part) for part in np.split(rows, range(CHUNK, len(rows), CHUNK))])


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
