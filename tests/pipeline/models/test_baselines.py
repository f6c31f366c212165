import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from pipeline.data.examples import Arrays
from pipeline.data.problem import Problem
from pipeline.models.baselines import MODELS


@given(
    period=st.integers(1, 30), horizon=st.integers(1, 90), outputs=st.integers(2, 30)
)
def test_daily_cycle_is_whole_cycles_before_each_target_and_as_late_as_can_be(
    period, horizon, outputs
):
    clock = np.arange(40.0)[None, :, None]
    problem = Problem((40, 1), horizon=horizon, period=period, outputs=outputs)
    predicted = MODELS["daily_cycle"](problem).features(clock)[0]
    same = MODELS["seasonal_naive"](Problem((40, 1), horizon=horizon), timesteps=period)
    assert same.features(clock)[0] == predicted[0]
    assert ((39 + horizon + np.arange(outputs) - predicted) % period == 0).all()
    assert (predicted <= 39).all()
    assert (predicted > 39 - period).all()


@pytest.mark.parametrize("calendar", [0, 4])
def test_linear_and_lags_take_the_last_timesteps_and_the_last_calendar(calendar):
    """`linear` with the calendar's products; `lags` of the other columns the last two
    timesteps alone."""
    inputs = np.random.default_rng(0).random((3, 5, 2 + calendar))
    problem = Problem((5, 2 + calendar), target=1, calendar=calendar)
    linear = MODELS["linear"](problem, last=2)
    lags = MODELS["lags"](problem, last=4, others=2)
    for example, of_linear, of_lags in zip(
        inputs, linear.features(inputs), lags.features(inputs), strict=True
    ):
        hour = example[-1, 2:4]
        season = example[-1, 4:]
        assert of_linear.tolist() == [
            *example[-2, :2],
            *example[-1, :2],
            *hour,
            *season,
            *[a * b for a in hour for b in season],
        ]
        assert of_lags.tolist() == [
            *example[-4:, 1],
            *example[-2:, 0],
            *example[-1, 2:],
        ]


def test_lags_have_their_differences_and_means_behind_them():
    inputs = np.random.default_rng(0).random((3, 5, 2))
    features = MODELS["lags"](
        Problem((5, 2), target=1), last=3, others=2, differences=True, means=[2, 5]
    ).features
    for row, (other, target) in zip(
        features(inputs), inputs.swapaxes(1, 2), strict=True
    ):
        steps = [*np.diff(target[-3:]), *np.diff(other[-2:])]
        means = [
            column[-1] - column[-span:].mean()
            for span in (2, 5)
            for column in (other, target)
        ]
        np.testing.assert_allclose(row, [*target[-3:], *other[-2:], *steps, *means])
    with pytest.raises(
        ValueError, match="`means` must be at most 5 timesteps. Received: 6"
    ):
        MODELS["lags"](Problem((5, 2)), means=[6])
    with pytest.raises(
        ValueError, match="`differences`, `means` and `extremes` need inputs"
    ):
        MODELS["lags"](Problem((5,)), differences=True)


WORDS = Problem((9,), classify=True, vocabulary=6)


def some_reviews():
    random = np.random.default_rng(0)
    reviews = random.integers(1, 6, (30, 9))
    reviews[np.arange(9) < random.integers(0, 5, (30, 1))] = 0  # padding
    return reviews


def word_ngrams(review, longest):
    words = [int(word) for word in review if word]
    return [
        ngram
        for length in range(1, longest + 1)
        for ngram in zip(*(words[start:] for start in range(length)), strict=False)
    ]


@pytest.mark.parametrize(
    ("name", "options", "library"),
    [
        ("ngrams", {"longest": 1}, CountVectorizer),
        ("ngrams", {"longest": 2}, CountVectorizer),
        ("ngrams", {"longest": 3}, CountVectorizer),
        ("tfidf", {}, TfidfVectorizer),
    ],
)
def test_words_and_their_neighbours_are_counted_as_by_a_library(name, options, library):
    longest = options.get("longest", 2)
    how = {"sublinear_tf": True} if name == "tfidf" else {"binary": True, "min_df": 2}
    reviews = some_reviews()
    counted = library(analyzer=lambda each: word_ngrams(each, longest), **how)
    counted.fit(reviews[:20])
    baseline = MODELS[name](WORDS, reviews=how.get("min_df", 1), **options)
    ours = baseline.features(reviews, baseline.learn(train_of(reviews[:20]))).toarray()
    names = sorted(counted.vocabulary_, key=lambda each: (len(each), each))
    order = [counted.vocabulary_[each] for each in names]
    expected = counted.transform(reviews).toarray()[:, order]
    # a vocabulary begins with the padding, which tf-idf counts never
    np.testing.assert_allclose(ours[:, -len(names) :], expected, atol=1e-12)


def train_of(reviews):
    return Arrays(reviews, np.zeros(len(reviews)))


def test_an_ngram_that_the_train_split_lacks_is_left_out():
    baseline = MODELS["ngrams"](WORDS, longest=2, reviews=1)
    learnt = baseline.learn(train_of(np.array([[0, 1, 2]])))
    reviews = np.array([[2, 1, 5], [0, 0, 0], [5, 1, 2]])
    known = baseline.features(reviews, learnt).toarray()
    assert known.tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("name", ["bag_of_words", "tfidf", "ngrams"])
def test_words_are_needed(name):
    with pytest.raises(ValueError, match=f"{name} needs a data set of words"):
        MODELS[name](Problem((9, 1)))


def test_bag_of_words_says_which_words_occur_and_ignores_padding():
    baseline = MODELS["bag_of_words"](Problem((4,), classify=True, vocabulary=6))
    bag = baseline.features(np.array([[0, 0, 3, 3], [5, 1, 2, 5]]))
    assert bag.toarray().tolist() == [[0, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1]]
