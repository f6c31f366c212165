"""Estimators of scikit-learn on disk, in skops' format: reading a file runs no code."""

import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Predict, save_array

METRICS = [
    "BrayCurtis",
    "Canberra",
    "Chebyshev",
    "Dice",
    "Euclidean",
    "Hamming",
    "Haversine",
    "Jaccard",
    "Mahalanobis",
    "Manhattan",
    "Matching",
    "Minkowski",
    "RogersTanimoto",
    "RussellRao",
    "SEuclidean",
    "SokalMichener",
    "SokalSneath",
]
"""scikit-learn's distances between neighbours, except the user's own function."""

TRUSTED = [
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in METRICS),
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
]
"""The parts of fitted regressors that are allowed in a file. Estimators, arrays and
numbers skops allows by itself."""


def save(estimator: Any, path: Path) -> None:
    """Write `PATH.npz` with a fitted estimator, which `load` reads."""
    save_array(packed(estimator), path)


def packed(estimator: Any) -> Array:
    """Return the bytes of skops' file of a fitted estimator.

    The file has no addresses in memory, no times and no names drawn at random, so the
    same estimator gives the same bytes.
    """
    import skops.io

    written = io.BytesIO()
    names = dict[str, str]()

    def plain(node: dict[str, Any]) -> dict[str, Any]:
        node.pop("__id__", None)
        if isinstance(node.get("file"), str):
            node["file"] = names.setdefault(node["file"], str(len(names)))
        return node

    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as theirs,
        zipfile.ZipFile(written, "w") as ours,
    ):
        schema = json.loads(theirs.read("schema.json"), object_hook=plain)
        del schema["_skops_version"]
        ours.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema))
        for before, name in names.items():
            ours.writestr(zipfile.ZipInfo(name), theirs.read(before))
    return np.frombuffer(written.getvalue(), np.uint8)


def unpacked(weights: Array) -> Any:
    """Return the estimator of the bytes that `packed` returned.

    Raises:
        ValueError: the bytes hold anything but a regressor of scikit-learn. Nothing is
            built from them then, since a file may come from elsewhere.
    """
    import skops.io
    from sklearn.base import RegressorMixin

    content = weights.tobytes()
    try:
        foreign = {*skops.io.get_untrusted_types(data=content)} - {*TRUSTED}
        estimator = None if foreign else skops.io.loads(content, trusted=TRUSTED)
    except Exception as error:  # noqa: BLE001 - zipfile, json, skops and each type raise their own errors
        raise ValueError(f"it holds no estimator: {error}") from None
    if foreign or not isinstance(estimator, RegressorMixin):
        what = min(foreign, default=type(estimator).__name__)
        raise ValueError(
            f"it holds {what}, which is no part of a regressor of scikit-learn"
        )
    return estimator


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a run's estimator as a function. Raises ValueError like `unpacked`."""
    return partial(predict, baseline, unpacked(weights))


def predict(baseline: Baseline, estimator: Any, inputs: Array) -> Array:
    """Return an estimator's predictions from a baseline's features."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return np.asarray(estimator.predict(features))
