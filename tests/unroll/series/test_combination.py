import numpy as np
import pytest

from unroll.series import combination

KNOWN = np.array([1, 1, 2])


def case(origins=30, models=4):
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(origins, 3))
    return truth + rng.normal(size=(models, 1, 1)) * rng.normal(
        size=(models, origins, 3)
    ), truth


def test_an_origin_uses_what_had_come_by_then():
    forecasts, truth = case()
    usual = combination.weighted_forecast(forecasts, truth, KNOWN, "median")
    later = truth.copy()
    later[20, :2] += 9  # known at origin 21
    later[19, 2] += 9
    changed = combination.weighted_forecast(forecasts, later, KNOWN, "median") != usual
    assert not changed[:21].any()
    assert changed[21].all()


def test_each_series_is_combined_by_itself_however_many_origins_it_has(monkeypatch):
    rng = np.random.default_rng(6)
    series = np.repeat([2, 5, 6, 7, 9], [30, 12, 30, 7, 12])
    truth = rng.normal(size=(len(series), 3))
    truth[5:8] = np.nan
    forecasts = rng.normal(size=(4, len(series), 3))
    stacks = combination.stacks(series)
    assert [rows.shape for rows in stacks] == [(1, 7), (2, 12), (2, 30)]
    assert sorted(np.concatenate([rows.ravel() for rows in stacks])) == [
        *range(len(series))
    ]
    together = combination.combined(forecasts, truth, series, KNOWN, "median")
    for number in np.unique(series):
        own = series == number
        alone = combination.weighted_forecast(
            forecasts[:, own], truth[own], KNOWN, "median"
        )
        np.testing.assert_allclose(together[own], alone)
    monkeypatch.setattr(combination, "MOST_VALUES", 1)
    np.testing.assert_array_equal(
        combination.combined(forecasts, truth, series, KNOWN, "median"), together
    )


def test_the_weighted_median_has_half_of_the_weight_on_either_side():
    values = np.array([3.0, 1.0, 2.0, 9.0])
    assert combination.weighted_median(values, np.ones(4)) == pytest.approx(
        np.median(values)
    )
    heavy = combination.weighted_median(values, np.array([0.1, 0.1, 9.0, 0.1]))
    assert heavy == pytest.approx(2, abs=0.05)
    between = combination.weighted_median(np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    assert between == pytest.approx(2.5), (
        "their middles lie at an eighth and at five eighths"
    )


@pytest.mark.parametrize("objective", ["median", "mean"])
def test_it_has_the_numbers_that_are_committed(objective, num_regression):
    """Of one model that is off, one that errs much, and two others; one value was not
    measured."""
    truth = np.random.default_rng(5).normal(size=(14, 3))
    errors = np.random.default_rng(6).normal(size=(4, 14, 3))
    sizes = np.array([0.1, 2.0, 0.5, 0.6])[:, None, None]
    forecasts = truth + sizes * errors + np.array([0.4, 0, 0.2, 0])[:, None, None]
    truth[6, 1] = np.nan
    found = combination.weighted_forecast(forecasts, truth, KNOWN, objective)
    of_one = combination.weighted_forecast(forecasts[:1], truth, KNOWN, objective)
    np.testing.assert_array_equal(of_one, forecasts[0])
    num_regression.check({f"step {n}": values for n, values in enumerate(found.T, 1)})
