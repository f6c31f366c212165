"""The networks are those of the documents: parameter counts and output shapes as published."""

import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import params
from pipeline.data.problem import Problem
from pipeline.models import recurrent
from pipeline.training import keras_models
from pipeline.training.recipe import recipe
from tests.support import REPOSITORY

PARAMS = params.load(REPOSITORY / "params.yaml")
POINT = Problem((1,))
WAVES = Problem((50, 1))
WORDS = Problem((500,), classify=True, vocabulary=10_000)
EACH_STEP = Problem((30, 1), outputs=30, each_step=True)
NEXT_TEN = Problem((30, 1), outputs=10)
VECTOR = Problem((6,), outputs=40)
JENA = Problem((240, 14), target=1, horizon=25, period=24)

# Experiment, problem, parameters. IMDB's are printed in 001 and 002, those of waves in 003; the rest follow
# from the layers: SimpleRNN u(f + u + 1), LSTM 4u(f + u + 1), GRU 3u(f + u + 2) with reset_after.
COUNTS = [
    ("imdb_rnn", WORDS, 322_113),
    ("imdb_lstm", WORDS, 320_000 + 8_320 + 33),
    ("imdb_gru", WORDS, 320_000 + 6_336 + 33),
    ("imdb_rnn4", WORDS, 320_000 + 4 * 2_080 + 33),
    ("imdb_summary_last_state", WORDS, 322_080),
    ("imdb_summary_all_states", WORDS, 322_080),
    ("waves_perceptron", WAVES, 51),
    ("waves_hidden10", WAVES, 50 * 10 + 10 + 11),
    ("waves_node", WAVES, 3),
    ("waves_rnn6", WAVES, 55),
    ("waves_rnn20x2", WAVES, 20 * 22 + 20 * 41 + 21),
    ("sine_interpolation_dense", POINT, 128 + 64 * 65 + 65),
    ("sine_extrapolation_rnn", POINT, 32 * 34 + 33),
    ("sine_extrapolation_dense_rnn2", POINT, 64 + 2 * 32 * 65 + 33),
    ("sine_extrapolation_lstm2", POINT, 4 * 32 * 34 + 4 * 32 * 65 + 33),
    ("sine_extrapolation_gru2", POINT, 3 * 32 * 35 + 3 * 32 * 66 + 33),
    ("sine_windows_lstm", Problem((20, 1)), 4 * 4 * 6 + 5),
    ("jena_lstm_dropout", JENA, 4 * 32 * 47 + 33),
    ("jena_gru", JENA, 3 * 32 * 48 + 33),
    ("jena_dense", JENA, 240 * 14 * 32 + 32 + 33),
    ("shapes_seq2seq_rnn", EACH_STEP, 24 * 26 + 25),
    ("shapes_seq2seq_rnn2", EACH_STEP, 14 * 16 + 14 * 29 + 15),
    ("shapes_seq2vec_rnn", NEXT_TEN, 19 * 21 + 10 * 20),
    ("shapes_seq2vec_rnn2", NEXT_TEN, 12 * 14 + 12 * 25 + 10 * 13),
    ("shapes_vec2seq_rnn", VECTOR, 23 * 30 + 24),
    ("shapes_vec2seq_rnn2", VECTOR, 14 * 21 + 14 * 29 + 15),
]


def build(name, problem, **changes):
    call = recipe(name, PARAMS.experiment(name)).build
    return call.function(problem, **call.options | changes)


@pytest.mark.parametrize(("name", "problem", "parameters"), COUNTS)
def test_parameters_are_the_published_ones(name, problem, parameters):
    assert build(name, problem).count_params() == parameters


@pytest.mark.parametrize(
    ("family", "problem", "output"),
    [
        ("recurrent", EACH_STEP, (None, 30, 1)),
        ("recurrent", NEXT_TEN, (None, 10)),
        ("recurrent", VECTOR, (None, 40, 1)),
        ("dense", NEXT_TEN, (None, 10)),
        ("dense", VECTOR, (None, 40)),
    ],
)
def test_a_model_has_an_output_for_each_target(family, problem, output):
    name = {"recurrent": "waves_gru", "dense": "sine_interpolation_dense"}[family]
    assert build(name, problem).output_shape == output


def test_a_perceptron_that_would_see_later_steps_is_refused():
    with pytest.raises(ValueError, match="a perceptron sees the whole input"):
        build("sine_interpolation_dense", EACH_STEP)


def test_deep_and_shallow_networks_have_as_many_parameters():
    for shape, problem in (("seq2seq", EACH_STEP), ("seq2vec", NEXT_TEN), ("vec2seq", VECTOR), ("delayed", EACH_STEP)):
        shallow, deep = (build(f"shapes_{shape}_{name}", problem).count_params() for name in ("rnn", "rnn2"))
        assert deep == pytest.approx(shallow, rel=0.01)


@pytest.mark.parametrize(
    ("name", "output"), [("imdb_summary_last_state", (None, 32)), ("imdb_summary_all_states", (None, None, 32))]
)
def test_a_summary_shows_the_last_state_or_all_states(name, output):
    layers = keras_models.layers(build(name, WORDS))
    assert [layer["parameters"] for layer in layers] == [320_000, 2_080]
    assert tuple(layers[-1]["output"]) == output


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_stacked_cells_are_stacked_layers(cell):
    """The same weights give the same outputs and slopes as the documents' way to write it."""
    ours = keras_models.seeded(lambda: recurrent.build(cell, WAVES, units=3, layers=3), 0)
    layer = getattr(keras.layers, cell)
    theirs = keras.Sequential(
        [
            keras.Input((50, 1)),
            layer(3, return_sequences=True),
            layer(3, return_sequences=True),
            layer(3),
            keras.layers.Dense(1),
        ]
    )
    theirs.set_weights(ours.get_weights())
    inputs = tf.constant(np.random.default_rng(0).random((4, 50, 1)), tf.float32)
    outputs, slopes = zip(*(outputs_and_slopes(model, inputs) for model in (ours, theirs)), strict=True)
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)
    for one, other in zip(*slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def outputs_and_slopes(model, inputs):
    with tf.GradientTape() as tape:
        outputs = model(inputs)
    return outputs, tape.gradient(outputs, [variable.value for variable in model.trainable_variables])


def test_four_stacked_layers_are_summarised_one_by_one():
    layers = keras_models.layers(build("imdb_rnn4", WORDS))
    assert [(layer["type"], layer["output"], layer["parameters"]) for layer in layers] == [
        ("Embedding", [None, None, 32], 320_000),
        *[("SimpleRNN", [None, None, 32], 2_080)] * 3,
        ("SimpleRNN", [None, 32], 2_080),
        ("Dense", [None, 1], 33),
    ]


def test_the_stacked_sine_models_return_one_value_too_many_axes():
    """The slip behind "about 0.5": (batch, 1, 1), where the target is (batch,)."""
    for name in ("rnn2", "dense_rnn2", "lstm2", "gru2"):
        assert build(f"sine_extrapolation_{name}", POINT).output_shape == (None, 1, 1)


def test_words_need_an_embedding_and_values_none():
    for problem, changes in ((POINT, {}), (WORDS, {"embedding": 0})):
        with pytest.raises(ValueError, match="`embedding` must be set where inputs are words"):
            build("imdb_rnn", problem, **changes)


def test_keras_2_gates_are_a_straight_line_and_its_gru_resets_before_the_product():
    old = build("jena_hourly_gru_keras2", JENA)
    assert old.count_params() == 3 * 32 * 47 + 33, "one bias of each gate"
    values = np.array([-9, -2.5, -1, 0, 1, 2.5, 9], np.float32)
    np.testing.assert_allclose(recurrent.hard_sigmoid(values), [0, 0, 0.3, 0.5, 0.7, 1, 1], atol=1e-6)
    inputs = np.random.default_rng(0).normal(size=(3, 1, 14)).astype(np.float32)
    kernel, recurrent_kernel, bias = old.layers[0].get_weights()
    state = np.zeros((3, 32), np.float32)
    for step in (inputs[:, 0], inputs[:, 0] * 2):
        update, reset, candidate = np.split(step @ kernel + bias, 3, axis=1)
        of_state = np.split(recurrent_kernel, 3, axis=1)
        update, reset = (
            np.clip(0.2 * (x + state @ w) + 0.5, 0, 1) for x, w in ((update, of_state[0]), (reset, of_state[1]))
        )
        state = update * state + (1 - update) * np.tanh(candidate + (reset * state) @ of_state[2])
    both = np.concatenate([inputs, 2 * inputs], axis=1)
    np.testing.assert_allclose(old.layers[0](both), state, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "change"),
    [("waves_rnn6", {"recurrent_activation": "hard_sigmoid"}), ("waves_lstm", {"reset_after": False})],
)
def test_a_cell_refuses_an_option_that_it_has_not(name, change):
    with pytest.raises(ValueError, match="`reset_after` for GRU. Received: "):
        build(name, WAVES, **change)


def test_a_dense_network_sees_the_mean_of_the_words_whatever_their_order():
    model = build("imdb_dense", WORDS)
    words = np.random.default_rng(0).integers(1, WORDS.vocabulary, (2, *WORDS.input_shape))
    mean = np.asarray(model.layers[0](words)).mean(axis=1)
    np.testing.assert_allclose(model(words), model.layers[3](model.layers[2](mean)), rtol=1e-5)
    np.testing.assert_allclose(model(words), model(words[:, ::-1]), rtol=1e-4)


def test_a_perceptron_refuses_words_and_a_class_without_sigmoid():
    with pytest.raises(ValueError, match="`embedding` must be set where inputs are words"):
        build("waves_perceptron", WORDS)
    with pytest.raises(ValueError, match='`output` must be "sigmoid"'):
        build("waves_perceptron", Problem((3,), classify=True))


def test_one_seed_gives_one_set_of_weights():
    def first(seed):
        return keras_models.values(keras_models.seeded(lambda: build("waves_gru", WAVES), seed))

    again, other = first(7), first(8)
    assert all((a == b).all() for a, b in zip(first(7), again, strict=True))
    assert not (again[0] == other[0]).all()


def test_weights_that_find_no_room_are_one_error_and_not_pages_of_hdf5(tmp_path, capfd):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            keras_models.save_weights(model, keras_models.values(model), tmp_path / "seed_0_final")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr().err == ""
    keras_models.save_weights(model, keras_models.values(model), tmp_path / "seed_0_final")
    model.load_weights(tmp_path / "seed_0_final.weights.h5")
