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
    ("change", "power"), [(0.0, 0.085), (0.03, 0.013), (0.08, 0.06)]
)
def test_of_eighteen_rounds_of_eight_questions_one_has_a_wrong_verdict_at_most(
    asked, scatter, change, power
):
    assert len(asked) == 8
    rates = wrong_words.simulate(asked, change, scatter, TRIALS)
    assert rates.wrong < 0.01
    # We want 0.05 (docs/decisions/verdicts.md).
    assert rates.together < 0.055, "of all questions together"
    assert rates.right > power


def test_searches_scatter_by_one_to_four_percent(scatter):
    assert 0.01 < scatter < 0.04
