"""Two single models that forecast the next ten values of a noisy series of thirty.

`with_recurrence` trains a recurrent network, `without` one that has no recurrence.
Both correct linear predictors that are fitted by ridge regression within each series,
and train on the same augmented series (denoised, stretched, shifted, with fresh noise).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.interpolate import CubicSpline

Array = np.ndarray
Network = Callable[[tf.Tensor], tf.Tensor]
READ = 30
AHEAD = 10
NOISE_VARIANCE = 0.000833
TAPS = 18  # values that the linear predictor of one step reads
DIRECT_TAPS = 14  # values that the direct linear predictors read
WIDTH = 160
GATES = 64
WINDOW = 10
EPOCHS = 400
POOL_EPOCHS = 60
BATCH = 200
RATE = 6e-3
DECAY = 0.1


def denoise(series: Array) -> Array:
    """Blend each value with its leave-one-out kernel-ridge estimate from the others."""
    clean = np.empty_like(series)
    for j in range(series.shape[1]):
        others = np.delete(series, j, axis=1)
        squares = (others**2).sum(1)
        total = squares[:, None] + squares
        product = 2 * others @ others.T
        kernel = np.exp((product - total) / 12.5) - np.exp((-product - total) / 12.5)
        inverse = np.linalg.inv(kernel + 3e-3 * np.eye(len(series)))
        residual = inverse @ series[:, j] / np.diag(inverse)
        spread = max((residual**2).mean() - NOISE_VARIANCE, 1e-5)
        clean[:, j] = series[:, j] - residual * NOISE_VARIANCE / (
            NOISE_VARIANCE + spread
        )
    return clean


def regression_rows(series: Array, taps: int, step: int) -> tuple[Array, Array]:
    """Regressors (nearest last) and targets `step` ahead, read forwards and backwards."""
    span = np.lib.stride_tricks.sliding_window_view(series, taps + step, axis=1)
    rows = np.concatenate([span[..., :taps], span[..., : step - 1 : -1]], axis=1)
    return rows, np.concatenate([span[..., -1], span[..., 0]], axis=1)


def normal_equations(
    series: Array, taps: int, step: int, ridge: float
) -> tuple[Array, Array]:
    """The matrix and right-hand side whose solution is the ridge predictor of each series."""
    rows, targets = regression_rows(series, taps, step)
    turned = np.ascontiguousarray(rows.transpose(0, 2, 1))
    return turned @ rows + ridge * np.eye(taps), turned @ targets[..., None]


def extend(series: Array, count: int = 8) -> Array:
    """Continue each series at both ends with its own linear predictor."""
    filters = np.linalg.solve(*normal_equations(series, TAPS, 1, 0.03))[..., 0]
    for _ in range(count):
        after = (series[:, -TAPS:] * filters).sum(1, keepdims=True)
        before = (series[:, TAPS - 1 :: -1] * filters).sum(1, keepdims=True)
        series = np.concatenate([before, series, after], axis=1)
    limited: Array = np.clip(series, -1, 1)
    return limited


def augment(series: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """One epoch of new noisy inputs and clean targets from the extended clean series."""
    n, length = series.shape
    pace = rng.uniform(0.85, 1.15, (n,))
    pace = np.where(rng.random(n) < 0.7, pace, rng.uniform(0.97, 1.03, n))
    steps = np.arange(READ + AHEAD)
    start = rng.uniform(0, 1, n) * (length - 1 - steps[-1] * pace)
    times = start[:, None] + pace[:, None] * steps
    knots = np.clip(times.astype(int), 0, length - 2)
    pieces = CubicSpline(np.arange(length), series, axis=1).c.transpose(2, 1, 0)
    cubic = pieces[np.arange(n)[:, None], knots]
    u = times - knots
    new = ((cubic[..., 0] * u + cubic[..., 1]) * u + cubic[..., 2]) * u + cubic[..., 3]
    new *= rng.choice([-1, 1], n)[:, None]
    turned = rng.random(n) < 0.5
    new[turned] = new[turned, ::-1]
    noise = NOISE_VARIANCE**0.5 * rng.standard_normal((n, READ))
    return new[:, :READ] + noise, new[:, READ:]


def recurrent_features(x: Array) -> Array:
    """The series, its one-step ridge predictor, and the weight of a prior on that predictor."""
    matrix, right = normal_equations(x, TAPS, 1, 0.1)
    inverse = np.linalg.inv(matrix)
    predictor = (inverse @ right)[..., 0]
    return np.concatenate([x, predictor, 0.1 * inverse.reshape(len(x), -1)], axis=1)


def direct_features(x: Array) -> Array:
    """The series, direct ridge forecasts of each step, one-step predictor, prior weights."""
    last = x[:, -DIRECT_TAPS:]
    forecasts = []
    priors = []
    for step in range(1, AHEAD + 1):
        matrix, right = normal_equations(x, DIRECT_TAPS, step, 0.06)
        solved = np.linalg.solve(
            matrix, np.concatenate([right, 0.06 * last[..., None]], axis=2)
        )
        forecasts.append((solved[..., 0] * last).sum(1, keepdims=True))
        priors.append(solved[..., 1])
    predictor = np.linalg.solve(*normal_equations(x, TAPS, 1, 0.03))[..., 0]
    return np.concatenate([x, *forecasts, predictor, *priors], axis=1)


class Layers:
    """Makes the trainable dense layers of a network and keeps their weights."""

    def __init__(self) -> None:
        self.weights: list[tf.Variable] = []

    def dense(
        self, inputs: int, outputs: int, scale: float, spread: float | None = 0.0
    ) -> Network:
        """A dense layer; `spread` is the range of its first biases, None for no bias."""
        kernel = tf.Variable(tf.random.normal((inputs, outputs)) * scale / inputs**0.5)
        self.weights.append(kernel)
        if spread is None:
            return lambda x: x @ kernel
        bias = tf.Variable(tf.random.uniform((outputs,), -spread, spread))
        self.weights.append(bias)
        return lambda x: x @ kernel + bias

    def gated(
        self, inputs: int, outputs: int
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """A sum of GATES linear maps of a vector, each weighted by its own gate."""
        maps = self.dense(inputs, outputs * GATES, 0.1, None)
        shape = (-1, outputs, GATES)
        return lambda x, gates: (
            tf.linalg.matvec(tf.reshape(maps(x), shape), gates) / GATES**0.5
        )


def recurrent_network(layers: Layers) -> Network:
    """A sine cell over three windows, whose last state steers a learnt linear recurrence."""
    start = layers.dense(TAPS, WIDTH, 2.0, None)
    read = layers.dense(WINDOW, WIDTH, 1.8, 1.5)
    carry = layers.dense(WIDTH, WIDTH, 1.0, None)
    deep = layers.dense(WIDTH, WIDTH, 1.4, 1.5)
    gate = layers.dense(WIDTH, GATES, 1.0, 0.5)
    prior = layers.dense(WIDTH, TAPS, 0.3)
    clean = layers.gated(READ, TAPS)
    correct = layers.gated(READ + AHEAD, AHEAD)

    def network(features: tf.Tensor) -> tf.Tensor:
        x, ridge, weight = tf.split(features, [READ, TAPS, TAPS * TAPS], axis=1)
        state = tf.sin(start(ridge))
        for i in range(0, READ, WINDOW):
            state = tf.sin(read(x[:, i : i + WINDOW]) + carry(state))
        state = tf.sin(deep(state))
        gates = gate(state)
        predictor = ridge + tf.linalg.matvec(
            tf.reshape(weight, (-1, TAPS, TAPS)), prior(state)
        )
        recent = x[:, -TAPS:] + clean(x, gates)
        for _ in range(AHEAD):
            value = tf.reduce_sum(predictor * recent[:, -TAPS:], axis=1, keepdims=True)
            recent = tf.concat([recent, tf.clip_by_value(value, -1.5, 1.5)], axis=1)
        forecast = recent[:, TAPS:]
        return forecast + correct(tf.concat([x, forecast], axis=1), gates)

    return network


def direct_network(layers: Layers) -> Network:
    """Dense sine layers that correct the direct ridge forecasts of all ten steps at once."""
    wave = layers.dense(READ, WIDTH, 1.4, None)
    mix = layers.dense(TAPS, WIDTH, 2.0, 1.5)
    deep = [layers.dense(WIDTH, WIDTH, 1.4, 1.5) for _ in range(2)]
    gate = layers.dense(WIDTH, GATES, 1.0, 0.5)
    prior = layers.dense(WIDTH, AHEAD * DIRECT_TAPS, 0.3)
    correct = layers.gated(READ + AHEAD, AHEAD)

    def network(features: tf.Tensor) -> tf.Tensor:
        sizes = [READ, AHEAD, TAPS, AHEAD * DIRECT_TAPS]
        x, forecast, ridge, weight = tf.split(features, sizes, axis=1)
        hidden = 0.7 * (tf.cos(wave(x)) + tf.sin(mix(ridge)))
        for layer in deep:
            hidden = tf.sin(layer(hidden))
        shift = tf.reshape(weight * prior(hidden), (-1, AHEAD, DIRECT_TAPS))
        forecast = tf.clip_by_value(forecast + tf.reduce_sum(shift, axis=2), -1.5, 1.5)
        return forecast + correct(tf.concat([x, forecast], axis=1), gate(hidden))

    return network


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Roughly the nearest matrix with orthonormal rows or columns (five Newton-Schulz steps)."""
    a = matrix / (tf.norm(matrix) + 1e-7)
    for _ in range(5):
        b = tf.matmul(a, a, transpose_b=True)
        a = 3.4445 * a + (2.0315 * b @ b - 4.775 * b) @ a
    return a


class Optimiser:
    """Muon for the larger matrices and Adam for the other weights, with weight decay."""

    def __init__(self, weights: list[tf.Variable]) -> None:
        self.weights = weights
        self.first = [tf.Variable(tf.zeros_like(w)) for w in weights]
        self.second = [tf.Variable(tf.zeros_like(w)) for w in weights]
        self.count = tf.Variable(0.0)

    def step(self, gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        """Update every weight once."""
        self.count.assign_add(1.0)
        adam = rate * tf.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for w, m, q, g in zip(
            self.weights, self.first, self.second, gradients, strict=True
        ):
            if len(w.shape) == 2:
                w.assign(w * (1 - rate * DECAY))
            if len(w.shape) == 2 and min(w.shape) >= 24:
                m.assign(0.95 * m + g)
                scale = 3 * max(1, w.shape[1] / w.shape[0]) ** 0.5
                w.assign_sub(rate * scale * orthogonal(g + 0.95 * m))
            else:
                m.assign(0.9 * m + 0.1 * g)
                q.assign(0.999 * q + 0.001 * g * g)
                w.assign_sub(adam * m / (tf.sqrt(q) + 1e-8))


def train(
    arrays: dict[str, Array],
    seed: int,
    features: Callable[[Array], Array],
    build: Callable[[Layers], Network],
) -> dict[str, Array]:
    """Train one network on augmented train series; return its forecasts of the other splits."""
    tf.random.set_seed(seed)
    rng = np.random.default_rng(seed)
    layers = Layers()
    network = build(layers)
    optimiser = Optimiser(layers.weights)
    inputs = arrays["train_inputs"][..., 0]
    clean = extend(denoise(np.concatenate([inputs, arrays["train_targets"]], axis=1)))
    steps = len(clean) // BATCH

    @tf.function(jit_compile=True)
    def one_epoch(x: tf.Tensor, y: tf.Tensor, done: tf.Tensor) -> None:
        for i in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((network(x[i]) - y[i]) ** 2)
            share = (done + tf.cast(i, tf.float32)) / (EPOCHS * steps)
            rate = (
                RATE * 0.5 * (1 + tf.cos(np.pi * share)) * tf.minimum(1.0, 50 * share)
            )
            optimiser.step(tape.gradient(loss, layers.weights), rate)

    epochs = [augment(clean, rng) for _ in range(POOL_EPOCHS)]
    pool_x = np.concatenate([features(x).astype(np.float32) for x, _ in epochs])
    pool_y = np.concatenate([y.astype(np.float32) for _, y in epochs])
    for epoch in range(EPOCHS):
        if epoch % POOL_EPOCHS == 0:
            order = rng.permutation(len(pool_x)).reshape(POOL_EPOCHS, -1)
        picked = order[epoch % POOL_EPOCHS][: steps * BATCH].reshape(steps, BATCH)
        one_epoch(pool_x[picked], pool_y[picked], tf.constant(float(epoch * steps)))

    def forecast(split: str) -> Array:
        read = features(arrays[split][..., 0]).astype(np.float32)
        values: Array = network(read).numpy()
        return values

    return {
        "validation": forecast("validation_inputs"),
        "test": forecast("test_inputs"),
    }


def with_recurrence(arrays: dict[str, Array], seed: int) -> dict[str, Array]:
    """Forecasts of the recurrent network."""
    return train(arrays, seed, recurrent_features, recurrent_network)


def without(arrays: dict[str, Array], seed: int) -> dict[str, Array]:
    """Forecasts of the network without recurrence."""
    return train(arrays, seed, direct_features, direct_network)


SIDES = {"with recurrence": with_recurrence, "without": without}
