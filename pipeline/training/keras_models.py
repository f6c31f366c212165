"""Keras models for training methods: start-up, seeds, weights and summaries."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import numeric_settings
from pipeline.data.examples import Array
from pipeline.errors import UsageError
from pipeline.files import atomic_file

if TYPE_CHECKING:
    import keras

SUFFIX = ".weights.h5"


SETTINGS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
"""The settings of Keras that models here need, by their names in `keras.config` and
keras.json."""


def start() -> None:
    """Import TensorFlow quietly, with one thread.

    Several processes train at a time instead, so results do not depend on the number of
    cores.

    Raises:
        UsageError: the user's program imported Keras before, with other settings, or
            used TensorFlow before, with several threads.
    """
    numeric_settings.set_environment()
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            raise UsageError(
                "TensorFlow runs with several threads here; "
                "call `unroll.open` after `import keras`, before you train"
            ) from None
    import keras

    found = {name: getattr(keras.config, name)() for name in SETTINGS}
    found["dtype_policy"] = keras.config.dtype_policy().name
    for name, needed in {**SETTINGS, "dtype_policy": "float32"}.items():
        if found[name] != needed:
            raise UsageError(
                f"Keras has {name} {found[name]} in this process, and models here need "
                f"{needed}; take out what sets it (your program, "
                f"{numeric_settings.keras_file()}, a KERAS_ variable), or train in a new "
                "process before `import keras`"
            )


def seeded(build: Any, seed: int) -> "keras.Model":
    """Return a new model whose weights and dropout come from `seed` alone."""
    import keras

    # A garbage collection would take a quarter of a second.
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    return build()


def optimizer(name: str, learning_rate: float, weight_decay: float = 0.0) -> Any:
    """Return Keras' optimizer of a name, with Keras' defaults.

    `rmsprop_keras2` is RMSprop as Keras 2 had it.
    """
    import keras

    config = {"learning_rate": learning_rate, "weight_decay": weight_decay or None}
    if not name.startswith("rmsprop"):
        return keras.optimizers.get({"class_name": name, "config": config})

    class RMSprop(keras.optimizers.RMSprop):  # type: ignore[misc]
        """Keras' own step, with the same last bits on every processor."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            square = self._velocities[self._get_variable_index(variable)]
            self.assign(square, self.rho * square + (1 - self.rho) * gradient**2)
            if name == "rmsprop":
                # The maximum changes no value: the root is never below it. But XLA
                # turns a division by a bare root into a product with the processor's
                # own approximation of 1 / root.
                root = keras.ops.maximum(
                    keras.ops.sqrt(square + self.epsilon), self.epsilon**0.5
                )
            else:
                # With epsilon outside of the root, steps get shorter only where the
                # gradient itself, not its square, is as small as epsilon.
                root = keras.ops.sqrt(square) + self.epsilon
            self.assign_sub(variable, learning_rate * gradient / root)

    return RMSprop(**config)


def values(model: "keras.Model") -> list[Array]:
    """Return every number that training changes, and the state of dropout's generators."""
    return [np.asarray(variable.numpy()) for variable in model.variables]


def assign(model: "keras.Model", numbers: list[Array]) -> None:
    """Set the numbers that `values` returned for this model or for an equal one."""
    for variable, number in zip(model.variables, numbers, strict=True):
        variable.assign(number)


class _InMemory(io.BytesIO):
    """A file in memory whose name has the ending that Keras asks for."""

    def __str__(self) -> str:
        return SUFFIX


def save_weights(model: "keras.Model", numbers: list[Array], path: Path) -> None:
    """Write `PATH.weights.h5`, which `keras.Model.load_weights` reads."""
    assign(model, numbers)
    # HDF5 does not write to the disk itself: on a full disk it prints pages of errors
    # that cannot be suppressed.
    file = _InMemory()
    model.save_weights(file)
    with atomic_file(path.with_name(path.name + SUFFIX)) as temporary:
        temporary.write_bytes(file.getvalue())


def parameters(part: Any) -> int:
    """Return how many numbers of a model, a layer or a cell are trained."""
    return sum(int(np.prod(weights.shape)) for weights in part.trainable_weights)


def _first(tensors: Any) -> Any:
    """Return a tensor, or the first one of several."""
    return tensors[0] if isinstance(tensors, list | tuple) else tensors


def layers(model: "keras.Model") -> list[dict[str, Any]]:
    """Return name, type, output shape (None: any) and parameters of each layer.

    Each of several stacked cells is listed as a layer.
    """
    rows: list[dict[str, Any]] = []
    for layer in model.layers:
        # A recurrent layer may take a mask and return its states, too.
        output = list(_first(layer.output).shape)
        parts = getattr(getattr(layer, "cell", None), "cells", [layer])
        for part in parts:
            kind = type(part).__name__
            if part is not layer:
                kind = kind.removesuffix("Cell")
            shape = output
            if part is not parts[-1]:
                shape = [None, _first(layer.input).shape[1], output[-1]]
            if kind != "InputLayer":
                row = {
                    "name": f"{kind.lower()}_{len(rows) + 1}",
                    "type": kind,
                    "output": shape,
                    "parameters": parameters(part),
                }
                rows.append(row)
    return rows
