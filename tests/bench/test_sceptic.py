import re

import numpy as np
import pytest

from bench.sceptic import _rows, search
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.errors import UnrollError


def test_a_sceptic_keeps_the_best_on_validation_and_holds_it_against_each_answer(evaluated):
    met = set()
    for seed in (1, 3, 4, 9):
        *tried, best, answer = search(evaluated, "waves", minutes=0, seed=seed)
        assert len(tried) == 1
        assert best.endswith(re.sub(r".*on validation \S+  ", "", tried[0]))
        assert re.fullmatch(r"waves  the documents' networks: .* on the page; .*: (better|worse|cannot tell)", answer)
        met.add(re.findall(r"(mlp|boosting|kernel ridge|neighbours) of the last", tried[0])[0])
    assert met == {"mlp", "boosting", "kernel ridge", "neighbours"}


def test_words_are_left_to_others(evaluated):
    with pytest.raises(UnrollError, match="imdb: a sceptic needs numbers in"):
        list(search(evaluated, "imdb", minutes=0))


def test_a_step_is_answered_from_what_was_known_by_then_and_a_column_from_its_own_past():
    series = np.random.default_rng(0).normal(size=(9, 2))
    steps = Arrays(series[None, :6], series[None, :6, 0] > 0)
    inputs, targets = _rows(Dataset("a", "regress", "mse", {"test": steps}, each_step=True), "test", np.arange(1), 3)
    for step in range(6):
        known = [series[back] if back >= 0 else [0, 0] for back in (step - 2, step - 1, step)]
        assert inputs[step].reshape(2, 3).T.tolist() == np.array(known).tolist()
        assert targets[step] == (series[step, 0] > 0)
    windows = Windows(series, np.array([4, 6]), lookback=4, step=1, delay=0, target=0, outputs=3, every=True)
    inputs, targets = _rows(Dataset("a", "forecast", "mse", {"test": windows}), "test", np.arange(2), 2)
    for row, (first, column) in enumerate([(4, 0), (4, 1), (6, 0), (6, 1)]):
        past, last = series[first - 2 : first, column], series[first - 1, column]
        assert inputs[row].tolist() == (past - last).tolist()
        assert targets[row].tolist() == (series[first : first + 3, column] - last).tolist()
