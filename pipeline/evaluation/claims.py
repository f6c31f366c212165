"""Published figures and what a rebuild says of them, by the rule of
docs/decisions/claims.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from pipeline.config import plain_yaml
from pipeline.config.params import Params, RunName, own_name
from pipeline.errors import UsageError
from pipeline.evaluation.intervals import LEVEL, Interval, as_errors, independent
from pipeline.evaluation.schema import About, Entry, Evaluation, Stat
from pipeline.evaluation.scores import MIN_SEEDS, statistics
from pipeline.metrics import MEASURES
from pipeline.validation import Strict, validated

ROUNDING = 1e-9
"""Relative tolerance at the ends of an interval. A figure that lies exactly on an end
holds, whatever its last bit is."""


class Outcome(StrEnum):
    """The word for what a rebuild shows about a claim."""

    HOLDS = "holds"
    LITTLE = "says little"
    FAILS = "does not hold"
    UNSURE = "cannot tell"
    NOT_BUILT = "not built"
    STAND_IN = "stand-in"


class Headline(Strict):
    """The words beside a claim in the table that opens README and page.

    Attributes:
        figure: the model and its measure, in a few words.
        reason: the reason for the verdict, in a few words.
    """

    figure: str
    reason: str


class Claim(Strict):
    """A statement of a document: a figure, a comparison of two experiments, or a count.

    claims.yaml explains the fields. A `value` that is a list is a shape, in which None
    stands for any length.
    """

    document: str
    words: str
    experiment: RunName
    metric: str
    value: str | int | list[int | None] | None = None
    about: bool = False
    rows: Literal["same", "own", "other"] = "same"
    width: float | None = pydantic.Field(default=None, gt=1)
    of: RunName | None = None
    beside: list[RunName] = pydantic.Field(default_factory=list)
    against: RunName | None = None
    relation: Literal["below", "above", "par"] | None = None
    within: float | None = pydantic.Field(default=None, gt=0)
    reach: float | None = pydantic.Field(default=None, gt=0)
    note: str = ""
    headline: Headline | None = None

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "Claim":
        one_of_two = (self.value is None) != (self.against is None)
        if not one_of_two or (self.against is None) != (self.relation is None):
            raise ValueError("must have either value, or against and relation")
        if (self.relation == "par") != (self.within is not None):
            raise ValueError(
                "must have `within` where the relation is par, and only there"
            )
        if isinstance(self.value, str):
            self.printed()
            if self.width is None:
                raise ValueError(
                    "must say the `width` beyond which an interval tells nothing"
                )
        return self

    @property
    def kind(self) -> Literal["figure", "comparison", "count"]:
        """The kind of statement; a value that is no text is a count."""
        if self.against:
            return "comparison"
        return "figure" if isinstance(self.value, str) else "count"

    @property
    def experiments(self) -> list[RunName]:
        """The full names (data set/experiment) of all experiments that it names."""
        return [
            self.experiment,
            *(name for name in (self.against, self.of) if name),
            *self.beside,
        ]

    @property
    def dataset(self) -> str:
        """The data set that its experiments belong to."""
        return self.experiment.partition("/")[0]

    def printed(self) -> Interval:
        """Return the interval that the printed digits of a figure imply. Raises
        ValueError if the value is no number.
        """
        try:
            value = Decimal(str(self.value))
            exponent = int(value.as_tuple().exponent)
        except (ArithmeticError, TypeError, ValueError):
            raise ValueError(
                f"`value` must be a number. Received: {self.value}"
            ) from None
        last_digit = float(Decimal(1).scaleb(exponent))
        reach = self.reach or (last_digit if self.about else last_digit * 0.5)
        return float(value) - reach, float(value) + reach


def load(path: Path) -> list[Claim]:
    """Read and validate claims.yaml, a list of claims.

    Raises:
        UsageError: the file is no plain YAML, or a claim is wrong.
        UnrollError: the file is missing or cannot be read.
    """
    claims = plain_yaml.read(path)
    if not isinstance(claims, list):
        raise UsageError(
            f"{path.name}: the whole must be a list of claims. "
            f"Received: {type(claims).__name__}"
        )
    return [
        validated(Claim, claim, f"{path.name}: claim {number}")
        for number, claim in enumerate(claims, 1)
    ]


def known(claims: Iterable[Claim], params: Params) -> list[Claim]:
    """Return the claims whose experiments are all in params.yaml."""
    runs = set(params.runs)
    return [claim for claim in claims if set(claim.experiments) <= runs]


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim, and the rebuilt values that it rests on.

    Attributes:
        dataset: the data set of the claim's experiment, as its evaluation describes it;
            None if it is not built.
        rebuilt: the metric over the seeds; None if it is not built or is a shape.
        interval: for a figure, where one more run would lie; for a comparison, where
            the difference lies; None if that is not known.
        shape: the rebuilt shape, if the claim is about a shape.
        other: the metric of the experiment that the claim compares with.
    """

    claim: Claim
    outcome: Outcome
    dataset: About | None = None
    rebuilt: Stat | None = None
    interval: Interval | None = None
    shape: list[int | None] | None = None
    other: Stat | None = None


def judge(claim: Claim, evaluations: Mapping[str, Evaluation]) -> Verdict:
    """Judge a claim.

    Args:
        claim: as in claims.yaml.
        evaluations: data set -> its evaluation, for the data sets that are built.

    Raises:
        UsageError: the claim names a metric that its experiment does not have.
    """
    if any(not name.startswith(f"{claim.dataset}/") for name in claim.experiments):
        raise UsageError(
            f"claims.yaml: {', '.join(claim.experiments)} must be of one data set "
            "to be compared"
        )
    evaluation = evaluations.get(claim.dataset)
    names = {own_name(name) for name in claim.experiments}
    if evaluation is None or not names <= evaluation.experiments.keys():
        return Verdict(claim, Outcome.NOT_BUILT)
    judges = {"count": _count, "figure": _figure, "comparison": _comparison}
    verdict = judges[claim.kind](claim, evaluation)
    if evaluation.dataset.stand_in:
        return replace(verdict, outcome=Outcome.STAND_IN)
    return verdict


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return outcome -> its number of verdicts, for the outcomes that occur, in the
    order of `Outcome`.
    """
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}


def _count(claim: Claim, evaluation: Evaluation) -> Verdict:
    rebuilt = look_up(evaluation, claim.experiment, claim.metric)
    about = evaluation.dataset
    if isinstance(rebuilt, Stat) and not isinstance(claim.value, list):
        outcome = _holds_if(rebuilt.mean == claim.value)
        return Verdict(claim, outcome, about, rebuilt)
    if isinstance(rebuilt, list) and isinstance(claim.value, list):
        same = len(rebuilt) == len(claim.value) and all(
            length in (None, own)
            for own, length in zip(rebuilt, claim.value, strict=True)
        )
        return Verdict(claim, _holds_if(same), about, shape=rebuilt)
    kind = "shape" if isinstance(rebuilt, list) else "whole number"
    raise UsageError(
        f"claims.yaml: {claim.metric} of {claim.experiment} is a {kind}, so `value` "
        f"must be a {kind}. Received: {claim.value}"
    )


def _holds_if(holds: bool) -> Outcome:
    return Outcome.HOLDS if holds else Outcome.FAILS


def _figure(claim: Claim, evaluation: Evaluation) -> Verdict:
    rebuilt = _stat(evaluation, claim.experiment, claim.metric)
    unit = 1.0
    if claim.of:
        unit = _stat(evaluation, claim.of, claim.metric).mean
        rebuilt = _divided(rebuilt, unit)
    interval = rebuilt.prediction_interval
    if claim.rows != "same":
        interval = rebuilt.prediction_interval_new_rows
    outcome = Outcome.UNSURE
    if interval is not None and _span(interval, claim.metric) <= (claim.width or 0):
        outcome = _holds_if(_meet(interval, claim.printed()))
        baselines = [
            _stat(evaluation, name, claim.metric).mean / unit for name in claim.beside
        ]
        if outcome == Outcome.HOLDS and any(
            _meet(interval, (mean, mean)) for mean in baselines
        ):
            outcome = Outcome.LITTLE
    return Verdict(claim, outcome, evaluation.dataset, rebuilt, interval)


def _divided(stat: Stat, unit: float) -> Stat:
    """Divide all numbers of a statistic by a unit.

    No interval is estimated anew: that would import SciPy for every look at a claim.
    """
    fields = {
        key: np.divide(value, unit).tolist()
        for key, value in stat.model_dump().items()
        if value is not None
    }
    return Stat.model_validate({"std": None} | fields)


def _comparison(claim: Claim, evaluation: Evaluation) -> Verdict:
    reference = _stat(evaluation, str(claim.against), claim.metric)
    verdict = Verdict(
        claim,
        Outcome.UNSURE,
        evaluation.dataset,
        rebuilt=_stat(evaluation, claim.experiment, claim.metric),
        interval=_difference(claim, evaluation),
        other=reference,
    )
    if verdict.interval is None:
        return verdict
    low, high = verdict.interval
    if claim.within is not None:
        holds = -claim.within < low and high < claim.within
        fails = low > claim.within or high < -claim.within
    elif claim.relation == "below":
        holds = high < 0
        fails = low > 0
    else:
        holds = low > 0
        fails = high < 0
    if not holds:
        return replace(verdict, outcome=Outcome.FAILS) if fails else verdict
    for name in claim.beside:
        baseline = claim.model_copy(update={"experiment": name, "beside": []})
        if _comparison(baseline, evaluation).outcome == Outcome.HOLDS:
            return replace(verdict, outcome=Outcome.LITTLE)
    return replace(verdict, outcome=Outcome.HOLDS)


def _difference(claim: Claim, evaluation: Evaluation) -> Interval | None:
    """Return the interval of the difference of two experiments, in the measure's unit.

    Return None if the difference is not known.
    """
    names = [own_name(claim.experiment), own_name(str(claim.against))]
    entries = [evaluation.experiments[name] for name in names]
    chosen = "best" if entries[0].best else "final"
    metric = claim.metric.replace("best.", f"{chosen}.")  # as `look_up` has it
    by_rows, by_seeds = _comparable(evaluation, entries[0], chosen)
    if metric not in by_rows + by_seeds:
        raise UsageError(
            f"claims.yaml: {claim.experiment} and {claim.against} can be compared by "
            f"{', '.join(by_rows + by_seeds)}. Received: {claim.metric}"
        )
    # "par" takes a 90 % interval: each of its ends is a one-sided test at 5 %.
    level = LEVEL if claim.within is None else 0.9
    reference = _stat(evaluation, str(claim.against), claim.metric)
    if metric in by_rows:
        split = metric.split(".")[1]
        return _of_scores(evaluation, split, names, reference.mean, level)
    few = any(entry.varies and len(entry.seeds) < MIN_SEEDS for entry in entries)
    if few and metric != "parameters":
        return None
    rebuilt = _stat(evaluation, claim.experiment, claim.metric)
    return independent(rebuilt.values, reference.values).interval(level)


def _comparable(
    evaluation: Evaluation, entry: Entry, chosen: str
) -> tuple[list[str], list[str]]:
    """Return the measures that are compared over rows and seeds, and over seeds alone.

    `chosen` is "best" or "final", the weights that the measures are of.
    """
    about = evaluation.dataset
    by_rows = [
        f"{chosen}.{split}.{about.metric}"
        for split in ("validation", "test")
        if split in about.examples
    ]
    reached = [f"reached.{level}" for level in entry.reached]
    return by_rows, ["best_epoch", "gap", "parameters", *reached]


def _of_scores(
    evaluation: Evaluation, split: str, names: list[str], score: float, level: float
) -> Interval | None:
    """Return the interval of the difference of two experiments' scores.

    `score` is the second experiment's. Return None if the difference is not known.
    """
    difference = evaluation.difference(split, *names)
    if difference is None:
        return None
    metric = evaluation.dataset.metric
    low, _, high = difference.in_errors(as_errors(metric, score), level)
    return (-high, -low) if MEASURES[metric].higher else (low, high)


def _meet(interval: Interval, other: Interval) -> bool:
    slack = ROUNDING * max(map(abs, (*interval, *other)))
    return interval[0] <= other[1] + slack and other[0] <= interval[1] + slack


def _span(interval: Interval, metric: str) -> float:
    """Return the high end of an interval divided by its low end; for an accuracy, the
    ratio of their odds.
    """
    low, high = interval
    if metric.endswith("accuracy"):
        return high / (1 - high) / (low / (1 - low))
    return high / low


def _stat(evaluation: Evaluation, experiment: str, path: str) -> Stat:
    stat = look_up(evaluation, experiment, path)
    if isinstance(stat, list):
        raise UsageError(
            f"claims.yaml: {path} of {experiment} is a shape; "
            "only a count can be compared with a shape"
        )
    return stat


def look_up(
    evaluation: Evaluation, experiment: str, path: str
) -> Stat | list[int | None]:
    """Return the value at a metric's path: the statistics of a number, or a shape.

    A path starts in the experiment's entry of evaluation.json: `parameters`,
    `final.test.mse`, `rollout.horizon`, `groups.outside.mse`. Four beginnings are
    special:

    - `best` means the final weights if no epoch was chosen.
    - `layers.TYPE` is the first layer of that type.
    - `dataset.` leads into the data set's description.
    - `dataset.examples` is the number of examples in all splits.

    Raises:
        UsageError: the path leads nowhere; the text names the keys that exist.
    """
    entry = evaluation.experiments[own_name(experiment)].model_dump()
    node: Any = {
        **entry,
        "best": entry["best"] or entry["final"],
        "dataset": evaluation.dataset.model_dump(),
    }
    for key in path.split("."):
        if isinstance(node, list):
            node = {layer["type"]: layer for layer in reversed(node)}
        if not isinstance(node, Mapping) or node.get(key) is None:
            valid = ", ".join(node) if isinstance(node, Mapping) else "(nothing)"
            raise UsageError(
                f"claims.yaml: {experiment} has no metric {path}: "
                f"{key!r} is not one of {valid}"
            )
        node = node[key]
    if isinstance(node, int | float) and not isinstance(node, bool):
        return statistics([float(node)])
    if isinstance(node, Mapping) and "mean" in node:
        return Stat(**node)
    if isinstance(node, Mapping) and path == "dataset.examples":
        return statistics([float(sum(node.values()))])
    if isinstance(node, list):
        return node
    raise UsageError(
        f"claims.yaml: {path} of {experiment} is not a number, "
        "its statistics or a shape"
    )
