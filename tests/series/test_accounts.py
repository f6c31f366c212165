"""Scores and sums of groups of series, whatever they and their column are called."""

import numpy as np
import pandas as pd
import pytest

from series import accounts

FORECAST = pd.DataFrame(
    {
        "unique_id": ["north", "south", "total"],
        "ds": pd.Timestamp("2026-01-01"),
        "y_hat": [1.0, 2.0, 4.0],
    }
)
ITSELF = {name: name for name in FORECAST["unique_id"]}


def test_a_series_called_total_is_not_mixed_with_all_series():
    summed = accounts.sums(FORECAST, "unique_id", ITSELF)
    assert dict(zip(summed["unique_id"], summed["y_hat"], strict=True)) == {
        "north": 1.0,
        "south": 2.0,
        "total": 4.0,
        "total of all": 7.0,
    }


def test_scores_of_groups_have_the_numbers_that_are_committed(dataframe_regression):
    """A group is of two series, a value was not measured, and the last group has none
    above 0."""
    of_series = {"a": "north", "b": "north", "c": "south", "d": "nowhere"}
    own = pd.DataFrame(
        {
            "unique_id": [*"aabbccd"],
            "model": ["theta", "theta", "ets", "ets", "ets", "ets", "ets"],
            "role": "",
            "y": [1.0, 2.0, 4.0, np.nan, -2.0, 2.0, np.nan],
            "y_hat": [1.5, 1.0, 7.0, 8.0, -2.0, 2.0, 1.0],
        }
    )
    naive = own.assign(model="last_value", role="naive_", y_hat=own["y_hat"] + 0.5)
    found = accounts.scores(pd.concat([own, naive]), "family", of_series)
    dataframe_regression.check(found)


OF_SUMS = ("series", "ds", "y_hat")
OF_SCORES = ("model", "mae", "values")


@pytest.mark.parametrize("by", [*OF_SUMS, *OF_SCORES, "role", "family"])
def test_a_column_of_groups_may_be_called_as_another_column(by):
    summed = accounts.sums(FORECAST, by, ITSELF)
    assert summed.columns[0] == ("group" if by in OF_SUMS else by)
    own = FORECAST.assign(model="theta", role="", y=1.0)
    rows = pd.concat([own, own.assign(model="last_value", role="naive_")])
    found = accounts.scores(rows, by, ITSELF)
    assert found.columns[0] == ("group" if by in OF_SCORES else by)
    assert found["mae"].tolist() == [0.0, 1.0, 3.0, pytest.approx(4 / 3)]
