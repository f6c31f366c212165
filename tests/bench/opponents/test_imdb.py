"""The scores of n-grams that a GRU trains beside come from reviews it does not train on."""

import numpy as np

from bench.opponents import imdb

REVIEWS = 200


def test_a_train_review_is_scored_by_a_regression_that_has_not_seen_it():
    draws = np.random.default_rng(0)
    words = draws.integers(1, 30, size=(REVIEWS, 8))
    classes = draws.integers(0, 2, size=REVIEWS).astype("float32")
    arrays = {f"{split}_inputs": words for split in imdb.SPLITS}
    arrays |= {"train_targets": classes, "words": np.arange(30)}
    scores = imdb.ngram_scores(arrays)
    right = {split: ((odds > 0) == classes).mean() for split, odds in scores.items()}
    assert right["train"] < 0.65
    assert right["validation"] > 0.9
