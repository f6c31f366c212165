"""Any regressor of scikit-learn on features.

In params.yaml: `training: {method: sklearn, estimator: ExtraTreesRegressor}`.
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
        estimator: the name of the regressor's class. If it predicts one value only,
            one regressor is fitted for each value ahead.
        options: the regressor's arguments. `random_state` is 0 unless they set it.

    Raises:
        UsageError: there is no such regressor.
        ValueError: the regressor refuses the options, its fitted state cannot be read
            back, or each timestep or column has its target.
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
            "an estimator sees the whole input, so it cannot fit a target of each "
            "timestep or column"
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
        # scikit-learn does not tell how many numbers an estimator has learnt.
        return fitted(job, load(baseline, weights), weights, parameters=0)
