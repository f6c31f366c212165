"""What a workspace holds, read for the page and for `compare`: evaluations, answers in
words, verdicts, and what is missing and why.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import failures, tables
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, answers_file, claims
from pipeline.evaluation.answers import Answer, Networks, Note
from pipeline.evaluation.answers_file import AnswersFile
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.margin import Comparison, Word
from pipeline.evaluation.schema import About, Entry, Evaluation
from pipeline.files import damaged
from pipeline.metrics import MEASURES
from pipeline.report import titles
from pipeline.report.formatting import capital, comparison_text, number, title
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

PARAGRAPHS = re.compile(
    r"<!-- end of (?P<dataset>\w+) -->\n(?P<text>.*?)(?=\n## |\Z)", re.DOTALL
)
"""In docs/results.md, what stands below the sentences that are made from results, up to
the next heading."""


@dataclass(frozen=True)
class Evaluated:
    """One data set that has an evaluation.

    Its curves are read when they are asked for: the page shows them, `compare` does
    not.

    Attributes:
        name: its key in params.yaml.
        evaluation: what evaluation.json holds of the experiments of params.yaml, in
            their order there.
        folder: of the evaluation.
        question: what is asked, in words.
        titles: experiment -> what it is, in words.
        short: experiment -> its model alone, in words.
        families: experiment -> one of `titles.FAMILIES`, or "simple".
        quantity: what is forecast, with its unit, for an axis.
        paragraph: why the answers are as they are, in Markdown; empty where nobody
            wrote it, or of what is no result.
        stale: the stage that failed since, so that these figures are an earlier
            build's, and why; else empty.
        answers: does a recurrent network help; one for each kind of networks.
        unanswered: why there are no answers, and what to do; else empty.
    """

    name: str
    evaluation: Evaluation
    folder: Path = Path()
    question: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    quantity: str = "value"
    paragraph: str = ""
    stale: str = ""
    answers: list[Answer] = field(default_factory=list)
    unanswered: str = ""

    @property
    def about(self) -> About:
        """The data set, as evaluation.json describes it."""
        return self.evaluation.dataset

    @property
    def experiments(self) -> dict[str, Entry]:
        """Name -> its scores."""
        return self.evaluation.experiments

    @property
    def whole(self) -> list[str]:
        """The experiments that were trained on all rows."""
        return [name for name, entry in self.experiments.items() if entry.share == 1]

    @property
    def compared(self) -> set[str]:
        """The experiments that the answers compare."""
        names = {name for one in self.answers for name in (one.network, one.opponent)}
        return {name for name in names if name}

    @cached_property
    def opponent(self) -> str | None:
        """The strongest experiment without recurrence, chosen before the test."""
        return answers.strongest_opponent(self.evaluation)

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Experiment -> its comparison with the opponent, where that is known."""
        if self.opponent is None:
            return {}
        compared = {
            name: answers.compare(self.evaluation, name, self.opponent)
            for name in self.experiments
        }
        return {name: known for name, known in compared.items() if known}

    @cached_property
    def history(self) -> "pd.DataFrame":
        """Experiment, seed, epoch and what was recorded of it. Raises UnrollError if
        damaged.
        """
        path = self.folder / "history.csv"
        return tables.read(path, experiment=str, seed=int, epoch=int)

    def has(self, name: str) -> bool:
        """Return whether there is such a table of `plot_data`."""
        return (self.folder / "tables" / f"{name}.csv").exists()

    def numbers(self, name: str, *columns: str) -> "pd.DataFrame":
        """Read a table of numbers. Raises UnrollError if it is damaged, has no rows or
        lacks one of these columns.
        """
        path = self.folder / "tables" / f"{name}.csv"
        table = tables.read(path, **dict.fromkeys(columns, float))
        if table.empty:
            raise damaged(path, ValueError("it holds no rows"))
        return table


@dataclass(frozen=True)
class AnswerText:
    """One of a data set's answers as text."""

    dataset: Evaluated
    answer: Answer

    @property
    def tuned(self) -> bool:
        """Whether the question is about tuned networks."""
        return self.answer.networks == Networks.TUNED

    @property
    def change(self) -> tuple[str, str]:
        """The change of the error and its interval; empty where nothing is compared."""
        if self.answer.comparison is None:
            return "", ""
        return comparison_text(self.answer.comparison, self.dataset.about.metric)

    @property
    def beside(self) -> list[str]:
        """What stands beside the word: the sign of a difference that does not matter,
        and the notes.
        """
        words: list[str] = list(self.answer.notes)
        if self.answer.outcome == Word.SAME and (self.answer.high or 0) < 0:
            words.insert(0, "slightly less error")
        if self.answer.outcome == Word.SAME and (self.answer.low or 0) > 0:
            words.insert(0, "slightly more error")
        return words

    @property
    def effect(self) -> str:
        """The change with its interval, or why there is none."""
        change, interval = self.change
        if self.answer.relative and change:
            change += " error"
        if interval:
            change += f" ({interval})"
        return change or self.answer.reason

    @property
    def sentence(self) -> str:
        """The two models and the change."""
        names = self.dataset.titles
        if self.answer.outcome == Word.NOT_ASKED:
            return capital(self.answer.reason)
        network = names.get(str(self.answer.network))
        models = f"{network} against {names.get(str(self.answer.opponent))}"
        return f"{capital(models)}: {self.effect}"

    @property
    def line(self) -> str:
        """The answer: its word, what stands beside it, and the sentence."""
        notes = f" ({'; '.join(self.beside)})" if self.beside else ""
        return f"{self.answer.outcome}{notes}: {self.sentence}"


def error_text(dataset: Evaluated, name: str | None) -> str:
    """Write a model's error on test, in the data's unit where they have one; "" without
    a score.
    """
    metric = dataset.about.metric
    entry = dataset.experiments.get(name or "")
    stat = entry.score(metric) if entry else None
    in_unit = entry.score("mae_unit") if entry else None
    if stat is None:
        return ""
    if MEASURES[metric].higher:
        return f"{100 * (1 - stat.mean):.2f} % wrong"
    if metric == "mae" and in_unit:
        return f"{number(in_unit.mean, 3)} {dataset.about.scale.unit}"
    return f"{title(metric)} {number(stat.mean, 3)}"


def sentence(answers: Sequence[Answer]) -> str:
    """Return the answers of tuned networks in one sentence, each word counted; all
    answers where nothing is tuned.
    """
    if not answers:
        return "Nothing is built yet"
    asked = [
        one
        for one in answers
        if Note.STAND_IN not in one.notes and one.outcome != Word.NOT_ASKED
    ]
    if not asked:
        return "No figure here is a result"
    tuned = [one for one in asked if one.networks == Networks.TUNED]
    counts = Counter(one.outcome for one in tuned or asked)
    listed = ", ".join(f"{counts[word]} {word}" for word in Word if counts[word])
    kind = "tuned question" if tuned else "question"
    many = "s" if counts.total() > 1 else ""
    return f"Does a recurrent network help? {counts.total()} {kind}{many}: {listed}"


@dataclass(frozen=True)
class Missing:
    """A data set, or one experiment of a built one, that has no evaluation.

    Attributes:
        experiments: what is missing with it.
        stage: the stage that failed, such as "source@jena"; empty where that is
            unknown.
        reason: the line it failed with, or what to do.
    """

    name: str
    experiments: list[str]
    stage: str
    reason: str


@dataclass(frozen=True)
class Results:
    """Everything that the page shows.

    Attributes:
        built: the evaluated data sets, in the order of params.yaml.
        missing: what has no evaluation.
        verdicts: one for each claim whose experiments are in params.yaml.
        unused: how many claims are not, and are left out.
    """

    built: list[Evaluated]
    missing: list[Missing]
    verdicts: list[Verdict]
    unused: int


def load(workspace: Workspace, params: Params) -> Results:
    """Read every evaluation that params.yaml asks for and that is there.

    Raises:
        UsageError: claims.yaml is wrong.
        UnrollError: a file is damaged.
    """
    published = answers_file.published(workspace)
    evaluations = answers_file.evaluations(workspace, params)
    recorded = answers_file.load(workspace)
    explained = paragraphs(workspace)
    failed = _failed(workspace)
    built: list[Evaluated] = []
    missing: list[Missing] = []
    for name in params.datasets:
        experiments = list(params.experiments_of(name))
        stage, reason = _failure(failed, params, name)
        if name not in evaluations:
            missing.append(Missing(name, experiments, stage, reason))
            continue
        evaluation = evaluations[name]
        stale = f"{stage} failed: {reason}" if stage else ""
        paragraph = explained.get(name, "")
        built.append(
            _evaluated(workspace, params, evaluation, recorded, stale, paragraph)
        )
        missing += [
            Missing(f"{name}/{experiment}", [experiment], stage, reason)
            for experiment in experiments
            if experiment not in evaluation.experiments
        ]
    known = claims.known(published, params)
    verdicts = [claims.judge(claim, evaluations) for claim in known]
    return Results(built, missing, verdicts, len(published) - len(known))


def paragraphs(workspace: Workspace) -> dict[str, str]:
    """Read data set -> its paragraphs in docs/results.md, as Markdown; none in a
    workspace without that page.
    """
    if not workspace.paragraphs.is_file():
        return {}
    parts = PARAGRAPHS.finditer(workspace.paragraphs.read_text(encoding="utf-8"))
    return {part["dataset"]: part["text"].strip() for part in parts}


def _failed(workspace: Workspace) -> dict[str, str]:
    """Return stage -> the line it failed with, without the path of this workspace: the
    page must be the same anywhere.
    """
    failed = {}
    for stage, line in failures.read(workspace).items():
        for root in (workspace.root.resolve(), workspace.root):
            line = line.replace(f"{root}/", "")  # noqa: PLW2901 -- both may stand in it
        failed[stage] = line[:400]
    return failed


def _evaluated(
    workspace: Workspace,
    params: Params,
    evaluation: Evaluation,
    recorded: AnswersFile | None,
    stale: str,
    paragraph: str,
) -> Evaluated:
    name = evaluation.dataset.name
    section = params.datasets[name]
    experiments = params.experiments_of(name)
    answered: list[Answer] = []
    unanswered = ""
    try:
        answered = answers_file.answers_of(recorded, name, evaluation)
    except UnrollError as error:
        unanswered = str(error)
    return Evaluated(
        name,
        evaluation,
        workspace.evaluation(name),
        titles.question(section, evaluation.dataset),
        {key: titles.experiment(one, section) for key, one in experiments.items()},
        {key: titles.short(one) for key, one in experiments.items()},
        {key: titles.family(one) for key, one in experiments.items()},
        titles.quantity(section, evaluation.dataset),
        "" if evaluation.dataset.stand_in else paragraph,
        stale,
        answered,
        unanswered,
    )


def _failure(
    failed: Mapping[str, str], params: Params, dataset: str
) -> tuple[str, str]:
    """Return the stage of a data set that failed first in the graph, and why; "" and
    what to do where no failure is recorded.
    """
    source = params.source_stage(params.datasets[dataset].source)
    own = [f"{stage}@{dataset}" for stage in ("prepare", "train", "evaluate")]
    for stage in (source, *own):
        if stage in failed:
            return stage, failed[stage]
    return "", "no failure is recorded; `unroll repro` builds it"
