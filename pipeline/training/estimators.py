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

    content = weights.tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # stored as `packed` does, no part is larger than the file
            if any(part.compress_type for part in archive.infolist()):
                raise ValueError("a part of it is packed")
        foreign = {*skops.io.get_untrusted_types(data=content)} - {*TRUSTED}
        if foreign:
            raise TypeError(f"{min(foreign)} is no part of a regressor")
        estimator = skops.io.loads(content, trusted=TRUSTED)
        _require_sound(estimator)
    except Exception as error:  # noqa: BLE001 - zipfile, json, skops and each type raise their own errors
        raise ValueError(f"it holds no estimator: {error}") from None
    return estimator


def _require_sound(estimator: Any) -> None:
    """Raise an error unless an estimator is a regressor that a method here makes.

    Each node of its trees must lead to later nodes, and ask for a known feature.
    scikit-learn follows the nodes' numbers without a check, and the process would die
    of a wrong one. A child has a larger number than its parent, so that each way ends.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.multioutput import MultiOutputRegressor

    members = [estimator]
    if isinstance(estimator, MultiOutputRegressor):
        members = list(estimator.estimators_)
    for member in members:
        if not isinstance(member, HistGradientBoostingRegressor | Ridge):
            raise TypeError(f"{type(member).__name__} is no part of a regressor")
        if getattr(member, "_preprocessor", None) is not None:
            raise ValueError("its columns are encoded, which no model here does")
        for (tree,) in getattr(member, "_predictors", ()):
            is_inner = tree.nodes["is_leaf"] == 0
            inner = tree.nodes[is_inner]
            # unsigned numbers would wrap around
            children = np.stack([inner["left"], inner["right"]]).astype(np.float64)
            features = inner["feature_idx"].astype(np.float64)
            leads_on = children > np.flatnonzero(is_inner)
            is_known = (features >= 0) & (features < member.n_features_in_)
            if inner["is_categorical"].any():
                raise ValueError("a tree has categories, which no model here has")
            if not (leads_on & (children < len(tree.nodes)) & is_known).all():
                raise ValueError(
                    "a node of a tree leads out of the tree or the columns"
                )
            if not len(tree.nodes):
                raise ValueError("a tree has no node")


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a run's estimator as a function. Raises ValueError like `unpacked`."""
    return partial(predict, baseline, unpacked(weights))


def predict(baseline: Baseline, estimator: Any, inputs: Array) -> Array:
    """Return an estimator's predictions from a baseline's features."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return np.asarray(estimator.predict(features))
