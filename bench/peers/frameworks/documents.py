"""The documents' own way: Keras' `fit` as they call it, or document 003's loops by hand."""

from bench.peers.frameworks import Framework, by_hand, keras
from bench.peers.workloads import Task


def make(task: Task) -> Framework:
    """The documents' way for a task."""
    if task.by_hand:
        return by_hand.Documents(task)
    return keras.Keras(task, "documents")
