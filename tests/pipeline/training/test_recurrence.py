"""The loops forward and backward give what Keras' layers give: outputs, gradients,
masks; with and without padding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.layers import time_pooling
from pipeline.models.recurrent import min_gru_cell
from pipeline.training.recurrence.network import LoopedModel

CELLS = ["SimpleRNN", "LSTM", "GRU"]
BOTH = {"dropout": 0.3, "recurrent_dropout": 0.3}
EVERY = {"return_sequences": True}
VOCABULARY = 30


def values(batch=9, timesteps=4):
    return (
        np.random.default_rng(0).normal(size=(batch, timesteps, 3)).astype(np.float32)
    )


def words(padding=(7, 0, 3, 6, 1, 1, 5, 2, 4), timesteps=7, seed=0):
    """Padded in front."""
    inputs = (
        np.random.default_rng(seed)
        .integers(1, VOCABULARY, (len(padding), timesteps))
        .astype(np.int32)
    )
    return np.where(np.arange(timesteps) < np.array(padding)[:, None], 0, inputs)


def layer(kind, units=5, **options):
    return getattr(keras.layers, kind)(units, **options)


def embedding(**options):
    return keras.layers.Embedding(VOCABULARY, 4, **options)


def stack(units, dropout=None, **options):
    """Cells of several kinds in one layer."""
    return keras.layers.RNN(
        [layer(f"{kind}Cell", size, **dropout or {}) for kind, size in units.items()],
        **options,
    )


def looped(inputs, *layers, compiled=False):
    """A model with one output per row, its `LoopedModel`, and a function: inputs ->
    outputs, gradients, predictions."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model(inputs[:1])
    random = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1 * random.normal(size=variable.shape))
    ours = LoopedModel(model)

    def call(x):
        return *differentiated(
            model, lambda: ours.train(x, ours.buffers(*x.shape))[0]
        ), ours.predict(x)

    return (
        model,
        ours,
        tf.function(call, jit_compile=True, autograph=False) if compiled else call,
    )


def differentiated(model, call):
    """Outputs, and gradients of a weighted sum of them."""
    with tf.GradientTape() as tape:
        outputs = call()
        weights = tf.range(1.0, outputs.shape.num_elements() + 1)
        value = tf.reduce_sum(outputs * tf.reshape(weights, outputs.shape))
    return outputs, [
        tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(value, model.trainable_variables)
    ]


def compare(model, inputs, call, tolerance=1e-6):
    """What `call` gives with Keras', from one state of the masks' generators."""
    state = [variable.numpy() for variable in model.variables]
    outputs, gradients, predictions = call(tf.constant(inputs))
    for variable, number in zip(model.variables, state, strict=True):
        variable.assign(number)
    expected, expected_gradients = differentiated(
        model, lambda: model(inputs, training=True)
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        predictions, model(inputs, training=False), rtol=1e-5, atol=1e-6
    )
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max()
        )


def check(inputs, *layers, compiled=False):
    model, ours, call = looped(inputs, *layers, compiled=compiled)
    assert ours.loops
    compare(model, inputs, call)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        *((cell, options) for cell in CELLS for options in ({}, EVERY | BOTH)),
        ("GRU", {"go_backwards": True}),
        *(("LSTM", {option: 0.3}) for option in BOTH),
    ],
    ids=str,
)
def test_a_layer_on_values_is_keras_layer(cell, options):
    check(values(), layer(cell, **options))


@pytest.mark.parametrize(
    ("cell", "options"),
    [("LSTM", {}), ("GRU", {}), ("GRU", BOTH), ("GRU", EVERY)],
    ids=str,
)
def test_a_layer_on_padded_words_is_keras_layer(cell, options):
    """Rows share their padding; not under dropout, where each has masks of its own, nor
    if every state is asked for."""
    check(words(), embedding(), layer(cell, **options))


def test_a_min_gru_is_its_cell_in_keras_loop():
    for drop, options in ((0.0, {}), (0.3, EVERY)):
        check(
            values(),
            keras.layers.RNN(
                [min_gru_cell(5, dropout=drop), min_gru_cell(4, dropout=drop)],
                **options,
            ),
        )
    check(words(), embedding(), keras.layers.RNN([min_gru_cell(5)]))


def test_both_directions_are_keras_bidirectional():
    check(values(), keras.layers.Bidirectional(layer("LSTM", **BOTH)))
    check(words(), embedding(), keras.layers.Bidirectional(layer("GRU")))


def both(kind, **options):
    return keras.layers.Bidirectional(layer(kind, **options))


def word_dropout(rate=0.4):
    return keras.layers.Dropout(rate, noise_shape=(None, None, 1))


def masked():
    return embedding(mask_zero=True)


def test_pooled_states_are_keras_states_pooled_without_padding():
    check(words(), masked(), both("GRU", **EVERY), time_pooling("mean_max"))
    check(values(timesteps=3), layer("SimpleRNN", **EVERY), time_pooling("mean"))


def test_dropped_words_are_keras_dropped_vectors():
    check(
        words(),
        masked(),
        word_dropout(),
        stack({"SimpleRNN": 5, "LSTM": 4}, BOTH, **EVERY),
        time_pooling("max"),
    )
    check(words(), masked(), word_dropout(), both("SimpleRNN"))


def test_padding_does_not_count_for_pooled_states():
    longer = np.pad(words(), [(0, 0), (9, 0)])
    layers = masked(), both("SimpleRNN", **EVERY), time_pooling("mean_max")
    _, ours, _ = looped(words(), *layers)
    short, long = (ours.predict(tf.constant(text)) for text in (words(), longer))
    np.testing.assert_allclose(long, short, rtol=1e-5, atol=1e-7)


def test_stacked_cells_are_keras_stack():
    check(values(), stack({"SimpleRNN": 5, "LSTM": 4, "GRU": 6}, BOTH))
    check(words(), embedding(), stack({"SimpleRNN": 5, "GRU": 4}))
    check(values(timesteps=3), layer("SimpleRNN", **EVERY), compiled=True)


def test_a_layer_without_weights_may_stand_in_front():
    """A vector is given to every step; values become a sequence."""
    check(values()[:, 0], keras.layers.RepeatVector(4), layer("SimpleRNN", **EVERY))
    check(values()[:, 0], keras.layers.Reshape((3, 1)), layer("SimpleRNN"))


@pytest.fixture(scope="module")
def compiled_words():
    """One network's function of every batch of 20 texts of 15 words, compiled once."""
    model, _, call = looped(
        np.zeros((1, 15), np.int32), embedding(), layer("SimpleRNN"), compiled=True
    )
    return model, call


@given(
    padding=st.lists(st.integers(0, 15), min_size=20, max_size=20),
    seed=st.integers(0, 99),
)
def test_any_padding_gives_the_numbers_of_the_whole_loop(compiled_words, padding, seed):
    model, call = compiled_words
    # XLA adds 300 parts up in another order. One that is left out would be off by a
    # tenth and more.
    compare(model, words(padding, 15, seed), call, 1e-4)


def test_what_it_does_not_know_it_leaves_to_keras():
    backwards = layer("GRU", go_backwards=True, return_sequences=True)
    for inputs, *layers in (
        (values(), layer("SimpleRNN", activation="relu")),
        (values(), layer("GRU", reset_after=False)),
        (values(), backwards),
        (values(), layer("Dense"), layer("GRU")),  # trained in front
        (words(), embedding(mask_zero=True), layer("GRU", **EVERY)),
        (words(), embedding(), layer("GRU", **EVERY), time_pooling("max")),
        (values(), both("GRU", **EVERY)),
    ):
        model, ours, _ = looped(inputs, *layers)
        expected = model(inputs)
        assert not ours.loops
        assert ours.buffers(*inputs.shape) == ()
        np.testing.assert_array_equal(ours.predict(inputs), expected)
        np.testing.assert_array_equal(ours.train(inputs, ())[0], expected)
