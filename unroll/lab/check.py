"""The verdict on a student's program, in one sentence.

Nothing is read in the program; it is run on rows whose answer we know. The figure of test rows that are all alike gives
the network's output there; two or three such figures give its weights after an epoch. From these, one more epoch by the
document's rule leads to known figures, whatever the first weights were: the program's are those, or those of a slip.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sources import waves
from pipeline.training.methods import by_hand
from unroll.lab.program import FAR, INPUTS, MSE, Layout, Place, Printed, Program, Undecided, Wrong
from unroll.lab.rule import PROBES, Rule

RATES = {"D": (0.03, 0.3), "R": (0.0003, 0.03)}
"""Learning rates that are near enough to the document's: 0.1 for D, and for R a tenth or a hundredth of it."""

LIMIT = 100.0
EPOCHS = 3


class Learned(NamedTuple):
    """The rate at which it learns, whether it shuffles, and where it prints its figures."""

    rate: float
    shuffles: bool
    place: Place


def naive(program: Program) -> Layout:
    """Check N; what it averages over is the test set.

    Raises:
        Wrong: the figure is not the mean squared error of the 50th value as a guess, on a test set.
    """
    errors = np.append(0.008 * np.arange(1, INPUTS), [0.5, 0])  # of each value as the guess for the 51st
    printed = program.prints("N", 0.5 - errors[None], within=(0, np.inf))
    place = printed.within(0.2499, 0.2501)
    if place is None:
        (value, *_), half = list(printed.series.values())[-1], list(printed.digits.values())[-1]
        raise Wrong(f"N is {value:g} where the MSE is 0.25: {_other_guess(value, errors, half)}")
    total = printed.notes["calls"]
    rows = np.zeros((total, waves.VALUES))
    rows[:, -1] = np.sqrt(np.arange(total) / total)  # the mean of the squares tells which of them were taken
    printed = program.prints("N", rows, within=(0, np.inf))
    middle, half = total * printed.series[place][0], total * printed.digits[place]
    last = middle > (total - 1) / 2
    size = 2 * (total - 1 - middle if last else middle) + 1
    test = round(size, -2) if abs(round(size, -2) - size) <= 2 * half + 1e-6 else round(size)
    if 2 * test > total:
        raise Wrong(f"N is the mean over {test:,.0f} of {total:,} series; it belongs to the smaller test set alone")
    return Layout(total, int(test), bool(last), place)


def _other_guess(value: float, errors: Array, half: float) -> str:
    def near(other: float) -> bool:
        return abs(value - other) <= half * 1.001 + 1e-9

    if near(0.5):
        return "it prints the root of it, or the mean of the absolute errors"
    if near(0.125):
        return "it prints half of it"
    if value >= 25 and near(round(value / 0.25) * 0.25):
        return f"it prints the sum over {round(value / 0.25):,} series"
    guesses = [place for place in [48, 50, 0, *range(INPUTS)] if near(errors[place] ** 2)]
    return (
        f"its guess is the value at index {guesses[0]}, and must be that at 49" if guesses else "it is of other values"
    )


KINDS = {
    "D": np.outer([-0.8, 0.4, 0.8], np.ones(INPUTS)) / np.sqrt(INPUTS),
    "R": np.eye(INPUTS)[[-1, -1, -2, -2, -3, 0, -4]] * np.array([[1], [-1], [1], [-1], [1.5], [0], [-1.5]]),
}
TARGETS = {
    "D": ([-0.2, 0.7, -0.4], [0.5, -0.3, 0.2]),
    "R": ([0.8, -0.5, 0.6, -0.1, 0.7, -0.2, -0.5], [0.2, -0.7, 0.7, -0.3, -0.1, 0.3, 0.2]),
}
"""Inputs in turn, and their 51st values in the first half of the rows and in the second. No such network can give
these, so how it errs depends on each part of its rule; and each half pulls anew, so that its rate shows."""


def _train_rows(letter: str, count: int) -> Array:
    inputs = np.resize(KINDS[letter], (count, INPUTS))
    halves = [
        np.resize(targets, size)
        for targets, size in zip(TARGETS[letter], (count // 2, count - count // 2), strict=True)
    ]
    return np.column_stack([inputs, np.concatenate(halves)])


def learning(program: Program, letter: str, layout: Layout) -> Learned:
    """Check D or R.

    Raises:
        Wrong: it learns by another rule, from other rows, or prints another figure.
        Undecided: its figures are those of no rule that is known here.
    """
    train = _train_rows(letter, layout.total - layout.test)
    tests = [np.append(one, FAR) for one in PROBES[letter]]
    runs = [program.prints(letter, layout.rows(train, test), epochs=2) for test in tests]
    found = [(printed, place) for printed in runs if (place := printed.within(*MSE, 2))]
    if len(found) < len(runs):
        raise Wrong(f"{letter} {_other_figure(runs, layout)}")
    first, second = (np.array([FAR - np.sqrt(one.series[place][epoch]) for one, place in found]) for epoch in (0, 1))
    half = max(one.digits[place] for one, place in found) / (2 * FAR - 2)
    if letter == "D" and program.prints(letter, layout.rows(train, tests[0]), epochs=1).first(MSE) != runs[0].first(
        MSE
    ):
        raise Undecided("two runs on the same rows differ: it draws numbers in a way that the check cannot hold still")
    rule = Rule(letter, train, first, second)
    rate, miss = rule.by_hand()
    tolerance = 3e-5 + 20 * half
    if miss > tolerance or min(abs(first)) > 0.999:
        other = program.prints(letter, layout.rows(train, np.append(tests[0][:-1], -FAR)), epochs=1).first(MSE)
        if abs(np.sqrt(other or 0) - FAR - first[0]) > 1e-6 + 4 * half:
            raise Wrong(f"{letter} has seen the test rows' 51st values: it trains on test rows, or takes 51 values in")
        rule.slip(3 * tolerance)
    if letter == "R":
        _state_is_reset(program, layout)
    low, high = RATES[letter]
    if not low <= rate <= high:
        raise Wrong(
            f"{letter} learns by the rule, but as at a rate of about {rate:.1g} for each series, which is too "
            f"{'low' if rate < low else 'high'}: the document has {'0.1' if letter == 'D' else '0.01 to 0.001'}"
        )
    return Learned(rate, bool(runs[0].notes.get("shuffled")), found[0][1])


def _other_figure(runs: Sequence[Printed], layout: Layout) -> str:
    """What it is that it prints in place of the test set's mean squared error."""
    place, values = max(runs[0].series.items(), key=lambda item: len(item[1]))
    value, other = values[0], runs[1].series.get(place, [np.nan])[0]
    if not np.isfinite(values).all():
        return "prints nan or inf: its numbers overflow, as with a wrong sign or far too high a rate"
    if len(values) < 2:
        return "prints one figure; it must print one after every epoch"
    for meant, low in {"the root of the MSE": np.sqrt(MSE), "half of the MSE": np.array(MSE) / 2}.items():
        if low[0] <= value <= low[1]:
            return f"prints {meant}"
    for rows in (layout.test, layout.total - layout.test, layout.total):
        if MSE[0] <= value / rows <= MSE[1]:
            return "prints the sum of the squared errors, not their mean"
    if value < 10 and value == other:
        return "prints a figure that does not depend on the test rows: it tests on the train rows"
    return (
        f"prints {value:g} where the MSE on the test rows is between {MSE[0]:g} and {MSE[1]:g}; is the 51st the target?"
    )


def _state_is_reset(program: Program, layout: Layout) -> None:
    """The order of test rows must not matter, above all not to a node that holds on to what it saw."""
    count, steps = layout.total - layout.test, np.arange(INPUTS)
    sign, zeros = np.resize([1.0, -1.0], count), np.resize([0, 0, 1, 1, 2, 2, 3, 3], count)
    train = np.column_stack([1.5 * sign[:, None] * (steps < INPUTS - zeros[:, None]), 5 * sign])
    third = layout.test // 3
    found, half = [], 0.0
    for value in (1.5, -1.5):  # zeros after the one value and then after the other, and as many rows of each
        inputs = np.array([*[value, 0] * third, *[-value] * third, *[0] * (layout.test - 3 * third)])
        test = np.column_stack([np.outer(inputs, np.ones(INPUTS)), np.full(len(inputs), FAR)])
        printed = program.prints("R", layout.rows(train, test), epochs=1)
        found.append(printed.first(MSE) or 0.0)
        half = max(half, *printed.digits.values())
    if abs(found[0] - found[1]) > 1e-8 + 3 * half:
        raise Wrong("R does not set the state to 0 before each series: the order of the test rows changes its figure")


def _figures(program: Program, layout: Layout, learned: Mapping[str, Learned]) -> str:
    """Its figures on waves of our own, beside those of `pipeline.training.methods.by_hand` from five first weights."""
    series = waves.generate(np.random.default_rng(0), layout.total)
    train, test = series[layout.test :], series[: layout.test]
    rows, said = layout.rows(train, test), list[str]()
    theirs = program.prints("N", rows).series[layout.place][0]
    said.append(f"N {theirs:.4f} (ours {np.mean((test[:, -1] - test[:, -2]) ** 2):.4f})")
    for letter, found in learned.items():
        printed = program.prints(letter, rows, epochs=EPOCHS, within=(0, np.inf)).series[found.place]
        ours = [_by_hand(letter, train, test, found.rate, len(printed), seed) for seed in range(5)]
        figures = f"{printed[-1]:.4f} (ours {min(ours):.4f} to {max(ours):.4f})"
        said.append(f"{letter} {figures} after {len(printed)} epochs at a rate of {found.rate:.2g}")
    return "; ".join(said)


def _by_hand(letter: str, train: Array, test: Array, rate: float, epochs: int, seed: int) -> float:
    """The test set's mean squared error of our own network."""
    draw, shapes = np.random.default_rng(seed), {"D": ((INPUTS, 1), (1,)), "R": ((1, 1), (1, 1), (1,))}
    weights = [draw.uniform(-0.5, 0.5, shape) for shape in shapes[letter]]
    learn = by_hand.perceptron_epoch if letter == "D" else by_hand.node_epoch
    outputs = by_hand.perceptron if letter == "D" else by_hand.node
    for _ in range(epochs):
        learn(weights, train[:, :-1], train[:, -1], rate)
    return float(np.mean((test[:, -1] - outputs(weights, test[:, :-1])) ** 2))


def check(script: Path, limit: float = LIMIT) -> tuple[bool, str]:
    """Whether a program is right, and one sentence that says so or says what is wrong.

    It is run with the rights of this process, for a few epochs at a time, and has `limit` seconds for each run.
    """
    program = Program(script, limit)
    try:
        layout = naive(program)
        learned = {letter: _decided(program, letter, layout) for letter in RATES}
        figures = _figures(program, layout, learned)
    except Wrong as found:
        return False, f"Wrong: {found}."
    except Undecided as found:
        return False, f"Cannot tell: {found}."
    advice = "" if all(each.shuffles for each in learned.values()) else "; without a shuffle, rows must not be sorted"
    return True, f"Right: {figures}{advice}."


def _decided(program: Program, letter: str, layout: Layout) -> Learned:
    """The verdict from other first weights, where it cannot be told from the first ones."""
    for seed in range(2):
        with suppress(Undecided):
            return learning(replace(program, seed=seed), letter, layout)
    return learning(replace(program, seed=2), letter, layout)
