"""The three linear maps of the field's benchmark, as its repository starts them (cure-lab/LTSF-Linear).

Their published figures are of ten epochs at a rate that halves: too few to forget where they began. PyTorch begins with
weights of half the size of Keras' or less, so with Keras' own the same ten epochs end 7 to 17 % behind.
"""

from typing import TYPE_CHECKING

from pipeline.data.problem import Problem
from pipeline.models import feedforward

if TYPE_CHECKING:
    import keras


def linear(problem: Problem) -> "keras.Model":
    """See `feedforward.linear`."""
    return _begun(feedforward.linear(problem))


def nlinear(problem: Problem) -> "keras.Model":
    """See `feedforward.nlinear`."""
    return _begun(feedforward.nlinear(problem))


def dlinear(problem: Problem, *, average: feedforward.Size = 25) -> "keras.Model":
    """See `feedforward.dlinear`."""
    return _begun(feedforward.dlinear(problem, average=average))


def _begun(model: "keras.Model") -> "keras.Model":
    """The model with PyTorch's initial weights of `nn.Linear`: uniform within 1 / sqrt(inputs), biases, too."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            bound = layer.kernel.shape[0] ** -0.5
            # No seed of its own: Keras draws one from the replicate's.
            draw = keras.initializers.RandomUniform(-bound, bound)
            layer.set_weights([draw(weights.shape) for weights in layer.weights])
    return model


MODELS = {"linear": linear, "nlinear": nlinear, "dlinear": dlinear}
