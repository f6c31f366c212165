"""What it means that sides do the same work."""

import pytest

from bench import peers, sides


def losses(name, task):
    side = sides.make(name)(task)
    side.reset(0)
    found = {"before": side.evaluate()[1], "train": side.train()[1], "after": side.evaluate()[1]}
    side.reset(0)
    again = side.train()
    assert again[0] > 0
    if not task.random:
        assert again[1] == pytest.approx(found["train"], rel=1e-6)
    return found


def agree(task, names, reference="unroll"):
    found = {name: losses(name, task) for name in names}
    references = {reference: peers.exact(found[reference])}
    for name in names:
        for when, loss in found[name].items():
            expected, tolerance = references[reference][when]
            assert abs(loss - expected) <= tolerance, (name, when, found)
    assert found[reference]["before"] != found[reference]["after"]
