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
from typing import Any, NamedTuple, NoReturn

import numpy as np

from pipeline.data.examples import Array, Arrays
from pipeline.errors import UsageError, one_line, printable
from pipeline.evaluation import claims
from pipeline.metrics import score
from pipeline.workspace import Workspace
from unroll.lab.child import NAME, OWN, UNTOUCHED
from unroll.lab.program import (
    Bounds,
    Place,
    PrintedNumber,
    PrintedSeries,
    StudentProgram,
    StudentRun,
    TooFewDigits,
    Undecided,
    UnknownRule,
    Wrong,
    place_within,
)
from unroll.lab.rule import DIRECTION, INPUTS, LEFT, PROBES, SLIPS, LearningRule
from unroll.project import Project

PARTS = {"N": "waves/last_value", "D": "waves/perceptron", "R": "waves/node"}
"""The letter of a part of the assignment -> its experiment."""

CHOICES = (
    "N (naive guess), D (dense, a perceptron), R (one recurrent node) "
    "or check (a program)"
)
"""The valid parts, for an error message."""

TEST_SERIES = 2000
"""The size of the assignment's test set. The data set's test split is larger."""

SIZES = (7000, TEST_SERIES)
"""The assignment's numbers of train and test series."""

MEASURED = ("final.test.mse", "best.test.mse")
"""The metrics of claims that are about the test error."""

FAR = 10.0
"""The 51st value of test rows. It is far from any output, so that a printed figure shows
what it measures."""

MSE = ((FAR - 1) ** 2, (FAR + 1) ** 2)
"""The bounds of the test error, since a network's output is between -1 and 1."""

RATES = {"D": (0.03, 0.3), "R": (0.0003, 0.03)}
"""The lowest and the highest accepted learning rate. The document has 0.1 for D, and a
tenth or a hundredth of it for R."""

HUGE = 1e6
"""An input that drives tanh to its ends."""

LARGE = 300.0
"""An input that moves the mean and the deviation of all, and does not overflow cosh."""

ENDS = 0.999
"""The size of an output from which on it is at an end of tanh."""

ROUNDING = 1e-9
"""The relative rounding error of an output at an end of tanh."""

OWN_EPOCHS = 4
"""The epochs on the program's own series after which it must have learned something."""

BY_RULE = "learns by the rule"
"""The words of a verdict on the rate alone."""

NO_TANH = 40.0
"""An output that no tanh has, and that a line, continued from two outputs, has."""

SURE = 5.0
"""Standard deviations that a mean over test rows is never away from its own."""

SEEN = 0.1
"""The difference of outputs for other 51st values that no mean over steps explains."""

ROUNDING_OF_PROGRAMS = 1e-6
"""The largest rounding error of an output in 32 bits."""

SCALE = 1000.0
"""The size of the values that check N. With large values, few decimals are enough."""

KINDS = {
    "D": np.outer([-0.8, 0.4, 0.8], DIRECTION),
    "R": np.eye(INPUTS)[[-1, -1, -2, -2, -3, 0, -4]]
    * np.array([[1], [-1], [1], [-1], [1.5], [0], [-1.5]]),
}
"""Letter -> inputs (kinds, 50) of the train rows, which take the kinds in turn."""

ORDER = {"D": (3.0, 0.0), "R": (1.02, 10.0)}
"""Letter -> a and b: the error after an epoch on shuffled series is below a + b * rate
times the error on the same series in their order.

With 350 to 7,000 series it was at most 1.9 times for D, and 1 + 6 * rate times for R.
With targets of other series it was 3 to 50 times for D."""

TARGETS = {
    "D": ([-0.2, 0.7, -0.4], [0.5, -0.3, 0.2]),
    "R": (
        [0.8, -0.5, 0.6, -0.1, 0.7, -0.2, -0.5],
        [0.2, -0.7, 0.7, -0.3, -0.1, 0.3, 0.2],
    ),
}
"""Letter -> the 51st values of the kinds in the first half of the train rows, and in the
second half. No network of this kind can fit these values, so its error depends on each
part of its rule. The values differ between the halves, so that the rate matters."""


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
        raise UsageError(one_line(f"the part must be {CHOICES}. Received: {part!r}"))
    experiment = PARTS[letter]
    project = Project(workspace.root)
    data = project.data(project.params.experiment(experiment).dataset)
    test = data.splits["test"]
    few = Arrays(*test.take(np.arange(min(len(test), TEST_SERIES))))
    data = replace(data, splits={**data.splits, "test": few})
    counts = (
        f"{len(data.splits['train']):,} series to train on, {len(few):,} to test on"
    )
    if len(few) < len(test):
        counts += f" (as in the assignment; `unroll compare` tests on {len(test):,})"
    print(counts, flush=True)
    options: dict[str, Any] = {}
    if letter != "N":
        training = project.params.experiment(experiment).training
        options = {"learning_rate": rate, "seeds": [seed], "epochs": epochs}
        if rate is None:
            options["learning_rate"] = training.options["learning_rate"]
        print(
            f"learning rate {options['learning_rate']:g}, first weights from seed {seed}",
            flush=True,
        )
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
        measured = claim.experiment == experiment and claim.metric in MEASURED
        if measured and claim.value and not claim.of:
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


def _silent(_part: str) -> None:
    """Report nothing."""


def check(
    script: Path, limit: float = 100, begins: Callable[[str], None] = _silent
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
        return None, printable(f"Cannot tell: {reason}.")
    learns = [
        f"{letter} learns as at a rate of {rates[letter]:.2g}" for letter in rates
    ]
    if "other" in notes:
        return None, (
            f"Cannot tell: {' and '.join(learns)}, but its {NAME} does not make the "
            "document's values after np.random.seed; docs/lecturers.md names the "
            "document's function."
        )
    sizes = ""
    if (split.train, split.test) != SIZES:
        sizes = (
            f"; it trains on {split.train:,} series and tests on {split.test:,}, where "
            "the assignment has 7,000 and 2,000"
        )
    return True, f"Right: {' and '.join(learns)}{sizes}."


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
    bounds = [(0.9999 * error**2, 1.0001 * error**2) for error in errors]
    # the rows differ, since a program may divide by their deviation
    row = 0.5 * SCALE - errors + 100 * np.sin(np.arange(TEST_SERIES))[:, None]
    run = program.run("N", row)
    total = run.series
    place = place_within(run.printed, bounds[INPUTS - 1])
    if not place:
        place, numbers = list(run.printed.items())[-1]
        own = program.on_its_own("N", UNTOUCHED, place)
        own.require_time_in_order("N")
        again = replace(program, seed=program.seed + 1).run("N", row)
        why = ""
        if again.printed.get(place) != numbers:
            why = "on the same series it is another in each run, as if time is shuffled"
        why = why or _other_measure(
            numbers[0], bounds[INPUTS - 1], range(100, total + 1)
        )
        why = why or _other_guess([numbers[0].is_in(*bound) for bound in bounds])
        mse = errors[INPUTS - 1] ** 2
        raise Wrong(f"N is {numbers[0].value:g} where the MSE is {mse:,.0f}: {why}")
    # Each row's squared error is the number of the row, so the mean tells which rows
    # were taken: the first ones, or the last ones.
    order = np.arange(1.0, total + 1)
    middle, half = _mean_over_test(program, place, order)
    means = np.array([order.cumsum(), order[::-1].cumsum()]) / order
    means[1, -1] = np.nan  # all rows are the first ones, too
    fits = np.argwhere(abs(means - middle) <= half + 1e-6 * total)
    if len(fits) != 1:
        raise Undecided(
            "N does not tell which rows it tests on: too few digits, "
            "or rows from here and there"
        )
    last, size = fits[0] + [0, 1]
    # Other rows may have the same mean, but not in another order, too.
    moved = np.random.default_rng(0).permutation(order)
    found, doubt = _mean_over_test(program, place, moved)
    taken = moved[-size:] if last else moved[:size]
    if abs(found - taken.mean()) > 2 * (doubt + half) + 1e-3:
        raise Undecided(
            "N tests neither on the first nor on the last series, but on some around "
            f"number {middle:,.0f} of {total:,}; the assignment wants 7,000 to train on, "
            "and all the other 2,000 to test on"
        )
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
    printed = program.run("N", np.column_stack([inputs, targets])).printed
    number = _figure_of_n(printed, place)
    if not np.isfinite(number.value):
        raise Undecided(f"N is {number.value} on the check's series")
    return number.value / SCALE**2, number.half / SCALE**2


def _figure_of_n(printed: PrintedSeries, place: Place) -> PrintedNumber:
    """Return the figure at the place of the first run.

    Raises:
        Undecided: there is none.
    """
    if place not in printed:
        words = " and ".join(repr(text) for text, _ in list(printed)[:2])
        raise Undecided(
            "the words beside the figure of N, or the number of its figures, are others "
            f"when the series are others; on other series it prints {words}"
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
    run.require_time_in_order("N")
    again = len(run.made) - len(np.unique(run.made, axis=0))
    if again:
        raise Wrong(
            f"{again:,} of its {run.series:,} series are there twice, so it tests on "
            "train rows: it sets the seed of its random numbers again"
        )
    number = _figure_of_n(run.printed, place)
    errors = (run.made[:, -1] - run.made[:, -2]) ** 2
    reach = SURE * errors.std() / np.sqrt(split.test)
    if not number.is_in(errors.mean() - reach, errors.mean() + reach):
        raise Wrong(
            f"N is {number.value:.3g} on the program's own series, where the MSE of the "
            f"50th value is {errors.mean():.3g}: it compares guesses with the 51st "
            "values of other series, as after two separate shuffles"
        )


def _other_guess(is_value: Sequence[bool]) -> str:
    """Describe the wrong guess of N.

    Args:
        is_value: for each of the 51 values, whether the figure fits it as the guess.
    """
    if is_value[INPUTS]:
        return "its guess is the 51st value (index 50), which it must guess"
    guesses = np.flatnonzero(is_value)
    if not 0 < len(guesses) <= 3:
        return "it is of other values"
    words = " or ".join(
        f"the {_ordinal(int(at) + 1)} value (index {at})" for at in guesses
    )
    return f"its guess is {words}, and must be the 50th (index 49)"


def _ordinal(number: int) -> str:
    """Return a number up to 51 as "1st"."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in {11, 12, 13} else ending}"


def _other_measure(number: PrintedNumber, mse: Bounds, counts: Iterable[int]) -> str:
    """Return the other measure that a number is; "" if it is no known measure.

    `mse` are the bounds of the mean squared error, `counts` the possible numbers of
    test rows.
    """
    bounds = np.array(mse)
    measures = [
        (
            "it prints the root of it, or the mean of the absolute errors",
            np.sqrt(bounds),
        ),
        ("it prints half of it", bounds / 2),
    ]
    sums = "it prints the sum of the squared errors, not their mean"
    measures += [(sums, count * bounds) for count in counts]
    return next((words for words, ends in measures if number.is_in(*ends)), "")


@dataclass(frozen=True)
class Network:
    """The network of D or R under the check.

    Attributes:
        program: the program.
        letter: D or R.
        split: its split.
        train: (series, 51) the usual train rows.
    """

    program: StudentProgram
    letter: str
    split: SeriesSplit
    train: Array

    def run(
        self,
        test: Array,
        epochs: int = 1,
        train: Array | None = None,
        bounds: Bounds = MSE,
    ) -> StudentRun:
        """Run it on train rows and test rows (rows, 51), until so many epochs have
        errors within the bounds.
        """
        rows = self.split.rows(self.train if train is None else train, test)
        return self.program.run(self.letter, rows, bounds, epochs)

    def figure(self, test: Array, scale: float = 1, shift: float = 0) -> PrintedNumber:
        """Return the error after an epoch for inputs (rows, 50) of test rows.

        It is nan if there is none. `scale` and `shift` change the inputs of all rows.
        """
        train = self.train.copy()
        train[:, :-1] = scale * train[:, :-1] + shift
        rows = _far(scale * np.atleast_2d(test) + shift)
        with suppress(Undecided, Wrong):
            return self.run(rows, train=train).numbers[0]
        return PrintedNumber(np.nan, 0)


def _far(inputs: Array) -> Array:
    """Return test rows with inputs (rows, 50) and 51st values that are `FAR`."""
    return np.column_stack([inputs, np.full(len(inputs), FAR)])


def learning(program: StudentProgram, letter: str, split: SeriesSplit) -> float:
    """Check D or R, and return the rate at which it learns.

    Raises:
        Wrong: it learns by another rule, from other rows, or prints another figure.
        Undecided: no known rule leads to its figures.
    """
    count = split.train
    earlier, later = TARGETS[letter]
    targets = np.concatenate(
        [np.resize(earlier, count // 2), np.resize(later, count - count // 2)]
    )
    train = np.column_stack([np.resize(KINDS[letter], (count, INPUTS)), targets])
    network = Network(program, letter, split, train)
    runs = [network.run(probe, epochs=2) for probe in _far(PROBES[letter])]
    runs[0].require_time_in_order(letter)
    figures = [run.numbers[:2] for run in runs]
    place = runs[0].place
    if place is None or min(map(len, figures)) < 2:
        raise Wrong(f"{letter} prints {_other_figure(runs, split)}")
    first, second = np.moveaxis(_outputs(figures), 1, 0)
    rule = LearningRule(letter, train, first, second)
    rates = rule.agreeing([""], *RATES[letter])
    if not rates or min(abs(first[:, 0])) > ENDS:
        # other causes are looked for first
        with suppress(UnknownRule):
            _require_each_epoch(network)
        known = [numbers[0] for numbers in figures[:2]]
        moves = any(before.value != after.value for before, after in figures)
        _explain(network, rule, place, known, first[:, 0], moves=moves)
    _require_each_epoch(network)
    # With so few digits, a slip may look like the rule.
    alike = (
        set(rule.agreeing(rule.slips)) - {"bias"} if first[:, 1].max() > 1e-6 else ()
    )
    if alike:
        others = "; ".join(SLIPS[slip] for slip in sorted(alike))
        raise TooFewDigits(
            f"{letter} prints too few digits to tell its rule from others; {others}"
        )
    if letter == "R":
        _require_reset_state(network)
    if "rows" in runs[0].notes:
        _require_pairs(program, letter, place, rates[""])
    return rates[""]


def _explain(
    network: Network,
    rule: LearningRule,
    place: Place,
    known: Sequence[PrintedNumber],
    output: Array,
    *,
    moves: bool,
) -> NoReturn:
    """Raise Wrong with the cause of figures that the rule does not explain.

    Args:
        network: the network.
        rule: the search of `learning`.
        place: where it prints its figures.
        known: the figures after an epoch if all test rows are the first probe, and
            the second.
        output: the outputs (probes,) after an epoch.
        moves: whether a figure differs after the second epoch.

    Raises:
        UnknownRule: the cause is not known.
    """
    letter = network.letter
    if min(abs(output)) > ENDS:
        # This alone shows no slip: normalised inputs are so large that a right rule
        # does it, too.
        learned = _does_not_learn(network.program, letter, place)
        if learned:
            raise Wrong(
                f"{letter} does not learn: {learned}; {SLIPS['sign']}, "
                "or something else, such as too high a rate, drives tanh to its ends"
            )
        raise UnknownRule(
            f"{letter} drives tanh to its ends on the check's series, as with "
            "normalised inputs, too high a rate or large first weights"
        )
    slips = _slips(letter, rule)
    if not slips:
        _require_tanh(network, output)
    # Series that are moved towards 0 look like a bias that does not move, and large
    # ones like another rate.
    if not slips or SLIPS["bias"] in slips or BY_RULE in slips:
        _require_series_as_they_are(network, known)
    if slips:
        raise Wrong(slips)
    for places in (1, -1):
        if rule.moved(places).agreeing([""], *RATES[letter]):
            raise Wrong(
                f"{letter} learns the 51st values of other series: between inputs and "
                "51st values, the train rows are moved by one"
            )
    learned = _does_not_learn(network.program, letter, place)
    if learned and not moves:
        raise Wrong(
            f"{letter} does not learn: an epoch changes none of its figures; {learned}"
        )
    if learned:
        raise UnknownRule(
            f"{letter} does not learn in {OWN_EPOCHS} epochs: {learned}; the cause is "
            "not known"
        )
    raise UnknownRule(
        f"{letter} learns, but neither by the document's rule nor with a slip that "
        "is known here; batches, another optimiser or activation, normalised or "
        "otherwise changed series, an order of its own that the check cannot hold "
        "still, epochs without a figure, or too few printed digits would do that"
    )


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


def _require_series_as_they_are(
    network: Network, known: Sequence[PrintedNumber]
) -> None:
    """Raise Wrong if the network gets other inputs than the test rows have, or if its
    figure is of other outputs than the last one.

    A huge last value drives the output to an end of tanh, whatever the weights are.
    `known` are the figures of `_explain`.
    """
    letter = network.letter
    count = network.split.test
    blank, near = known
    test = np.resize(PROBES[letter][1], (count, INPUTS))
    same = near.half + ROUNDING * near.value
    # A network that has forgotten its inputs gives the same figure, too.
    sees = abs(near.value - blank.value) > LEFT + same
    # at the ends of tanh all inputs look alike
    if min(abs(near.value - edge) for edge in MSE) < LEFT:
        test = test / HUGE
        near = network.figure(test)
    changes = [{"scale": 2.0}, {"shift": 0.5}] if sees else []
    changed = [network.figure(test, **change) for change in changes]
    if any(abs(number.value - near.value) <= same for number in changed):
        test[-1] = LARGE
        number = network.figure(test)
        low, high = [(near.value * (count - 1) + edge) / count for edge in MSE]
        reach = near.half + ROUNDING * high
        if number.value < low - reach or number.value > high + reach:
            raise Wrong(
                f"{letter} gives another output for a test row if another test row is "
                "large: it normalises series with values of the test rows"
            )
        raise UnknownRule(
            f"{letter} prints the same figure if all inputs are larger, so it "
            "normalises them, and the check knows the rule for inputs as they are"
        )
    if letter == "D":
        return
    if _is_at_end(network, np.ones(INPUTS)) is False:
        raise Wrong(
            "R does not get the series as they are: large values become small, as if "
            "each series is normalised"
        )
    last = np.eye(INPUTS)[-1]
    if _is_at_end(network, last) is not False:
        return
    if _is_at_end(network, last[::-1]):
        raise Wrong("R takes the values of a series in from the last to the first")
    if _is_at_end(network, 1 - last):
        raise Wrong(
            "R scores an output before the 50th value (index 49) is in: its values are "
            "in another order, or it takes an earlier output"
        )
    raise Wrong(
        "R scores the outputs of all steps, and must score the output after the 50th "
        "value alone"
    )


def _is_at_end(network: Network, inputs: Array) -> bool | None:
    """Return whether huge inputs (50,) drive the output to an end of tanh; None if it is
    not known.
    """
    number = network.figure(HUGE * inputs)
    if np.isnan(number.value) or number.is_in(FAR**2, FAR**2):
        return None
    reach = ROUNDING * MSE[1]
    return any(number.is_in(edge - reach, edge + reach) for edge in MSE)


def _require_each_epoch(network: Network) -> None:
    """Raise Wrong if a figure is not of its own epoch, or depends on the 51st values of
    test rows.

    If an error falls from one epoch to the next, it rises if the 51st value has the
    other sign. The weights settle slowly here, since few train rows have an input.
    """
    letter = network.letter
    probe = PROBES[letter][1]
    train = np.zeros_like(network.train)
    train[-1] = np.append(0.05 * probe, FAR / 2)

    def figures(target: float) -> list[PrintedNumber]:
        """Return up to two figures if the test rows have this 51st value."""
        return network.run(np.append(probe, target), 2, train).numbers[:2]

    falls = figures(FAR)
    rises = figures(-FAR)
    misses = [
        abs(2 * FAR - np.sqrt(one.value) - np.sqrt(other.value))
        - 4 * (one.half + other.half) / (2 * FAR - 2)
        for one, other in zip(falls, rises, strict=False)
    ]
    if len(misses) == 2 and max(misses) < ROUNDING_OF_PROGRAMS:
        return
    if falls and figures(FAR)[0] != falls[0]:
        raise Undecided(
            f"two runs on the same rows differ: {letter} draws numbers that cannot "
            "be held still"
        )
    if falls and (not rises or misses[0] > SEEN):
        raise Wrong(
            f"{letter} has seen the test rows' 51st values: it trains on test rows, "
            "takes 51 values in, or normalises with them"
        )
    repeated = [len(each) == 2 and each[0] == each[1] for each in (falls, rises)]
    if any(repeated) and falls != rises:
        raise Wrong(
            f"{letter} prints the figure of an epoch again if the error rises in the "
            "next: it prints, or keeps, the best so far, and must print each epoch's"
        )
    raise UnknownRule(
        f"the figures of {letter} are not those of one network after each epoch, as if "
        "it prints some epochs only, or chooses epochs by the test rows"
    )


def _require_tanh(network: Network, output: Array) -> None:
    """Raise Wrong if the output is a line in the last input, far beyond -1 and 1.

    `output` are the outputs (probes,) after an epoch.
    """
    slope = output[1] - output[0]
    if abs(slope) < LEFT:
        return
    for far in (NO_TANH, -NO_TANH):
        probe = (far - output[0]) / slope * PROBES[network.letter][1]
        error = (FAR - far) ** 2
        bounds = (MSE[0], 1.01 * error)
        numbers = network.run(np.append(probe, FAR), bounds=bounds).numbers
        if not numbers or not numbers[0].is_in(0.99 * error, bounds[1]):
            return
    raise Wrong(
        f"{network.letter} has no tanh: with large inputs its output is {NO_TANH:g} or "
        f"{-NO_TANH:g}, and must be between -1 and 1"
    )


def _require_pairs(
    program: StudentProgram, letter: str, place: Place, rate: float
) -> None:
    """Raise Wrong if shuffles part the inputs of a network from their 51st values.

    The figure after an epoch on the program's own series is then far larger than on the
    same series in their order.
    """
    ordered, shuffled = (
        program.on_its_own(letter, kind, place).numbers for kind in (OWN, UNTOUCHED)
    )
    if not ordered or not shuffled:
        return
    base, slope = ORDER[letter]
    most = (base + slope * rate) * (ordered[0].value + ordered[0].half)
    if shuffled[0].value - shuffled[0].half > most:
        raise Wrong(
            f"{letter} is {shuffled[0].value:.3g} after an epoch on the program's own "
            f"series, and {ordered[0].value:.3g} without its shuffles: they part the "
            "inputs from their 51st values"
        )


def _does_not_learn(program: StudentProgram, letter: str, place: Place) -> str:
    """Return the error on the program's own series, in words, if that is large.

    The text is "" if it is not, or not known. `place` is where the figures are printed.
    """
    with suppress(Undecided, Wrong):
        run = program.on_its_own(letter, UNTOUCHED, place, OWN_EPOCHS)
        zero = np.mean(run.made[:, -1] ** 2)
        if run.numbers and not run.numbers[-1].value < zero:
            return (
                f"on the program's own series its MSE is {run.numbers[-1].value:.3g}, "
                f"and that of the guess 0 is {zero:.3g}"
            )
    return ""


def _slips(letter: str, rule: LearningRule) -> str:
    """Return a sentence with the slips that explain the figures; "" if none does."""
    agreeing = rule.agreeing(["", *rule.slips])
    # With another slip the bias may not move either, as if it were not trained.
    if len(agreeing) > 1:
        agreeing.pop("bias", None)
    meant = "0.1" if letter == "D" else "0.01 to 0.001"
    found = {slip: f"{letter}: {SLIPS.get(slip)}" for slip in agreeing}
    if "" in agreeing:
        side = "low" if agreeing[""] < RATES[letter][0] else "high"
        found[""] = (
            f"{letter} {BY_RULE}, but as at a rate of about {agreeing['']:.1g} "
            f"for each series, which is too {side}: the document has {meant}"
        )
    return "; or ".join(found.values())


def _other_figure(runs: Sequence[StudentRun], split: SeriesSplit) -> str:
    """Describe what is printed instead of the test set's mean squared error."""
    place, numbers = max(runs[0].printed.items(), key=lambda item: len(item[1]))
    number = numbers[0]
    if not np.isfinite([value for value, _ in numbers]).all():
        return (
            "nan or inf: its numbers overflow, "
            "as with a wrong sign or far too high a rate"
        )
    if len(numbers) < 2:
        return "one figure; it must print one after every epoch"
    why = _other_measure(number, MSE, (split.test, split.train, split.total))
    same = [number] == runs[1].printed.get(place, [])[:1]
    if not why and same and number.value < 10 and number.half < number.value / 1000:
        return (
            "a figure that does not depend on the test rows: it tests on the train rows"
        )
    low, high = MSE
    # the first 49 outputs are compared with values between -1 and 1
    if number.is_in(low / INPUTS, high / INPUTS + 4):
        why = why or "is it the mean over the outputs of all steps?"
    why = why or "is the 51st value the target, as it is, not normalised?"
    return (
        f"{number.value:g} where the MSE on the test rows is between {low:g} and "
        f"{high:g}: {why}"
    )


def _require_reset_state(network: Network) -> None:
    """Raise Wrong if the order of the test rows changes the figure of R.

    The node is trained to remember, so that a state that is not reset changes the
    figure.
    """
    split = network.split
    sign = np.resize([1.0, -1.0], split.train)
    zeros = np.resize([0, 0, 1, 1, 2, 2, 3, 3], split.train)  # at the end of a row
    seen = np.arange(INPUTS) < INPUTS - zeros[:, None]
    train = np.column_stack([1.5 * sign[:, None] * seen, 5 * sign])
    values = np.zeros(split.test)
    values[: split.test // 3 * 3] = np.resize([1.5, 0, -1.5], split.test // 3 * 3)
    figures: list[PrintedNumber] = []
    # the same rows in two orders
    for ordered in (values, -values):
        test = _far(np.outer(ordered, np.ones(INPUTS)))
        figures += network.run(test, train=train).numbers[:1]
    if len(figures) < 2:
        return
    one, other = figures
    if abs(one.value - other.value) > 1e-4 + one.half + other.half:
        raise Wrong(
            "R does not set the state to 0 before each series: "
            "the order of the test rows changes its figure"
        )
