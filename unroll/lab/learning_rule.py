"""Which rule a network learns by, told from its outputs after two epochs.

The network is one recurrent node. It learns by document 003's rule, or by a slip that
students make. With one timestep it is the perceptron, whose inputs are multiples of one
direction, and so count as one input.

Only the first train row has inputs. So the weight of the input changes in this row
alone, by the learning rate times the row's gradient, which gives the rate. The epoch is
then computed at this rate, and the other weights show whether the rule is right.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import fsolve

from pipeline.data.examples import Array
from unroll.lab.student_program import TooFewDigits

INPUTS = 50
"""The number of inputs of the networks."""

_ANGLES = np.arange(INPUTS) ** 2
DIRECTION = np.sin(_ANGLES + 1) / np.linalg.norm(np.sin(_ANGLES + 1))
"""The inputs (50,) of D, up to a factor; of length 1. They are all different, so that
inputs in another order would be noticed."""

PROBES = {
    "D": np.outer([0, 1], DIRECTION),
    "R": np.eye(INPUTS)[[0, -1, -2]] * np.array([[0], [1], [1]]),
}
"""Letter -> inputs (probes, 50) whose outputs determine the weights."""

FIRST = {
    "D": np.append(DIRECTION, 1.5),
    "R": np.append(np.zeros(INPUTS - 3), [0.5, -0.8, 1, 3]),
}
"""Letter -> the first train row (51,). No output reaches its 51st value, so the weight of
the input moves."""

TARGETS = {"D": (0.9, -0.5, 0.6, 0.8, -0.2, 0.7, 0.4), "R": (0.5,)}
"""Letter -> the 51st values of the other train rows in turn. A perceptron without inputs
cannot fit several, so its bias keeps moving, and depends on the rule. A node fits one by
its recurrent weight and its bias alike, and keeps what the first row changed of their
relation."""

ROUNDING_PRINTED = 1e-10
"""The rounding error of printed outputs, in addition to that of their digits."""

ROUNDING_COMPUTED = 3e-6
"""The rounding error of outputs that are computed from printed outputs."""

LEFT = 1e-3
"""The largest uncertainty of outputs by which rules can be told apart."""


class Rule(NamedTuple):
    """How a network learns from the error of a row.

    Attributes:
        derivative: whether errors are multiplied by the derivative of tanh.
        through_time: whether errors go back to the steps before the last one.
        state_before: whether ws is trained with the state of the step before, and not
            with that of the same step.
    """

    derivative: bool = True
    through_time: bool = True
    state_before: bool = True


RULE = "learns by the rule"
"""The document's rule, in a verdict on its rate."""

RULES = {
    RULE: Rule(),
    "the derivative of tanh is left out": Rule(derivative=False),
    "only the last step is trained: no error goes back through time": Rule(
        through_time=False
    ),
    "ws is trained with the state of the same step, and needs that of the step "
    "before": Rule(state_before=False),
}
"""The document's rule, and the slips of students in words -> how a network learns."""

WITHOUT_TIME = 2
"""The first so many rules can be told apart without recurrence."""


def states(weights: Array, inputs: Array) -> Array:
    """Compute the states (1 + steps, networks) of networks for inputs (steps,).

    `weights` (3, networks) are kernel, recurrent weight and bias.
    """
    kernel, recurrent, bias = weights
    found = np.zeros((len(inputs) + 1, len(bias)))
    for step, value in enumerate(inputs):
        found[step + 1] = np.tanh(kernel * value + recurrent * found[step] + bias)
    return found


def change(rule: Rule, weights: Array, inputs: Array, target: float) -> Array:
    """Compute by how much a row changes weights (3, networks) at a rate of 1."""
    found = states(weights, inputs)
    before = found[:-1] if rule.state_before else found[1:]
    slopes = 1 - found[1:] ** 2 if rule.derivative else np.ones_like(found[1:])
    back = weights[1] * rule.through_time
    deltas = np.empty_like(slopes)
    error = target - found[-1]
    for step in reversed(range(len(inputs))):
        deltas[step] = error * slopes[step]
        error = deltas[step] * back
    return np.array([inputs @ deltas, (deltas * before).sum(0), deltas.sum(0)])


def epoch(
    rule: Rule, weights: Array, inputs: Array, targets: Array, rates: Array
) -> Array:
    """Compute weights (3, networks) after one pass over rows (rows, steps).

    `targets` (rows,) are their 51st values, and `rates` (networks,) learning rates.
    """
    for row, target in zip(inputs, targets, strict=True):
        weights = weights + rates * change(rule, weights, row, target)
    return weights


def train_rows(letter: str, count: int) -> Array:
    """Return train rows (count, 51), of which only the first one has inputs."""
    rows = np.zeros((count, INPUTS + 1))
    rows[:, -1] = np.resize(TARGETS[letter], count)
    rows[0] = FIRST[letter]
    return rows


def agreeing(
    letter: str, train: Array, first: Array, second: Array
) -> dict[str, float]:
    """Return the rules that lead from the first outputs to the second, with their rates.

    A rule agrees if it misses the second outputs by no more than the uncertainty of all
    outputs explains. If the document's rule agrees, no slip does.

    Args:
        letter: D or R.
        train: (rows, 51), as `train_rows` returns them.
        first: (probes, 2): the outputs for the probes after one epoch, and their
            uncertainty by the printed digits.
        second: the same after the next epoch.

    Raises:
        TooFewDigits: the outputs are too uncertain to tell rules apart.
    """
    inputs = train[:, :-1]
    probes = PROBES[letter]
    rules = list(RULES.items())
    if letter == "D":
        # All inputs of D are multiples of one direction, so they count as one.
        inputs = inputs @ DIRECTION[:, None]
        probes = probes @ DIRECTION[:, None]
        rules = rules[:WITHOUT_TIME]
    # The first network has the outputs as they are printed. Each other network has one
    # output that is larger by its uncertainty.
    printed = np.concatenate([first, second])
    shifts = np.diag(printed[:, 1] + ROUNDING_PRINTED)
    outputs = printed[:, :1] + np.pad(shifts, ((0, 0), (1, 0)))
    count = len(probes)
    found = {}
    doubt = 0.0
    with np.errstate(all="ignore"):  # a wrong rule may overflow
        before = np.transpose([_weights(each[:count], probes) for each in outputs.T])
        later = np.transpose([_weights(each[count:], probes) for each in outputs.T])
        for name, rule in rules:
            of_first_row = change(rule, before, inputs[0], train[0, -1])
            rates = (later[0] - before[0]) / of_first_row[0]
            after = epoch(rule, before, inputs, train[:, -1], rates)
            computed = np.array([states(after, probe)[-1] for probe in probes])
            misses = np.abs(computed - outputs[count:])
            left = np.abs(misses[:, 1:] - misses[:, :1]).sum(1) + ROUNDING_COMPUTED
            if (misses[:, 0] <= left).all():
                found[name] = float(rates[0])
                doubt = max(doubt, left.max())
    if doubt > LEFT or (RULE in found and len(found) > 1):
        raise TooFewDigits(
            f"{letter} prints too few digits to tell its rule from others"
        )
    return found


def _weights(outputs: Array, probes: Array) -> Array:
    """Solve for the weights (3,) of a node whose outputs (probes,) are known.

    A perceptron has two outputs, and no recurrent weight.
    """
    dots = np.arctanh(np.clip(outputs, -1 + 1e-15, 1 - 1e-15))
    if len(outputs) == 2:
        return np.array([dots[1] - dots[0], 0, dots[0]])
    # The start of the search assumes that the state has settled before the input comes.
    # Then the last state but one is the second probe's output.
    recurrent = (dots[2] - dots[0]) / (outputs[1] - outputs[0])
    start = [dots[1] - dots[0], recurrent, dots[0] - recurrent * outputs[0]]

    def misses(weights: Array) -> list[float]:
        column = weights[:, None]
        return [
            states(column, probe)[-1, 0] - output
            for probe, output in zip(probes, outputs, strict=True)
        ]

    with warnings.catch_warnings(action="ignore"):  # it warns if rounding stops it
        return np.asarray(fsolve(misses, start, xtol=1e-13))
