"""Gradient boosting of regression trees on histograms, fitted by scikit-learn; its
trees are arrays, walked by NumPy.

Of several values ahead by one of the strategies of Ben Taieb and others 2012, "A review
and comparison of strategies for multi-step ahead time series forecasting", Expert
Systems with Applications 39.
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

TIED = 0.1
"""The share of errors that equal their median from which they get noise."""

NOISE = 1e-6
"""Standard deviation of that noise, as a share of the errors' own."""

Strategy = Literal["direct", "joint", "recursive"]
Trees = Callable[[Array], Array]
"""What a model adds to the base: rows (n, features) -> (n,)."""


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
        job: its `build` makes a `Baseline` with a feature matrix, or a
            `seasonal.Direct`.
        strategy: `direct`, a model for each value ahead; `joint`, one for all, which
            sees how far ahead each is; or `recursive`, one of the next value, which
            sees its predictions of those before.
        trees: how many, one on the errors of those before.
        leaves: of a tree, at most.
        learning_rate: the fraction of a tree's prediction that counts.
        examples: in a leaf, at least.
        rows: values ahead that are learnt from, at most; of more the windows are drawn
            evenly. None for all.

    Raises:
        ValueError: targets are one for each timestep, and features of the whole input
            know what comes after it; a `Baseline` and a strategy but `direct`; a delay
            and `recursive`; no target was measured.
    """
    if job.dataset.each_step:
        raise ValueError(
            "boosting sees the whole input, and these targets are to be answered step by step"
        )
    model = job.build()
    split = job.dataset.splits["train"]
    if strategy != "direct" and isinstance(model, Baseline):
        raise ValueError(
            f"`strategy` {strategy} is for the model boosting of the family seasonal"
        )
    if strategy == "recursive" and isinstance(split, Windows) and split.delay:
        raise ValueError(
            "`strategy` recursive begins with the next value, and these targets begin later"
        )
    loss: Literal["mse", "mae"] = "mse" if job.dataset.metric == "mse" else "mae"
    targets = split.targets.reshape(len(split), -1)
    outputs = 1 if strategy == "recursive" else targets.shape[1]
    most = len(split) if rows is None else max(1, rows // outputs)
    chosen = np.unique(
        np.linspace(0, len(split) - 1, min(len(split), most)).astype(int)
    )
    chunks = []
    for start in range(0, len(chosen), prediction.CHUNK):
        inputs, _ = split.take(chosen[start : start + prediction.CHUNK])
        chunks.append(
            _features(
                model,
                inputs,
                np.empty((len(inputs), 0)) if strategy == "recursive" else None,
            )
        )
    features, base = (np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
    features = np.broadcast_to(features, (len(chosen), outputs, features.shape[2]))
    errors = targets[chosen, :outputs] - base
    measured = np.isfinite(errors)
    steps = (
        [measured]
        if strategy == "joint"
        else [measured & (np.arange(outputs) == step) for step in range(outputs)]
    )
    if not all(step.any() for step in steps):
        raise ValueError(
            "boosting needs a target that was measured for each value ahead"
        )
    if loss == "mae":
        errors = _untied(errors)
    # Made first: what is loaded later is not limited to one thread.
    unfitted = [regressor(loss, trees, leaves, learning_rate, examples) for _ in steps]
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        models = [
            each.fit(features[step], errors[step])
            for each, step in zip(unfitted, steps, strict=True)
        ]
        weights = np.concatenate([nodes(fitted) for fitted in models])
        # As `load`, which needs no scikit-learn; of many rows this is faster.
        predict = _predictor(model, [fitted.predict for fitted in models], strategy)
        single = split.targets.ndim == 1
        trained = prediction.fitted(
            job, lambda x: predict(x)[:, 0] if single else predict(x), weights, loss
        )
    return replace(trained, parameters=len(weights))


def _untied(errors: Array) -> Array:
    """Errors (n, steps) to be learnt by MAE; where many equal their median, with a
    little noise.

    scikit-learn begins at the median, and counts a value that equals the prediction as
    a larger one. If the median is 0, as of sales on many days, all slopes were the same
    and no tree would split.
    """
    measured = errors[np.isfinite(errors)]
    if np.mean(measured == np.median(measured)) < TIED:
        return errors
    noise = np.random.default_rng(0).normal(size=errors.shape)
    return np.asarray(errors + NOISE * measured.std() * noise)


def _features(
    model: Any, inputs: Array, predicted: Array | None = None
) -> tuple[Array, Array]:
    """What trees see (n, ahead, features), and the base (n, ahead) that they correct;
    of a `Baseline` 1 for all.
    """
    if isinstance(model, Baseline):
        base = model.base(inputs) if model.base else np.zeros(len(inputs))
        return np.asarray(model.features(inputs))[:, None], base[:, None]
    features, base = model.features(inputs, predicted)
    return features, base


def load(model: Any, weights: Array, strategy: Strategy) -> Callable[[Array], Array]:
    """A run's trees as a function: inputs (n, timesteps, columns) -> (n, values).

    `weights` are (nodes, 5) as `nodes` gives them, those of several models one after
    the other.
    """
    # a model begins with its constant
    by_model = np.split(weights, np.flatnonzero(weights[:, 0] == -1)[1:])
    return _predictor(model, [_walk(of_model) for of_model in by_model], strategy)


def _predictor(
    model: Any, by_model: Sequence[Trees], strategy: Strategy
) -> Callable[[Array], Array]:
    def direct(inputs: Array) -> Array:
        features, base = _features(model, inputs)
        outputs = max(len(by_model), base.shape[1])
        features = np.broadcast_to(features, (len(inputs), outputs, features.shape[2]))
        groups = zip(
            by_model, np.array_split(features, len(by_model), axis=1), strict=True
        )
        corrections = [
            trees(group.reshape(-1, group.shape[2])).reshape(len(inputs), -1)
            for trees, group in groups
        ]
        return np.asarray(base + np.concatenate(corrections, axis=1))

    def recursive(inputs: Array) -> Array:
        predicted = np.empty((len(inputs), 0))
        for _ in range(model.outputs):
            features, base = _features(model, inputs, predicted)
            predicted = np.column_stack(
                [predicted, base[:, 0] + by_model[0](features[:, 0])]
            )
        return predicted

    return recursive if strategy == "recursive" else direct


CHUNK = 4096
"""Rows to walk down the trees at once: bounds memory."""


def _walk(weights: Array) -> Callable[[Array], Array]:
    """Rows (n, numbers) -> (n,) the sum over all trees, which all rows go down
    together, a level each turn.
    """
    # of each tree; the constant is the first one
    first = np.flatnonzero(np.diff(weights[:, 0], prepend=-2))
    offset = np.repeat(first, np.diff(first, append=len(weights)))
    leaf = weights[:, 1] < 0
    here = np.arange(len(weights))
    column = np.where(leaf, 0, weights[:, 1]).astype(int)
    value = weights[:, 2]
    low, high = (
        np.where(leaf, here, weights[:, side].astype(int) + offset) for side in (3, 4)
    )

    def sums(rows: Array) -> Array:
        node = np.tile(first, (len(rows), 1))
        numbers = np.arange(len(rows))[:, None]
        while not leaf[node].all():
            node = np.where(
                rows[numbers, column[node]] <= value[node], low[node], high[node]
            )
        return np.asarray(value[node].sum(axis=1))

    return lambda rows: np.concatenate(
        [sums(chunk) for chunk in np.split(rows, range(CHUNK, len(rows), CHUNK))]
    )


def regressor(
    loss: Literal["mse", "mae"],
    trees: int,
    leaves: int,
    learning_rate: float,
    examples: int,
) -> Any:
    """scikit-learn's, without anything that is drawn or held out; options as for
    `train`.
    """
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
    """The fitted numbers, one for each node of each tree and so one a row: a leaf's
    value or a split's threshold.

    Returns:
        (nodes, 5) float64: the tree; the column that it splits, -1 in a leaf; the
        threshold or the value; and the nodes of the same tree that follow at or below
        the threshold, and above it. The first row is the constant that the trees
        correct, as a leaf of tree -1.
    """
    rows = [[-1.0, -1.0, float(model._baseline_prediction.item()), 0.0, 0.0]]  # noqa: SLF001 - there is no other way
    for number, (tree,) in enumerate(model._predictors):  # noqa: SLF001
        for node in tree.nodes:
            leaf = bool(node["is_leaf"])
            column, value = (
                (-1, node["value"])
                if leaf
                else (node["feature_idx"], node["num_threshold"])
            )
            rows.append([number, column, value, node["left"], node["right"]])
    return np.array(rows, np.float64)
