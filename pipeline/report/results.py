"""What a workspace holds, read for the page and for `compare`: evaluations, verdicts,
and what is missing and why.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import failures, tables
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, answers_file, claims, sceptic
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.answers_file import AnswersFile
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.sceptic import Sceptic
from pipeline.evaluation.schema import About, Entry, Evaluation
from pipeline.evaluation.verdicts import Comparison
from pipeline.files import damaged
from pipeline.report import paragraphs, titles
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evaluated:
    """One data set that has an evaluation.

    Its curves are read when they are asked for: the page shows them, `compare` does
    not.

    Attributes:
        name: its key in params.yaml.
        evaluation: what evaluation.json holds of the experiments of params.yaml, in
            their order there.
        question: what is asked, in words.
        titles: experiment -> what it is, in words.
        families: experiment -> one of `titles.FAMILIES`, or "simple".
        folder: of the evaluation.
        quantity: what is forecast, with its unit, for an axis.
        paragraph: why the answers are as they are, in Markdown; empty where nobody
            wrote it, or of what is no result.
        stale: the stage that failed since, so that these figures are an earlier
            build's, and why; else empty.
        label: STAND_IN, of what is no result.
        answers: does it need a recurrent network, corrected for all that are asked in
            this workspace; the outcome of what is no result is its label.
        unanswered: why there are no answers, and what to do; else empty.
        sceptic: what a search with scikit-learn alone did to the answers; None where
            there was none.
    """

    name: str
    evaluation: Evaluation
    question: str
    titles: dict[str, str]
    families: dict[str, str]
    folder: Path
    quantity: str = "value"
    paragraph: str = ""
    stale: str = ""
    label: Outcome | None = None
    answers: Sequence[Answer] = ()
    unanswered: str = ""
    sceptic: Sceptic | None = None

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

    @cached_property
    def opponent(self) -> str | None:
        """The strongest experiment without recurrence, chosen before the test."""
        return answers.strongest_opponent(self.evaluation)

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Experiment -> its comparison with the opponent, corrected for this data set's
        table.
        """
        return answers.against(self.evaluation, self.opponent)

    @cached_property
    def history(self) -> "pd.DataFrame":
        """Experiment, seed, epoch and what was recorded of it. Raises UnrollError if
        damaged.
        """
        return tables.read(
            self.folder / "history.csv", experiment=str, seed=int, epoch=int
        )

    def has(self, name: str) -> bool:
        """Whether there is such a table of `plot_data`."""
        return (self.folder / "tables" / f"{name}.csv").exists()

    def numbers(self, name: str, *columns: str) -> "pd.DataFrame":
        """A table of numbers. Raises UnrollError if it is damaged, has no rows or lacks
        one of these columns.
        """
        path = self.folder / "tables" / f"{name}.csv"
        table = tables.read(path, **dict.fromkeys(columns, float))
        if table.empty:
            raise damaged(path, ValueError("it holds no rows"))
        return table


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
    # Without the path of this workspace: the page must be the same anywhere.
    here = re.compile(
        "|".join(
            re.escape(f"{root}/") for root in (workspace.root.resolve(), workspace.root)
        )
    )
    failed = {
        stage: here.sub("", line)[:400]
        for stage, line in failures.read(workspace).items()
    }
    evaluations = answers_file.evaluations(workspace, params)
    recorded = answers_file.load(workspace)
    explained = paragraphs.read(workspace)
    built: list[Evaluated] = []
    missing: list[Missing] = []
    for name in params.datasets:
        experiments = list(params.experiments_of(name))
        failure = _missing(failed, params, name, name, experiments)
        if name not in evaluations:
            missing.append(failure)
            continue
        evaluation = evaluations[name]
        evaluated = _evaluated(workspace, params, evaluation, failure)
        if not evaluation.dataset.stand_in:
            evaluated = replace(evaluated, paragraph=explained.get(name, ""))
        built.append(_answered(evaluated, recorded))
        absent = [
            experiment
            for experiment in experiments
            if experiment not in evaluation.experiments
        ]
        missing += [
            _missing(failed, params, f"{name}/{experiment}", name, [experiment])
            for experiment in absent
        ]
    known = claims.known(published, params)
    verdicts = [claims.judge(claim, evaluations) for claim in known]
    return Results(built, missing, verdicts, len(published) - len(known))


def _answered(evaluated: Evaluated, recorded: AnswersFile | None) -> Evaluated:
    """With the answers that results/answers.json has of it, or what to do if it has
    none.
    """
    try:
        return replace(
            evaluated,
            answers=answers_file.answers_of(
                recorded, evaluated.name, evaluated.evaluation
            ),
        )
    except UnrollError as error:
        return replace(evaluated, unanswered=str(error))


def _evaluated(
    workspace: Workspace, params: Params, evaluation: Evaluation, failure: Missing
) -> Evaluated:
    name = evaluation.dataset.name
    section = params.datasets[name]
    experiments = params.experiments_of(name)
    return Evaluated(
        name,
        evaluation,
        titles.question(section, evaluation.dataset),
        {
            key: titles.experiment(experiment, section)
            for key, experiment in experiments.items()
        },
        {key: titles.family(experiment) for key, experiment in experiments.items()},
        workspace.evaluation(name),
        titles.quantity(section, evaluation.dataset),
        label=Outcome.STAND_IN if evaluation.dataset.stand_in else None,
        stale=f"{failure.stage} failed: {failure.reason}" if failure.stage else "",
        sceptic=sceptic.load(workspace.sceptic(name)),
    )


def _missing(
    failed: Mapping[str, str],
    params: Params,
    name: str,
    dataset: str,
    experiments: list[str],
) -> Missing:
    """Why something is missing: the failure that lies first in the graph, if one was
    recorded.
    """
    stages = [
        params.source_stage(params.datasets[dataset].source),
        f"prepare@{dataset}",
    ]
    stages += [f"train@{dataset}", f"evaluate@{dataset}"]
    stage = next((stage for stage in stages if stage in failed), "")
    return Missing(
        name,
        experiments,
        stage,
        failed.get(stage, "no failure is recorded; `unroll repro` builds it"),
    )
