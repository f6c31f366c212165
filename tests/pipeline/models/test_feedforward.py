"""Networks without recurrence: what each answers with, by plain NumPy, and what it can
see."""

import keras
import numpy as np
import pytest

from pipeline.data.problem import Problem
from pipeline.models import dense, feedforward
from pipeline.models.feedforward import MODELS

SERIES = Problem((12, 3), target=1, outputs=2)
EACH_STEP = Problem((6, 1), outputs=6, each_step=True)
WORDS = Problem((9,), classify=True, vocabulary=20)


def seeded(build, *arguments, **options):
    keras.utils.set_random_seed(0)
    return build(*arguments, **options)


def inputs(problem, count=4):
    random = np.random.default_rng(0)
    if problem.vocabulary:
        return random.integers(0, problem.vocabulary, (count, *problem.input_shape))
    return random.normal(size=(count, *problem.input_shape)).astype(np.float32)


def test_nlinear_is_a_map_of_the_window_less_its_last_value():
    model = seeded(feedforward.nlinear, SERIES)
    x = inputs(SERIES)
    kernel, bias = model.get_weights()
    moved = (x - x[:, -1:]).reshape(4, -1) @ kernel + bias
    np.testing.assert_allclose(model(x), moved + x[:, -1, 1:2], rtol=1e-5, atol=1e-6)


def test_dlinear_is_a_map_of_the_moving_average_and_one_of_the_rest():
    model = seeded(feedforward.dlinear, SERIES, average=4)
    x = inputs(SERIES)
    padded = np.pad(x, [(0, 0), (1, 2), (0, 0)], mode="edge")
    trend = np.stack(
        [padded[:, start : start + 4].mean(axis=1) for start in range(12)], axis=1
    )
    by_trend, trend_bias, by_rest, rest_bias = model.get_weights()
    expected = (
        trend.reshape(4, -1) @ by_trend
        + trend_bias
        + (x - trend).reshape(4, -1) @ by_rest
        + rest_bias
    )
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def test_a_tcn_is_its_convolutions_and_what_came_in():
    model = seeded(feedforward.tcn, SERIES, filters=3, kernel=2, layers=2)
    x = inputs(SERIES)
    values = x
    *filters, kernel, bias = model.get_weights()
    for dilation, weights, offset in ((1, *filters[:2]), (2, *filters[2:])):
        earlier = np.pad(values, [(0, 0), (dilation, 0), (0, 0)])[:, : values.shape[1]]
        values = values + np.maximum(
            earlier @ weights[:3] + values @ weights[3:] + offset, 0
        )
    np.testing.assert_allclose(
        model(x), values[:, -1] @ kernel + bias, rtol=1e-4, atol=1e-5
    )


def test_convolutions_are_keras_own():
    """Its layers, their weights, and how far from 0 these begin."""
    ours = seeded(feedforward.convolutions, SERIES, filters=4, kernels=[5, 3])
    x = inputs(SERIES)
    layers = [
        keras.layers.Conv1D(4, 5, activation="relu"),
        keras.layers.MaxPooling1D(2),
    ]
    layers += [
        keras.layers.Conv1D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
    ]
    theirs = seeded(
        keras.Sequential,
        [keras.Input(SERIES.input_shape), *layers, keras.layers.Dense(2)],
    )
    for layer in (0, 2):
        assert np.abs(ours.get_weights()[layer]).max() == pytest.approx(
            np.abs(theirs.get_weights()[layer]).max(), rel=0.1
        )
    theirs.set_weights(
        [
            mine.reshape(w.shape)
            for mine, w in zip(ours.get_weights(), theirs.weights, strict=True)
        ]
    )
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"no timestep of 8. Received: \[5, 3\]"):
        feedforward.convolutions(Problem((8, 3)), kernels=[5, 3])


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (feedforward.tcn, {}),
        (dense.build, {"hidden": [5, 4], "dropout": 0.1, "input_dropout": 0.2}),
        (feedforward.transformer, {}),
    ],
)
def test_an_answer_at_a_timestep_knows_nothing_of_what_comes_after(build, options):
    model = seeded(build, EACH_STEP, **options)
    x = inputs(EACH_STEP)
    changed = x.copy()
    changed[:, 3] += 1.0
    before = np.asarray(model(x))
    after = np.asarray(model(changed))
    assert before.shape == (4, 6, 1)
    moved = np.abs(after - before).max(axis=(0, 2)) > 1e-7
    assert moved.tolist() == [False] * 3 + [True] * 3


def test_a_perceptron_asked_at_each_timestep_sees_all_before_it_and_zeros():
    model = seeded(dense.build, EACH_STEP, hidden=[5])
    x = inputs(EACH_STEP)
    first, bias, second, constant = model.get_weights()
    for step in range(6):
        seen = np.zeros((4, 6))
        seen[:, 5 - step :] = x[:, : step + 1, 0]
        expected = np.maximum(seen @ first + bias, 0) @ second + constant
        np.testing.assert_allclose(model(x)[:, step], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("problem", [SERIES, EACH_STEP])
def test_a_filter_is_a_weighted_sum_of_what_it_sees_by_weights_from_squares(problem):
    model = seeded(
        feedforward.adaptive_filter,
        problem,
        powers=3,
        hidden=5,
        activation="relu",
        last=4,
    )
    x = inputs(problem)
    random = np.random.default_rng(1)
    model.set_weights(
        [random.normal(size=weights.shape) for weights in model.get_weights()]
    )
    maps, first, bias, second, second_bias, third, third_bias = model.get_weights()
    steps, columns = problem.input_shape
    for step in range(steps) if problem.each_step else [steps - 1]:
        seen = np.zeros((4, 4, columns))
        filled = np.zeros((4, 4))
        count = min(4, step + 1)
        seen[:, 4 - count :], filled[:, 4 - count :] = (
            x[:, step + 1 - count : step + 1],
            1,
        )
        values = seen.reshape(4, -1)
        squares = (values @ maps) ** 2
        if problem.each_step:
            squares = np.concatenate([squares, filled], axis=1)
        hidden = np.maximum(squares @ first + bias, 0)
        weights = (hidden @ second + second_bias).reshape(4, -1, values.shape[1])
        expected = (weights * values[:, None]).sum(axis=2) + hidden @ third + third_bias
        answer = np.asarray(model(x))
        np.testing.assert_allclose(
            answer[:, step] if problem.each_step else answer,
            expected,
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("name", MODELS)
def test_networks_of_timesteps_need_values(name):
    with pytest.raises(ValueError, match=r"needs (inputs of values|a data set that)"):
        MODELS[name](WORDS)


@pytest.mark.parametrize("problem", [SERIES, EACH_STEP])
def test_a_transformer_is_attention_to_what_came_before_and_a_perceptron(problem):
    model = seeded(feedforward.transformer, problem, heads=2, size=3, layers=1, taps=2)
    x = inputs(problem)
    random = np.random.default_rng(1)
    model.set_weights(
        [random.normal(size=weights.shape) for weights in model.get_weights()]
    )
    taps, start, positions, *layer, last_scale, last_shift, kernel, bias = (
        model.get_weights()
    )
    (
        scale,
        shift,
        query,
        query_bias,
        key,
        key_bias,
        value,
        value_bias,
        back,
        back_bias,
        *perceptron,
    ) = layer
    scale_2, shift_2, up, up_bias, down, down_bias = perceptron

    def normed(values, scale, shift):
        moved = values - values.mean(axis=-1, keepdims=True)
        return (
            moved / np.sqrt(values.var(axis=-1, keepdims=True) + 1e-3) * scale + shift
        )

    before = np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)
    hidden = np.concatenate([before, x], axis=2) @ taps + start + positions
    rows = normed(hidden, scale, shift)
    for example, step in np.ndindex(*x.shape[:2]):
        for head in range(2):
            part = slice(3 * head, 3 * head + 3)
            queried = (rows[example, step] @ query + query_bias)[part]
            keys = (rows[example, : step + 1] @ key + key_bias)[:, part]
            values = (rows[example, : step + 1] @ value + value_bias)[:, part]
            weights = np.exp(keys @ queried / np.sqrt(3))
            hidden[example, step] += weights / weights.sum() @ values @ back[part]
    hidden += back_bias
    wide = np.asarray(
        keras.activations.gelu(normed(hidden, scale_2, shift_2) @ up + up_bias)
    )
    hidden += wide @ down + down_bias
    answers = normed(hidden, last_scale, last_shift) @ kernel + bias
    expected = answers if problem.each_step else answers[:, -1]
    np.testing.assert_allclose(model(x), expected, rtol=1e-3, atol=1e-3)


def test_a_dense_network_drops_inputs_and_skips_layers_of_no_width():
    problem = Problem((6, 2))
    model = seeded(dense.build, problem, hidden=[5, 0, 4], input_dropout=0.5)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Flatten", "Dropout", "Dense", "Dense", "Dense"]
    assert [layer.units for layer in model.layers[2:]] == [5, 4, 1]
    plain = seeded(dense.build, problem, hidden=[5, 4])
    assert len(plain.layers) == 4
    for layer, same in zip(model.layers[2:], plain.layers[1:], strict=True):
        same.set_weights(layer.get_weights())
    x = inputs(problem)
    np.testing.assert_allclose(model(x), plain(x), rtol=1e-6)
    assert not np.allclose(model(x, training=True), plain(x))
    assert dense.mlp_title({"hidden": [5, 0, 4]}, {}) == "dense network 5-4"
