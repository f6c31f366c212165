import numpy as np
import pytest

from pipeline.report import panels


@pytest.mark.parametrize("unit", [60, 3600, 86_400, 30 * 86_400], ids=["minutes", "hours", "days", "months"])
def test_times_of_any_range_have_some_dates_and_no_warning(unit):
    from matplotlib.figure import Figure

    for count in [2, 5, 12, 33, 66, 71]:  # some are those that fewer ticks have no interval for
        axes = Figure().subplots()
        axes.plot(panels.dates(axes, [1.6e9, 1.6e9 + count * unit]), [0, 1])
        assert 2 <= np.size(axes.get_xticks()) <= 12, count
