"""A file of 80 months, from `add` to a forecast: statistical models look back further than windows do."""

import numpy as np
import pandas as pd

from pipeline.config import params
from pipeline.forecast.forecaster import Forecaster
from pipeline.models import statistical
from tests.support.training import added

MONTHS = 80


def rows(count=MONTHS):
    """Sales that grow and have a season, with noise."""
    time, noise = np.arange(count), np.random.default_rng(0).normal(size=count)
    months = pd.date_range("2015-01-01", periods=count, freq="MS")
    return pd.DataFrame({"month": months, "sales": 200 + time + 30 * np.sin(time * np.pi / 6) + 4 * noise})


def test_statistical_models_are_fitted_to_all_months_that_there_are(tmp_path):
    models = ("sales_last_value", "sales_cycle_12", "sales_ets")
    workspace = added(tmp_path, "sales", rows(), models, "--target", "sales", refits=1)
    options = params.load(workspace.params).datasets["sales"].preparation.options["windows"]
    assert (options["lookback"], options["horizon"]) == (24, 12), "two years, so that a year repeats in them"
    forecaster = Forecaster.load(workspace.forecaster("sales"))
    place = [member.name for member in forecaster.spec.members].index("sales_ets")
    scale = forecaster.spec.scale
    for count in (MONTHS, 30):
        (window,) = forecaster.windows(rows(count)).values()
        values = (rows(count)["sales"].to_numpy() - scale.mean) / scale.std
        expected = statistical._ets(values.astype(np.float32).astype(float), 12, 12)
        np.testing.assert_allclose(forecaster.members.forecast(window.inputs)[place], expected)
    # Months before a gap are not seen, else a season would not fall on its months.
    (window,) = forecaster.windows(rows().drop(index=range(40, 42))).values()
    (rest,) = forecaster.windows(rows()[42:]).values()
    np.testing.assert_array_equal(window.inputs, rest.inputs)
    assert np.isnan(window.inputs).any(axis=1).sum() == 120 - (MONTHS - 42)
