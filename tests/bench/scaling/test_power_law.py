import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling.power_law import exponent

VALUES = st.lists(st.integers(1, 10**6), min_size=3, max_size=8, unique=True)


@given(VALUES, st.floats(-2, 4), st.floats(1e-6, 1e6))
def test_the_exponent_of_a_power_law_is_found_exactly(values, power, constant):
    found = exponent(values, [constant * value**power for value in values])
    assert [*found.values()] == pytest.approx([power] * 3, abs=1e-4)


def test_the_exponent_and_its_interval_are_scipys():
    from scipy.stats import linregress, t

    values, costs = [1, 2, 4, 8, 16], [1.0, 2.2, 3.9, 8.5, 15.0]
    fit, found = linregress(np.log(values), np.log(costs)), exponent(values, costs)
    reach = t.ppf(0.975, 3) * fit.stderr
    assert found == pytest.approx({"estimate": fit.slope, "low": fit.slope - reach, "high": fit.slope + reach})


@pytest.mark.parametrize(
    ("values", "costs", "said"),
    [
        ([1, 2], [1.0, 2.0], "three values or more"),
        ([1, 2, 4], [1.0, 2.0], "a cost for each"),
        ([2, 2, 2], [1.0, 2.0, 3.0], r"three values or more.*\[2, 2, 2\]"),
        ([1, 2, 4], [1.0, 0.0, 3.0], "positive"),
    ],
)
def test_what_has_no_exponent_is_refused(values, costs, said):
    with pytest.raises(ValueError, match=said):
        exponent(values, costs)
