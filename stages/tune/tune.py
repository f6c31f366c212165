"""The command `tune`: trials of an experiment with other options, compared on validation; the best one is written."""

import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.errors import DivergedError, UnrollError, UsageError
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone, sweep
from pipeline.metrics import MEASURES, score
from pipeline.provenance import fingerprint
from pipeline.tracking.trials import Record
from pipeline.training import keras_models
from pipeline.training.job import Job
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from stages.console import progress
from stages.tune.space import changed, lines, present, rounded, space
from stages.tune.study import PATIENCE, Trials, opened

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

REPORTS = 20
"""How often in a training the study is asked whether to give it up: each time takes ten milliseconds."""

INTERVAL = 0.5
"""Seconds between two lines that are drawn over each other; the study is read for each."""

WARM_UP = 0.2
"""The share of its epochs that a trial has in any case."""


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        trials: how many, those of before included.
        over: see `space`.
        seeds: with how many of the experiment's seeds each trial is trained.
        name: of the new experiment; None: the old one's with "_tuned".
        dry: only say what would be searched.
    """

    trials: int = 30
    over: Sequence[str] = ()
    seeds: int = 1
    name: str | None = None
    dry: bool = False


def tune(workspace: Workspace, name: str, wanted: Wanted) -> None:
    """Go on with the trials of an experiment until there are enough, then write the best to params.yaml.

    Args:
        workspace: its data set must be prepared.
        name: the experiment.
        wanted: how many trials, over what.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    from optuna.distributions import distribution_to_json

    experiment = params.load(workspace.params).experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[: wanted.seeds]})
    searched, target = space(name, experiment, wanted.over), wanted.name or f"{name}_tuned"
    now = present(name, experiment, searched)
    data = _seen(workspace, experiment)
    print(
        f"{name} on {data.name}, chosen by {data.metric} on validation, over",
        *lines(searched, now),
        sep="\n",
        flush=True,
    )
    if wanted.dry:
        return
    _with_one_more(workspace, name, target, {}, "")
    if recipe(name, experiment).network:
        keras_models.start()
    made_of = fingerprint.ingredients(workspace.prepared(data.name), experiment).fingerprint
    made_of |= {place: place + distribution_to_json(tried) for place, tried in searched.items()}
    epochs = experiment.training.options.get("epochs", 0)
    sweep(workspace)
    with opened(
        workspace.scratch / "tuning" / f"{name}.db",
        fingerprint.brief(made_of),
        searched,
        now,
        higher=MEASURES[data.metric].higher,
        warm_up=int(WARM_UP * epochs),
        wanted=wanted.trials,
    ) as trials:
        tuning = _Tuning(workspace, name, experiment, now, data, trials)
        tuning.go_on()
        if others := len(trials.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            tuning.finish(target)


def _seen(workspace: Workspace, experiment: Experiment) -> Dataset:
    """The data set without its test split, so that nobody looks at it: what asks for one gets validation again."""
    folder = workspace.prepared(experiment.dataset)
    if not (folder / "dataset.json").is_file():
        missing = folder.relative_to(workspace.root)
        raise UnrollError(f"{missing} is missing; `unroll repro prepare@{experiment.dataset}` builds it")
    data = dataset.load(folder, calendar=experiment.calendar)
    if "validation" not in data.splits:
        raise UsageError(f"{data.name} has no validation split to choose by, and nothing is chosen on test")
    validation = data.splits["validation"]
    splits = {"train": data.splits["train"], "validation": validation, "test": validation}
    return replace(data, splits=splits, scored=("validation",), groups={}, rollout=False)


class _Tuning:
    """One process at the trials of an experiment."""

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        experiment: Experiment,
        now: Mapping[str, Any],
        data: Dataset,
        trials: Trials,
    ) -> None:
        self._workspace, self._name, self._experiment = workspace, name, experiment
        self._now, self._data, self._trials = now, data, trials
        self._title = MEASURES[data.metric].title
        self._started, self._before, self._place = time.monotonic(), len(trials.done()), 0
        self._record = Record(workspace, name, experiment, trials.study.user_attrs.get("mlflow_run"))
        trials.study.set_user_attr("mlflow_run", self._record.parent)

    def go_on(self) -> None:
        """Train until there are enough trials."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        gc.freeze()  # Keras collects garbage before each model: a third of a second, for what is imported and is none
        while (trial := self._trials.begin()) is not None:
            self._place = len(self._trials.done()) + len(self._trials.running())
            value, why = None, ""
            try:
                value = self._train(trial)
            except TrialPruned:
                why = "given up"
            except DivergedError:
                why = "diverged"
            except BaseException as error:
                if not isinstance(error, UnrollError) or self._trials.best() is None:
                    self._trials.put_back(trial)
                    raise
                why = str(error)
            self._ended(self._trials.study.tell(trial, value, TrialState.PRUNED if why else None), why)

    def _values(self, tried: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the experiment as it is."""
        return {place: rounded(value) for place, value in tried.items() if value != self._now[place]}

    def _with(self, tried: Mapping[str, Any]) -> Experiment:
        return Experiment.model_validate(changed(self._experiment.model_dump(), self._values(tried)))

    def _train(self, trial: "Trial") -> float:
        """The measure on validation, at the best epoch where there are epochs; the mean over seeds."""
        experiment = self._with(trial.params)
        chosen, seeds = recipe(self._name, experiment), tuple(experiment.seeds)
        watcher = _Watcher(trial, self._data.metric, seeds[0], chosen.method.options.get("epochs", 0), self._show)
        job = Job(self._name, self._data, partial(chosen.build, problem(self._data)), seeds, (watcher,))
        targets = self._data.splits["validation"].targets
        return fmean(
            score(self._data.metric, replicate.predictions[f"{point}_validation"], targets)
            for replicate in chosen.train(job).replicates
            for point in ["final" if replicate.best_epoch is None else "best"]
        )

    def _show(self, figures: Sequence[str], *, last: bool = False) -> None:
        """A line of progress."""
        done, best = len(self._trials.done()), self._trials.best()
        best_so_far = [f"best {best.value:.4g}"] if best else []
        left = ""
        if ended := done - self._before:
            seconds = (time.monotonic() - self._started) / ended * max(0, self._trials.wanted - done)
            left = f"{progress.duration(seconds)} left"
        start = f"{self._name}  trial {self._place} of {self._trials.wanted}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    def _ended(self, trial: "FrozenTrial", why: str) -> None:
        """Show and record a trial; why it was given up, if it was."""
        best, values = self._trials.best(), self._values(trial.params)
        said = why or f"{self._title} {trial.value:.4g}"
        self._show([said, *(f"{place.partition('.')[2]} {value}" for place, value in values.items())], last=True)
        score_of_it, score_of_best = None if why else trial.value, best.value if best else None
        with_it = self._with(trial.params)
        self._record.add(trial.number + 1, with_it, trial.intermediate_values, score_of_it, score_of_best)

    def finish(self, target: str) -> None:
        """Write the best trial to params.yaml and say what changed."""
        best, done = self._trials.best(), self._trials.done()
        if best is None:
            raise UnrollError(
                f"none of {len(done)} trials of {self._name} came to an end; pass --over with lower rates"
            )
        values, given_up = self._values(best.params), sum(trial.state.name == "PRUNED" for trial in done)
        own = [trial.value for trial in done if trial.state.name == "COMPLETE" and not self._values(trial.params)]
        beside = f" ({self._name} as it is: {own[0]:.4g})" if own else ""
        found = f"{self._title} on validation {best.value:.4g}{beside}"
        print(f"\n{len(done)} trials, {given_up} given up. The best: {found}")
        if not values:
            print(f"{self._name} as it is was the best, so nothing was written.")
            return
        width = max(map(len, values))
        print(*(f"  {place:{width}}  {self._now[place]} -> {value}" for place, value in values.items()), sep="\n")
        comment = f"By `unroll tune {self._name}`, {len(done)} trials: {found}."
        with alone(self._workspace.scratch / "params.lock", "another tune writes params.yaml", patience=PATIENCE):
            # It was not there at the start: of two processes that end at once the other one has written it.
            if target not in params.load(self._workspace.params).experiments:
                text = _with_one_more(self._workspace, self._name, target, values, comment)
                write_text(self._workspace.params, text)
        stand_in = " These are stand-in data: no figure is a result." if self._data.stand_in else ""
        print(
            f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
            f"Next: unroll repro evaluate@{self._data.name} && unroll compare {self._name} {target}"
        )


class _Watcher:
    """Tells a study how a trial goes, and gives it up where the study says so (`pipeline.training.job.Watcher`)."""

    def __init__(
        self, trial: "Trial", metric: str, seed: int, epochs: int, show: Callable[[Sequence[str]], None]
    ) -> None:
        self._trial, self._metric, self._seed, self._epochs, self._show = trial, metric, seed, epochs, show
        self._shown = 0.0

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """No trial goes on from a checkpoint."""

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Raises `optuna.TrialPruned`. Only the first seed is asked about."""
        from optuna import TrialPruned

        value = values[f"validation_{self._metric}"]
        if seed == self._seed and epoch < self._epochs and epoch % -(-self._epochs // REPORTS) == 0:
            self._trial.report(value, epoch)
            if self._trial.should_prune():
                raise TrialPruned
        if sys.stderr.isatty() and time.monotonic() - self._shown > INTERVAL:
            self._shown = time.monotonic()
            self._show([f"epoch {epoch}/{self._epochs}", f"now {value:.4g}"])


def _with_one_more(workspace: Workspace, name: str, target: str, values: Mapping[str, Any], comment: str) -> str:
    """The text of params.yaml with the experiment once more, with other values, under another name; checked.

    It has the seeds of its data set, if that says how such experiments are trained.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if target in every.experiments:
        raise UsageError(f"params.yaml has {target} already; pass --name with another, or take its entry out")
    entry = changed(plain_yaml.read(workspace.params)["experiments"][name], values)
    usual = every.datasets[experiment.dataset]
    if usual.training is not None and usual.training.method == experiment.training.method:
        entry.pop("seeds", None)
    comments: dict[plain_yaml.Place, str] = {("experiments", target): comment} if comment else {}
    text = plain_yaml.added(workspace.params, {"experiments": {target: entry}}, comments)
    with scratch_folder(workspace.scratch, "tune") as scratch:
        write_text(scratch / workspace.params.name, text)
        params.load(scratch / workspace.params.name)
    return text
