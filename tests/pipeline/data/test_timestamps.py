import pytest

from pipeline.data.timestamps import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3600, "an hour"), (600, "10 minutes"), (86_400, "a day"), (97_200, "27 hours")],
)
def test_a_duration_is_said_in_the_largest_unit_that_it_is_whole_in(seconds, words):
    assert duration(seconds) == words
