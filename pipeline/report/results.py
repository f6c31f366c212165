"""What a workspace holds, read for the page and for `compare`: evaluations, verdicts, and what is missing and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.claims import Verdict, verdicts
from pipeline.errors import UnrollError
from pipeline.report import form
from pipeline.report.form import Columns
from pipeline.storage import Workspace


@dataclass(frozen=True)
class Evaluated:
    """One data set that has an evaluation.

    Attributes:
        name: its key in params.yaml.
        about: the part "dataset" of evaluation.json.
        experiments: name -> its entry there, in the order of params.yaml.
        models: experiment -> the name of its model.
        history: experiment -> epoch and what was recorded of it, means over the seeds.
        excerpt: index, truth and one column per experiment; also x where inputs are points.
        rollout: step, truth and one column per experiment; empty where there is none.
        stale: the stage that failed since, so that these figures are an earlier build's, and why; else empty.
    """

    name: str
    about: Mapping[str, Any]
    experiments: dict[str, Mapping[str, Any]]
    models: dict[str, str]
    history: dict[str, Columns]
    excerpt: Columns
    rollout: Columns
    stale: str = ""

    @property
    def stand_in(self) -> bool:
        """Whether the raw data were generated in place of the real ones."""
        return bool(self.about["stand_in"])


@dataclass(frozen=True)
class Missing:
    """A data set, or one experiment of a built one, that has no evaluation.

    Attributes:
        name: of the data set or the experiment.
        experiments: what is missing with it.
        stage: the stage that failed, such as "source@jena"; empty where that is unknown.
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
        scaled: what was scaled down in this workspace; empty where nothing was.
    """

    built: list[Evaluated]
    missing: list[Missing]
    verdicts: list[Verdict]
    unused: int
    scaled: str

    @property
    def stand_ins(self) -> list[str]:
        """The data sets that were made from stand-in data."""
        return [one.name for one in self.built if one.stand_in]


def load(workspace: Workspace) -> Results:
    """Read every evaluation that params.yaml asks for and that is there.

    Raises:
        UsageError: params.yaml or claims.yaml is wrong.
        UnrollError: a file is damaged.
    """
    wanted = params.load(workspace.params)
    claims = params.load_claims(workspace.claims)
    built: list[Evaluated] = []
    missing: list[Missing] = []
    for name in wanted.datasets:
        experiments = list(wanted.experiments_of(name))
        if not (workspace.evaluation(name) / "evaluation.json").is_file():
            missing.append(_missing(workspace, wanted, name, name, experiments))
            continue
        one = _evaluated(workspace, wanted, name)
        failure = _missing(workspace, wanted, name, name, experiments)
        if failure.stage:
            one = replace(one, stale=f"{failure.stage} failed: {failure.reason}")
        built.append(one)
        absent = [experiment for experiment in experiments if experiment not in one.experiments]
        missing += [_missing(workspace, wanted, experiment, name, [experiment]) for experiment in absent]
    known = [c for c in claims if {c.experiment, c.against or c.experiment} <= set(wanted.experiments)]
    scaled = workspace.scratch / "scaled.txt"
    evaluations = {
        key: {"dataset": one.about, "experiments": one.experiments} for one in built for key in one.experiments
    }
    note = _line(workspace, scaled) if scaled.is_file() else ""
    judged = verdicts(known, evaluations, scaled=bool(note))
    return Results(built, missing, judged, len(claims) - len(known), note)


def _evaluated(workspace: Workspace, wanted: params.Params, name: str) -> Evaluated:
    folder = workspace.evaluation(name)
    experiments = wanted.experiments_of(name)
    try:
        evaluation = form.evaluation(folder / "evaluation.json")
        about, entries = evaluation["dataset"], evaluation["experiments"]
        predicted = [key for key, entry in entries.items() if entry["final"]]
        rolled = [key for key, entry in entries.items() if entry["rollout"]]
        x = ["x"] if about["layout"] == "points" else []
        return Evaluated(
            name=name,
            about=about,
            experiments={key: entries[key] for key in experiments if key in entries},
            models={key: experiment.model.name for key, experiment in experiments.items()},
            history=form.history(folder / "history.csv", entries),
            excerpt=form.table(folder / "predictions.csv", ["index", "truth", *x, *predicted]),
            rollout=form.table(folder / "rollout.csv", ["step", "truth", *rolled]),
        )
    except ValueError as error:
        raise UnrollError(f"the evaluation of {name} is damaged ({error}); run `unroll evaluate {name}`") from None


def _missing(
    workspace: Workspace, wanted: params.Params, name: str, dataset: str, experiments: list[str]
) -> Missing:
    """Why something is missing: the failure that lies first in the graph, if one was recorded."""
    stages = [f"source@{wanted.datasets[dataset].source}", f"prepare@{dataset}"]
    stages += [*(f"train@{experiment}" for experiment in experiments), f"evaluate@{dataset}"]
    for stage in stages:
        path = workspace.scratch / "failures" / f"{stage}.txt"
        if path.is_file():
            return Missing(name, experiments, stage, _line(workspace, path))
    return Missing(name, experiments, "", "no failure is recorded; `unroll repro` builds it")


def _line(workspace: Workspace, path: Path) -> str:
    """A short text file as one line, without the place of this workspace: the page must be the same anywhere."""
    text = path.read_text(encoding="utf-8", errors="replace").replace(f"{workspace.root.resolve()}/", "")
    return " ".join(text.replace(f"{workspace.root}/", "").split())[:400]
