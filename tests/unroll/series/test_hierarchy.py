"""Sums of forecasts: coherent, with quantiles of their own."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError, UsageError
from unroll.series import hierarchy

CELLS = pd.DataFrame(
    {
        "unique_id": [*"abcd"],
        "family": ["food", "food", "toys", "toys"],
        "store": ["north", "south", "north", "south"],
        "sales": 1,
    }
)
QUANTILES = {"lo-90": 0.05, "hi-90": 0.95, "order-80": 0.8}


def past(errors):
    """Forecasts of 100 from daily cutoffs, two days ahead; errors (series, cutoffs)."""
    frames = []
    for name, own in zip("abcd", errors, strict=True):
        cutoffs = pd.date_range("2024-01-01", periods=len(own)).repeat(2)
        ahead = pd.to_timedelta(np.tile([1, 2], len(own)), "D")
        rows = {"unique_id": name, "ds": cutoffs + ahead, "cutoff": cutoffs}
        frames.append(pd.DataFrame({**rows, "y": 100 + own.repeat(2), "y_hat": 100.0}))
    return pd.concat(frames)


def ahead(names="abcd"):
    """Forecasts of 100 and 200 for two days."""
    days = pd.date_range("2024-04-01", periods=2)
    frames = []
    for name in names:
        frame = pd.DataFrame({"unique_id": name, "ds": days, "y_hat": [100.0, 200.0]})
        frames.append(frame.assign(**{"lo-90": 0.0, "hi-90": 300.0, "order-80": 250.0}))
    return pd.concat(frames)


def summed(errors, forecast=None, by=("family", "store")):
    forecast = ahead() if forecast is None else forecast
    of_series = hierarchy.groups(CELLS, "unique_id", by)
    return hierarchy.sums(forecast, past(errors), of_series, QUANTILES)


def test_a_parent_is_the_sum_of_its_children():
    errors = np.random.default_rng(0).normal(0, 9, (4, 60))
    found = summed(errors)
    assert [*found.columns] == ["family", "store", "ds", "y_hat", *QUANTILES, "series"]
    assert len(found) == 2 * (1 + 2 + 2 + 4)
    assert found["series"].iloc[::2].tolist() == [4, 2, 2, 2, 2, 1, 1, 1, 1]
    for column, other in (("family", "store"), ("store", "family")):
        parts = found[(found[other] == "total") & (found[column] != "total")]
        np.testing.assert_allclose(parts.groupby("ds")["y_hat"].sum(), [400, 800])


def test_quantiles_are_those_of_the_sum_and_follow_the_forecast():
    """Errors of independent series cancel out, and those that are alike do not."""
    random = np.random.default_rng(1)
    alone = summed(random.normal(0, 10, (4, 200)), by=["family"])
    alike = summed(np.tile(random.normal(0, 10, 200), (4, 1)), by=["family"])
    widths = [table["hi-90"][0] - table["lo-90"][0] for table in (alone, alike)]
    assert widths[0] == pytest.approx(2 * 1.645 * 20, rel=0.25)
    assert widths[1] == pytest.approx(2 * 1.645 * 40, rel=0.25)
    assert alone["hi-90"][1] - 800 == pytest.approx(
        2.2 * (alone["hi-90"][0] - 400), 0.1
    )
    assert (alone["order-80"] < alone["hi-90"]).all()


def test_a_sum_of_one_series_has_its_quantiles():
    """One article has one order, with sums and without."""
    found = summed(np.random.default_rng(3).normal(0, 9, (4, 60)))
    alone = found[found["series"] == 1]
    assert alone[["lo-90", "hi-90", "order-80"]].eq([0.0, 300.0, 250.0]).all(axis=None)


def test_a_series_that_begins_late_or_has_ended_does_no_harm():
    errors = [*np.random.default_rng(2).normal(0, 10, (4, 60))]
    errors[3] = errors[3][-5:]
    forecast = ahead()
    columns = ["y_hat", *QUANTILES]
    forecast.loc[forecast["unique_id"].isin(["c", "d"]), columns] = 0.0
    found = summed(errors, forecast).query("family == 'toys' and store == 'total'")
    assert (found[columns] == 0).all(axis=None)
    few = summed([own[-2:] for own in errors])
    assert np.isfinite(few[columns]).all(axis=None), "the sums of a level share errors"


def test_sums_of_values_below_0_lie_below_0_and_a_column_may_be_called_ds():
    cells = CELLS.rename(columns={"family": "series"})
    of_series = hierarchy.groups(cells, "unique_id", ["series"])
    errors = np.random.default_rng(3).normal(-200, 10, (4, 60))
    rows = past(errors).assign(y_hat=0.0)
    forecast = ahead().assign(y_hat=0.0)
    found = hierarchy.sums(forecast, rows, of_series, QUANTILES)
    assert found.columns[0] == "group series"
    assert found["lo-90"].max() < -100
    assert (found["hi-90"] >= 0).all()


def test_a_value_called_total_is_not_mixed_with_all():
    cells = CELLS.assign(family=["total", "total", "toys", "toys"])
    of_series = hierarchy.groups(cells, "unique_id", ["family"])
    found = hierarchy.sums(ahead(), past(np.ones((4, 20))), of_series, QUANTILES)
    assert found["family"].unique().tolist() == ["total of all", "total", "toys"]


@pytest.mark.parametrize(
    ("cells", "by", "message"),
    [
        (CELLS, "famly", "by must be one of: .*family"),
        (
            pd.concat([CELLS, CELLS[:1].assign(family="toys")]),
            "family",
            "family of the series a is 'food' and 'toys'; a column of by needs one",
        ),
        (CELLS.assign(family=["", *"abc"]), "family", "family of the series a is ''"),
        (CELLS.assign(family=[None, *"abc"]), "family", "family of the series a is ''"),
    ],
)
def test_a_column_of_sums_has_one_value_for_each_series(cells, by, message):
    with pytest.raises(UnrollError, match=message):
        hierarchy.groups(cells, "unique_id", [by])


def test_one_series_has_no_sums():
    with pytest.raises(UsageError, match="by adds up several series, and here is one"):
        hierarchy.groups(CELLS, None, ["family"])
