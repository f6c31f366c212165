"""Words and neighbouring words as features, without TensorFlow."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models.baselines import Baseline, places, sparse

LONGEST = 3
"""The most words of an n-gram. Numbers of longer ones would exceed 64 bits."""


def ngrams(
    problem: Problem,
    *,
    longest: Annotated[int, Field(ge=1, le=LONGEST)] = LONGEST,
    reviews: Annotated[int, Field(ge=1)] = 3,
) -> Baseline:
    """The n-grams that occur, as a sparse 0/1 matrix (n, n-grams).

    An n-gram is a word, or neighbouring words. The training method is
    `logistic_regression`, usually with `naive_bayes`.

    Args:
        problem: of words; 0 is padding.
        longest: the most words of an n-gram.
        reviews: the fewest reviews of the train split in which an n-gram must occur.
            There are millions of rarer ones.

    Raises:
        ValueError: inputs are not words.
    """
    if not problem.vocabulary:
        raise ValueError("ngrams needs a data set of words")

    def found(inputs: Array) -> Iterator[Array]:
        for review in inputs:
            yield _numbers(review, problem.vocabulary, longest)

    def learn(train: Array) -> Callable[[Array], Any]:
        numbers, counts = np.unique(np.concatenate([*found(train)]), return_counts=True)
        frequent = numbers[counts >= reviews]

        def features(inputs: Array) -> Any:
            columns = [places(of_review, frequent) for of_review in found(inputs)]
            return sparse(columns, len(frequent))

        return features

    return Baseline(lambda inputs: inputs, learn=learn, intercept=True)


def _numbers(review: Array, vocabulary: int, longest: int) -> Array:
    """One number for each different n-gram of a review (words,), sorted.

    The words are the digits of the number. No word is 0, so n-grams of different
    lengths have different numbers.
    """
    words = review[review > 0].astype(np.int64)
    numbers = words
    of_all_lengths = [numbers]
    for length in range(2, longest + 1):
        numbers = numbers[:-1] * vocabulary + words[length - 1 :]
        of_all_lengths.append(numbers)
    return np.unique(np.concatenate(of_all_lengths))


def features_title(model: Options, training: Options) -> str:
    """Return which words are the features, and how they are weighed."""
    longest = model.get("longest", LONGEST)
    words = f" on up to {longest} neighbouring words" if longest > 1 else " on words"
    if "reviews" in model:
        words += f" in {model['reviews']} reviews or more"
    if training.get("naive_bayes"):
        words += ", naive Bayes"
    return f"{words}, C {training.get('c', 1):g}"


MODELS = {"ngrams": ngrams}

CARDS = {
    "ngrams": ModelCard(
        kind="statistical",
        gives="learnt features",
        title="logistic regression",
        detail=features_title,
        color="linear",
        ranges={"c": "0.01:1", "longest": "1:3", "reviews": "2:10"},
    )
}
