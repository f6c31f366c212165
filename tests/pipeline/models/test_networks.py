"""The networks are those of the documents: parameter counts and output shapes as
published."""

import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import params
from pipeline.config.params import own_name
from pipeline.data.problem import Problem
from pipeline.models import recurrent
from pipeline.training import keras_models
from pipeline.training.recipe import recipe
from tests.support import REPOSITORY

PARAMS = params.load_all(REPOSITORY / "params.yaml")
POINT = Problem((1,))
WAVES = Problem((50, 1))
WORDS = Problem((500,), classify=True, vocabulary=10_000)
EACH_STEP = Problem((30, 1), outputs=30, each_step=True)
NEXT_TEN = Problem((30, 1), outputs=10)
VECTOR = Problem((6,), outputs=40)
JENA = Problem((240, 14), target=1, horizon=25, period=24)

# IMDB's parameters are printed in 001 and 002, those of waves in 003; the rest follow
# from the layers: SimpleRNN u(f + u + 1), LSTM 4u(f + u + 1), GRU 3u(f + u + 2) with
# reset_after.
PARAMETERS = [
    (
        WORDS,
        {
            "imdb/rnn": 322_113,
            "imdb/lstm": 320_000 + 8_320 + 33,
            "imdb/gru": 320_000 + 6_336 + 33,
        },
    ),
    (
        WAVES,
        {
            "waves/perceptron": 51,
            "waves/hidden10": 50 * 10 + 10 + 11,
            "waves/node": 3,
            "waves/rnn6": 55,
        },
    ),
    (
        POINT,
        {
            "sine_interpolation/dense": 128 + 64 * 65 + 65,
            "sine_extrapolation/dense_rnn2": 64 + 2 * 32 * 65 + 33,
        },
    ),
    (
        POINT,
        {
            "sine_extrapolation/lstm2": 4 * 32 * (34 + 65) + 33,
            "sine_extrapolation/gru2": 3 * 32 * (35 + 66) + 33,
        },
    ),
    (
        JENA,
        {"jena/lstm_dropout": 4 * 32 * 47 + 33, "jena/dense": 240 * 14 * 32 + 32 + 33},
    ),
    (EACH_STEP, {"shapes_seq2seq/rnn": 24 * 26 + 25}),
    (NEXT_TEN, {"shapes_seq2vec/rnn": 19 * 21 + 10 * 20}),
    (VECTOR, {"shapes_vec2seq/rnn": 23 * 30 + 24}),
]


def build(name, problem, **changes):
    return recipe(own_name(name), PARAMS.experiment(name)).build(problem, **changes)


@pytest.mark.parametrize(("problem", "parameters"), PARAMETERS)
def test_parameters_are_the_published_ones(problem, parameters):
    assert {
        name: build(name, problem).count_params() for name in parameters
    } == parameters


def test_deep_and_shallow_networks_have_as_many_parameters():
    for shape, problem in (
        ("seq2seq", EACH_STEP),
        ("seq2vec", NEXT_TEN),
        ("vec2seq", VECTOR),
        ("delayed", EACH_STEP),
    ):
        shallow, deep = (
            build(f"shapes_{shape}/{name}", problem).count_params()
            for name in ("rnn", "rnn2")
        )
        assert deep == pytest.approx(shallow, rel=0.01)


def test_a_model_has_an_output_for_each_target():
    for name, problem, output in (
        ("waves/gru", EACH_STEP, (None, 30, 1)),
        ("waves/gru", NEXT_TEN, (None, 10)),
        ("waves/gru", VECTOR, (None, 40, 1)),
        ("sine_interpolation/dense", NEXT_TEN, (None, 10)),
        # The slip behind "about 0.5": (batch, 1, 1), where the target is (batch,).
        *(
            (f"sine_extrapolation/{kind}", POINT, (None, 1, 1))
            for kind in ("rnn2", "dense_rnn2", "lstm2", "gru2")
        ),
    ):
        assert build(name, problem).output_shape == output


def test_a_summary_shows_stacked_layers_one_by_one_and_the_last_state_or_all_states():
    for name, output in (("last_state", [None, 32]), ("all_states", [None, None, 32])):
        words, cells = keras_models.layers(build(f"imdb/summary_{name}", WORDS))
        assert (words["parameters"], cells["parameters"], cells["output"]) == (
            320_000,
            2_080,
            output,
        )
    stack = [
        (layer["type"], layer["output"])
        for layer in keras_models.layers(build("imdb/rnn4", WORDS))
    ]
    assert stack[1:] == [
        *[("SimpleRNN", [None, None, 32])] * 3,
        ("SimpleRNN", [None, 32]),
        ("Dense", [None, 1]),
    ]
    # with a mask, the layer has two inputs
    masked = recurrent.MODELS["gru"](
        WORDS, units=4, layers=2, embedding=8, pooling="max"
    )
    shapes = [layer["output"] for layer in keras_models.layers(masked)]
    assert shapes[1] == [None, None, 4]


def test_stacked_cells_are_stacked_layers_which_may_differ():
    """The same weights give the same outputs and gradients as the documents' way to
    write it."""
    options = {"widths": [3, 4], "top_activation": "relu"}
    ours = keras_models.seeded(
        lambda: recurrent.build("GRU", Problem((4, 1)), **options), 0
    )
    layers = [
        keras.layers.GRU(3, return_sequences=True),
        keras.layers.GRU(4, activation="relu"),
    ]
    theirs = keras.Sequential([keras.Input((4, 1)), *layers, keras.layers.Dense(1)])
    theirs.set_weights(ours.get_weights())
    inputs = tf.constant(np.random.default_rng(0).random((4, 4, 1)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        outputs = [model(inputs) for model in (ours, theirs)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)
    for mine, other in zip(
        ours.trainable_variables, theirs.trainable_variables, strict=True
    ):
        gradients = (
            tape.gradient(outputs[0], mine.value),
            tape.gradient(outputs[1], other.value),
        )
        np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("problem", [EACH_STEP, NEXT_TEN])
def test_a_hidden_layer_stands_between_the_states_and_the_head(problem):
    model = recurrent.build("GRU", problem, units=4, layers=2, hidden=3)
    states = recurrent.build("GRU", problem, units=4, layers=2, head=False)
    *of_states, first, bias, second, constant = model.get_weights()
    states.set_weights(of_states)
    x = (
        np.random.default_rng(0)
        .normal(size=(2, *problem.input_shape))
        .astype(np.float32)
    )
    wide = np.asarray(keras.activations.gelu(np.asarray(states(x)) @ first + bias))
    np.testing.assert_allclose(model(x), wide @ second + constant, rtol=1e-4, atol=1e-6)


def test_keras_2_gates_are_a_straight_line_and_its_gru_resets_before_the_product():
    old = build("jena_hourly/gru_keras2", JENA)
    assert old.count_params() == 3 * 32 * 47 + 33, "one bias of each gate"
    assert (old.layers[0].reset_after, old.layers[0].recurrent_activation) == (
        False,
        recurrent.hard_sigmoid,
    )
    values = np.array([-9, -2.5, -1, 0, 1, 2.5, 9], np.float32)
    np.testing.assert_allclose(
        recurrent.hard_sigmoid(values), [0, 0, 0.3, 0.5, 0.7, 1, 1], atol=1e-6
    )


def test_a_dense_network_sees_the_mean_of_the_words_whatever_their_order():
    model = build("imdb/dense", WORDS)
    words = np.random.default_rng(0).integers(
        1, WORDS.vocabulary, (2, *WORDS.input_shape)
    )
    mean = np.asarray(model.layers[0](words)).mean(axis=1)
    np.testing.assert_allclose(
        model(words), model.layers[3](model.layers[2](mean)), rtol=1e-5
    )
    np.testing.assert_allclose(model(words), model(words[:, ::-1]), rtol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "max", "mean_max"])
def test_a_dense_network_pools_words_without_their_padding(pooling):
    model = build("imdb/dense", WORDS, pooling=pooling, word_dropout=0.5)
    words = np.random.default_rng(0).integers(1, WORDS.vocabulary, (2, 6))
    vectors = np.asarray(model.layers[0](words))
    parts = {"mean": vectors.mean(axis=1), "max": vectors.max(axis=1)}
    kinds = {"mean_max": ["max", "mean"]}.get(pooling, [pooling])
    pooled = np.concatenate([parts[kind] for kind in kinds], axis=1)
    padded = np.pad(words, [(0, 0), (494, 0)])
    expected = model.layers[4](model.layers[3](pooled))
    np.testing.assert_allclose(model(padded), expected, rtol=1e-5)


def test_word_dropout_drops_whole_words():
    model = build("imdb/gru", WORDS, pooling="max", word_dropout=0.5)
    words, dropout = model.layers[:2]
    vectors = words(np.full((4, 50), 7))
    dropped = np.asarray(dropout(vectors, training=True) / vectors)
    assert set(np.unique(dropped)) == {0, 2}, "words that are left are doubled"
    np.testing.assert_array_equal(dropped.min(axis=2), dropped.max(axis=2))


def test_options_of_words_or_of_the_last_state_are_refused_elsewhere():
    for name, problem, options, message in (
        ("waves/gru", WAVES, {"word_dropout": 0.1}, "`word_dropout` is for words"),
        ("waves/gru", EACH_STEP, {"pooling": "max"}, "`pooling` last where"),
        ("waves/hidden10", WAVES, {"pooling": "max"}, "`pooling` is for words"),
    ):
        with pytest.raises(ValueError, match=message):
            build(name, problem, **options)


def test_weights_that_find_no_room_are_one_error_and_not_pages_of_hdf5(tmp_path, capfd):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            keras_models.save_weights(
                model, keras_models.values(model), tmp_path / "seed_0_final"
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr().err == ""
    keras_models.save_weights(
        model, keras_models.values(model), tmp_path / "seed_0_final"
    )
    model.load_weights(tmp_path / "seed_0_final.weights.h5")


def test_a_text_is_read_backward_behind_its_padding():
    keras.utils.set_random_seed(0)
    short = Problem((20,), classify=True, vocabulary=10_000)
    forward, backward = (
        build("imdb/rnn", short, direction=direction)
        for direction in ("forward", "backward")
    )
    backward.set_weights(forward.get_weights())
    texts, turned = np.zeros((2, 3, 20), np.int32)
    for row, length in enumerate((0, 4, 20)):
        words = np.random.default_rng(row).integers(1, 10_000, length)
        texts[row, 20 - length :], turned[row, 20 - length :] = words, words[::-1]
    np.testing.assert_array_equal(backward(texts), forward(turned))
    with pytest.raises(ValueError, match="`direction` must be forward and"):
        build("imdb/rnn", WORDS, direction="both", sequences=True)
