"""A Keras model, its recurrent layer looped over here."""

from typing import TYPE_CHECKING, Any

from pipeline.training.recurrence.layer import BothWays, Layer, known
from pipeline.training.recurrence.tape import Tensor

if TYPE_CHECKING:
    import keras


class Network:
    """A model as a function that XLA compiles well; the model keeps the weights.

    A recurrent layer that stands first, or behind an `Embedding`, is looped over by this module where it knows its
    cells. All other layers are called as they are.
    """

    def __init__(self, model: "keras.Model") -> None:
        self.model = model
        self.layers = list(model.layers)
        self.loop: Layer | BothWays | None = None
        place = next((place for place, layer in enumerate(self.layers) if _looped(layer)), None)
        # Layers that do not follow one another are not taken apart.
        chain = type(model).__name__ == "Sequential"
        if place is None or not chain or any(layer.weights for layer in self.layers[: max(0, place - 1)]):
            return
        before = self.layers[place - 1] if place else None
        words = before is not None and type(before).__name__ == "Embedding" and not before.mask_zero
        if (words or before is None or not before.weights) and all(map(known, _looped(self.layers[place]))):
            make = Layer if hasattr(self.layers[place], "cell") else BothWays
            self.loop = make(self.layers[place], before if words else None)
            self.first, self.rest = self.layers[: place - words], self.layers[place + 1 :]

    def buffers(self, *shape: int) -> tuple[Tensor, ...]:
        """Memory for what the loop forward saves for the one backward, for inputs of a shape (batch, ...).

        It is used again for every batch, since XLA fills new memory with zeros first, which is slow.
        """
        if self.loop is None:
            return ()
        for layer in self.first:
            shape = layer.compute_output_shape(shape)
        return self.loop.buffers(*shape[:2])

    def predict(self, inputs: Tensor) -> Tensor:
        """The outputs of `model(inputs, training=False)`."""
        if self.loop is None:
            return self.model(inputs, training=False)
        for layer in self.first:
            inputs = layer(inputs)
        outputs = self.loop.predict(inputs)
        for layer in self.rest:
            outputs = layer(outputs)
        return outputs

    def train(self, inputs: Tensor, buffers: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The outputs of `model(inputs, training=True)`, with gradients; and the buffers, for the next batch."""
        if self.loop is None:
            return self.model(inputs, training=True), buffers
        for layer in self.first:
            inputs = layer(inputs, training=True)
        outputs, buffers = self.loop.train(inputs, buffers)
        for layer in self.rest:
            outputs = layer(outputs, training=True)
        return outputs, buffers


def _looped(layer: Any) -> list[Any]:
    """The recurrent layers that a layer is: one, one for each direction, or none."""
    if hasattr(layer, "cell"):
        return [layer]
    if type(layer).__name__ == "Bidirectional" and layer.merge_mode == "concat" and not layer.return_sequences:
        return [layer.forward_layer, layer.backward_layer]
    return []
