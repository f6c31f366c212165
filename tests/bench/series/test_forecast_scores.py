"""Every measure against a naive loop."""

import numpy as np
import pytest

from bench.series import forecast_scores

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(size=(2, 3, 4))
TRUTH[0, 1, 2] = np.nan
QUANTILES = np.sort(
    RANDOM.normal(size=(2, 3, 4, len(forecast_scores.QUANTILES))), axis=-1
)


def test_mean_absolute_error_leaves_missing_values_out():
    forecasts = QUANTILES[..., 3]
    measured = [index for index in np.ndindex(TRUTH.shape) if np.isfinite(TRUTH[index])]
    errors = [abs(TRUTH[index] - forecasts[index]) for index in measured]
    assert len(errors) == TRUTH.size - 1
    assert forecast_scores.mean_absolute_error(TRUTH, forecasts) == pytest.approx(
        np.mean(errors)
    )


def test_weighted_quantile_loss_leaves_missing_values_out():
    """tests/unroll/series/test_prediction_intervals.py has the loss beside a naive loop."""
    known = np.isfinite(TRUTH)
    expected = forecast_scores.weighted_quantile_loss(TRUTH[known], QUANTILES[known])
    assert forecast_scores.weighted_quantile_loss(TRUTH, QUANTILES) == pytest.approx(
        expected
    )


def test_coverage_counts_what_lies_inside_the_widest_interval():
    truth = np.array([[[0.0, 1.0, 3.0, np.nan]]])
    quantiles = np.broadcast_to(
        np.linspace(0, 2, len(forecast_scores.QUANTILES)), (1, 1, 4, 7)
    )
    assert forecast_scores.coverage(truth, quantiles) == pytest.approx(2 / 3)


def test_conformal_quantiles_are_symmetric_and_lie_above_the_floor():
    forecasts = np.array([[[5.0, 1.0]]])
    earlier = np.arange(1.0, 20.0)[None, :, None] * np.array([0.1, -0.2])
    found = forecast_scores.conformal(forecasts, earlier, floor=0.0)
    assert found.shape == (1, 1, 2, len(forecast_scores.QUANTILES))
    assert found[0, 0, 0] == pytest.approx([3.2, 3.4, 4.0, 5.0, 6.0, 6.6, 6.8])
    assert found[0, 0, 1].min() == 0
    assert (np.diff(found, axis=-1) >= 0).all()
