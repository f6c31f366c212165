"""The results of a workspace, for the page and for `compare`: evaluations, answers,
verdicts, and the missing data sets with the reasons.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.model_card import card
from pipeline.config.params import Params, official
from pipeline.evaluation import claims, schema, verdicts
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.intervals import as_errors
from pipeline.evaluation.schema import About, Entry, Evaluation
from pipeline.evaluation.verdict_rule import Comparison
from pipeline.evaluation.verdicts import Answer
from pipeline.files import damaged, read_table
from pipeline.metrics import MEASURES
from pipeline.report import titles
from pipeline.report.formatting import capital, in_words, number, title
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

PARAGRAPHS = re.compile(
    r"<!-- end of (?P<dataset>\w+) -->\n(?P<text>.*?)(?=\n## |\Z)", re.DOTALL
)
"""The pattern of a data set's paragraphs in docs/results.md: the text between the
sentences that are made from results and the next heading."""


@dataclass(frozen=True)
class Evaluated:
    """One data set that has an evaluation.

    Its curves are read on demand: the page shows them, `compare` does not.

    Attributes:
        name: its key in params.yaml.
        evaluation: the evaluation, with the experiments of params.yaml in their order.
        folder: the folder of the evaluation.
        question: the question that the data set asks, in words.
        titles: experiment -> its title.
        short: experiment -> the title of its model alone.
        plural: experiment -> the title of several such models, without sizes.
        colors: experiment -> the colour of its model in plots.
        quantity: the forecast quantity with its unit, for an axis.
        paragraph: an explanation of the answers, in Markdown; empty if there is none,
            or for stand-in data.
        stale: the stage that has failed since, and why, if these figures are of an
            earlier build; else empty.
        answers: the answers, one for each kind of networks.
    """

    name: str
    evaluation: Evaluation
    folder: Path = Path()
    question: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)
    plural: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)
    quantity: str = "value"
    paragraph: str = ""
    stale: str = ""
    answers: list[Answer] = field(default_factory=list)

    @property
    def about(self) -> About:
        """The description of the data set in evaluation.json."""
        return self.evaluation.dataset

    @property
    def experiments(self) -> dict[str, Entry]:
        """Experiment -> its scores."""
        return self.evaluation.experiments

    @property
    def floors(self) -> dict[str, float]:
        """What it is -> an error that a formula attains, with the `floor` of the data
        set.
        """
        known = dict(self.about.floors)
        floor = self.about.floor
        shown = any(
            math.isclose(value, floor, rel_tol=0.01) for value in known.values()
        )
        if floor and not shown:
            known["what a formula attains"] = floor
        return known

    @property
    def whole(self) -> list[str]:
        """The experiments that were trained on all rows."""
        return [name for name, entry in self.experiments.items() if entry.share == 1]

    @property
    def compared(self) -> set[str]:
        """The experiments that the answers compare."""
        return {name for one in self.answers for name in one.compared}

    @property
    def searches(self) -> dict[str, dict[str, float]]:
        """The models of several searches that the answers compare (`Answer.searches`)."""
        return {name: of for one in self.answers for name, of in one.searches.items()}

    def several(self, name: str) -> bool:
        """Return whether there are several searches for an experiment's options."""
        return len(self.evaluation.searches(name)) > 1

    def named(self, name: str, *, short: bool = False) -> str:
        """Return the title of a model over all of its searches.

        Each search found another model. So several searches have a title of their own,
        such as "GRUs of three searches".
        """
        count = len(self.evaluation.searches(name))
        if count > 1:
            return f"{self.plural[name]} of {in_words(count)} searches"
        return self.short[name] if short else self.titles[name]

    @property
    def behind(self) -> list[str]:
        """For each of `searches` a text: the models that were found, with their errors
        on test.
        """
        texts = []
        for name, found in self.searches.items():
            distinct = len({self.short[search] for search in found}) == len(found)
            titles = self.short if distinct else self.titles
            models = [
                f"{titles[search]} ({error_words(self.about, error)})"
                for search, error in found.items()
            ]
            texts.append(capital(f"{self.named(name)}: {', '.join(models)}"))
        return texts

    @cached_property
    def opponent(self) -> str | None:
        """The strongest experiment without recurrence, chosen before the test."""
        return verdicts.strongest_opponent(self.evaluation)

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Experiment -> its comparison with the opponent, if it is known."""
        if self.opponent is None:
            return {}
        compared = {
            name: verdicts.compare(self.evaluation, name, self.opponent)
            for name in self.experiments
        }
        return {name: known for name, known in compared.items() if known}

    def has(self, name: str) -> bool:
        """Return whether the data set has a table of `plot_data` with this name."""
        return (self.folder / "tables" / f"{name}.csv").exists()

    def numbers(self, name: str, *columns: str) -> "pd.DataFrame":
        """Return a table of numbers.

        Raises UnrollError if the table is damaged, has no rows, or lacks one of the
        columns.
        """
        path = self.folder / "tables" / f"{name}.csv"
        table = read_table(path, **dict.fromkeys(columns, float))
        if table.empty:
            raise damaged(path, ValueError("it holds no rows"))
        return table


def error_text(dataset: Evaluated, name: str | None) -> str:
    """Return a model's error on test as text; "" without a score.

    The error is the mean over all searches for the model's options.
    """
    if name not in dataset.experiments:
        return ""
    metric = dataset.about.metric
    mean = dataset.evaluation.mean_score("test", str(name), metric)
    return "" if mean is None else error_words(dataset.about, as_errors(metric, mean))


def error_words(about: About, error: float) -> str:
    """Return an error on a data set, in model units, as text.

    An MAE is in the data's unit if they have one.
    """
    if MEASURES[about.metric].higher:
        return f"{100 * error:.2f} % wrong"
    if about.metric == "mae" and about.scale.unit:
        return f"{number(error * about.scale.std, 3)} {about.scale.unit}"
    return f"{title(about.metric)} {number(error, 3)}"


@dataclass(frozen=True)
class Missing:
    """A data set, or one experiment of a built one, that has no evaluation.

    Attributes:
        name: the data set, or the full name of the experiment.
        experiments: the experiments that are missing with it.
        stage: the stage that failed, such as "source@jena"; empty if it is not known.
        reason: the error of the stage, or what to do.
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
        missing: the data sets and experiments without an evaluation.
        verdicts: one for each claim whose experiments are in params.yaml.
        unused: the number of other claims, which are left out.
        params: params.yaml and official.yaml.
    """

    built: list[Evaluated]
    missing: list[Missing]
    verdicts: list[Verdict]
    unused: int
    params: Params


def load(workspace: Workspace, params: Params, *, own_code: bool = False) -> Results:
    """Read the results of all data sets that are built.

    `params` are those of params.yaml and official.yaml (`load_all`).

    With `own_code` the titles of a user's models are read from the user's modules.
    Commands that only show import none of them.

    Raises:
        UsageError: claims.yaml is wrong.
        UnrollError: a file is damaged.
    """
    published = claims.load(workspace.claims)
    evaluations = schema.load_all(workspace, params)
    explained = paragraphs(workspace)
    failed = _failed(workspace)
    elsewhere = official(workspace.params).get("datasets", {})
    built: list[Evaluated] = []
    missing: list[Missing] = []
    for name, section in params.datasets.items():
        experiments = params.experiments_of(name)
        stages = [
            params.source_stage(section.source),
            *(f"{stage}@{name}" for stage in ("prepare", "train", "evaluate")),
        ]
        stage = next((stage for stage in stages if stage in failed), "")
        command = "official" if name in elsewhere else "repro"
        reason = failed.get(
            stage, f"no failure is recorded; `unroll {command}` builds it"
        )
        if name not in evaluations:
            missing.append(Missing(name, [*experiments], stage, reason))
            continue
        evaluation = evaluations[name]
        missing += [
            Missing(f"{name}/{experiment}", [experiment], stage, reason)
            for experiment in experiments
            if experiment not in evaluation.experiments
        ]
        described = _described(workspace, params, evaluation, own_code=own_code)
        evaluated = replace(
            described,
            paragraph="" if described.about.stand_in else explained.get(name, ""),
            stale=f"{stage} failed: {reason}" if stage else "",
            answers=verdicts.answers(evaluation),
        )
        built.append(evaluated)
    known = claims.known(published, params)
    judged = [claims.judge(claim, evaluations) for claim in known]
    return Results(built, missing, judged, len(published) - len(known), params)


def _described(
    workspace: Workspace, params: Params, evaluation: Evaluation, *, own_code: bool
) -> Evaluated:
    """Return a data set with its question and the titles of its experiments."""
    name = evaluation.dataset.name
    section = params.datasets[name]
    experiments = params.experiments_of(name)
    cards = {
        key: card(one.model, f"experiments.{name}.{key}.model", own_code=own_code)
        for key, one in experiments.items()
    }
    return Evaluated(
        name,
        evaluation,
        workspace.evaluation(name),
        titles.question(section, evaluation.dataset),
        {
            key: titles.experiment(one, section, cards[key])
            for key, one in experiments.items()
        },
        {key: cards[key].short_title(one) for key, one in experiments.items()},
        {key: cards[key].plural(one) for key, one in experiments.items()},
        {key: cards[key].color for key in experiments},
        titles.quantity(section, evaluation.dataset),
    )


def paragraphs(workspace: Workspace) -> dict[str, str]:
    """Return data set -> its paragraphs in docs/results.md, as Markdown.

    A workspace without that page has no paragraphs.
    """
    if not workspace.paragraphs.is_file():
        return {}
    parts = PARAGRAPHS.finditer(workspace.paragraphs.read_text(encoding="utf-8"))
    return {part["dataset"]: part["text"].strip() for part in parts}


def _failed(workspace: Workspace) -> dict[str, str]:
    """Return stage -> its error, in one line.

    The path of the workspace is removed, since the page must be the same in each
    folder.
    """
    roots = (f"{workspace.root.resolve()}/", f"{workspace.root}/")
    return {
        stage: line.replace(roots[0], "").replace(roots[1], "")[:400]
        for stage, line in workspace.failures().items()
    }
