"""Published figures against rebuilt ones.

The rule, for the mean m over the seeds and the reference r (the published value, or the same metric of the
experiment that a claim is `against`):

- `about`: holds if |m - r| <= tolerance, or if a published value lies between the least and the greatest seed.
- `below`, `above`: holds if m <= r - tolerance, or m >= r + tolerance.
- a shape: holds if the lengths agree; null in the published shape stands for any length.

Anything else does not hold. Where either experiment has no evaluation the claim is `not built`; where either was
made from stand-in data it is `stand-in`, and in a workspace that was scaled down (the demo) it is `scaled down`: such
a build can neither support nor refute a figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic

from pipeline.config import plain_yaml
from pipeline.config.params import Name
from pipeline.errors import UsageError
from pipeline.evaluation.scores import About, Evaluation, Stat, statistics
from pipeline.validation import Strict, validated

HOLDS, FAILS, NOT_BUILT, STAND_IN, SCALED = "holds", "does not hold", "not built", "stand-in", "scaled down"

ROUNDING = 1e-9
"""Relative slack, so that a figure that lies on the edge of its tolerance holds whatever its last bit."""


class Claim(Strict):
    """A figure that a document publishes.

    Attributes:
        document: the number of the document, such as "003".
        words: how the document puts the figure, in a few words.
        experiment: the experiment that rebuilds it.
        metric: a path into the experiment's metrics, such as `final.test.mse` or `parameters`.
        value: the published figure, or a shape (null: any length); absent where the document only compares.
        tolerance: how far a rebuilt figure may lie from `value` and still hold, in the metric's unit; the
            precision that the document's words imply.
        against: another experiment whose same metric this one is compared with instead of a value.
        relation: how it compares: `about` (within tolerance), `below` or `above` (by at least tolerance).
        note: what is behind the figure, shown beside the verdict.
    """

    document: str
    words: str
    experiment: Name
    metric: str
    value: float | list[int | None] | None = None
    tolerance: float = pydantic.Field(default=0.0, ge=0)
    against: Name | None = None
    relation: Literal["about", "below", "above"] = "about"
    note: str = ""

    @pydantic.model_validator(mode="after")
    def _one_reference(self) -> "Claim":
        if (self.value is None) == (self.against is None):
            raise ValueError("must have either value or against, and not both")
        return self


def load(path: Path) -> list[Claim]:
    """Read and validate claims.yaml, a list of claims.

    Raises:
        UsageError: the file is no plain YAML, or a claim is wrong; the text names its place and what is valid.
        UnrollError: the file is missing or cannot be read.
    """
    claims = plain_yaml.read(path)
    if not isinstance(claims, list):
        raise UsageError(f"{path.name}: the whole must be a list of claims. Received: {type(claims).__name__}")
    return [validated(Claim, claim, f"{path.name}: claim {place}") for place, claim in enumerate(claims, 1)]


@dataclass(frozen=True)
class Verdict:
    """What the rebuild says of a claim.

    Attributes:
        claim: the claim.
        outcome: HOLDS, FAILS, NOT_BUILT, STAND_IN or SCALED.
        dataset: the data set of the claim's experiment, as its evaluation describes it; None if not built.
        rebuilt: the metric over the seeds; None if not built or a shape.
        shape: the rebuilt shape, where the claim is about one.
        reference: the published value, or the mean of the experiment that the claim is against.
    """

    claim: Claim
    outcome: str
    dataset: About | None = None
    rebuilt: Stat | None = None
    shape: list[int | None] | None = None
    reference: float | None = None


def verdicts(claims: Sequence[Claim], evaluations: Mapping[str, Evaluation], *, scaled: bool = False) -> list[Verdict]:
    """Judge every claim.

    Args:
        claims: as in claims.yaml.
        evaluations: experiment -> the evaluation (of its data set) that holds it; absent where not built.
        scaled: whether everything was built with fewer rows or epochs than params.yaml of the repository says.

    Raises:
        UsageError: a claim names a metric that its experiment does not have.
    """
    return [judge(claim, evaluations, scaled=scaled) for claim in claims]


def judge(claim: Claim, evaluations: Mapping[str, Evaluation], *, scaled: bool = False) -> Verdict:
    """One claim's verdict; see `verdicts`."""
    names = [claim.experiment, *([claim.against] if claim.against else [])]
    if not all(name in evaluations for name in names):
        return Verdict(claim, NOT_BUILT)
    about = evaluations[claim.experiment].dataset
    no_verdict = SCALED if scaled else None
    if any(evaluations[name].dataset.stand_in for name in names):
        no_verdict = STAND_IN
    found = look_up(evaluations[claim.experiment], claim.experiment, claim.metric)
    if isinstance(found, list) and isinstance(claim.value, list):
        outcome = HOLDS if _same_shape(found, claim.value) else FAILS
        return Verdict(claim, no_verdict or outcome, about, shape=found)
    other = look_up(evaluations[claim.against], claim.against, claim.metric) if claim.against else None
    reference = claim.value if other is None else other.mean
    if isinstance(found, list) or not isinstance(reference, float | int):
        raise UsageError(f"claims.yaml: {claim.metric} of {claim.experiment} is compared with another kind of value")
    outcome = HOLDS if _agrees(claim, found, reference) else FAILS
    return Verdict(claim, no_verdict or outcome, about, rebuilt=found, reference=reference)


def _same_shape(found: Sequence[int | None], published: Sequence[int | None]) -> bool:
    pairs = zip(found, published, strict=False)
    return len(found) == len(published) and all(want is None or have == want for have, want in pairs)


def _agrees(claim: Claim, found: Stat, reference: float) -> bool:
    slack = ROUNDING * max(abs(reference), claim.tolerance)
    if claim.relation == "below":
        return bool(found.mean <= reference - claim.tolerance + slack)
    if claim.relation == "above":
        return bool(found.mean >= reference + claim.tolerance - slack)
    inside = claim.against is None and found.min <= reference <= found.max
    return bool(inside or abs(found.mean - reference) <= claim.tolerance + slack)


def look_up(evaluation: Evaluation, experiment: str, path: str) -> Any:
    """What a metric's path leads to: the statistics of a number, or a shape.

    Paths start in the experiment's entry of evaluation.json: `parameters`, `final.test.mse`, `rollout.horizon`,
    `groups.outside.mse`. Those that start with `best` mean the final weights where no epoch was chosen;
    `layers.TYPE.parameters` and `layers.TYPE.output` are of the first layer of that type;
    `dataset.` leads into the data set's description.

    Raises:
        UsageError: the path leads nowhere; the text names what is there.
    """
    entry = evaluation.experiments[experiment].model_dump()
    here: Any = {**entry, "best": entry["best"] or entry["final"], "dataset": evaluation.dataset.model_dump()}
    for key in path.split("."):
        if isinstance(here, list):
            here = {layer["type"]: layer for layer in reversed(here)}
        if not isinstance(here, Mapping) or here.get(key) is None:
            valid = ", ".join(here) if isinstance(here, Mapping) else "(nothing)"
            raise UsageError(f"claims.yaml: {experiment} has no metric {path}: {key!r} is not one of {valid}")
        here = here[key]
    if isinstance(here, int | float) and not isinstance(here, bool):
        return statistics([float(here)])
    if isinstance(here, Mapping) and "mean" in here:
        return Stat(**here)
    if isinstance(here, list):
        return here
    raise UsageError(f"claims.yaml: {path} of {experiment} is not a number, its statistics or a shape")
