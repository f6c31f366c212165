"""Estimators of scikit-learn on disk, in skops' format: reading a file runs no code."""

import io
import json
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Predict, save_array

TRUSTED = [
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
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
        _require_sound_trees(estimator)
    except Exception as error:  # noqa: BLE001 - zipfile, json, skops and each type raise their own errors
        raise ValueError(f"it holds no estimator: {error}") from None
    if foreign or not isinstance(estimator, RegressorMixin):
        what = min(foreign, default=type(estimator).__name__)
        raise ValueError(
            f"it holds {what}, which is no part of a regressor of scikit-learn"
        )
    return estimator


def _require_sound_trees(part: Any, columns: int = 0) -> None:
    """Raise ValueError if a node of a tree in an estimator leads out of its tree.

    scikit-learn follows the nodes' numbers without a check, and the process would die
    of a wrong one. A child has a larger number than its parent, so that each way ends.

    Args:
        part: an estimator, or a list, an array or a mapping of parts.
        columns: the number of features that the estimator around a part was fitted to.
    """
    from sklearn.base import BaseEstimator

    if isinstance(part, BaseEstimator):
        columns = getattr(part, "n_features_in_", 0)
        part = vars(part)
        if part.get("_preprocessor") is not None:
            raise ValueError("its columns are encoded, which no model here does")
    if isinstance(part, Mapping):
        part = [*part.values()]
    if isinstance(part, np.ndarray) and part.dtype == object:
        part = part.ravel().tolist()
    if isinstance(part, list | tuple):
        for each in part:
            _require_sound_trees(each, columns)
    if type(part).__name__ == "TreePredictor":
        nodes = part.nodes
        inner = nodes[nodes["is_leaf"] == 0]
        if inner["is_categorical"].any():
            raise ValueError("a tree has categories, which no model here has")
        own = np.flatnonzero(nodes["is_leaf"] == 0)
        children = np.stack([inner["left"], inner["right"]])
        _require_inside(own, children, inner["feature_idx"], len(nodes), columns)


def _require_inside(
    own: Array, children: Array, features: Array, count: int, columns: int
) -> None:
    """Raise ValueError unless nodes lead to later nodes and ask for known features.

    Args:
        own: (nodes,) the numbers of the nodes that are no leaves.
        children: (2, nodes) the numbers of their children.
        features: (nodes,) the numbers of the features that they ask for.
        count: the number of all nodes.
        columns: the number of features.
    """
    # unsigned numbers would wrap around
    children = children.astype(np.float64)
    features = features.astype(np.float64)
    leads_on = (children > own) & (children < count)
    if count < 1 or not leads_on.all() or (features >= columns).any():
        raise ValueError("a node of a tree leads out of the tree")
    if (features < 0).any():
        raise ValueError("a node of a tree asks for no feature")


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a run's estimator as a function. Raises ValueError like `unpacked`."""
    return partial(predict, baseline, unpacked(weights))


def predict(baseline: Baseline, estimator: Any, inputs: Array) -> Array:
    """Return an estimator's predictions from a baseline's features."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return np.asarray(estimator.predict(features))
