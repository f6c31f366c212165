"""The loss's gradient by each timestep's input is what moving that input does to the loss."""

from functools import partial

import numpy as np
import pytest

from pipeline.models import dense, recurrent
from pipeline.training import input_gradients, keras_models
from pipeline.training.job import Replicate
from tests.support.training import job

RNN = partial(recurrent.build, "SimpleRNN", units=3)


def lines_of(job, loss="mse"):
    """Of a replicate of seed 4 whose best weights are those of seed 5."""
    model = keras_models.seeded(job.build, 5)
    best = keras_models.values(model)
    return best, input_gradients.of_replicates(job, model, [Replicate(4, [], 1, {}, {"best": best})], loss, 5)


def test_a_gradient_is_what_a_small_change_of_an_input_does_to_the_loss(waves):
    training = job(waves, RNN)
    best, lines = lines_of(training)
    places = [(point, distance) for point in ("start", "best") for distance in range(10)]
    assert [(line["point"], line["distance"]) for line in lines] == places
    inputs, targets = waves.splits["validation"].take(np.linspace(0, 19, 5).astype(int))
    model = keras_models.seeded(training.build, 4)
    for point, weights in (("start", keras_models.values(model)), ("best", best)):
        keras_models.assign(model, weights)
        ours = [line["slope"] for line in lines if line["point"] == point]
        for distance in (0, 3, 9):
            step = np.zeros((1, 10, 1))
            step[0, 9 - distance] = 1e-2
            up, down = (np.square(model(inputs + sign * step).numpy()[:, 0] - targets) for sign in (1, -1))
            assert np.abs(up - down).mean() / 2e-2 == pytest.approx(ours[distance], rel=0.02, abs=1e-6)


@pytest.mark.usefixtures("eager")
def test_of_words_it_is_by_their_vectors(reviews):
    _, lines = lines_of(job(reviews, RNN, embedding=2), "binary_crossentropy")
    assert [line["distance"] for line in lines] == [*range(8)] * 2
    assert all(line["slope"] > 0 for line in lines)


def test_without_timesteps_it_is_refused(points):
    with pytest.raises(ValueError, match="`slopes` needs inputs with timesteps"):
        lines_of(job(points, dense.build, hidden=[2]))
