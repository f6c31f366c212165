from itertools import chain

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.data.problem import Problem
from pipeline.models.ngrams import MODELS

WORDS = Problem((9,), classify=True, vocabulary=6)


def some_reviews():
    random = np.random.default_rng(0)
    reviews = random.integers(1, 6, (30, 9))
    reviews[np.arange(9) < random.integers(0, 5, (30, 1))] = 0  # padding
    return reviews


def word_ngrams(review, longest):
    words = [int(word) for word in review if word]
    lengths = range(1, longest + 1)
    return chain.from_iterable(
        zip(*(words[start:] for start in range(length)), strict=False)
        for length in lengths
    )


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_ngrams_are_those_of_a_library(longest):
    reviews = some_reviews()
    library = CountVectorizer(
        analyzer=lambda review: word_ngrams(review, longest), binary=True, min_df=2
    ).fit(reviews[:20])
    baseline = MODELS["ngrams"](WORDS, longest=longest, reviews=2)
    ours = baseline.with_learnt(baseline.learn(reviews[:20]))(reviews)
    names = sorted(library.vocabulary_, key=lambda name: (len(name), name))
    order = [library.vocabulary_[name] for name in names]
    expected = library.transform(reviews).toarray()[:, order]
    np.testing.assert_array_equal(ours.toarray(), expected)


def test_an_ngram_that_the_train_split_lacks_is_left_out():
    baseline = MODELS["ngrams"](WORDS, longest=2, reviews=1)
    learnt = baseline.learn(np.array([[0, 1, 2]]))
    known = baseline.with_learnt(learnt)(np.array([[2, 1, 5], [0, 0, 0], [5, 1, 2]]))
    assert known.toarray().tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


def test_ngrams_need_words():
    with pytest.raises(ValueError, match="ngrams needs a data set of words"):
        MODELS["ngrams"](Problem((9, 1)))
