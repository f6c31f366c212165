import statistics

import pytest

from bench import wrong_words
from pipeline.workspace import Workspace
from tests.support import REPOSITORY

TRIALS = 20_000


@pytest.fixture(scope="module")
def asked():
    return wrong_words.questions(Workspace(REPOSITORY))


@pytest.fixture(scope="module")
def scatter(asked):
    return statistics.median(wrong_words.known_scatters(asked))


@pytest.mark.parametrize(
    ("searches", "change", "power"),
    [
        (0, 0.0, 0.3),
        (0, 0.03, 0.15),
        (0, 0.08, 0.3),
        (3, 0.0, 0.15),
        (3, 0.03, 0.05),
        (3, 0.08, 0.12),
    ],
)
def test_one_verdict_of_a_hundred_is_wrong_at_most(
    asked, scatter, searches, change, power
):
    """About the two networks; or with three searches each, whose scatter the interval
    knows."""
    assert len(asked) == 8
    rates = wrong_words.simulate(asked, change, searches, scatter, TRIALS)
    assert rates.wrong < 0.01
    assert rates.together < 0.085, "of all questions together"
    assert rates.right > power


def test_after_one_search_a_verdict_is_about_the_two_networks_alone(asked, scatter):
    rates = wrong_words.simulate(asked, 0.0, 1, scatter, TRIALS)
    assert rates.together > 0.3


def test_searches_scatter_by_one_to_four_percent(scatter):
    assert 0.01 < scatter < 0.04
