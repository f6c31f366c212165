"""One trial: an experiment with other options is trained and scored on validation; test is not there."""

import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from optuna import Trial, TrialPruned

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.errors import DivergedError, UnrollError, UsageError
from pipeline.forecast import backtest
from pipeline.metrics import score
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from unroll.tune.study import Trials

REPORTS = 20
"""How often in a training the study is asked whether to give it up: each time takes ten milliseconds."""

INTERVAL = 0.5
"""Seconds between two lines that are drawn over each other; the study is read for each."""

Show = Callable[[Sequence[str]], None]
"""Shows how far a trial is."""


def seen(workspace: Workspace, experiment: Experiment) -> Dataset:
    """The data set without its test split, so that nobody looks at it: what asks for one gets validation again.

    Raises:
        UsageError, UnrollError: it is not prepared, or has no validation split.
    """
    folder = workspace.prepared(experiment.dataset)
    if not (folder / "dataset.json").is_file():
        missing = folder.relative_to(workspace.root)
        raise UnrollError(f"{missing} is missing; `unroll repro prepare@{experiment.dataset}` builds it")
    data = dataset.load(folder, calendar=experiment.calendar, share=experiment.share)
    wanted = params.load(workspace.params)
    if experiment.dataset in wanted.forecasts:  # what lies before the first origin
        return backtest.validated(data, backtest.folds(data, wanted.forecast(experiment.dataset))[0].train)
    if "validation" not in data.splits:
        raise UsageError(f"{data.name} has no validation split to choose by, and nothing is chosen on test")
    validation = data.splits["validation"]
    splits = {"train": data.splits["train"], "validation": validation, "test": validation}
    return replace(data, splits=splits, scored=("validation",), groups={}, rollout=False)


def train(trials: Trials, trial: Trial, show: Show | None = None) -> tuple[float | None, str]:
    """Train the experiment with the options of a trial, which is told after epochs and asked whether to go on.

    Returns:
        The measure on validation, at the best epoch where there are epochs, the mean over seeds; and "". Or None, and
        why there is none.

    Raises:
        UnrollError: the options do not fit.
    """
    gc.collect()  # the trial before has left circles with tensors in them, whose size Python does not know
    chosen, data = recipe(trials.name, trials.tried(trial)), trials.data
    callback = _Callback(trial, data.metric, chosen.seeds[0], chosen.method.keywords.get("epochs", 0), show)
    try:
        replicates = chosen.train(chosen.job(data, callback)).replicates
    except TrialPruned:
        return None, "given up"
    except DivergedError:
        return None, "diverged"
    targets = data.splits["validation"].targets
    return fmean(
        score(data.metric, replicate.predictions[f"{point}_validation"], targets)
        for replicate in replicates
        for point in ["final" if replicate.best_epoch is None else "best"]
    ), ""


class _Callback:
    """Tells a study how a trial goes, and gives it up where the study says so (`pipeline.training.job.Callback`)."""

    def __init__(self, trial: Trial, metric: str, seed: int, epochs: int, show: Show | None) -> None:
        self._trial, self._metric, self._seed, self._epochs, self._show = trial, metric, seed, epochs, show
        self._shown = 0.0

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """No trial goes on from a checkpoint."""

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Raises `optuna.TrialPruned`. Only the first seed is asked about."""
        value = values[f"validation_{self._metric}"]
        if seed == self._seed and epoch < self._epochs and epoch % -(-self._epochs // REPORTS) == 0:
            self._trial.report(value, epoch)
            if self._trial.should_prune():
                raise TrialPruned
        if self._show and sys.stderr.isatty() and time.monotonic() - self._shown > INTERVAL:
            self._shown = time.monotonic()
            self._show([f"epoch {epoch}/{self._epochs}", f"now {value:.4g}"])
