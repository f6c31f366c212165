"""How far back a recurrent network's loss reaches: its gradient by the input of each timestep."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import MEASURES
from pipeline.training import keras_models
from pipeline.training.job import Job, Replicate
from pipeline.training.program import Tensors, model_inputs

if TYPE_CHECKING:
    import keras


def of_replicates(job: Job, model: "keras.Model", replicates: list[Replicate], loss: str, count: int) -> list[Any]:
    """One line for each seed, point (start; best, or final without validation) and distance.

    Args:
        job: of the training.
        model: built for it; its weights are changed.
        replicates: trained.
        loss: that they were trained on.
        count: of the validation split (else of the test split), how many examples, spread evenly.

    Returns:
        Mappings with seed, point, distance (timesteps to the last one) and slope: the mean over examples of the norm of
        the gradient of the example's loss by its input (an embedded word, or the values) at that distance.

    Raises:
        ValueError: inputs have no timesteps.
    """
    if len(job.dataset.input_shape) == 1 and not job.dataset.vocabulary:
        raise ValueError("`slopes` needs inputs with timesteps")
    norms = _norms(model, loss)
    split = job.dataset.splits.get("validation", job.dataset.splits["test"])
    inputs, targets = split.take(np.linspace(0, len(split) - 1, min(count, len(split))).astype(np.int64))
    inputs, targets = model_inputs(inputs), targets.astype(np.float32)
    lines = []
    for replicate in replicates:
        start = keras_models.values(keras_models.seeded(job.build, replicate.seed))
        point = "best" if "best" in replicate.weights else "final"
        for name, weights in (("start", start), (point, replicate.weights[point])):
            keras_models.assign(model, weights)
            backward = np.asarray(norms(inputs, targets), np.float64)[::-1]
            lines += [
                {"seed": replicate.seed, "point": name, "distance": distance, "slope": float(value)}
                for distance, value in enumerate(backward)
            ]
    return lines


def _norms(model: "keras.Model", loss: str) -> Any:
    """A program: inputs (n, timesteps, ...), targets (n, ...) -> mean norms (timesteps,), without dropout."""
    import tensorflow as tf

    layers = list(model.layers)
    # Word numbers have no gradient, their vectors have: what is in front of these is computed first, and not watched.
    words = next((place + 1 for place, layer in enumerate(layers) if type(layer).__name__ == "Embedding"), 0)

    def call(values: Any, some: Any) -> Any:
        for layer in some:
            values = layer(values, training=False)
        return values

    def norms(inputs: Any, targets: Any) -> Any:
        values = call(inputs, layers[:words])
        count = targets.shape[0]
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = tf.reshape(call(values, layers[words:]), targets.shape)
            # The sum over examples: each depends on its own inputs alone.
            total = count * MEASURES[loss].formula(outputs, targets, Tensors(tf.ones(count)))
        return tf.reduce_mean(tf.norm(tape.gradient(total, values), axis=2), axis=0)

    return tf.function(norms, jit_compile=True, autograph=False)
