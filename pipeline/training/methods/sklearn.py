"""Any regressor of scikit-learn on features: `training: {method: sklearn, estimator:
ExtraTreesRegressor}`.
"""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained
from pipeline.validation import one_of

TRAINS = ("features",)

METRICS = (
    *(
        "BrayCurtis",
        "Canberra",
        "Chebyshev",
        "Dice",
        "Euclidean",
        "Hamming",
        "Haversine",
        "Jaccard",
        "Mahalanobis",
    ),
    *(
        "Manhattan",
        "Matching",
        "Minkowski",
        "RogersTanimoto",
        "RussellRao",
        "SEuclidean",
        "SokalMichener",
    ),
    "SokalSneath",
)
"""Distances of neighbours, but for that which is a function of the user's."""

TRUSTED = (
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    *(
        f"sklearn.gaussian_process.kernels.{name}"
        for name in ("ConstantKernel", "Product", "RBF")
    ),
    *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in METRICS),
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    *(
        f"sklearn.neural_network._stochastic_optimizers.{name}Optimizer"
        for name in ("Adam", "SGD")
    ),
    "sklearn.tree._tree.Tree",
)
"""The parts of a fitted regressor that skops does not trust by itself, as it does
estimators, arrays and numbers."""

NODES = {
    *("DictNode", "JsonNode", "ListNode", "LossNode", "NdArrayNode", "ObjectNode"),
    *("RandomGeneratorNode", "RandomStateNode", "TreeNode", "TupleNode", "TypeNode"),
}
"""What skops calls the kinds of values in a file. Those that are functions, or call
one, are none of a regressor."""


def train(
    job: Job, *, estimator: str, options: dict[str, Any] | None = None
) -> Trained:
    """Fit an estimator to the train targets, by its own loss.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        estimator: a regressor's class; of several values ahead one for each, where it
            takes no more.
        options: its arguments. What it draws is drawn by `random_state` 0 where they
            say nothing.

    Raises:
        UsageError: there is no such regressor.
        ValueError: it refuses the options, or keeps by them what is not read back; or
            targets are one for each timestep or column.
    """
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils import all_estimators, get_tags

    regressors = dict(all_estimators("regressor"))
    baseline = job.build()
    try:
        unfitted = regressors[
            one_of(estimator, regressors, "params.yaml: `estimator`")
        ](**(options or {}))
    except TypeError as error:
        raise ValueError(f"`options` of {estimator}: {error}") from None
    if job.dataset.each_step or baseline.columns:
        raise ValueError(
            "an estimator sees the whole input, and gives all values ahead at once"
        )
    if unfitted.get_params().get("random_state", 0) is None:
        unfitted.set_params(random_state=0)
    chunks = prediction.chunks(job.dataset.splits["train"])
    pairs = [
        (np.asarray(baseline.features(inputs), np.float64), targets)
        for inputs, targets in chunks
    ]
    features, targets = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    if targets.ndim > 1 and not get_tags(unfitted).target_tags.multi_output:
        unfitted = MultiOutputRegressor(unfitted)
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        weights = np.frombuffer(_packed(unfitted.fit(features, targets)), np.uint8)
        # How many numbers it has learnt, scikit-learn does not say.
        return replace(
            prediction.fitted(job, load(baseline, weights), weights), parameters=0
        )


def load(baseline: Baseline, weights: Array) -> Callable[[Array], Array]:
    """A run's estimator as a function: inputs (n, timesteps, columns) -> (n,) or (n,
    values).

    Raises:
        ValueError: the weights hold anything but a regressor of scikit-learn; a file
            may come from elsewhere.
    """
    fitted = _unpacked(weights.tobytes())
    return lambda inputs: np.asarray(
        fitted.predict(np.asarray(baseline.features(inputs), np.float64))
    )


def _packed(estimator: Any) -> bytes:
    """The file that skops makes of an estimator, without addresses in memory, times,
    and names drawn at random.
    """
    import skops.io

    packed = io.BytesIO()
    members = dict[str, str]()

    def plain(node: dict[str, Any]) -> dict[str, Any]:
        node.pop("__id__", None)
        if isinstance(node.get("file"), str):
            node["file"] = members.setdefault(node["file"], f"{len(members)}")
        return node

    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as theirs,
        zipfile.ZipFile(packed, "w") as ours,
    ):
        schema = json.loads(theirs.read("schema.json"), object_hook=plain)
        del schema["_skops_version"]
        ours.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema))
        for before, name in members.items():
            ours.writestr(zipfile.ZipInfo(name), theirs.read(before))
    return packed.getvalue()


def _unpacked(packed: bytes) -> Any:
    """The estimator that `_packed` wrote. Raises ValueError if it holds anything else,
    of which nothing is made.
    """
    import skops.io
    from sklearn.base import RegressorMixin

    if packed.startswith(b"\x80"):
        raise ValueError(
            "it holds a pickle, as older versions of Unroll wrote, which is no longer read"
        )
    try:
        foreign = _kinds(packed) - NODES | {
            *skops.io.get_untrusted_types(data=packed)
        } - {*TRUSTED}
        estimator = None if foreign else skops.io.loads(packed, trusted=TRUSTED)
    except Exception as error:  # noqa: BLE001 - of other bytes zipfile, json, skops and each type raise a dozen kinds
        raise ValueError(f"it holds no estimator: {error}") from None
    if foreign or not isinstance(estimator, RegressorMixin):
        what = min(foreign, default=type(estimator).__name__)
        raise ValueError(
            f"it holds {what}, which is no part of a regressor of scikit-learn"
        )
    return estimator


def _kinds(packed: bytes) -> set[str]:
    """The kinds of the values in skops' file."""
    kinds = set[str]()

    def noted(node: dict[str, Any]) -> dict[str, Any]:
        kinds.add(str(node.get("__loader__", "JsonNode")))
        return node

    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        json.loads(archive.read("schema.json"), object_hook=noted)
    return kinds
