import pytest

from bench import wrong_words
from pipeline.workspace import Workspace
from tests.support import REPOSITORY

TRIALS = 5_000


@pytest.fixture(scope="module")
def asked():
    return wrong_words.questions(Workspace(REPOSITORY))


@pytest.mark.parametrize("searches", [0, 3])
@pytest.mark.parametrize(("change", "power"), [(0.0, 0.4), (0.03, 0.1), (0.08, 0.3)])
def test_all_questions_together_have_a_wrong_word_in_one_of_20_builds_at_most(
    asked, change, power, searches
):
    """Of the two networks; or of three searches each, whose scatter the interval knows."""
    assert len(asked) == 10
    rates = wrong_words.simulate(asked, change, searches, TRIALS)
    assert rates.together < 0.06, "5 %, and the scatter of the simulation"
    assert rates.right > power


def test_after_one_search_a_word_is_about_the_two_networks_alone(asked):
    rates = wrong_words.simulate(asked, 0.0, 1, TRIALS)
    assert rates.together > 0.3
