"""Any regressor of scikit-learn on features: `training: {method: sklearn, estimator: ExtraTreesRegressor}`."""

import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained
from pipeline.validation import one_of

TRAINS = ("features",)

TRUSTED = {"collections", "copyreg", "numpy", "scipy", "sklearn"}
"""Packages whose classes a fitted estimator on disk may hold."""

MAKERS = ("scalar", "_reconstruct", "_frombuffer", "newObj", "__pyx_unpickle", "__randomstate", "__generator", "__bit")
"""How the functions that make such objects begin."""


def train(job: Job, *, estimator: str, options: dict[str, Any] | None = None) -> Trained:
    """Fit an estimator to the train targets, by its own loss.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        estimator: a regressor's class; of several values ahead one for each, where it takes no more.
        options: its arguments. What it draws is drawn by `random_state` 0 where they say nothing.

    Raises:
        UsageError: there is no such regressor.
        ValueError: it refuses the options, or targets are one for each timestep or column.
    """
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils import all_estimators, get_tags

    regressors, baseline = dict(all_estimators("regressor")), job.build()
    try:
        unfitted = regressors[one_of(estimator, regressors, "params.yaml: `estimator`")](**(options or {}))
    except TypeError as error:
        raise ValueError(f"`options` of {estimator}: {error}") from None
    if job.dataset.each_step or baseline.columns:
        raise ValueError("an estimator sees the whole input, and gives all values ahead at once")
    if unfitted.get_params().get("random_state", 0) is None:
        unfitted.set_params(random_state=0)
    chunks = prediction.chunks(job.dataset.splits["train"])
    pairs = [(np.asarray(baseline.features(inputs), np.float64), targets) for inputs, targets in chunks]
    features, targets = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    if targets.ndim > 1 and not get_tags(unfitted).target_tags.multi_output:
        unfitted = MultiOutputRegressor(unfitted)
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        weights = np.frombuffer(pickle.dumps(unfitted.fit(features, targets), protocol=5), np.uint8)
        # How many numbers it has learnt, scikit-learn does not say.
        return replace(prediction.fitted(job, load(baseline, weights), weights), parameters=0)


def load(baseline: Baseline, weights: Array) -> Callable[[Array], Array]:
    """A run's estimator as a function: inputs (n, timesteps, columns) -> (n,) or (n, values)."""
    fitted = _Reader(io.BytesIO(weights.tobytes())).load()
    return lambda inputs: np.asarray(fitted.predict(np.asarray(baseline.features(inputs), np.float64)))


class _Reader(pickle.Unpickler):
    """Makes what estimators consist of and calls nothing else, since a file may come from elsewhere."""

    def find_class(self, module: str, name: str) -> Any:
        trusted = module.partition(".")[0] in TRUSTED
        if trusted and (name.startswith(MAKERS) or isinstance(super().find_class(module, name), type)):
            return super().find_class(module, name)
        raise UnrollError(f"{module}.{name} in a file of weights is no part of an estimator; run `unroll repro`")
