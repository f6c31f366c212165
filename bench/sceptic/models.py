"""The models that a sceptic tries: scikit-learn's, and two that it lacks or has too
slow.

All are for inputs (n, columns) and targets (n, values) that are standardised.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import linalg, optimize
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_approximation import RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from pipeline.data.examples import Array

FIRST_MOMENT = 0.9
SECOND_MOMENT = 0.999
"""Of Adam, as its paper has them (Kingma and Ba 2015)."""

ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda sums: np.maximum(sums, 0), lambda sums: sums > 0),
    "tanh": (np.tanh, lambda sums: 1 - np.tanh(sums) ** 2),
    "sine": (np.sin, np.cos),
}
"""Each with its derivative."""


def build(
    kind: str,
    options: Mapping[str, Any],
    columns: int,
    seed: int,
    *,
    absolute: bool,
    several: bool,
) -> Any:
    """A model with `fit` and `predict`.

    Args:
        kind: a key of `search.START`.
        options: those of the kind, among others.
        columns: of its inputs.
        seed: of what it draws.
        absolute: whether the absolute error counts, where the model can minimise it.
        several: whether there are several values to predict.
    """
    gamma = options.get("gamma", 1.0) / columns
    model: Any
    match kind:
        case "Gaussian process":
            model = GaussianProcess(
                options["few"], options["many"], options["steps"], seed
            )
        case "linear":
            model = Ridge(alpha=options["penalty"])
        case "random features":
            features = RBFSampler(
                gamma=gamma, n_components=options["features"], random_state=seed
            )
            model = make_pipeline(features, Ridge(alpha=options["penalty"]))
        case "kernel ridge":
            model = KernelRidge(kernel="rbf", gamma=gamma, alpha=options["penalty"])
        case "neighbours":
            model = KNeighborsRegressor(
                options["neighbours"], weights=options["weights"]
            )
        case "boosting":
            model = HistGradientBoostingRegressor(
                loss="absolute_error" if absolute else "squared_error",
                max_iter=options["trees"],
                max_leaf_nodes=options["leaves"],
                learning_rate=options["rate"],
                min_samples_leaf=options["examples"],
                max_features=options["share"],
                early_stopping=False,
                random_state=seed,
            )
            model = MultiOutputRegressor(model) if several else model
        case _:
            units = [
                options["units"] * options["narrower"] ** index
                for index in range(options["layers"])
            ]
            hidden = tuple(max(1, round(number)) for number in units)
            activation = kind.removesuffix(" perceptron")
            training = {
                name: options[name] for name in ("rate", "decay", "updates", "batch")
            }
            model = Perceptron(
                hidden, activation, **training, seed=seed, absolute=absolute
            )
    return model


def of_words(longest: int, reviews: int, strength: float, *, bayes: bool) -> Any:
    """Logistic regression on which words a text (n,) of word numbers has, and which
    sequences of up to `longest` words.

    Args:
        longest: of the sequences.
        reviews: that must have one, at least.
        strength: of the data against the penalty.
        bayes: whether each counts by how much likelier it is in one class than in the
            other ("NBSVM", Wang and Manning 2012, "Baselines and Bigrams").
    """
    counts = CountVectorizer(
        tokenizer=lambda numbers: [f"{number:.0f}" for number in numbers if number],
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, longest),
        min_df=reviews,
        binary=True,
    )
    return make_pipeline(
        counts,
        *([Odds()] if bayes else []),
        LogisticRegression(C=strength, max_iter=200),
    )


class Odds(MultinomialNB):  # type: ignore[misc]  # scikit-learn has no types
    """Columns times the logarithm of how much likelier they are in class 1."""

    def transform(self, present: Any) -> Any:
        """The same rows, weighted."""
        return present.multiply(
            self.feature_log_prob_[1] - self.feature_log_prob_[0]
        ).tocsr()


@dataclass
class Perceptron:
    """Dense layers, trained by AdamW with a rate that falls to 0 as a cosine.

    scikit-learn's has neither a sine, a falling rate nor an absolute error, and takes
    four times as long.

    Attributes:
        hidden: units of each layer.
        decay: of the weights, as a fraction of the rate (Loshchilov and Hutter 2019).
        updates: of the weights, each by `batch` rows.
        absolute: whether the error is the absolute one, else the squared one.
    """

    hidden: tuple[int, ...]
    activation: str
    rate: float
    decay: float
    updates: int
    batch: int
    seed: int
    absolute: bool = False
    layers: list[tuple[Array, Array]] = field(default_factory=list, init=False)

    def fit(self, inputs: Array, targets: Array) -> None:
        """Of float32 throughout."""
        random, (inputs, targets) = (
            np.random.default_rng(self.seed),
            (inputs.astype("f"), targets.astype("f")),
        )
        sizes = [inputs.shape[1], *self.hidden, targets.shape[1]]
        # All weights lie in one vector, and so do their gradients: one update for all,
        # by a few long operations.
        count = sum((above + 1) * units for above, units in pairwise(sizes))
        weights, gradient, mean, square = np.zeros((4, count), "f")
        self.layers = _by_layer(weights, sizes)
        gradients = _by_layer(gradient, sizes)
        for kernel, _ in self.layers:
            limit = np.sqrt(6 / sum(kernel.shape))  # Glorot and Bengio 2010
            kernel[:] = random.uniform(-limit, limit, kernel.shape)
        slope = ACTIVATIONS[self.activation][1]
        order = np.empty(0, int)
        for update in range(1, self.updates + 1):
            if len(order) < self.batch:
                order = np.append(order, random.permutation(len(inputs)))
            rows = order[: self.batch]
            order = order[self.batch :]
            outputs, sums = self._forward(inputs[rows])
            error = outputs[-1] - targets[rows]
            error = (np.sign(error) if self.absolute else error) / error.size
            for index in reversed(range(len(self.layers))):
                np.matmul(outputs[index].T, error, out=gradients[index][0])
                error.sum(axis=0, out=gradients[index][1])
                if index:
                    error = (error @ self.layers[index][0].T) * slope(sums[index - 1])
            mean += (1 - FIRST_MOMENT) * (gradient - mean)
            square += (1 - SECOND_MOMENT) * (gradient**2 - square)
            step = (
                mean
                / (1 - FIRST_MOMENT**update)
                / (np.sqrt(square / (1 - SECOND_MOMENT**update)) + 1e-7)
            )
            weights -= (
                self.rate
                * (1 + np.cos(np.pi * update / self.updates))
                / 2
                * (step + self.decay * weights)
            )

    def _forward(self, inputs: Array) -> tuple[list[Array], list[Array]]:
        """What goes into each layer and what comes out in the end; the weighted sums of
        each layer.
        """
        outputs = [inputs]
        sums = []
        for kernel, bias in self.layers:
            sums.append(outputs[-1] @ kernel + bias)
            outputs.append(
                sums[-1]
                if len(sums) == len(self.layers)
                else ACTIVATIONS[self.activation][0](sums[-1])
            )
        return outputs, sums

    def predict(self, inputs: Array) -> Array:
        """(n, values)."""
        return self._forward(inputs.astype("f"))[0][-1].astype(np.float64)


def _by_layer(vector: Array, sizes: list[int]) -> list[tuple[Array, Array]]:
    """Views of a vector: of each layer the kernel (above, units) and the bias (units,)."""
    layers = []
    first = 0
    for above, units in pairwise(sizes):
        last = first + above * units
        layers.append(
            (vector[first:last].reshape(above, units), vector[last : last + units])
        )
        first = last + units
    return layers


@dataclass
class GaussianProcess:
    """With a scale for each input, which all values share; its likelihood has a
    gradient in closed form.

    Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equations
    5.9 and 6.1. scikit-learn's keeps a matrix for each input: of 50 inputs and 500 rows
    it takes ten times as long.

    Attributes:
        few: rows that scales are learnt from.
        many: rows that are compared with when it predicts.
        steps: of the search for scales, at most.
    """

    few: int
    many: int
    steps: int
    seed: int

    def fit(self, inputs: Array, targets: Array) -> None:
        """Rows are drawn at random, those for the scales among the others."""
        order = np.random.default_rng(self.seed).permutation(len(inputs))[: self.many]
        inputs, targets, columns = inputs[order], targets[order], inputs.shape[1]
        start = [*np.full(columns, np.log(columns) / 2), np.log(0.05), 0.0]
        bounds = [(-4.0, 8.0)] * columns + [(-14.0, 1.0), (-4.0, 6.0)]
        logs = optimize.minimize(
            _likelihood, start, (inputs[: self.few], targets[: self.few]), "L-BFGS-B", jac=True, bounds=bounds,
            options={"maxiter": self.steps},
        ).x  # fmt: skip
        *self.scales, noise, amplitude = np.exp(logs)
        kernel = ConstantKernel(amplitude) * RBF(self.scales)
        self.known = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(
            inputs, targets
        )

    def predict(self, inputs: Array) -> Array:
        """(n, values); of one value (n,)."""
        return np.asarray(self.known.predict(inputs))


def _likelihood(logs: Array, inputs: Array, targets: Array) -> tuple[float, Array]:
    """The negative one for each target, and its gradient by the logarithms of scales,
    noise and amplitude.
    """
    scaled = inputs * np.exp(-logs[:-2])
    noise = np.exp(logs[-2])
    signal = np.exp(logs[-1] - cdist(scaled, scaled, "sqeuclidean") / 2)
    covariance = signal.copy()
    covariance.flat[:: len(inputs) + 1] += noise
    try:
        factor = linalg.cholesky(covariance, lower=True)
    except linalg.LinAlgError:
        # no more a covariance by rounding: the search turns back
        return 1e10, np.zeros(len(logs))
    inverse = np.tril(linalg.lapack.dpotri(factor, lower=1)[0])
    inverse += np.tril(inverse, -1).T
    weights = inverse @ targets
    value = (weights * targets).sum() / 2 + targets.shape[1] * np.log(
        factor.diagonal()
    ).sum()
    by_covariance = (targets.shape[1] * inverse - weights @ weights.T) / 2
    by_signal = by_covariance * signal
    # By a scale the covariance changes by the squared differences of that input, which
    # need no matrix of their own.
    by_scales = 2 * (
        by_signal.sum(axis=1) @ scaled**2 - (scaled * (by_signal @ scaled)).sum(axis=0)
    )
    gradient = np.array([*by_scales, noise * by_covariance.trace(), by_signal.sum()])
    return value / targets.size, gradient / targets.size
