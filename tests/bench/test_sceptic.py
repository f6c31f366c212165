import re

import pytest

from bench.sceptic import search
from pipeline.errors import UnrollError


def test_a_sceptic_keeps_the_best_on_validation_and_holds_it_against_each_answer(evaluated):
    met = set()
    for seed in (0, 2, 3, 4):
        *tried, best, answer = search(evaluated, "waves", minutes=0, seed=seed)
        assert len(tried) == 1
        assert best.endswith(re.sub(r".*on validation \S+  ", "", tried[0]))
        assert re.fullmatch(r"waves  the documents' networks: was .*: (still|no longer|not) better", answer)
        met.add(re.findall(r"(mlp|boosting|kernel ridge|neighbours) of the last", tried[0])[0])
    assert met == {"mlp", "boosting", "kernel ridge", "neighbours"}


def test_words_are_left_to_others(evaluated):
    with pytest.raises(UnrollError, match="imdb: a sceptic needs numbers in"):
        list(search(evaluated, "imdb", minutes=0))
