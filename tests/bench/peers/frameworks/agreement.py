"""What it means that frameworks do the same work."""

import pytest

from bench.peers import compare, frameworks


def losses(name, task):
    framework = frameworks.make(name)(task)
    framework.reset(0)
    found = {"before": framework.evaluate()[1], "train": framework.train()[1], "after": framework.evaluate()[1]}
    framework.reset(0)
    seconds, again = framework.train()
    assert seconds > 0
    if not task.random:
        assert again == pytest.approx(found["train"], rel=1e-6)
    return found


def agree(task, names):
    """The losses of Unroll, to which the others come too."""
    unroll = losses("unroll", task)
    assert unroll["before"] != unroll["after"]
    for name in names:
        found = losses(name, task)
        for when, (expected, tolerance) in compare.exact(unroll).items():
            assert abs(found[when] - expected) <= tolerance, (name, when, found, unroll)
    return unroll
