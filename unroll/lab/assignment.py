"""Document 003's assignment: its three parts (`lab`), and the verdict on a student's
program in one sentence (`check`).

The check does not read the program. It runs the program on rows of its own. If all test
rows are equal, the printed error tells the network's output for this row. Two or three
such errors tell the network's weights after an epoch. From these weights the check
computes the errors after one more epoch, by the document's rule and by each known slip.
It compares them with the errors that the program prints.

In these runs the series stay in their order. So the check also runs the program on the
series that it makes itself, with its shuffles, and compares the figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.data.examples import Array, Arrays
from pipeline.errors import UsageError, one_line, printable
from pipeline.evaluation import claims
from pipeline.metrics import score
from pipeline.workspace import Workspace
from unroll.lab.child_process import NAME, OWN, UNTOUCHED
from unroll.lab.learning_rule import INPUTS, PROBES, RULE, agreeing, train_rows
from unroll.lab.student_program import (
    Bounds,
    Place,
    PrintedNumber,
    PrintedSeries,
    StudentProgram,
    StudentRun,
    TooFewDigits,
    Undecided,
    Wrong,
    place_within,
)
from unroll.project import Project

PARTS = {"N": "waves/last_value", "D": "waves/perceptron", "R": "waves/node"}
"""The letter of a part of the assignment -> its experiment."""

TEST_SERIES = 2000
"""The size of the assignment's test set. The data set's test split is larger."""

FAR = 10.0
"""The 51st value of test rows. It is far from any output, so that a printed figure shows
what it measures."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)
"""The bounds of the test error, since a network's output is between -1 and 1."""

RATES = {"D": (0.03, 0.3), "R": (0.0003, 0.03)}
"""The lowest and the highest accepted learning rate. The document has 0.1 for D, and a
tenth or a hundredth of it for R."""

LARGE = 20.0
"""An input that moves the mean and the deviation of all, and does not overflow cosh."""

ENDS = 0.999
"""The size of an output from which on it is at an end of tanh."""

SURE = 5.0
"""Standard deviations that a mean over test rows is never away from its own."""

SEEN = 0.1
"""The difference of outputs for other 51st values that no mean over steps explains."""

ROUNDING_OF_PROGRAMS = 1e-6
"""The largest rounding error of an output in 32 bits."""

SCALE = 1000.0
"""The size of the values that check N. With large values, few decimals are enough."""

UNITS = (100, 1000)
"""A figure may be so many times the error: in percent, or in thousandths."""

SEVERAL = (
    "{} prints several figures in an epoch; let it print the MSE of the test rows alone, "
    "once after each"
)
"""What is said of a program whose figures are not one an epoch."""

WORST = 1.5
"""The most that the error of a right program is, relative to that of guesses of 0."""

ORDER = {"D": (3.0, 0.0), "R": (1.02, 10.0)}
"""Letter -> a and b: the error after an epoch on shuffled series is below a + b * rate
times the error on the same series in their order.

With 350 to 7,000 series it was at most 1.9 times for D, and 1 + 6 * rate times for R.
With targets of other series it was 3 to 50 times for D."""


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

    For the node print the three weights, too. Then print the document's claims about
    this error.

    Args:
        workspace: with params.yaml and claims.yaml.
        part: a letter of `PARTS`, in upper or lower case.
        epochs: passes over the training series.
        rate: the learning rate; by default that of params.yaml.
        seed: the seed of the first weights.

    Raises:
        UsageError: the letter is unknown, its experiment is not in params.yaml, or the
            rate is out of range.
    """
    letter = part.upper()
    if letter not in PARTS:
        raise UsageError(
            one_line(
                "the part must be N (naive guess), D (dense, a perceptron), R (one "
                f"recurrent node) or check (a program). Received: {part!r}"
            )
        )
    experiment = PARTS[letter]
    project = Project(workspace.root)
    data = project.data(project.params.experiment(experiment).dataset)
    test = data.splits["test"]
    few = Arrays(*test.take(np.arange(min(len(test), TEST_SERIES))))
    data = replace(data, splits={**data.splits, "test": few})
    print(
        f"{len(data.splits['train']):,} series to train on, {len(few):,} to test on "
        f"(`unroll compare` tests on {len(test):,})",
        flush=True,
    )
    options: dict[str, Any] = {}
    if letter != "N":
        if rate is None:
            rate = project.params.experiment(experiment).training.options[
                "learning_rate"
            ]
        options = {"learning_rate": rate, "seeds": [seed], "epochs": epochs}
        print(f"learning rate {rate:g}, first weights from seed {seed}", flush=True)
    trained = project.train(experiment, _PrintedErrors(), data=data, **options)
    if letter == "N":
        guesses = trained.replicates[0].predictions["final_test"]
        print(f"last value: test MSE {score('mse', guesses, few.targets):.6f}")
    if letter == "R":
        kernel, recurrent, bias = trained.replicates[0].weights["final"]
        print(
            f"weight of the input {kernel.item():.4f}, "
            f"weight of the step before {recurrent.item():.4f}, "
            f"bias {bias.item():.4f}"
        )
    for claim in claims.load(workspace.claims):
        if (
            claim.experiment == experiment
            and claim.metric.endswith(".test.mse")
            and claim.value
            and not claim.of
        ):
            print(f"document {claim.document}: {claim.words}")


class _PrintedErrors:
    """A callback that prints the test set's error after every epoch."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Do nothing, since there are no checkpoints here."""

    def epoch(self, _seed: int, epoch: int, values: Mapping[str, float]) -> None:
        print(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")


class SeriesSplit(NamedTuple):
    """A program's split of its series into train and test rows.

    Attributes:
        total: the number of series.
        test: the number of test rows.
        last: whether the test rows are the last series; otherwise the first.
    """

    total: int
    test: int
    last: bool

    @property
    def train(self) -> int:
        """The number of train rows."""
        return self.total - self.test

    def rows(self, train: Array, test: Array) -> Array:
        """Return all rows (total, 51) in the order of the calls.

        Test rows are repeated as often as needed.
        """
        test = np.resize(test, (self.test, INPUTS + 1))
        return np.concatenate([train, test] if self.last else [test, train])


def check(
    script: Path,
    limit: float = 100,
    begins: Callable[[str], None] = lambda _letter: None,
) -> tuple[bool | None, str]:
    """Run a program; return whether it is right, and a sentence about it.

    The first value is None if the check cannot tell. The program runs with the rights
    of this process, for a few epochs at a time, and at most `limit` seconds each time.
    `begins` is called with the letter of each part before its first run.

    Raises:
        UsageError: the file is a notebook.
    """
    if script.suffix.lower() == ".ipynb":
        raise UsageError(
            f"{script.name} is a notebook, and `check` runs a Python program; save the "
            "notebook as a .py file"
        )
    program = StudentProgram(script, limit)
    rates = {}
    try:
        begins("N")
        split, notes = naive(program)
        for letter in RATES:
            begins(letter)
            rates[letter] = _decided(program, letter, split)
    except Wrong as fault:
        return False, printable(f"Wrong: {fault}.").replace("?.", "?")
    except Undecided as reason:
        return None, printable(f"Cannot tell: {reason}.").replace("?.", "?")
    learns = " and ".join(
        f"{letter} learns as at a rate of {rate:.2g}" for letter, rate in rates.items()
    )
    if "other" in notes:
        return None, (
            f"Cannot tell: {learns}, but its {NAME} does not make the "
            "document's values after np.random.seed; docs/lecturers.md names the "
            "document's function."
        )
    if (split.train, split.test) == (7000, TEST_SERIES):
        return True, f"Right: {learns}."
    return True, (
        f"Right: {learns}; it trains on {split.train:,} series and tests "
        f"on {split.test:,}, where the assignment has 7,000 and 2,000."
    )


def _decided(program: StudentProgram, letter: str, split: SeriesSplit) -> float:
    """Return the rate of `learning`, with other first weights if digits are too few."""
    for seed in range(2):
        with suppress(TooFewDigits):
            return learning(replace(program, seed=seed), letter, split)
    return learning(replace(program, seed=2), letter, split)


def naive(program: StudentProgram) -> tuple[SeriesSplit, dict[str, Any]]:
    """Check N. Return the split, which the mean of N reveals, and the notes on a run.

    Raises:
        Wrong: the figure is not the mean squared error of the 50th value as a guess, on
            a test set.
        Undecided: the figure does not reveal the split.
    """
    # the error of each of the 51 values as the guess for the 51st
    errors = SCALE * np.append(0.008 * np.arange(1, INPUTS), [0.5, 0])
    bounds = [(0.99999 * error**2, 1.00001 * error**2) for error in errors]
    # the rows differ, since a program may divide by their deviation
    row = 0.5 * SCALE - errors + 100 * np.sin(np.arange(TEST_SERIES))[:, None]
    run = program.run("N", row)
    total = run.notes["calls"]
    place = place_within(run.printed, bounds[INPUTS - 1])
    if not place:
        place, numbers = list(run.printed.items())[-1]
        program.on_its_own("N", UNTOUCHED, place)  # which may shuffle time
        why = _other_measure(
            numbers[0], bounds[INPUTS - 1], range(50, total + 1)
        ) or _other_guess([numbers[0].is_in(*bound) for bound in bounds])
        raise Wrong(
            f"N is {numbers[0].value:g} where the MSE is "
            f"{errors[INPUTS - 1] ** 2:,.0f}{why}"
        )
    # Each row's squared error is the number of the row, and then the same numbers in
    # another order. So two means tell which rows were taken.
    ordered = np.arange(1.0, total + 1)
    fits = np.ones((2, total), bool)  # the first 1, 2, ... rows; the last ones
    fits[1, -1] = False  # all rows are the first ones, too
    for order in (ordered, np.random.default_rng(0).permutation(ordered)):
        mean, half = _mean_over_test(program, place, order)
        means = np.array([order.cumsum(), order[::-1].cumsum()]) / ordered
        fits &= abs(means - mean) <= half + 1e-6 * total
    found = np.argwhere(fits)
    if len(found) != 1:
        raise Undecided(
            "N does not tell which rows it tests on: its digits are too few, or they "
            "are neither the first nor the last series"
        )
    last, size = found[0] + [0, 1]
    if 2 * size > total:
        raise Wrong(
            f"N is the mean over {size:,} of {total:,} series; the assignment wants "
            "7,000 to train on and 2,000 others to test on"
        )
    split = SeriesSplit(total, int(size), bool(last))
    _require_own_guess(program, place, split)
    return split, run.notes


def _mean_over_test(
    program: StudentProgram, place: Place, values: Array
) -> tuple[float, float]:
    """Return the mean of values (series,) over the rows that N tests on, and its
    uncertainty.

    They are the rows' squared errors. The inputs differ, since a program may divide by
    their deviation.

    Raises:
        Undecided: it prints no such figure.
    """
    inputs = np.sin(np.arange(len(values) * INPUTS)).reshape(-1, INPUTS)
    targets = inputs[:, -1] + SCALE * np.sqrt(values)
    run = program.run("N", np.column_stack([inputs, targets]))
    number = _figure_of_n(run.printed, place)
    return number.value / SCALE**2, number.half / SCALE**2


def _figure_of_n(printed: PrintedSeries, place: Place) -> PrintedNumber:
    """Return the figure at the place of the first run.

    Raises:
        Undecided: there is none.
    """
    if place not in printed:
        raise Undecided(
            "the words beside the figure of N, or the number of its figures, are others "
            "when the series are others"
        )
    return printed[place][0]


def _require_own_guess(
    program: StudentProgram, place: Place, split: SeriesSplit
) -> None:
    """Raise Wrong if N is not right on the series that the program makes itself.

    Args:
        program: the program.
        place: where it prints the figure.
        split: its split.
    """
    run = program.on_its_own("N", UNTOUCHED, place)
    again = len(run.made) - len(np.unique(run.made, axis=0))
    if again:
        raise Wrong(
            f"{again:,} of its {run.notes['calls']:,} series are there twice, so it "
            "tests on train rows, as if it sets the seed of its random numbers again"
        )
    number = _figure_of_n(run.printed, place)
    errors = (run.made[:, -1] - run.made[:, -2]) ** 2
    reach = SURE * errors.std() / np.sqrt(split.test)
    if not number.is_in(errors.mean() - reach, errors.mean() + reach):
        raise Wrong(
            f"N is {number.value:.3g} on the program's own series, where the MSE of the "
            f"50th value is {errors.mean():.3g}, as if it compares guesses with the 51st "
            "values of other series after two separate shuffles"
        )


def _other_guess(is_value: Sequence[bool]) -> str:
    """Describe the wrong guess of N; return "" if it is none of the values.

    Args:
        is_value: for each of the 51 values, whether the figure fits it as the guess.
    """
    if is_value[INPUTS]:
        return ": its guess is value 51 (index 50), which it must guess"
    guesses = np.flatnonzero(is_value)
    if not 0 < len(guesses) <= 3:
        return ""
    return (
        ": its guess is "
        + " or ".join(f"value {at + 1} (index {at})" for at in guesses)
        + f", and must be value {INPUTS} (index {INPUTS - 1})"
    )


def _other_measure(number: PrintedNumber, mse: Bounds, counts: Iterable[int]) -> str:
    """Return the other measure that a number may be; "" if it is no known measure.

    `mse` are the bounds of the mean squared error, `counts` the possible numbers of
    test rows.

    Raises:
        Undecided: it may be the mean squared error in another unit.
    """
    bounds = np.array(mse)
    for factor in UNITS:
        if number.is_in(*(factor * bounds)):
            raise Undecided(
                f"it prints {factor:,} times the MSE; if that is its unit, let it print "
                "the MSE itself"
            )
    measures = [
        ("the root of it, or the mean of the absolute errors", np.sqrt(bounds)),
        ("half of it", bounds / 2),
    ]
    measures += [
        (f"{count:,} times it, like the sum of as many errors", count * bounds)
        for count in counts
    ]
    return next(
        (
            f", as if it prints {words}"
            for words, ends in measures
            if number.is_in(*ends)
        ),
        "",
    )


@dataclass(frozen=True)
class Network:
    """The network of D or R under the check.

    Attributes:
        program: the program.
        letter: D or R.
        split: its split.
        train: (series, 51) the train rows.
    """

    program: StudentProgram
    letter: str
    split: SeriesSplit
    train: Array

    def run(self, test: Array, epochs: int = 1) -> StudentRun:
        """Run it on test rows (rows, 51), until so many epochs have errors within the
        bounds.
        """
        return self.program.run(
            self.letter, self.split.rows(self.train, test), MSE, epochs
        )


def _far(inputs: Array) -> Array:
    """Return test rows with inputs (rows, 50) and 51st values that are `FAR`."""
    return np.column_stack([inputs, np.full(len(inputs), FAR)])


def learning(program: StudentProgram, letter: str, split: SeriesSplit) -> float:
    """Check D or R, and return the rate at which it learns.

    Raises:
        Wrong: it learns by another rule, from other rows, or prints another figure.
        Undecided: no known rule leads to its figures.
    """
    network = Network(program, letter, split, train_rows(letter, split.train))
    runs = [network.run(probe, epochs=2) for probe in _far(PROBES[letter])]
    figures = [run.numbers[:2] for run in runs]
    place = runs[0].place
    if place is None or min(map(len, figures)) < 2:
        raise Wrong(f"{letter} prints {_other_figure(network, runs)}")
    if len({run.place for run in runs}) > 1:
        raise Undecided(SEVERAL.format(letter))
    _require_each_epoch(network, figures[1])
    _require_mean_of_own_outputs(network, place, figures[0][0], figures[1][0])
    first, second = np.moveaxis(_outputs(figures), 1, 0)
    rates: dict[str, float] = {}
    if min(abs(first[:, 0])) < ENDS:
        still = all(before == after for before, after in figures)
        if still and first[:, 1].max() < ROUNDING_OF_PROGRAMS:
            if len({*network.run(_far(PROBES[letter])[0], 4).numbers}) > 1:
                raise Undecided(SEVERAL.format(letter))
            raise Wrong(
                f"{letter} does not learn: an epoch changes none of its figures"
            )
        rates = agreeing(letter, network.train, first, second)
    if not rates:
        raise Undecided(
            f"the figures of {letter} follow neither from the document's rule nor from "
            "a slip that is known here; batches, another optimiser, activation, "
            "derivative or output, normalised or otherwise changed series, a rate or "
            "weights that drive tanh to its ends, an order of its own that the check "
            "cannot hold still, epochs without a figure, or too few printed digits would "
            "do that"
        )
    if RULE not in rates:
        raise Wrong("; or ".join(f"{letter}: {slip}" for slip in rates))
    rate = rates[RULE]
    low, high = RATES[letter]
    if not low <= rate <= high:
        meant = "0.1" if letter == "D" else "0.01 to 0.001"
        raise Wrong(
            f"{letter} {RULE}, but as at a rate of about {rate:.1g} for each series, "
            f"and the document has {meant}"
        )
    ordered = _own_figure(program, letter, place)
    if ordered and "rows" in runs[0].notes:
        _require_pairs(program, letter, place, rate, ordered)
    return rate


def _outputs(figures: Sequence[Sequence[PrintedNumber]]) -> Array:
    """Return the outputs for the probes: (probes, epochs, 2), with their uncertainty.

    Args:
        figures: for each probe the errors after each epoch.
    """
    printed = np.array(figures)  # (probes, epochs, 2): value and half a unit
    values = np.clip(printed[..., 0], *MSE)
    scales = 10.0 ** np.floor(np.log10(values))
    # Zeros at the end of a number may have been left out. So each number counts as
    # precise as the most precise one.
    halves = printed[..., 1]
    halves = np.maximum(halves.min(), (halves / scales).min() * scales)
    roots = np.sqrt(values)
    return np.stack([FAR - roots, halves / (2 * roots)], axis=-1)


def _require_mean_of_own_outputs(
    network: Network, place: Place, first: PrintedNumber, second: PrintedNumber
) -> None:
    """Raise Wrong unless the figure is the mean over test rows of three kinds.

    A quarter of them are the first probe, the others the second, and one is large: it
    must not change the outputs for the other ones. `first` and `second` are the figures
    if all test rows are the first or the second probe.
    """
    letter = network.letter
    count = network.split.test
    quarter = count // 4
    test = np.resize(PROBES[letter][1], (count, INPUTS))
    test[:quarter] = np.resize(PROBES[letter][0], (quarter, INPUTS))
    test[-1] = LARGE
    numbers: list[PrintedNumber] = []
    with suppress(Wrong):  # a large row alone may stop it
        numbers = network.run(_far(test), 2).printed.get(place, [])
    others = quarter * first.value + (count - quarter - 1) * second.value
    low, high = [(others + edge) / count for edge in MSE]
    reach = max(first.half, second.half) + ROUNDING_OF_PROGRAMS * high
    if numbers and not numbers[0].is_in(low - reach, high + reach):
        raise Wrong(
            f"{letter} is {numbers[0].value:g} with test rows of two kinds and a large "
            f"one, where the MSE is between {low:g} and {high:g}: it is no mean over all "
            "test rows, its output for the large one is not that of a tanh, or the large "
            "one changes the outputs for others, as where series are normalised together"
        )


def _require_each_epoch(network: Network, falls: Sequence[PrintedNumber]) -> None:
    """Raise Wrong if a figure is not of its own epoch, or depends on the 51st values of
    test rows.

    If an error falls from one epoch to the next, it rises if the 51st value has the
    other sign. `falls` are two figures if all test rows are the second probe.
    """
    letter = network.letter
    probe = PROBES[letter][1]
    rises = network.run(np.append(probe, -FAR), 2).numbers[:2]
    misses = [
        abs(2 * FAR - np.sqrt(one.value) - np.sqrt(other.value))
        - 4 * (one.half + other.half) / (2 * FAR - 2)
        for one, other in zip(falls, rises, strict=False)
    ]
    if len(misses) == 2 and max(misses) < ROUNDING_OF_PROGRAMS:
        return
    if network.run(np.append(probe, FAR)).numbers[:1] != falls[:1]:
        raise Undecided(
            f"two runs on the same rows differ: {letter} draws numbers that cannot "
            "be held still"
        )
    if not rises or misses[0] > SEEN:
        raise Wrong(
            f"{letter} has seen the test rows' 51st values, or prints no MSE of them: "
            "it trains on test rows, takes 51 values in, normalises with them, or divides "
            "by another number"
        )
    raise Undecided(
        f"the figures of {letter} are not those of one network after each epoch, as if "
        "it prints some epochs only, the best so far, or chooses epochs by the test "
        "rows"
    )


def _own_figure(
    program: StudentProgram, letter: str, place: Place
) -> PrintedNumber | None:
    """Return the figure after an epoch on the program's own series in their order.

    It is None if there is none, as where the run takes too long.

    Raises:
        Undecided: the figure is larger than that of guesses of 0, as where each guess is
            compared with the 51st values of all series.
    """
    own = program.on_its_own(letter, OWN, place)
    if not own.numbers or not len(own.made):
        return None
    of_zero = float(np.mean(own.made[:, -1] ** 2))
    if own.numbers[0].value > WORST * of_zero:
        raise Undecided(
            f"{letter} prints {own.numbers[0].value:.3g} on its own series, where guesses "
            f"of 0 have {of_zero:.3g}: does it compare each guess with its own 51st value?"
        )
    return own.numbers[0]


def _require_pairs(
    program: StudentProgram,
    letter: str,
    place: Place,
    rate: float,
    ordered: PrintedNumber,
) -> None:
    """Raise Wrong if shuffles part the inputs of a network from their 51st values.

    The figure after an epoch on the program's own series is then far larger than
    `ordered`, the one on the same series in their order.
    """
    shuffled = program.on_its_own(letter, UNTOUCHED, place).numbers
    base, slope = ORDER[letter]
    most = (base + slope * rate) * (ordered.value + ordered.half)
    if shuffled and shuffled[0].value - shuffled[0].half > most:
        raise Wrong(
            f"{letter} is {shuffled[0].value:.3g} after an epoch on the program's own "
            f"series, and {ordered.value:.3g} without its shuffles: they part the inputs "
            "from their 51st values"
        )


def _other_figure(network: Network, runs: Sequence[StudentRun]) -> str:
    """Describe what is printed instead of the test set's mean squared error.

    Raises:
        Undecided: all figures are in one line.
    """
    run = min(runs[:2], key=lambda run: len(run.numbers))
    place, numbers = max(
        run.printed.items(), key=lambda item: ("%" not in item[0][0], len(item[1]))
    )
    number = next((each for each in numbers if not each.is_in(*MSE)), numbers[0])
    if not np.isfinite([value for value, _ in numbers]).all():
        return (
            "nan or inf: its numbers overflow, "
            "as with a wrong sign or far too high a rate"
        )
    if len(numbers) < 2:
        if (place[0], 1) in run.printed:
            raise Undecided(f"{network.letter} must print a line after every epoch")
        return "one figure; it must print one after every epoch"
    one, other = (each.printed.get(place, [])[:1] for each in runs[:2])
    if number.value < 10 and number.half < number.value / 1000 and one == other:
        return (
            f"{number.value:g}, which does not depend on the test rows, as if it tests "
            "on the train rows"
        )
    total, test, _ = network.split
    why = _other_measure(number, MSE, (test, total - test, total))
    return (
        f"{number.value:g} where the MSE on the test rows is between {MSE[0]:g} and "
        f"{MSE[1]:g}{why}: is its output of a tanh, with the 51st value as it is for "
        "the target?"
    )
