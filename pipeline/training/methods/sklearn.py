"""Any regressor of scikit-learn, fitted to a model's features: `training: {method: sklearn, estimator: ...}`."""

import importlib
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

TRAINS = ("features",)

TRUSTED = {"collections", "copyreg", "numpy", "scipy", "sklearn"}
"""Packages whose classes a fitted estimator on disk may hold."""

MAKERS = {"scalar", "_reconstruct", "_frombuffer", "_reconstructor", "newObj"}
"""Functions that make such objects, besides Cython's and NumPy's of random states."""


def train(job: Job, *, estimator: str, options: dict[str, Any] | None = None) -> Trained:
    """Fit an estimator to the train targets, by its own loss.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        estimator: its full name, such as `sklearn.ensemble.ExtraTreesRegressor`.
        options: its arguments. What it draws is drawn by `random_state` 0 where they say nothing.

    Raises:
        ValueError: there is no such regressor, it refuses the options, or targets are one for each timestep.
    """
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils import get_tags

    if job.dataset.each_step:
        raise ValueError("an estimator sees the whole input, and these targets are to be answered step by step")
    unfitted, baseline = _regressor(estimator, dict(options or {})), job.build()
    chunks = [
        (baseline.features(inputs), targets) for inputs, targets in prediction.chunks(job.dataset.splits["train"])
    ]
    features, targets = (np.concatenate(arrays).astype(np.float64) for arrays in zip(*chunks, strict=True))
    if targets.ndim > 1 and not get_tags(unfitted).target_tags.multi_output:
        unfitted = MultiOutputRegressor(unfitted)
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        fitted = unfitted.fit(features, targets)
        weights = np.frombuffer(pickle.dumps(fitted, protocol=5), np.uint8)
        # How many numbers it has learnt, scikit-learn does not say.
        return replace(prediction.fitted(job, _predictor(baseline, fitted), weights), parameters=0)


def load(baseline: Baseline, weights: Array) -> Callable[[Array], Array]:
    """A run's estimator as a function: inputs (n, timesteps, columns) -> (n,) or (n, values)."""
    return _predictor(baseline, _Reader(io.BytesIO(weights.tobytes())).load())


def _predictor(baseline: Baseline, fitted: Any) -> Callable[[Array], Array]:
    return lambda inputs: np.asarray(fitted.predict(np.asarray(baseline.features(inputs), np.float64)))


def _regressor(name: str, options: dict[str, Any]) -> Any:
    from sklearn.base import RegressorMixin

    module, _, kind = name.rpartition(".")
    if module.partition(".")[0] != "sklearn":
        raise ValueError(f"`estimator` must begin with sklearn. Received: {name}")
    try:
        regressor = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError):
        raise ValueError(f"`estimator` must be a class of scikit-learn. Received: {name}") from None
    if not (isinstance(regressor, type) and issubclass(regressor, RegressorMixin)):
        raise ValueError(f"`estimator` must be a regressor. Received: {name}")  # noqa: TRY004 - a wrong value of an option
    try:
        made = regressor(**options)
    except TypeError as error:
        raise ValueError(f"`options` of {name}: {error}") from None
    drawn = "random_state" in made.get_params() and "random_state" not in options
    return made.set_params(random_state=0) if drawn else made


class _Reader(pickle.Unpickler):
    """Makes what estimators consist of and calls nothing else, since a file may come from elsewhere."""

    def find_class(self, module: str, name: str) -> Any:
        trusted = module.partition(".")[0] in TRUSTED
        if trusted and (name in MAKERS or name.startswith("__pyx_unpickle") or module == "numpy.random._pickle"):
            return super().find_class(module, name)
        if trusted and isinstance(kind := super().find_class(module, name), type):
            return kind
        raise UnrollError(f"{module}.{name} in a file of weights is no part of an estimator; run `unroll repro`")
