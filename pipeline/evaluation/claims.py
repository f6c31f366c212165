"""Published figures and what a rebuild says of them, by the rule of
docs/decisions/claims.md.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from pipeline.evaluation.schema import About, Evaluation, Stat
from pipeline.evaluation.scores import COMPARED, MIN_SEEDS, statistics
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
    YES = "yes"
    NO = "no"
    NOT_BUILT = "not built"
    STAND_IN = "stand-in"


ANSWERS = {Outcome.HOLDS: Outcome.YES, Outcome.FAILS: Outcome.NO}
"""Outcome of a statement -> that of a question, which is answered."""


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
    question: bool = False
    note: str = ""
    headline: Headline | None = None

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "Claim":
        figure = isinstance(self.value, str)
        if figure:
            self.printed()
        compared = self.against is not None
        one_kind = compared == (self.value is None) == (self.relation is not None)
        rules = {
            "either value, or against and relation": one_kind,
            "`within` where the relation is par, and only there": (
                (self.relation == "par") == (self.within is not None)
            ),
            "`question` only beside `against`": compared or not self.question,
            "the `width` beyond which an interval tells nothing": (
                self.width is not None or not figure
            ),
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(f"must have {rule}")
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
    """Read and validate claims.yaml, a list of claims; without the file there are none.

    Raises:
        UsageError: the file is no plain YAML, or a claim is wrong.
        UnrollError: the file cannot be read.
    """
    if not path.exists():
        return []
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
    if evaluation is None:
        return Verdict(claim, Outcome.NOT_BUILT)
    if not names <= evaluation.experiments.keys():
        return Verdict(claim, Outcome.NOT_BUILT, evaluation.dataset)
    judges = {"count": _count, "figure": _figure, "comparison": _comparison}
    verdict = judges[claim.kind](claim, evaluation)
    if evaluation.dataset.stand_in:
        return replace(verdict, outcome=Outcome.STAND_IN)
    if claim.question:
        return replace(verdict, outcome=ANSWERS.get(verdict.outcome, verdict.outcome))
    return verdict


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return outcome -> its number of verdicts, for the outcomes that occur, in the
    order of `Outcome`.
    """
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return plain data: "counts" as `counted` has them, and "documents", which holds
    document -> a short name for the claim -> its outcome.
    """
    documents: dict[str, dict[str, dict[str, str]]] = {}
    for verdict in verdicts:
        of_document = documents.setdefault(verdict.claim.document, {})
        of_document[_key(verdict.claim, of_document)] = {"outcome": verdict.outcome}
    return {"counts": counted(verdicts), "documents": documents}


def _key(claim: Claim, taken: Iterable[str]) -> str:
    """Return a short name for a claim, such as "waves/gru best.test.mse 0.01".

    If the name is taken, a number is appended.
    """
    said = f"{claim.relation} {claim.against}" if claim.against else str(claim.value)
    key = f"{claim.experiment} {claim.metric} {said}"
    number = sum(other == key or other.startswith(f"{key} (") for other in taken)
    return f"{key} ({number + 1})" if number else key


def _count(claim: Claim, evaluation: Evaluation) -> Verdict:
    rebuilt = look_up(evaluation, claim.experiment, claim.metric)
    about = evaluation.dataset
    if isinstance(rebuilt, list) and isinstance(claim.value, list):
        same = len(rebuilt) == len(claim.value) and all(
            length in (None, own)
            for own, length in zip(rebuilt, claim.value, strict=True)
        )
        return Verdict(claim, _holds_if(same), about, shape=rebuilt)
    if isinstance(rebuilt, Stat) and not isinstance(claim.value, list):
        return Verdict(claim, _holds_if(rebuilt.mean == claim.value), about, rebuilt)
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
        for name in claim.beside:
            mean = _stat(evaluation, name, claim.metric).mean / unit
            if outcome == Outcome.HOLDS and _meet(interval, (mean, mean)):
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
    verdict = _against(claim, evaluation)
    for name in claim.beside:
        baseline = _against(claim.model_copy(update={"experiment": name}), evaluation)
        if verdict.outcome == baseline.outcome == Outcome.HOLDS:
            return replace(verdict, outcome=Outcome.LITTLE)
    return verdict


def _against(claim: Claim, evaluation: Evaluation) -> Verdict:
    """Compare two experiments; say "holds" or "does not hold" if their difference is
    surely on one side.
    """
    rebuilt = _stat(evaluation, claim.experiment, claim.metric)
    reference = _stat(evaluation, str(claim.against), claim.metric)
    interval = _difference(claim, evaluation, rebuilt, reference)
    reach = claim.within or 0.0
    least = -math.inf if claim.relation == "below" else -reach
    most = math.inf if claim.relation == "above" else reach
    outcome = Outcome.UNSURE
    if interval:
        low, high = interval
        if least < low and high < most:
            outcome = Outcome.HOLDS
        # Numbers of parameters have no scatter: of two equal ones none is smaller.
        elif low > most or high < least or claim.metric == "parameters":
            outcome = Outcome.FAILS
    about = evaluation.dataset
    return Verdict(claim, outcome, about, rebuilt, interval, other=reference)


def _difference(
    claim: Claim, evaluation: Evaluation, rebuilt: Stat, reference: Stat
) -> Interval | None:
    """Return the interval of the difference of two experiments, in the measure's unit.

    Scores are compared over rows and seeds, other measures over seeds alone. Return
    None if the difference is not known.
    """
    names = [own_name(claim.experiment), own_name(str(claim.against))]
    entries = [evaluation.experiments[name] for name in names]
    about = evaluation.dataset
    chosen = "best" if entries[0].best else "final"
    metric = claim.metric.replace("best.", f"{chosen}.")  # as `look_up` has it
    by_rows = {
        f"{chosen}.{split}.{about.metric}": split
        for split in COMPARED
        if split in about.examples
    }
    reached = [f"reached.{level}" for level in entries[0].reached]
    comparable = [*by_rows, "best_epoch", "gap", "parameters", *reached]
    if metric not in comparable:
        raise UsageError(
            f"claims.yaml: {claim.experiment} and {claim.against} can be compared by "
            f"{', '.join(comparable)}. Received: {claim.metric}"
        )
    # "par" takes a 90 % interval: each of its ends is a one-sided test at 5 %.
    level = LEVEL if claim.within is None else 0.9
    if metric not in by_rows:
        few = any(entry.varies and len(entry.seeds) < MIN_SEEDS for entry in entries)
        if few and metric != "parameters":
            return None
        return independent(rebuilt.values, reference.values).interval(level)
    difference = evaluation.difference(by_rows[metric], *names)
    if difference is None:
        return None
    low, _, high = difference.in_errors(as_errors(about.metric, reference.mean), level)
    return (-high, -low) if MEASURES[about.metric].higher else (low, high)


def _meet(interval: Interval, other: Interval) -> bool:
    slack = ROUNDING * max(map(abs, (*interval, *other)))
    return interval[0] <= other[1] + slack and other[0] <= interval[1] + slack


def _span(interval: Interval, metric: str) -> float:
    """Return the greater end of an interval divided by the smaller one; for an accuracy,
    the ratio of their odds. It is infinite around 0, which leaves the sign open.
    """
    low, high = interval
    if low == high:
        return 1.0
    if low <= 0 <= high:
        return math.inf
    if metric.endswith("accuracy"):
        return high / (1 - high) / (low / (1 - low))
    return max(high / low, low / high)


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
    about = evaluation.dataset.model_dump()
    node: Any = entry | {"best": entry["best"] or entry["final"], "dataset": about}
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
    if path == "dataset.examples":
        node = sum(node.values())
    if isinstance(node, int | float) and not isinstance(node, bool):
        return statistics([float(node)])
    if isinstance(node, Mapping) and "mean" in node:
        return Stat(**node)
    if isinstance(node, list):
        return node
    raise UsageError(
        f"claims.yaml: {path} of {experiment} is not a number, "
        "its statistics or a shape"
    )
