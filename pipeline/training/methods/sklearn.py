"""Any regressor of scikit-learn on features: `training: {method: sklearn, estimator:
ExtraTreesRegressor}`.
"""

from typing import Any

from threadpoolctl import threadpool_limits

from pipeline.models.baselines import Baseline
from pipeline.training.estimators import load, packed
from pipeline.training.job import Job, Trained, features_of, fitted
from pipeline.validation import one_of

TRAINS = ("features",)


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

    baseline: Baseline = job.build()
    regressors = dict(all_estimators("regressor"))
    regressor = regressors[one_of(estimator, regressors, "params.yaml: `estimator`")]
    try:
        unfitted = regressor(**(options or {}))
    except TypeError as error:
        raise ValueError(f"`options` of {estimator}: {error}") from None
    if job.dataset.each_step or baseline.columns:
        raise ValueError(
            "an estimator sees the whole input, and gives all values ahead at once"
        )
    if unfitted.get_params().get("random_state", 0) is None:
        unfitted.set_params(random_state=0)
    features = features_of(job.train, baseline.features)
    targets = job.train.targets
    if targets.ndim > 1 and not get_tags(unfitted).target_tags.multi_output:
        unfitted = MultiOutputRegressor(unfitted)
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        weights = packed(unfitted.fit(features, targets))
        # scikit-learn does not say how many numbers an estimator has learnt
        return fitted(job, load(baseline, weights), weights, parameters=0)
