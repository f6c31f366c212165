import numpy as np
import pytest

from pipeline.data.examples import Windows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lookback": 5}, r"`lookback` must be a multiple of `step`. Received: 5, 2"),
        ({"lookback": 0}, "multiple of `step`"),
        ({"outputs": 0}, "`outputs` must be at least 1"),
        ({"target": 3}, r"`target` must be a column .* Received: \(20, 3\)"),
        ({"rows": np.array([3, 10])}, "windows that reach from -1 to 13"),
        ({"rows": np.array([4, 13]), "outputs": 3}, "windows that reach from 0 to 20"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(change, message):
    valid = {"series": np.zeros((20, 3)), "rows": np.array([4]), "lookback": 4, "step": 2, "delay": 3, "target": 0}
    Windows(**valid)
    with pytest.raises(ValueError, match=message):
        Windows(**valid | change)
