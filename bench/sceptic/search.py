"""Models without recurrence, tried on validation for so many seconds; the best of them
scored on test, once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from bench.sceptic import rows
from bench.sceptic.models import build, of_words
from bench.sceptic.rows import View
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows, of_every_column
from pipeline.evaluation.intervals import as_errors
from pipeline.evaluation.sceptic import Search
from pipeline.metrics import losses

VALUES = 20_000_000
"""Of all inputs of the rows that a model learns from."""

FEW = 8000
"""Rows that kernel ridge regression and neighbours learn from, whose time grows with
the square."""

TOO_MANY = 12
"""Values in an answer from which on boosting is left out, since it makes a model for
each."""

SEEDS = 5
"""Of the best perceptron; their mean is tried last."""

DIVERGED = 1e9
"""The error of what ends in no number."""

RANKS = 3.0
OF_ANY = 0.15
"""How far down the best ones the parent of a new trial lies, on average; how often it
is the best of any kind."""

MOVED = 0.5
REDRAWN = 0.2
"""How often an option of a trial differs from its parent's: a number, and a choice from
a list."""

PERCEPTRON = {
    "layers": 2,
    "units": 128,
    "narrower": 0.5,
    "rate": 0.005,
    "decay": 0.01,
    "updates": 20_000,
    "batch": 32,
}
START: dict[str, dict[str, Any]] = {
    "Gaussian process": {"few": 1000, "many": 4000, "steps": 60},
    "tanh perceptron": {**PERCEPTRON, "units": 64, "narrower": 1.0},
    "sine perceptron": PERCEPTRON,
    "relu perceptron": PERCEPTRON,
    "linear": {"penalty": 10.0},
    "random features": {"features": 1000, "gamma": 0.1, "penalty": 3.0},
    "kernel ridge": {"gamma": 0.3, "penalty": 0.1},
    "neighbours": {"neighbours": 10, "weights": "distance"},
    "boosting": {
        "trees": 300,
        "leaves": 16,
        "rate": 0.05,
        "examples": 100,
        "share": 0.3,
    },
}
"""Each kind as it is tried first, which is how it has won before."""

START_OF_WORDS: dict[str, dict[str, Any]] = {
    "logistic regression by naive Bayes": {"longest": 2, "reviews": 3, "strength": 1.0},
    "logistic regression": {"longest": 1, "reviews": 3, "strength": 0.1},
}
"""The same where inputs are words."""

BRIEF = {"decay": 1.0, "updates": 1000, "batch": 128}
"""Of a perceptron for one column of a series, which learns its noise when it is trained
for longer."""

CHOICES: dict[str, Any] = {
    "few": (300, 1500),
    "many": (2000, 6000),
    "steps": (20, 150),
    "layers": [1, 2, 3],
    "units": (16, 250),
    "narrower": [0.5, 1.0],
    "rate": (5e-4, 0.1),
    "decay": (1e-4, 10.0),
    "updates": (300, 60_000),
    "batch": (16, 250),
    "penalty": (1e-4, 1e5),
    "features": (300, 3000),
    "gamma": (0.01, 10.0),
    "neighbours": (1, 100),
    "weights": ["uniform", "distance"],
    "trees": (50, 1000),
    "leaves": (4, 64),
    "examples": (5, 500),
    "share": (0.1, 1.0),
    "longest": [1, 2, 3],
    "reviews": (2, 20),
    "strength": (0.01, 30.0),
}
"""What an option may be: a member of a list, or between two ends, on a logarithmic
scale. A gamma is that of a column times their number."""


@dataclass(frozen=True)
class FittedModel:
    """A model that has learnt, and how its inputs and answers are scaled.

    Attributes:
        view: of the examples.
        scaler: of scikit-learn, for the inputs.
        mean, scale: of the targets: (values,), and one for all, so that all count as in
            the measure.
    """

    view: View
    scaler: Any
    model: Any
    mean: Array
    scale: float

    def predict(self, inputs: Array) -> Array:
        """Rows of the view (n, columns) -> (n, values)."""
        answers = self.model.predict(self.scaler.transform(inputs))
        return np.asarray(self.mean + self.scale * answers.reshape(len(inputs), -1))


@dataclass(frozen=True)
class Trial:
    """Models of one kind with the same options, of so many seeds, and the error of
    their mean on validation.

    Only the best ones keep their models: those of an hour would not fit into memory.
    """

    kind: str
    options: dict[str, Any]
    seeds: int
    models: list[FittedModel]
    error: float
    seconds: float

    def __str__(self) -> str:
        count = f"mean of {self.seeds} seeds of a " if self.seeds > 1 else ""
        options = {
            name: value for name, value in self.options.items() if value is not False
        }
        return ", ".join(
            [
                f"{count}{self.kind}",
                *(f"{name} {value}" for name, value in options.items()),
            ]
        )


def search(
    data: Dataset, arrays: str, seconds: float, seed: int, tell: Callable[[str], None]
) -> tuple[Search, Array]:
    """Each kind once, then near what is best on validation; in the end the mean of some
    seeds of the best perceptron.

    The same seed tries the same models in the same order; how many, and which near the
    end, depends on the time.

    Args:
        data: with a validation split.
        arrays: twelve characters of their hash.
        seconds: of CPU. No model is begun near one that took longer than is left; what
            has begun is finished.
        seed: of what is drawn.
        tell: gets a line for each model that is the best so far.

    Returns:
        What it came to, and what each test example (n,) adds to the best model's error.
    """
    begun = time.process_time()
    random = np.random.default_rng(seed)
    trials = list[Trial]()
    view, views = rows.start(data)
    train = data.splits["train"]
    brief = BRIEF if isinstance(train, Windows) and not of_every_column(train) else {}
    queue = [
        (kind, options | (brief if "perceptron" in kind else {}) | view)
        for kind, options in (START_OF_WORDS if data.vocabulary else START).items()
        if kind != "boosting" or rows.values(data) <= TOO_MANY
    ]

    def spent() -> float:
        return time.process_time() - begun

    def tried(
        kind: str, options: dict[str, Any], others: Sequence[FittedModel] = ()
    ) -> Trial:
        started = spent()
        models = [*others, fit(data, kind, options, seed + len(others))]
        error = float(
            np.fmin(
                as_errors(data.metric, losses_of(data, "validation", models).mean()),
                DIVERGED,
            )
        )
        trials.append(
            trial := Trial(kind, options, len(models), models, error, spent() - started)
        )
        keep = [_best(trials), _best(perceptrons())]
        if trial is keep[0]:
            tell(
                f"{data.name}  {spent():.0f} CPU s  error on validation {error:.4g}  {trial}"
            )
        for other in trials:
            if all(other is not best for best in keep):
                other.models.clear()
        return trial

    def perceptrons() -> list[Trial]:
        return [trial for trial in trials if "perceptron" in trial.kind]

    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        while queue and (not trials or spent() < seconds):
            tried(*queue.pop(0))
        while True:
            several = _best(perceptrons())
            kept = min(seconds / 4, (SEEDS - 1) * several.seconds) if several else 0.0
            affordable = [
                trial for trial in trials if trial.seconds < seconds - kept - spent()
            ]
            if not affordable:
                break
            tried(*near(random, affordable, CHOICES | views))
        cost = several.seconds if several else 0.0
        while (
            several
            and several is _best(perceptrons())
            and several.seeds < SEEDS
            and cost < seconds - spent()
        ):
            several = tried(several.kind, several.options, several.models)
        best = min(trials, key=lambda trial: trial.error)
        of_test = losses_of(data, "test", best.models)
    kinds: dict[str, float] = {}
    for trial in sorted(trials, key=lambda trial: trial.error):
        kinds.setdefault(
            trial.kind if trial.seeds == 1 else f"mean of {trial.kind}s", trial.error
        )
    result = Search(
        data=arrays,
        seed=seed,
        cpu_seconds=round(spent()),
        models=len(trials),
        best=str(best),
        seeds=best.seeds,
        validation=best.error,
        test=float(as_errors(data.metric, of_test.mean())),
        kinds=kinds,
    )
    return result, of_test


def _best(trials: Sequence[Trial]) -> Trial | None:
    return min(trials, key=lambda trial: trial.error, default=None)


def near(
    random: np.random.Generator, trials: Sequence[Trial], choices: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A kind and options close to those of a trial among the best, or now and then of
    any kind's best.
    """
    singles = sorted(
        (trial for trial in trials if trial.seeds == 1), key=lambda trial: trial.error
    )
    if random.random() < OF_ANY:
        kind = str(random.choice([*{trial.kind: None for trial in singles}]))
        parent = next(trial for trial in singles if trial.kind == kind)
    else:
        parent = singles[min(int(random.exponential(RANKS)), len(singles) - 1)]
    options = dict(parent.options)
    for name, value in parent.options.items():
        allowed = choices[name]
        if isinstance(allowed, list):
            if random.random() < REDRAWN:
                options[name] = allowed[random.integers(len(allowed))]
        elif random.random() < MOVED:
            low, high = allowed
            moved = float(f"{value * (high / low) ** (random.normal() / 8):.2g}")
            options[name] = type(value)(min(max(moved, low), high))
    return parent.kind, options


def fit(data: Dataset, kind: str, options: Mapping[str, Any], seed: int) -> FittedModel:
    """A model of a kind, of as many train rows as it can take; of words all, as they
    are.
    """
    if data.vocabulary:
        texts, classes = rows.rows(
            data, "train", np.arange(len(data.splits["train"])), View()
        )
        classifier = of_words(**options, bayes="Bayes" in kind).fit(
            texts, classes[:, 0]
        )
        return FittedModel(View(), FunctionTransformer(), classifier, np.zeros(1), 1.0)
    view = View(
        **{
            option.name: options[option.name]
            for option in fields(View)
            if option.name in options
        }
    )
    columns = rows.rows(data, "train", np.arange(1), view)[0].shape[1]
    most = min(
        VALUES // columns, FEW if kind in ("kernel ridge", "neighbours") else VALUES
    ) // rows.each(data)
    drawn = np.random.default_rng(seed).permutation(len(data.splits["train"]))[
        : max(1, most)
    ]
    inputs, targets = rows.rows(data, "train", drawn, view)
    scaler = StandardScaler().fit(inputs)
    mean = targets.mean(axis=0)
    scale = float(targets.std()) or 1.0
    model = build(
        kind,
        options,
        columns,
        seed,
        absolute=data.metric == "mae",
        several=targets.shape[1] > 1,
    )
    targets = (targets - mean) / scale
    model.fit(
        scaler.transform(inputs),
        targets[:, 0] if kind == "boosting" and targets.shape[1] == 1 else targets,
    )
    return FittedModel(view, scaler, model, mean, scale)


def losses_of(data: Dataset, split: str, models: Sequence[FittedModel]) -> Array:
    """(examples,) what each adds to the measure by the mean of some models of one view.

    What is taken off targets is taken off answers, so it cancels.
    """
    parts = []
    count = len(data.splits[split])
    for first in range(0, count, rows.AT_ONCE):
        indices = np.arange(first, min(first + rows.AT_ONCE, count))
        inputs, targets = rows.rows(data, split, indices, models[0].view)
        answers = np.mean([model.predict(inputs) for model in models], axis=0)
        parts.append(
            losses(data.metric, answers[None], targets)[0]
            .reshape(len(indices), -1)
            .mean(axis=1)
        )
    return np.concatenate(parts)
