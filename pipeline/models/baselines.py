"""Models that learn little or nothing, without TensorFlow.

The function `features` of a baseline turns inputs (n, ...) into what the training
method takes: predictions (n,) for the method `none`, a matrix (n, features) for the
other methods. With `calendar: true` the inputs of series have the calendar's columns,
too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.examples import Array, Arrays, ceil_div
from pipeline.data.problem import Problem
from pipeline.models import Last, look_back, recent_extremes

Learnt = Mapping[str, Array]
"""What features learn from the train split: name -> array."""

LONGEST = 3
"""The most words of an n-gram. Numbers of longer ones would exceed 64 bits."""


@dataclass(frozen=True)
class Baseline:
    """A model without layers.

    Attributes:
        features: inputs (n, ...) -> (n,) predictions, or (n, features) to be weighted.
            With `learn` its second argument is what `learn` has returned.
        learn: the train split -> what the features learn, as arrays; None if they learn
            nothing.
        intercept: whether a constant is fitted, too.
        columns: the number of columns that share the weights, each predicted from its
            own past; 0 if columns are not shared.
        base: inputs (n, ...) -> (n,), the last value if the experiment has `residual`.
            The model learns how much targets differ from it. None for 0.
    """

    features: Callable[..., Any]
    learn: Callable[[Arrays], Learnt] | None = None
    intercept: bool = False
    columns: int = 0
    base: Callable[[Array], Array] | None = None

    def base_of(self, inputs: Array) -> Array:
        """Return the base (n,) of inputs (n, ...)."""
        return self.base(inputs) if self.base else np.zeros(len(inputs))


@dataclass(frozen=True)
class Direct:
    """A model that predicts each value ahead from features of its own.

    Attributes:
        features: inputs (n, timesteps, columns) -> (n, outputs, features) float32, and
            a base (n, outputs) that trees correct. Trees alone predict nothing beyond
            the values that they were trained on.
    """

    features: Callable[[Array], tuple[Array, Array]]


def constant(
    _problem: Problem, *, value: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
) -> Baseline:
    """Predict always `value`, in model units."""
    return Baseline(lambda inputs: np.full(len(inputs), value))


def majority(_problem: Problem) -> Baseline:
    """Predict always the most frequent class of the train split."""
    return Baseline(
        lambda inputs, learnt: np.full(len(inputs), learnt["class"]),
        learn=lambda train: {"class": np.round(train.targets.mean())},
    )


def last_value(problem: Problem) -> Baseline:
    """Predict the last value of the target's column ("persistence").

    If every column is forecast, predict the last value of each.

    Raises:
        ValueError: inputs are not series.
    """
    _require_series(problem, "last_value")
    if problem.every:
        times = problem.outputs // problem.input_shape[1]
        return Baseline(lambda inputs: np.tile(inputs[:, -1], times))
    return Baseline(lambda inputs: inputs[:, -1, problem.target])


def _require_series(problem: Problem, name: str) -> None:
    if len(problem.input_shape) != 2:
        raise ValueError(
            f"{name} needs inputs (timesteps, features). Received: "
            f"{problem.input_shape}"
        )


def daily_cycle(problem: Problem) -> Baseline:
    """Build `seasonal_naive` with the data set's own cycle.

    Raises:
        ValueError: the data set has no cycle, or its inputs are shorter than one.
    """
    if not problem.period:
        raise ValueError("daily_cycle needs a data set with a period")
    return seasonal_naive(problem, timesteps=problem.period)


def back_to_cycle(problem: Problem, cycle: int) -> Array:
    """Return where the latest value lies that is whole cycles before each value ahead.

    Args:
        problem: of series.
        cycle: the length of a cycle in timesteps.

    Returns:
        (outputs,) timesteps before the last row, from 0 to less than a cycle.
    """
    ahead = problem.horizon + np.arange(problem.outputs)
    return np.asarray(-ahead % cycle)


def seasonal_naive(
    problem: Problem, *, timesteps: Annotated[int, Field(ge=1)]
) -> Baseline:
    """Predict the latest value that is a whole number of cycles before the target.

    Args:
        problem: of series.
        timesteps: the length of a cycle; 7 is a week of daily rows.

    Raises:
        ValueError: inputs are too short.
    """
    back = back_to_cycle(problem, timesteps)
    if back.max() >= problem.input_shape[0]:
        raise ValueError(
            f"a cycle of {timesteps} needs {back.max() + 1} timesteps. Received: "
            f"{problem.input_shape[0]}"
        )
    index = -1 - (back if problem.outputs > 1 else back[0])
    return Baseline(lambda inputs: inputs[:, index, problem.target])


def delayed(problem: Problem, *, timesteps: Annotated[int, Field(ge=0)]) -> Baseline:
    """Predict the value `timesteps` before the last one; 0 if the input is shorter.

    Raises:
        ValueError: inputs are not series.
    """
    _require_series(problem, "delayed")

    def value(inputs: Array) -> Any:
        if timesteps >= inputs.shape[1]:
            return np.zeros(len(inputs))
        return inputs[:, -1 - timesteps, problem.target]

    return Baseline(value)


def shared(problem: Problem) -> Baseline:
    """A weighted sum of each column's own past, for `least_squares`.

    All columns have the same weights.

    Raises:
        ValueError: the data set does not forecast every column.
    """
    if not problem.every:
        raise ValueError("shared needs a data set that asks for every column")
    timesteps, columns = problem.input_shape
    return Baseline(
        lambda inputs: inputs.swapaxes(1, 2).reshape(-1, timesteps),
        intercept=True,
        columns=columns,
    )


def linear(problem: Problem, *, last: Last = None, intercept: bool = True) -> Baseline:
    """A weighted sum of the values of the `last` timesteps, for `least_squares`.

    A calendar adds the hour and the season of the last timestep, and their products:
    how much warmer an afternoon is than a night depends on the season.

    Args:
        problem: the problem.
        last: how many of the latest timesteps are seen; None for all.
        intercept: whether the sum has an intercept.

    Raises:
        ValueError: `last` is more timesteps than the input has.
    """
    used = look_back(problem.input_shape[0], last)

    def features(inputs: Array) -> Array:
        count = len(inputs)
        if not problem.calendar:
            return inputs[:, -used:].reshape(count, -1)
        measured, calendar = measured_and_calendar(problem, inputs)
        past = measured[:, -used:].reshape(count, -1)
        products = calendar[:, :2, None] * calendar[:, None, 2:]  # hour times season
        return np.concatenate([past, calendar, products.reshape(count, -1)], axis=1)

    return Baseline(features, intercept=intercept)


def lags(
    problem: Problem,
    *,
    last: Last = None,
    others: Last = 1,
    differences: bool = False,
    means: Annotated[list[Annotated[int, Field(ge=2)]], Field(max_length=16)] = [],  # noqa: B006 - never changed
    extremes: bool = False,
) -> Baseline:
    """The latest values of the target and of the other columns, for `boosting`.

    Of a vector (values,) all values are features. A calendar adds the hour and the
    season of the last timestep; trees find the products by themselves.

    Args:
        problem: of values.
        last: timesteps of the target; None for all.
        others: timesteps of the other columns; None for all.
        differences: whether the differences between neighbouring values are features,
            too.
        means: lengths of means in timesteps. For each length and column a feature is
            the last value less the mean.
        extremes: whether the differences of each column's last value to the lowest and
            to the highest of its latest 24 values are features, too.

    Raises:
        ValueError: `last`, `others` or one of `means` is more timesteps than the input
            has, or a vector has none.
    """
    if len(problem.input_shape) == 1:
        if differences or means or extremes:
            raise ValueError(
                "`differences`, `means` and `extremes` need inputs with timesteps"
            )
        return Baseline(lambda inputs: inputs)
    timesteps = problem.input_shape[0]
    used = look_back(timesteps, last)
    used_others = look_back(timesteps, others)
    if means and max(means) > timesteps:
        raise ValueError(
            f"`means` must be at most {timesteps} timesteps. Received: {max(means)}"
        )

    def features(inputs: Array) -> Array:
        measured, calendar = measured_and_calendar(problem, inputs)
        count = len(inputs)
        target = measured[:, -used:, problem.target]
        rest = np.delete(measured[:, -used_others:], problem.target, axis=2)
        columns = [target, rest.reshape(count, -1), calendar]
        if differences:
            of_rest = np.diff(rest, axis=1)
            columns += [np.diff(target, axis=1), of_rest.reshape(count, -1)]
        now = measured[:, -1]
        columns += [now - measured[:, -span:].mean(axis=1) for span in means]
        if extremes:
            columns += [part[:, 0] for part in recent_extremes(measured, 1)]
        return np.concatenate(columns, axis=1)

    return Baseline(features)


def measured_and_calendar(problem: Problem, inputs: Array) -> tuple[Array, Array]:
    """Return the measured columns (n, timesteps, columns), and the last timestep's
    calendar.

    The calendar is (n, columns), with 0 columns if there is none.
    """
    columns = inputs.shape[2] - problem.calendar
    return inputs[:, :, :columns], inputs[:, -1, columns:]


def bag_of_words(problem: Problem) -> Baseline:
    """The words that occur, as a sparse 0/1 matrix (n, vocabulary).

    The training method is `logistic_regression`.

    Raises:
        ValueError: inputs are not words.
    """
    if not problem.vocabulary:
        raise ValueError("bag_of_words needs a data set of words")

    def features(inputs: Array) -> Any:
        # 0 is padding, not a word
        bags = [np.unique(review[review > 0]) for review in inputs]
        return _sparse(bags, problem.vocabulary)

    return Baseline(features)


def _sparse(columns: list[Array], width: int) -> Any:
    """A sparse matrix (n, width) with a 1 in the given columns of each row."""
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0, *map(len, columns)])
    entries = (np.ones(ends[-1]), np.concatenate(columns), ends)
    return csr_matrix(entries, shape=(len(columns), width))


def _places(numbers: Array, frequent: Array) -> Array:
    """The places of numbers among the sorted numbers `frequent`.

    Numbers that are not among them are left out.
    """
    index = np.searchsorted(frequent, numbers)
    # a number that is greater than all of `frequent` is compared with -1
    among = np.append(frequent, -1)[index] == numbers
    return np.asarray(index[among])


def tfidf(problem: Problem, *, reviews: Annotated[int, Field(ge=1)] = 5) -> Baseline:
    """The tf-idf of words and of pairs of neighbouring words, by scikit-learn.

    Features are a sparse matrix (n, vocabulary + pairs), for `logistic_regression`.
    Counts are taken as 1 + log(count), weighted by rarity in the train split, and
    scaled to length 1.

    Args:
        problem: of words; 0 is padding.
        reviews: the fewest reviews of the train split in which a pair must occur. There
            are millions of rarer pairs.

    Raises:
        ValueError: inputs are not words.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    if not problem.vocabulary:
        raise ValueError("tfidf needs a data set of words")

    def learn(train: Arrays) -> Learnt:
        of_reviews = [np.unique(_pairs(problem, review)) for review in train.inputs]
        pairs, counts = np.unique(np.concatenate(of_reviews), return_counts=True)
        frequent = pairs[counts >= reviews]
        transformer = TfidfTransformer(sublinear_tf=True)
        transformer.fit(_counts(problem, train.inputs, frequent))
        return {"pairs": frequent, "rarity": transformer.idf_}

    def features(inputs: Array, learnt: Learnt) -> Any:
        transformer = TfidfTransformer(sublinear_tf=True)
        transformer.idf_ = learnt["rarity"]
        return transformer.transform(_counts(problem, inputs, learnt["pairs"]))

    return Baseline(features, learn=learn)


def _pairs(problem: Problem, review: Array) -> Array:
    """One number for each pair of neighbouring words of a review (words,)."""
    words = review[review > 0].astype(np.int64)
    return words[:-1] * problem.vocabulary + words[1:]


def _counts(problem: Problem, inputs: Array, frequent: Array) -> Any:
    """Counts of words and of the sorted pairs `frequent` (n, vocabulary + pairs)."""
    columns = []
    for review in inputs:
        pairs = problem.vocabulary + _places(_pairs(problem, review), frequent)
        columns.append(np.concatenate([review[review > 0], pairs]))
    counts = _sparse(columns, problem.vocabulary + len(frequent))
    counts.sum_duplicates()
    return counts


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
            yield _ngrams_of(review, problem.vocabulary, longest)

    def learn(train: Arrays) -> Learnt:
        every = np.concatenate([*found(train.inputs)])
        numbers, counts = np.unique(every, return_counts=True)
        return {"ngrams": numbers[counts >= reviews]}

    def features(inputs: Array, learnt: Learnt) -> Any:
        frequent = learnt["ngrams"]
        columns = [_places(of_review, frequent) for of_review in found(inputs)]
        return _sparse(columns, len(frequent))

    return Baseline(features, learn=learn)


def _ngrams_of(review: Array, vocabulary: int, longest: int) -> Array:
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


def harmonic_regression(
    problem: Problem, *, frequencies: Annotated[int, Field(ge=4, le=200)] = 100
) -> Baseline:
    """The mean forecast of regressions on two sines, whose frequencies are not known.

    For known frequencies a series is linear in four coefficients: of sine and cosine
    at both. Each pair of frequencies on a grid has its own Bayesian regression, and
    counts by its probability (Bretthorst 1988, "Bayesian Spectrum Analysis and
    Parameter Estimation"). What does not differ from series to series is learnt from
    train (`_learn_sines`).

    Args:
        problem: of series whose next values are forecast. If each timestep has its
            target, the value after the last input is predicted.
        frequencies: the number of frequencies of each sine.

    Raises:
        ValueError: inputs are not series.
    """
    _require_series(problem, "harmonic_regression")
    outputs = 1 if problem.each_step else problem.outputs

    def features(inputs: Array, learnt: Learnt) -> Array:
        steps = inputs.shape[1]
        times = [*range(steps), *(steps - 1 + problem.horizon + np.arange(outputs))]
        waves = _sines(learnt["bands"], frequencies, times)[1]
        # A hundred series at a time bound memory.
        parts = ceil_div(len(inputs), 100)
        forecasts = [
            np.tensordot(
                _regressions(series, waves[:, :steps], learnt)[1],
                waves[:, steps:],
                ([1, 2], [0, 2]),
            )
            for series in np.array_split(inputs[:, :, problem.target], parts)
        ]
        values = np.concatenate(forecasts)
        return values if outputs > 1 else values[:, 0]

    return Baseline(
        features,
        learn=lambda train: _learn_sines(
            train.inputs[:, :, problem.target], frequencies
        ),
    )


def _learn_sines(series: Array, frequencies: int) -> Learnt:
    """Return what series (n, timesteps) tell of all such series.

    Each of four rounds regresses some series on all pairs of frequencies. The likeliest
    pair of each series, its mean coefficients and its residuals are what the next round
    knows. The first round knows neither band.

    Returns:
        "bands" (2, 2), the least frequencies of both sines and the greatest, in radians
        per timestep; "mean" and "variance" (4,) of the coefficients; "noise" (), the
        variance of the noise.
    """
    # Two hundred series tell the ends of both bands to a hundredth.
    series = series[:: ceil_div(len(series), 200)]
    steps = series.shape[1]
    size = series.var() + 1e-9  # no variance may be 0
    known = {
        "bands": np.array([[0.0, 0.0], [np.pi, np.pi]]),
        "mean": np.zeros(4),
        "variance": np.full(4, size),
        "noise": size / 100,
    }
    for _ in range(4):
        pairs, waves = _sines(known["bands"], frequencies, range(steps))
        probability, weighted = _regressions(series, waves, known)
        residuals = series - np.tensordot(weighted, waves, ([1, 2], [0, 2]))
        coefficients = weighted.sum(axis=1)
        likeliest = pairs[probability.argmax(axis=1)]
        between = np.ptp(known["bands"], axis=0) / frequencies
        known = {
            "bands": np.stack(
                [likeliest.min(axis=0) - between, likeliest.max(axis=0) + between]
            ),
            "mean": coefficients.mean(axis=0),
            "variance": coefficients.var(axis=0) + 1e-9,
            # Six numbers are fitted to each series: two frequencies, four coefficients.
            "noise": np.mean(residuals**2) * steps / max(steps - 6, 1) + 1e-9,
        }
    return known


def _sines(bands: Array, frequencies: int, times: Sequence[int]) -> tuple[Array, Array]:
    """Return all pairs of a slower and a faster frequency in two bands (pairs, 2), and
    both sines and both cosines at the times (pairs, times, 4).
    """
    slow, fast = np.linspace(bands[0], bands[1], frequencies, axis=1)
    every = np.stack(np.meshgrid(slow, fast, indexing="ij"), axis=-1).reshape(-1, 2)
    pairs = every[every[:, 0] < every[:, 1]]
    phases = pairs[:, None] * np.reshape(times, (-1, 1))
    return pairs, np.concatenate([np.sin(phases), np.cos(phases)], axis=2)


def _regressions(series: Array, waves: Array, known: Learnt) -> tuple[Array, Array]:
    """Return the Bayesian regressions of series (n, timesteps) on sines and cosines
    (pairs, timesteps, 4).

    `known` is from `_learn_sines`. The result is the probability of each pair (n,
    pairs), and the same times the mean of its coefficients (n, pairs, 4).
    """
    from scipy import special

    precision = waves.swapaxes(1, 2) @ waves / known["noise"]
    root = np.linalg.cholesky(np.linalg.inv(precision + np.diag(1 / known["variance"])))
    scaled = np.tensordot(series, waves @ root / known["noise"], (1, 1))
    scaled += (known["mean"] / known["variance"]) @ root
    evidence = (scaled**2).sum(axis=2) / 2 + np.linalg.slogdet(root)[1]
    # np.exp has other last bits with AVX-512.
    odds = special.expm1(evidence - evidence.max(axis=1, keepdims=True)) + 1
    probability = odds / odds.sum(axis=1, keepdims=True)
    means = (root @ scaled[..., None])[..., 0]
    return probability, probability[:, :, None] * means


def ngrams_title(model: Options, training: Options) -> str:
    """Return which words are the features, and how they are weighed."""
    longest = model.get("longest", LONGEST)
    words = f" on up to {longest} neighbouring words" if longest > 1 else " on words"
    if "reviews" in model:
        words += f" in {model['reviews']} reviews or more"
    if training.get("naive_bayes"):
        words += ", naive Bayes"
    return f"{words}, C {training.get('c', 1):g}"


def regression_title(_model: Options, training: Options) -> str:
    """Return the title of a model that is named after its training."""
    penalised = "ridge" if training.get("ridge") else "linear"
    titles = {
        "least_absolute": "least absolute deviation",
        "kernel_ridge": "kernel ridge regression",
        "boosting": "boosted trees",
    }
    return titles.get(training["method"], f"{penalised} regression")


def last_title(model: Options, _training: Options) -> str:
    """Return how many timesteps are seen; "" for all."""
    last = model.get("last")
    if not last:
        return ""
    return f" on the last {last} steps" if last > 1 else " on the last step"


def before_title(model: Options, _training: Options) -> str:
    """Return how far back the value lies that is predicted."""
    return f"the value {model.get('timesteps')} timesteps before"


def constant_title(model: Options, _training: Options) -> str:
    """Return the value that is predicted."""
    return f"always {model.get('value', 0.0):g}"


def pairs_title(model: Options, _training: Options) -> str:
    """Return which words and pairs of words are the features."""
    if "reviews" in model:
        return f" on words, and pairs in {model['reviews']} reviews or more, tf-idf"
    return " on words and pairs, tf-idf"


MODELS = {
    "constant": constant,
    "majority": majority,
    "last_value": last_value,
    "daily_cycle": daily_cycle,
    "seasonal_naive": seasonal_naive,
    "delayed": delayed,
    "shared": shared,
    "linear": linear,
    "lags": lags,
    "bag_of_words": bag_of_words,
    "tfidf": tfidf,
    "ngrams": ngrams,
    "harmonic_regression": harmonic_regression,
}

CARDS = {
    "constant": ModelCard(kind="naive", gives="predictions", title=constant_title),
    "majority": ModelCard(
        kind="naive", gives="predictions", title="the more frequent class"
    ),
    "last_value": ModelCard(kind="naive", gives="predictions", title="the last value"),
    "daily_cycle": ModelCard(
        kind="naive", gives="predictions", title="the value a day before"
    ),
    "seasonal_naive": ModelCard(kind="naive", gives="predictions", title=before_title),
    "delayed": ModelCard(kind="naive", gives="predictions", title=before_title),
    "shared": ModelCard(
        kind="statistical",
        gives="features",
        title="a linear map for all columns",
        detail=", least squares",
        color="linear",
    ),
    "linear": ModelCard(
        kind="statistical",
        gives="features",
        title=regression_title,
        detail=last_title,
        color="linear",
        ranges={"ridge": "1:100000"},
    ),
    "lags": ModelCard(
        kind="statistical",
        gives="features",
        title=regression_title,
        detail=last_title,
        color="trees",
        ranges={
            "trees": "50:400",
            "leaves": "4:32",
            "learning_rate": "0.02:0.2",
            "examples": "20:200",
            "gamma": "0.01:4",
            "alpha": "0.001:10",
            "scales": "0,300",
        },
    ),
    "bag_of_words": ModelCard(
        kind="statistical",
        gives="features",
        title="logistic regression",
        detail=" on words",
        color="linear",
    ),
    "tfidf": ModelCard(
        kind="statistical",
        gives="learnt features",
        title="logistic regression",
        detail=pairs_title,
        color="linear",
        ranges={"c": "1:100", "reviews": "3:10"},
    ),
    "ngrams": ModelCard(
        kind="statistical",
        gives="learnt features",
        title="logistic regression",
        detail=ngrams_title,
        color="linear",
        ranges={"c": "0.01:1", "longest": "1:3", "reviews": "2:10"},
    ),
    "harmonic_regression": ModelCard(
        kind="statistical",
        gives="predictions",
        title="harmonic regression",
        color="linear",
        told=True,
    ),
}
