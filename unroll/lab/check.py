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
from pipeline.errors import printable
from pipeline.training.methods import by_hand
from unroll.lab import node
from unroll.lab.program import FAR, INPUTS, MSE, Figure, Layout, Place, Printed, Program, Undecided, Wrong
from unroll.lab.rule import LEFT, PROBES, Rule

RATES = {"D": (0.03, 0.3), "R": (0.0003, 0.03)}
"""Learning rates that are near enough to the document's: 0.1 for D, and for R a tenth or a hundredth of it."""

SCALE = 1000.0
"""Of the values by which N is checked: large, so that few decimals tell much."""

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
    errors = SCALE * np.append(0.008 * np.arange(1, INPUTS), [0.5, 0])  # of each value as the guess for the 51st
    meant = errors[INPUTS - 1] ** 2
    printed = program.prints("N", 0.5 * SCALE - errors[None], within=(0, np.inf))
    near = [place for place, figures in printed.series.items() if figures[0].is_near(meant)]
    if not near:
        figure = list(printed.series.values())[-1][0]
        raise Wrong(f"N is {figure.value:g} where the MSE is {meant:,.0f}: {_other_guess(figure, errors)}")
    total = printed.notes["calls"]
    rows = np.zeros((total, waves.VALUES))
    rows[:, -1] = SCALE * np.sqrt(np.arange(total))  # the mean of the squares tells which of them were taken
    middle, half = np.array(program.prints("N", rows, within=(0, np.inf)).at(near[-1])[0]) / SCALE**2
    last = middle > (total - 1) / 2
    size = 2 * (total - 1 - middle if last else middle) + 1
    low, high = np.ceil(size - 2 * half - 1e-6 * total), np.floor(size + 2 * half + 1e-6 * total)
    if not low == high >= 1:
        raise Undecided("N does not tell which rows it tests on: too few digits, or rows from here and there")
    if 2 * high > total:
        raise Wrong(f"N is the mean over {high:,.0f} of {total:,} series; it belongs to the smaller test set alone")
    return Layout(total, int(high), bool(last), near[-1])


def _other_guess(figure: Figure, errors: Array) -> str:
    meant = errors[INPUTS - 1] ** 2
    if figure.is_near(np.sqrt(meant)):
        return "it prints the root of it, or the mean of the absolute errors"
    if figure.is_near(meant / 2):
        return "it prints half of it"
    rows = figure.value / meant
    if 100 <= rows < np.inf and figure.is_near(round(rows) * meant):
        return f"it prints the sum over {rows:,.0f} series"
    guesses = [f"{at}" for at, error in enumerate(errors) if figure.is_near(error**2)]
    if 0 < len(guesses) <= 3:
        return f"its guess is the value at index {' or '.join(guesses)}, and must be that at 49"
    return "it is of other values"


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
    sizes = count // 2, count - count // 2
    halves = [np.resize(targets, size) for targets, size in zip(TARGETS[letter], sizes, strict=True)]
    return np.column_stack([np.resize(KINDS[letter], (count, INPUTS)), np.concatenate(halves)])


def learning(program: Program, letter: str, layout: Layout) -> Learned:
    """Check D or R.

    Raises:
        Wrong: it learns by another rule, from other rows, or prints another figure.
        Undecided: its figures are those of no rule that is known here.
    """
    train = _train_rows(letter, layout.total - layout.test)
    rows = [layout.rows(train, np.append(inputs, FAR)) for inputs in PROBES[letter]]
    runs = [program.prints(letter, each, epochs=2) for each in rows]
    places = [printed.within(*MSE, 2) for printed in runs]
    figures = [printed.series[place] for printed, place in zip(runs, places, strict=True) if place]
    if len(figures) < len(runs):
        raise Wrong(f"{letter} {_other_figure(runs, layout)}")
    values, halves = np.moveaxis(np.array([of_probe[:2] for of_probe in figures]), -1, 0)
    values = np.clip(values, *MSE)
    scales = 10.0 ** np.floor(np.log10(values))
    # Zeros at a number's end may have been left out: its digits go as far as those of the others.
    halves = np.maximum(halves.min(), (halves / scales).min() * scales)
    first, second = np.stack([FAR - np.sqrt(values), halves / (2 * np.sqrt(values))], -1).swapaxes(0, 1)
    rule = Rule(letter, train, first, second)
    rates, few = rule.agreeing([""], *RATES[letter]), f"{letter} prints too few digits to tell its rule from others"
    if not rates or min(abs(first[:, 0])) > 0.999:
        mirrored = layout.rows(train, np.append(PROBES[letter][0], -FAR))
        again, other = (program.prints(letter, each, epochs=1).first(MSE) for each in (rows[0], mirrored))
        if again != figures[0][0]:
            raise Undecided(
                f"two runs on the same rows differ: {letter} draws numbers in a way that cannot be held still"
            )
        if not other or abs(np.sqrt(other.value) - FAR - first[0, 0]) > LEFT + other.half / (2 * FAR - 2) + first[0, 1]:
            raise Wrong(f"{letter} has seen the test rows' 51st values: it trains on test rows, or takes 51 values in")
        if not rates and rule.agreeing([""], *RATES[letter], left=np.inf):
            raise Undecided(few)
        raise Wrong(_slips(letter, rule, first[:, 0]))
    # From so few digits on a slip may pass for the rule.
    if first[:, 1].max() > 1e-6 and (slips := set(rule.agreeing(rule.slips)) - {"bias"}):
        raise Undecided("; ".join([few, *(node.SLIPS[slip] for slip in sorted(slips))]))
    if letter == "R":
        _state_is_reset(program, layout)
    return Learned(rates[""], bool(runs[0].notes.get("shuffled")), places[0] or layout.place)


def _slips(letter: str, rule: Rule, first: Array) -> str:
    """Those that lead to the printed figures. Undecided is raised if none does."""
    if min(abs(first)) > 0.999:
        return f"{letter}: {node.SLIPS['sign']}, or something else, such as too high a rate, drives tanh to its ends"
    agreeing = rule.agreeing(["", *rule.slips])
    if len(agreeing) > 1:  # a bias stays where it is if it is not trained, and where another slip has led it
        agreeing.pop("bias", None)
    if not agreeing:
        raise Undecided(
            f"{letter} learns, but neither by the document's rule nor with a slip that is known here; batches, "
            f"another optimiser, or an order of its own that the check cannot hold still would do that"
        )
    low, meant = RATES[letter][0], "0.1" if letter == "D" else "0.01 to 0.001"
    return "; or ".join(
        f"{letter}: {node.SLIPS[slip]}"
        if slip
        else f"{letter} learns by the rule, but as at a rate of about {rate:.1g} for each series, which is too "
        f"{'low' if rate < low else 'high'}: the document has {meant}"
        for slip, rate in agreeing.items()
    )


def _other_figure(runs: Sequence[Printed], layout: Layout) -> str:
    """What it is that it prints in place of the test set's mean squared error."""
    place, figures = max(runs[0].series.items(), key=lambda item: len(item[1]))
    figure, (other, *_) = figures[0], runs[1].series.get(place, [None])
    if not np.isfinite([value for value, _ in figures]).all():
        return "prints nan or inf: its numbers overflow, as with a wrong sign or far too high a rate"
    if len(figures) < 2:
        return "prints one figure; it must print one after every epoch"
    for meant, (low, high) in {"the root of the MSE": np.sqrt(MSE), "half of the MSE": np.array(MSE) / 2}.items():
        if figure.is_in(low, high):
            return f"prints {meant}"
    counts = {layout.test, layout.total - layout.test, layout.total}
    if any(figure.is_in(count * MSE[0], count * MSE[1]) for count in counts):
        return "prints the sum of the squared errors, not their mean"
    if figure.value < 10 and figure == other and figure.half < figure.value / 1000:
        return "prints a figure that does not depend on the test rows: it tests on the train rows"
    return (
        f"prints {figure.value:g} where the MSE on the test rows is between {MSE[0]:g} and {MSE[1]:g}; "
        "is the 51st the target?"
    )


def _state_is_reset(program: Program, layout: Layout) -> None:
    """The order of test rows must not matter, above all not to a node that holds on to what it saw."""
    count, steps = layout.total - layout.test, np.arange(INPUTS)
    sign, zeros = np.resize([1.0, -1.0], count), np.resize([0, 0, 1, 1, 2, 2, 3, 3], count)
    train = np.column_stack([1.5 * sign[:, None] * (steps < INPUTS - zeros[:, None]), 5 * sign])
    third = layout.test // 3
    figures = list[Figure]()
    for value in (1.5, -1.5):  # zeros after the one value and then after the other, and as many rows of each
        inputs = np.array([*[value, 0] * third, *[-value] * third, *[0] * (layout.test - 3 * third)])
        test = np.column_stack([np.outer(inputs, np.ones(INPUTS)), np.full(len(inputs), FAR)])
        printed = program.prints("R", layout.rows(train, test), epochs=1)
        figures.append(printed.first(MSE) or Figure(0, 0))
    if abs(figures[0].value - figures[1].value) > 1e-4 + figures[0].half + figures[1].half:
        raise Wrong("R does not set the state to 0 before each series: the order of the test rows changes its figure")


def _figures(program: Program, layout: Layout, learned: Mapping[str, Learned]) -> str:
    """Its figures on waves of our own, beside those of `pipeline.training.methods.by_hand` from five first weights."""
    series = waves.generate(np.random.default_rng(0), layout.total)
    train, test = series[layout.test :], series[: layout.test]
    rows, said = layout.rows(train, test), list[str]()
    theirs = program.prints("N", rows).at(layout.place)[0]
    said.append(f"N {theirs.value:.4f} (ours {np.mean((test[:, -1] - test[:, -2]) ** 2):.4f})")
    for letter, found in learned.items():
        printed = program.prints(letter, rows, epochs=EPOCHS, within=(0, np.inf)).at(found.place)[:EPOCHS]
        ours = [_by_hand(letter, train, test, found.rate, len(printed), seed) for seed in range(5)]
        figures = f"{printed[-1].value:.4f} (ours {min(ours):.4f} to {max(ours):.4f})"
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
        return False, printable(f"Wrong: {found}.")
    except Undecided as found:
        return False, printable(f"Cannot tell: {found}.")
    advice = "" if all(each.shuffles for each in learned.values()) else "; without a shuffle, rows must not be sorted"
    return True, f"Right: {figures}{advice}."


def _decided(program: Program, letter: str, layout: Layout) -> Learned:
    """The verdict from other first weights, where it cannot be told from the first ones."""
    for seed in range(2):
        with suppress(Undecided):
            return learning(replace(program, seed=seed), letter, layout)
    return learning(replace(program, seed=2), letter, layout)
