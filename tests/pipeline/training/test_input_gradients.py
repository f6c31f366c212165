"""The loss's slope by each timestep's input is what moving that input does to the loss."""

from functools import partial

import numpy as np
import pytest

from pipeline.data.problem import problem
from pipeline.models import dense, recurrent
from pipeline.training import keras_models
from pipeline.training.job import Job
from pipeline.training.methods import gradient_descent

QUICK = {"optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16, "learning_rate": 0.05}


def trained(dataset, build, **options):
    return gradient_descent.train(Job("x", dataset, lambda: build(problem(dataset)), (3, 4)), **QUICK | options)


def test_a_slope_is_what_a_small_change_of_an_input_does_to_the_loss(waves):
    build = partial(recurrent.build, "SimpleRNN", units=3)
    found = trained(waves, build, slopes=5)
    assert [(line["seed"], line["point"], line["distance"]) for line in found.input_gradients] == [
        (seed, point, distance) for seed in (3, 4) for point in ("start", "best") for distance in range(10)
    ]
    inputs, targets = waves.splits["validation"].take(np.linspace(0, 19, 5).astype(int))
    model = build(problem(waves))
    weights = {
        "start": keras_models.values(keras_models.seeded(lambda: build(problem(waves)), 4)),
        "best": found.replicates[1].weights["best"],
    }
    for point, numbers in weights.items():
        keras_models.assign(model, numbers)
        ours = [line["slope"] for line in found.input_gradients if (line["seed"], line["point"]) == (4, point)]
        for distance in (0, 3, 9):
            step = np.zeros((1, 10, 1))
            step[0, 9 - distance] = 1e-2
            up, down = (np.square(model(inputs + sign * step).numpy()[:, 0] - targets) for sign in (1, -1))
            assert np.abs(up - down).mean() / 2e-2 == pytest.approx(ours[distance], rel=0.02, abs=1e-6)


def test_of_words_it_is_by_their_vectors_and_by_default_there_is_none(reviews):
    build = partial(recurrent.build, "GRU", units=3, embedding=2)
    found = trained(reviews, build, slopes=9, loss="binary_crossentropy", epochs=1)
    assert [line["distance"] for line in found.input_gradients] == [*range(8)] * 4
    assert all(line["slope"] > 0 for line in found.input_gradients)


def test_without_timesteps_it_is_refused(points):
    with pytest.raises(ValueError, match="`slopes` needs inputs with timesteps"):
        trained(points, partial(dense.build, hidden=[2]), slopes=5)
