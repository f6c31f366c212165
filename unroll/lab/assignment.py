"""Document 003's assignment: its three parts (`lab`), and the verdict on a student's
program in one sentence (`check`).

Nothing is read in the program; it is run on rows whose answer we know. The figure of
test rows that are all alike gives the network's output there; two or three such figures
give its weights after an epoch. From these, one more epoch by the document's rule leads
to known figures, whatever the first weights were: the program's are those, or those of
a slip.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.data.examples import Array
from pipeline.errors import printable
from pipeline.metrics import score
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.lab.program import (
    PrintedNumber,
    PrintedSeries,
    StudentProgram,
    Undecided,
    Wrong,
    within,
)
from unroll.lab.rule import INPUTS, LEFT, PROBES, SLIPS, LearningRule
from unroll.project import Project

PARTS = {"N": "waves/last_value", "D": "waves/perceptron", "R": "waves/node"}
"""The letter of the assignment -> the experiment that answers it."""

FAR = 10.0
"""The 51st value of test rows: far from what a network gives, so that a figure tells at
once what it is of."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)

RATES = {"D": (0.03, 0.3), "R": (0.0003, 0.03)}
"""Learning rates that are near enough to the document's: 0.1 for D, and for R a tenth
or a hundredth of it."""

SCALE = 1000.0
"""Of the values by which N is checked: large, so that few decimals tell much."""

KINDS = {
    "D": np.outer([-0.8, 0.4, 0.8], np.ones(INPUTS)) / np.sqrt(INPUTS),
    "R": np.eye(INPUTS)[[-1, -1, -2, -2, -3, 0, -4]]
    * np.array([[1], [-1], [1], [-1], [1.5], [0], [-1.5]]),
}
TARGETS = {
    "D": ([-0.2, 0.7, -0.4], [0.5, -0.3, 0.2]),
    "R": (
        [0.8, -0.5, 0.6, -0.1, 0.7, -0.2, -0.5],
        [0.2, -0.7, 0.7, -0.3, -0.1, 0.3, 0.2],
    ),
}
"""Inputs in turn, and their 51st values in the first half of the rows and in the
second. No such network can give these, so how it errs depends on each part of its rule;
and each half pulls anew, so that its rate shows."""


def lab(
    workspace: Workspace,
    part: str,
    *,
    epochs: int = 10,
    rate: float | None = None,
    seed: int = 0,
) -> None:
    """Generate the waves, train, and print the mean squared error on test after every
    epoch.

    `part` is a letter of `PARTS`, small ones too; `rate` None is that of params.yaml;
    `seed` is of the first weights.

    Raises:
        UsageError: another letter, or the experiment behind it was removed from
            params.yaml.
    """
    experiment = PARTS[
        one_of(part.upper(), PARTS, "the part (`check` tries a program)")
    ]
    project = Project(workspace.root)
    splits = project.data(project.params.experiment(experiment).dataset).splits
    print(
        f"{len(splits['train']):,} series to train on, {len(splits['test']):,} to test on"
    )
    if part.upper() == "N":
        predictions = project.train(experiment).replicates[0].predictions["final_test"]
        print(
            f"last value: test MSE {score('mse', predictions, splits['test'].targets):.6f}"
        )
        return
    options: dict[str, Any] = {"epochs": epochs} | (
        {} if rate is None else {"learning_rate": rate}
    )
    project.train(experiment, _PrintedErrors(), seeds=[seed], **options)


class _PrintedErrors:
    """Prints the test set's error after every epoch (`pipeline.training.job.Callback`)."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Nothing is ever resumed here."""

    def epoch(self, _seed: int, epoch: int, values: Mapping[str, float]) -> None:
        print(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")


class SeriesSplit(NamedTuple):
    """The program tests on the last `test` of the `total` series that it makes, or on
    the first.
    """

    total: int
    test: int
    last: bool

    def rows(self, train: Array, test: Array) -> Array:
        """All rows in the order of the calls, test rows repeated as often as needed."""
        test = np.resize(test, (self.test, INPUTS + 1))
        return np.concatenate([train, test] if self.last else [test, train])


def check(script: Path, limit: float = 100) -> tuple[bool | None, str]:
    """Whether a program is right, None if that cannot be told, and one sentence that
    says so or what is wrong.

    It is run with the rights of this process, for a few epochs at a time, and has
    `limit` seconds for each run.
    """
    program = StudentProgram(script, limit)
    try:
        split = naive(program)
        rates = {letter: _decided(program, letter, split) for letter in RATES}
    except Wrong as fault:
        return False, printable(f"Wrong: {fault}.")
    except Undecided as reason:
        return None, printable(f"Cannot tell: {reason}.")
    learns = " and ".join(
        f"{letter} learns as at a rate of {rate:.2g}" for letter, rate in rates.items()
    )
    return True, f"Right: {learns}."


def _decided(program: StudentProgram, letter: str, split: SeriesSplit) -> float:
    """What `learning` says from other first weights, where it cannot tell from the
    first ones.
    """
    for seed in range(2):
        with suppress(Undecided):
            return learning(replace(program, seed=seed), letter, split)
    return learning(replace(program, seed=2), letter, split)


def naive(program: StudentProgram) -> SeriesSplit:
    """Check N; what it averages over is the test set.

    Raises:
        Wrong: the figure is not the mean squared error of the 50th value as a guess, on
            a test set.
    """
    # of each value as the guess for the 51st
    errors = SCALE * np.append(0.008 * np.arange(1, INPUTS), [0.5, 0])
    squares = {
        index: (0.9999 * error**2, 1.0001 * error**2)
        for index, error in enumerate(errors)
    }
    printed, total = program.run("N", 0.5 * SCALE - errors[None])
    meant = squares[INPUTS - 1]
    keys = [key for key, numbers in printed.items() if numbers[0].is_in(*meant)]
    if not keys:
        number = list(printed.values())[-1][0]
        guesses = [
            f"{index}" for index, square in squares.items() if number.is_in(*square)
        ]
        why = f"its guess is the value at index {' or '.join(guesses)}, and must be that at 49"
        if not 0 < len(guesses) <= 3:
            why = "it is of other values"
        why = _other_measure(number, *meant, range(100, total + 1)) or why
        raise Wrong(
            f"N is {number.value:g} where the MSE is {errors[INPUTS - 1] ** 2:,.0f}: {why}"
        )
    rows = np.zeros((total, INPUTS + 1))
    # the mean of the squares tells which of them were taken
    rows[:, -1] = SCALE * np.sqrt(np.arange(total))
    numbers = program.run("N", rows)[0].get(keys[-1])
    if numbers is None:
        raise Undecided(
            "the words beside its figures are others when the series are others"
        )
    middle, half = np.array(numbers[0]) / SCALE**2
    last = middle > (total - 1) / 2
    size = 2 * (total - 1 - middle if last else middle) + 1
    low = np.ceil(size - 2 * half - 1e-6 * total)
    high = np.floor(size + 2 * half + 1e-6 * total)
    if not low == high >= 1:
        raise Undecided(
            "N does not tell which rows it tests on: too few digits, or rows from here and there"
        )
    if 2 * high > total:
        raise Wrong(
            f"N is the mean over {high:,.0f} of {total:,} series; it belongs to the smaller test set alone"
        )
    return SeriesSplit(total, int(high), bool(last))


def _other_measure(
    number: PrintedNumber, low: float, high: float, counts: Iterable[int]
) -> str:
    """What a number is of errors whose mean square lies between two bounds, in sets of
    so many; "" if nothing known.
    """
    if number.is_in(np.sqrt(low), np.sqrt(high)):
        return "it prints the root of it, or the mean of the absolute errors"
    if number.is_in(low / 2, high / 2):
        return "it prints half of it"
    if any(number.is_in(count * low, count * high) for count in counts):
        return "it prints the sum of the squared errors, not their mean"
    return ""


def learning(program: StudentProgram, letter: str, split: SeriesSplit) -> float:
    """Check D or R; the rate at which it learns.

    Raises:
        Wrong: it learns by another rule, from other rows, or prints another figure.
        Undecided: its figures are those of no rule that is known here.
    """
    count = split.total - split.test
    halves = TARGETS[letter]
    targets = [
        *np.resize(halves[0], count // 2),
        *np.resize(halves[1], count - count // 2),
    ]
    train = np.column_stack([np.resize(KINDS[letter], (count, INPUTS)), targets])
    rows = [split.rows(train, np.append(inputs, FAR)) for inputs in PROBES[letter]]
    runs = [program.run(letter, probe, MSE, epochs=2)[0] for probe in rows]
    figures = [within(printed, MSE, 2)[:2] for printed in runs]
    if not all(figures):
        raise Wrong(f"{letter} prints {_other_figure(runs, split)}")
    values, digits = np.moveaxis(np.array(figures), -1, 0)
    values = np.clip(values, *MSE)
    scales = 10.0 ** np.floor(np.log10(values))
    # Zeros at a number's end may have been left out: its digits go as far as those of
    # the others.
    digits = np.maximum(digits.min(), (digits / scales).min() * scales)
    first, second = np.stack(
        [FAR - np.sqrt(values), digits / (2 * np.sqrt(values))], -1
    ).swapaxes(0, 1)
    rule = LearningRule(letter, train, first, second)
    rates = rule.agreeing([""], *RATES[letter])
    if not rates or min(abs(first[:, 0])) > 0.999:
        mirrored = split.rows(train, np.append(PROBES[letter][0], -FAR))
        again, other = (
            within(program.run(letter, probe, MSE, epochs=1)[0], MSE)
            for probe in (rows[0], mirrored)
        )
        if again[:1] != figures[0][:1]:
            raise Undecided(
                f"two runs on the same rows differ: {letter} draws numbers that cannot be held still"
            )
        value, half = other[0] if other else (0, 0)
        if (
            abs(np.sqrt(value) - FAR - first[0, 0])
            > LEFT + half / (2 * FAR - 2) + first[0, 1]
        ):
            raise Wrong(
                f"{letter} has seen the test rows' 51st values: it trains on test rows, or takes 51 values in"
            )
        raise Wrong(_slips(letter, rule, first[:, 0]))
    # From so few digits on a slip may pass for the rule.
    if first[:, 1].max() > 1e-6 and (
        slips := set(rule.agreeing(rule.slips)) - {"bias"}
    ):
        others = "; ".join(SLIPS[slip] for slip in sorted(slips))
        raise Undecided(
            f"{letter} prints too few digits to tell its rule from others; {others}"
        )
    if letter == "R":
        _state_is_reset(program, split)
    return rates[""]


def _slips(letter: str, rule: LearningRule, first: Array) -> str:
    """Those that lead to the printed figures. Undecided is raised if none does."""
    if min(abs(first)) > 0.999:
        return f"{letter}: {SLIPS['sign']}, or something else, such as too high a rate, drives tanh to its ends"
    agreeing = rule.agreeing(["", *rule.slips])
    # a bias stays where it is if it is not trained, and where another slip has led it
    if len(agreeing) > 1:
        agreeing.pop("bias", None)
    if not agreeing:
        raise Undecided(
            f"{letter} learns, but neither by the document's rule nor with a slip that is known here; batches, another "
            f"optimiser, an order of its own that the check cannot hold still, or too few printed digits would do that"
        )
    low = RATES[letter][0]
    meant = "0.1" if letter == "D" else "0.01 to 0.001"
    return "; or ".join(
        f"{letter}: {SLIPS[slip]}"
        if slip
        else f"{letter} learns by the rule, but as at a rate of about {rate:.1g} for each series, which is too "
        f"{'low' if rate < low else 'high'}: the document has {meant}"
        for slip, rate in agreeing.items()
    )


def _other_figure(runs: Sequence[PrintedSeries], split: SeriesSplit) -> str:
    """What it is that it prints in place of the test set's mean squared error."""
    key, numbers = max(runs[0].items(), key=lambda item: len(item[1]))
    number = numbers[0]
    if not np.isfinite([value for value, _ in numbers]).all():
        return "nan or inf: its numbers overflow, as with a wrong sign or far too high a rate"
    if len(numbers) < 2:
        return "one figure; it must print one after every epoch"
    why = _other_measure(
        number, *MSE, (split.test, split.total - split.test, split.total)
    )
    if (
        not why
        and number.value < 10
        and [number] == runs[1].get(key, [])[:1]
        and number.half < number.value / 1000
    ):
        return (
            "a figure that does not depend on the test rows: it tests on the train rows"
        )
    why = why or "is the 51st the target?"
    return f"{number.value:g} where the MSE on the test rows is between {MSE[0]:g} and {MSE[1]:g}: {why}"


def _state_is_reset(program: StudentProgram, split: SeriesSplit) -> None:
    """The order of test rows must not matter, above all not to a node that holds on to
    what it saw.
    """
    count = split.total - split.test
    steps = np.arange(INPUTS)
    sign = np.resize([1.0, -1.0], count)
    zeros = np.resize([0, 0, 1, 1, 2, 2, 3, 3], count)
    train = np.column_stack(
        [1.5 * sign[:, None] * (steps < INPUTS - zeros[:, None]), 5 * sign]
    )
    third = split.test // 3
    figures = list[PrintedNumber]()
    # the same rows, zeros after the one value and after the other
    for order in (
        [1.5, 0, -1.5],
        [-1.5, 0, 1.5],
    ):
        values = [*order * third, *[0] * (split.test - 3 * third)]
        test = np.column_stack(
            [np.outer(values, np.ones(INPUTS)), np.full(split.test, FAR)]
        )
        figures += within(
            program.run("R", split.rows(train, test), MSE, epochs=1)[0], MSE
        )[:1]
    if (
        len(figures) == 2
        and abs(figures[0].value - figures[1].value)
        > 1e-4 + figures[0].half + figures[1].half
    ):
        raise Wrong(
            "R does not set the state to 0 before each series: the order of the test rows changes its figure"
        )
