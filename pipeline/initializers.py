"""Initial weights of Keras with the same bits whatever the processor's caches.

Importing this module starts TensorFlow.
"""

from typing import Any

import keras
import numpy as np

BLOCKED = 48
"""The number of columns from which on Eigen decomposes a matrix in blocks."""


# Registered, since `Bidirectional` makes its second layer from a configuration.
@keras.saving.register_keras_serializable("unroll")
class Orthogonal(keras.initializers.Orthogonal):  # type: ignore[misc]
    """Keras' initializer of a recurrent layer's weights of the state.

    Keras asks Eigen, which splits the sums of a decomposition in blocks by the size of
    the first-level cache. Then the last bits depend on the processor, and NumPy
    decomposes the matrix instead (docs/decisions/bits.md).
    """

    def __call__(self, shape: tuple[int, int], dtype: Any = None) -> Any:
        """Return orthogonal rows (units, width), with `width` at least `units`."""
        units, width = shape
        if units < BLOCKED:
            return super().__call__(shape, dtype)
        drawn = keras.random.normal((width, units), seed=self.seed)
        columns, triangle = np.linalg.qr(np.asarray(drawn, np.float64))
        columns *= np.sign(np.diag(triangle))
        return keras.ops.convert_to_tensor(columns.T, dtype)
