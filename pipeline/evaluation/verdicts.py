"""Answers to the question: does a recurrent network help? And results/answers.json,
which holds them and the outcomes of the claims.

The best recurrent network is compared with the strongest opponent without recurrence,
by the rule of docs/decisions/verdicts.md.
"""

from collections.abc import Iterable
from dataclasses import asdict
from enum import StrEnum
from statistics import fmean
from typing import Annotated, Any

import pydantic

from pipeline.config.params import Params, built_by, own_name
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import claims, schema, verdict_rule
from pipeline.evaluation.intervals import LEVEL, as_errors
from pipeline.evaluation.schema import Entry, Evaluation, Split
from pipeline.evaluation.verdict_rule import BAND, Comparison, Word
from pipeline.files import write_json
from pipeline.validation import Strict
from pipeline.workspace import Workspace

NOTHING = "no recurrent network, or nothing to compare it with"
NO_PAST = "one value in, so there is no past to use"
FEW_SEEDS = "too few seeds"
FEW_WEEKS = "too few weeks of test rows"

SEASON = 84
"""Fewest days of test rows that span more than one season of the year. An answer from
fewer days gets the note `TOO_SHORT`.
"""

SEARCHES = 5
"""Searches for the options of a tuned model, whose scatter is then in the interval."""


class Note(StrEnum):
    """A caution that stands beside the word of an answer."""

    UNTUNED = "untuned"
    TOO_SHORT = "too short"
    NOT_CONVERGED = "not converged"
    STAND_IN = "stand-in"
    ONE_SEARCH = "these two networks"
    NOT_TOLD = "among models that are not told the formula"


class Networks(StrEnum):
    """Which recurrent networks a question is about."""

    ALL = "all"
    TUNED = "tuned networks"
    UNTUNED = "untuned networks"
    SEGMENTS = "networks on segments"

    @classmethod
    def of(cls, entry: Entry) -> "Networks":
        """Return the question that a network belongs to.

        Networks on segments have a question of their own: the field uses them for long
        forecasts, and they do not stand for networks that read single timesteps.
        """
        if entry.trials:
            return cls.TUNED
        return cls.SEGMENTS if entry.model == "segments" else cls.UNTUNED


class Answer(Strict):
    """The answer to one question about a data set, as results/answers.json holds it.

    Attributes:
        networks: the recurrent networks that the question is about.
        outcome: the word of the rule.
        notes: cautions that stand beside the word.
        network: the best of these networks; None if the data set has none of them.
        opponent: the strongest model without recurrence, of those that are not told how
            the series are made; None if there is none.
        told: the strongest model that is told how the series are made; None if there
            is none.
        change: how much more error the network has on test, as in `Comparison`; None
            if network and opponent are not compared.
        low: the lower end of the interval of the change, at `level`.
        high: the upper end of the same interval.
        band: changes between -band and +band do not matter.
        relative: whether the change is a fraction of the opponent's error.
        level: the level of the interval.
        reason: why network and opponent are not compared; empty if they are.
        searches: network and opponent, if they have several searches -> each search ->
            its error on test. The change is that of the mean over the searches.
    """

    networks: Annotated[Networks, pydantic.Field(strict=False)]
    outcome: Annotated[Word, pydantic.Field(strict=False)]
    notes: list[Annotated[Note, pydantic.Field(strict=False)]] = pydantic.Field([])
    network: str | None = None
    opponent: str | None = None
    told: str | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    band: float = BAND
    relative: bool = True
    level: float = LEVEL
    reason: str = ""
    searches: dict[str, dict[str, float]] = pydantic.Field({})

    @property
    def compared(self) -> list[str]:
        """The names of network and opponent, of those that there are."""
        return [name for name in (self.network, self.opponent) if name]

    @property
    def comparison(self) -> Comparison | None:
        """The comparison of network and opponent; None if they are not compared."""
        if self.change is None or self.low is None or self.high is None:
            return None
        return Comparison(
            self.outcome,
            self.change,
            self.low,
            self.high,
            self.band,
            self.relative,
            self.level,
        )


def compare(evaluation: Evaluation, name: str, other: str) -> Comparison | None:
    """Compare two experiments on test, each with all of its searches.

    Return None if their difference is not known.
    """
    difference = evaluation.difference("test", name, other)
    if difference is None:
        return None
    error = fmean(evaluation.errors("test", other))
    return verdict_rule.compare(difference, error, evaluation.dataset.floor)


def evaluation_of(
    workspace: Workspace, config: Params, experiment: str, other: str
) -> Evaluation:
    """Read the evaluation of two experiments of one data set, by their full names.

    Raises:
        UsageError: there is no such experiment, or they are of two data sets.
        UnrollError: an experiment is not built, or a file is damaged.
    """
    dataset = config.experiment(experiment).dataset
    if config.experiment(other).dataset != dataset:
        raise UsageError(
            f"{experiment} and {other} belong to two data sets; name two experiments "
            "of one data set"
        )
    evaluation = schema.load_built(workspace, config, dataset)
    for name in (experiment, other):
        if own_name(name) not in evaluation.experiments:
            raise UnrollError(
                f"{name} is not built; {built_by(workspace, f'evaluate@{dataset}')}"
            )
    return evaluation


def cautions(evaluation: Evaluation, name: str, other: str) -> list[Note]:
    """Return the notes that stand beside a comparison of two experiments."""
    recurrent = (evaluation.experiments[each] for each in (name, other))
    network = next((entry for entry in recurrent if entry.recurrent), None)
    networks = Networks.of(network) if network else Networks.ALL
    return _notes(evaluation, networks, name, other)


def strongest_opponent(evaluation: Evaluation, *, told: bool = False) -> str | None:
    """Return the name of the strongest experiment without recurrence.

    Networks are not told how the series are made, so a model that is told is no
    opponent. With `told` return the strongest of those.
    """
    entries = evaluation.experiments.items()
    return strongest(
        evaluation,
        [name for name, entry in entries if not entry.recurrent and entry.told == told],
    )


def strongest(evaluation: Evaluation, names: Iterable[str]) -> str | None:
    """Return the name of the best experiment among these.

    The best has the best score on validation, or on train if there is no validation.
    The test set never chooses. Experiments that were trained on only a fraction of the
    train examples are left out. An experiment stands for all of its searches, by their
    mean score.
    """
    about = evaluation.dataset
    split: Split = "validation" if "validation" in about.examples else "train"
    errors = {}
    for name in names:
        entry = evaluation.experiments[name]
        score = evaluation.mean_score(split, name, about.metric)
        if score is not None and entry.share == 1 and not entry.repeats:
            errors[name] = as_errors(about.metric, score)
    return min(errors, key=errors.__getitem__, default=None)


def answer(evaluation: Evaluation, networks: Networks = Networks.ALL) -> Answer:
    """Answer one question about a data set.

    `strongest` chooses both models; they are then compared on test.
    """
    asked = [
        name
        for name, entry in evaluation.experiments.items()
        if entry.recurrent and networks in {Networks.ALL, Networks.of(entry)}
    ]
    network = strongest(evaluation, asked)
    opponent = strongest_opponent(evaluation)
    told = strongest_opponent(evaluation, told=True)
    notes = _notes(evaluation, networks, network, opponent)
    return Answer(
        networks=networks,
        notes=[*notes, Note.NOT_TOLD] if told else notes,
        told=told,
        network=network,
        opponent=opponent,
        searches=_searches(evaluation, network, opponent),
        **_outcome(evaluation, network, opponent),
    )


def _searches(
    evaluation: Evaluation, *names: str | None
) -> dict[str, dict[str, float]]:
    """Return `Answer.searches`."""
    metric = evaluation.dataset.metric
    entries = evaluation.experiments
    searches = {name: evaluation.searches(name) for name in names if name}
    return {
        name: {
            search: _rounded(
                as_errors(metric, entries[search].chosen["test"][metric].mean)
            )
            for search in found
        }
        for name, found in searches.items()
        if len(found) > 1
    }


def _outcome(
    evaluation: Evaluation, network: str | None, opponent: str | None
) -> dict[str, Any]:
    """Return the fields of an answer that say how the comparison ends."""
    if network is None or opponent is None:
        return {"outcome": Word.NOT_ASKED, "reason": NOTHING}
    if evaluation.dataset.layout == "points":
        return {"outcome": Word.NOT_ASKED, "reason": NO_PAST}
    comparison = compare(evaluation, network, opponent)
    if comparison is None:
        reason = FEW_WEEKS if evaluation.few_weeks() else FEW_SEEDS
        return {"outcome": Word.OPEN, "reason": reason}
    return {
        key: _rounded(value) if isinstance(value, float) else value
        for key, value in asdict(comparison).items()
    }


def _rounded(value: float) -> float:
    """Return a number with six digits: smaller differences change no answer."""
    return float(f"{value:.6g}")


def _notes(
    evaluation: Evaluation, networks: Networks, *names: str | None
) -> list[Note]:
    about = evaluation.dataset
    compared = [name for name in names if name]
    entries = [
        evaluation.experiments[search]
        for name in compared
        for search in evaluation.searches(name)
    ]
    few = [
        name
        for name in compared
        if evaluation.experiments[name].trials
        and len(evaluation.searches(name)) < SEARCHES
    ]
    holds = {
        Note.UNTUNED: networks in {Networks.UNTUNED, Networks.SEGMENTS},
        Note.TOO_SHORT: about.days is not None and about.days < SEASON,
        Note.NOT_CONVERGED: any(entry.may_gain for entry in entries),
        Note.STAND_IN: about.stand_in,
        Note.ONE_SEARCH: networks == Networks.TUNED and few,
    }
    return [note for note, held in holds.items() if held]


def answers(evaluation: Evaluation) -> list[Answer]:
    """Answer each question about a data set, tuned networks first.

    A question without networks is left out, except the one about untuned networks.
    """
    replies = [
        answer(evaluation, networks)
        for networks in (Networks.TUNED, Networks.UNTUNED, Networks.SEGMENTS)
    ]
    return [
        reply
        for reply in replies
        if reply.network or reply.networks == Networks.UNTUNED
    ]


def write(workspace: Workspace, config: Params) -> None:
    """Write results/answers.json: "answers", data set -> "tuned", "untuned" or
    "segments" -> the answer for these networks; and "claims", the outcome of each claim
    whose experiments are in params.yaml (`claims.summary`).

    It is for `unroll report --against` and for other programs. All that shows answers
    here makes them from the evaluations.

    Raises:
        UsageError: claims.yaml is wrong.
        UnrollError: an evaluation is damaged.
    """
    built = schema.load_all(workspace, config)
    known = claims.known(claims.load(workspace.claims), config)
    answered = {
        name: {
            answer.networks.name.lower(): answer.model_dump(
                mode="json", exclude_defaults=True
            )
            for answer in answers(evaluation)
        }
        for name, evaluation in built.items()
    }
    judged = claims.summary([claims.judge(claim, built) for claim in known])
    write_json(workspace.answers, {"answers": answered, "claims": judged})
