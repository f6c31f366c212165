"""A tuning while it goes on: trials are trained, shown and recorded, the best is written."""

import gc
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from optuna import Trial
from optuna.trial import TrialState

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.tracking.trials import Record
from pipeline.workspace import Workspace
from stages import progress
from unroll.tune import entry
from unroll.tune.space import changed, rounded
from unroll.tune.study import Trials
from unroll.tune.trial import train


class Tuning:
    """One process at the trials of an experiment; what it takes is that of `study.opened`."""

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
        self._started, self._before = time.monotonic(), len(trials.done())
        with trials.alone():  # of two that begin at once, the second one takes the run of the first
            self._record = Record(workspace, name, experiment, trials.study.user_attrs.get("mlflow_run"))
            trials.study.set_user_attr("mlflow_run", self._record.parent)

    def go_on(self) -> None:
        """Train here until there are enough trials."""
        gc.freeze()  # Keras collects garbage before each model: a third of a second, for what is imported and is none
        while (trial := self._trials.begin()) is not None:
            place = len(self._trials.done()) + len(self._trials.running())
            try:
                value, why = train(self._name, self._with(trial.params), self._data, trial, partial(self._show, place))
            except UnrollError as error:
                if self._trials.best() is None:
                    raise
                value, why = None, str(error)
            self._ended(trial, value, why, place)

    def _with(self, tried: Mapping[str, Any]) -> Experiment:
        """The experiment with the values of a trial."""
        return Experiment.model_validate(changed(self._experiment.model_dump(), self._values(tried)))

    def _ended(self, trial: Trial, value: float | None, why: str, place: int) -> None:
        """Keep, show and record what became of the trial at `place`: a value, or None and why it was given up."""
        told = self._trials.study.tell(trial, value, TrialState.PRUNED if why else None)
        best, values = self._trials.best(), self._values(told.params)
        said = why or f"{self._title} {told.value:.4g}"
        figures = [said, *(f"{option.partition('.')[2]} {chosen}" for option, chosen in values.items())]
        self._show(place, figures, last=True)
        score_of_best = best.value if best else None
        self._record.add(told.number + 1, self._with(told.params), told.intermediate_values, value, score_of_best)

    def _values(self, tried: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the experiment as it is."""
        return {place: rounded(value) for place, value in tried.items() if value != self._now[place]}

    def _show(self, place: int, figures: Sequence[str], *, last: bool = False) -> None:
        """A line of progress."""
        done, best = len(self._trials.done()), self._trials.best()
        best_so_far = [f"best {best.value:.4g}"] if best else []
        left = ""
        if ended := done - self._before:
            seconds = (time.monotonic() - self._started) / ended * max(0, self._trials.wanted - done)
            left = f"{progress.duration(seconds)} left"
        start = f"{self._name}  trial {place} of {self._trials.wanted}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    def finish(self, target: str) -> None:
        """Write the best trial to params.yaml and say what changed."""
        best, done = self._trials.best(), self._trials.done()
        if best is None:
            raise UnrollError(f"none of {len(done)} trials of {self._name} ended; pass --over with lower rates")
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
        entry.write(self._workspace, self._name, target, values, self._now, comment)
        stand_in = " These are stand-in data: no figure is a result." if self._data.stand_in else ""
        print(
            f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
            f"Next: unroll repro evaluate@{self._data.name} && unroll compare {self._name} {target}"
        )
