import numpy as np
import pytest

from pipeline.evaluation import answers


def test_holm_keeps_false_finds_of_a_table_below_one_in_twenty():
    assert answers.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = np.mean([min(answers.holm(np.random.default_rng(seed).uniform(size=6))) < 0.05 for seed in range(4000)])
    assert found == pytest.approx(0.05, abs=0.015)
