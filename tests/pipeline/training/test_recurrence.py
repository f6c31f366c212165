"""The loops forward and back give what Keras' layers give: outputs, gradients, masks; with and without padding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.examples import Arrays
from pipeline.training.recurrence.network import Network
from pipeline.training.recurrence.sequences import by_padding

CELLS = ["SimpleRNN", "LSTM", "GRU"]
BOTH = {"dropout": 0.3, "recurrent_dropout": 0.3}
VOCABULARY = 30


def values(random, batch=9, timesteps=7):
    return random.normal(size=(batch, timesteps, 3)).astype(np.float32)


def words(random, batch=9, timesteps=12):
    """Padded in front; the first row is all padding, the second has none."""
    inputs = random.integers(1, VOCABULARY, (batch, timesteps)).astype(np.int32)
    padding = np.concatenate([[timesteps, 0], random.integers(0, timesteps, batch)])[:batch]
    return np.where(np.arange(timesteps) < padding[:, None], 0, inputs)


def network(*layers):
    """A model with one output per row."""
    keras.utils.set_random_seed(1)
    return keras.Sequential([*layers, keras.layers.Dense(1)])


def compare(model, inputs, *, compiled=False):
    """Outputs and gradients of `Network` against those of Keras, from the same state of the masks' generators.

    Args:
        compiled: whether by XLA, which takes seconds to compile, and draws other masks.
    """
    model(inputs[:1])
    random = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1 * random.normal(size=variable.shape))
    state = [variable.numpy() for variable in model.variables]
    ours = Network(model)
    assert ours.loop is not None

    def differentiate(call):
        with tf.GradientTape() as tape:
            outputs = call()
            weights = tf.range(1.0, outputs.shape.num_elements() + 1)
            value = tf.reduce_sum(outputs * tf.reshape(weights, outputs.shape))
        gradients = tape.gradient(value, model.trainable_variables)
        return outputs, [tf.convert_to_tensor(gradient) for gradient in gradients]

    calls = {
        "Keras": lambda x: differentiate(lambda: model(x, training=True)),
        "ours": lambda x: differentiate(lambda: ours.train(x, ours.buffers(*x.shape))[0]),
    }
    found = {}
    for name, call in calls.items():
        for variable, number in zip(model.variables, state, strict=True):
            variable.assign(number)
        function = tf.function(call, jit_compile=True, autograph=False) if compiled else call
        found[name] = function(tf.constant(inputs))
    np.testing.assert_allclose(found["ours"][0], found["Keras"][0], rtol=1e-5, atol=1e-6)
    for one, other in zip(found["ours"][1], found["Keras"][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max())
    np.testing.assert_allclose(ours.predict(tf.constant(inputs)), model(inputs, training=False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "dropout"),
    [*((cell, dropout) for cell in CELLS for dropout in ({}, BOTH)), *(("LSTM", {name: 0.3}) for name in BOTH)],
    ids=str,
)
def test_a_layer_on_values_is_keras_layer(cell, dropout):
    compare(network(getattr(keras.layers, cell)(5, **dropout)), values(np.random.default_rng(0)))


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_on_padded_words_is_keras_layer(cell):
    layers = keras.layers.Embedding(VOCABULARY, 4), getattr(keras.layers, cell)(5)
    compare(network(*layers), words(np.random.default_rng(0)))


def test_stacked_cells_with_dropout_are_keras_stack():
    kinds = {"SimpleRNN": 5, "LSTM": 4, "GRU": 6}
    cells = [getattr(keras.layers, f"{kind}Cell")(units, **BOTH) for kind, units in kinds.items()]
    compare(network(keras.layers.RNN(cells)), values(np.random.default_rng(0)), compiled=True)


def test_stacked_cells_on_padded_words_are_keras_stack():
    cells = [keras.layers.SimpleRNNCell(units) for units in (5, 4)]
    compare(network(keras.layers.Embedding(VOCABULARY, 4), keras.layers.RNN(cells)), words(np.random.default_rng(0)))


def test_under_dropout_rows_do_not_share_their_padding():
    layers = keras.layers.Embedding(VOCABULARY, 4), keras.layers.LSTM(5, **BOTH)
    compare(network(*layers), words(np.random.default_rng(0)))


@pytest.mark.parametrize(("cell", "dropout"), [*((cell, dropout) for cell in CELLS for dropout in ({}, BOTH))], ids=str)
def test_every_state_of_a_layer_is_that_of_keras_layer(cell, dropout):
    layer = getattr(keras.layers, cell)(5, return_sequences=True, **dropout)
    compare(network(layer), values(np.random.default_rng(0)))


@pytest.mark.parametrize(("cell", "dropout"), [*((cell, {}) for cell in CELLS), ("GRU", BOTH)], ids=str)
def test_every_state_on_padded_words_is_that_of_keras_layer(cell, dropout):
    layer = getattr(keras.layers, cell)(5, return_sequences=True, **dropout)
    compare(network(keras.layers.Embedding(VOCABULARY, 4), layer), words(np.random.default_rng(0)))


def test_every_state_of_stacked_cells_under_xla_is_that_of_keras_stack():
    cells = [getattr(keras.layers, f"{kind}Cell")(4) for kind in CELLS]
    compare(network(keras.layers.RNN(cells, return_sequences=True)), values(np.random.default_rng(0)), compiled=True)


def test_a_vector_may_be_given_to_every_step():
    layers = keras.layers.RepeatVector(6), keras.layers.GRU(3, return_sequences=True)
    compare(network(*layers), np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32))


def test_a_reshape_may_stand_in_front():
    model = network(keras.layers.Reshape((6, 1)), keras.layers.GRU(3))
    compare(model, np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))


@pytest.fixture(scope="module")
def compiled_words():
    """Prediction and gradients of one network for every batch of 20 texts of 15 words, compiled once."""
    model = network(keras.layers.Embedding(VOCABULARY, 4), keras.layers.GRU(5))
    model(np.zeros((1, 15), np.int32))
    ours = Network(model)

    def both(inputs):
        with tf.GradientTape() as tape:
            outputs, _ = ours.train(inputs, ours.buffers(20, 15))
            value = tf.reduce_sum(outputs**2)
        return outputs, ours.predict(inputs), tape.gradient(value, model.trainable_variables)

    return model, tf.function(both, jit_compile=True, autograph=False)


@given(padding=st.lists(st.integers(0, 15), min_size=20, max_size=20), seed=st.integers(0, 99))
def test_any_padding_gives_the_numbers_of_the_whole_loop(compiled_words, padding, seed):
    model, both = compiled_words
    inputs = np.random.default_rng(seed).integers(0, VOCABULARY, (20, 15)).astype(np.int32)
    inputs[np.arange(15) < np.array(padding)[:, None]] = 0
    trained, predicted, gradients = both(tf.constant(inputs))
    with tf.GradientTape() as tape:
        expected = model(inputs, training=True)
        value = tf.reduce_sum(expected**2)
    np.testing.assert_allclose(trained, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, tape.gradient(value, model.trainable_variables), strict=True):
        dense = tf.convert_to_tensor(other).numpy()
        # Sums of 300 parts that nearly cancel: rounding shows. A part left out would be off by a tenth and more.
        np.testing.assert_allclose(one, dense, rtol=1e-3, atol=1e-3 * max(1e-3, np.abs(dense).max()))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("SimpleRNN", {"activation": "relu"}),
        ("GRU", {"reset_after": False}),
        ("LSTM", {"recurrent_activation": "tanh"}),
        ("GRU", {"go_backwards": True}),
        ("LSTM", {"use_bias": False}),
        ("Dense", {}),
    ],
    ids=str,
)
def test_what_it_does_not_know_it_leaves_to_keras(kind, options):
    model = network(getattr(keras.layers, kind)(3, **options))
    inputs = values(np.random.default_rng(0))
    expected = model(inputs)
    ours = Network(model)
    assert ours.loop is None
    assert ours.buffers(9, 7, 3) == ()
    np.testing.assert_array_equal(ours.predict(inputs), expected)
    np.testing.assert_array_equal(ours.train(inputs, ())[0], expected)


def test_a_trained_layer_in_front_is_left_to_keras():
    model = network(keras.layers.Dense(2), keras.layers.GRU(3))
    model(values(np.random.default_rng(0)))
    assert Network(model).loop is None


def test_words_that_mask_their_padding_are_left_to_keras():
    model = network(keras.layers.Embedding(VOCABULARY, 4, mask_zero=True), keras.layers.GRU(3))
    model(words(np.random.default_rng(0)))
    assert Network(model).loop is None


def test_texts_are_predicted_by_length_and_values_in_order():
    texts = Arrays(np.array([[0, 0, 1], [1, 0, 1], [0, 0, 0], [0, 2, 0]], np.int32), np.zeros(4))
    assert by_padding(texts).tolist() == [1, 3, 0, 2]
    assert by_padding(Arrays(np.zeros((3, 2)), np.zeros(3))).tolist() == [0, 1, 2]
