"""What it means that frameworks do the same work."""

from bench.peers import compare, frameworks


def losses(name, task):
    framework = frameworks.make(name)(task)
    framework.reset(0)
    found = {"before": framework.evaluate()[1], "train": framework.learn(compare.CHECKED)}
    framework.reset(0)
    assert framework.train() > 0
    return found


def agree(task, names):
    """The losses of Unroll, to which the others come too."""
    unroll = losses("unroll", task)
    for name in names:
        found = losses(name, task)
        for when, (expected, tolerance) in compare.exact(unroll).items():
            assert abs(found[when] - expected) <= tolerance, (name, when, found, unroll)
    return unroll
