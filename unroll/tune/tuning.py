"""A tuning while it goes on: trials are trained here or elsewhere, each is shown and recorded, the best is written."""

import gc
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from optuna import Trial


class Tuning:
    """One process at the trials of an experiment.

    Args:
        workspace: its data set must be prepared.
        name: the experiment.
        experiment: with the seeds that a trial has.
        now: its own values of what is searched.
        data: see `trial.seen`.
        trials: of its study.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        experiment: Experiment,
        now: Mapping[str, Any],
        data: Dataset,
        trials: Trials,
    ) -> None:
        self._workspace, self.name, self._experiment = workspace, name, experiment
        self._now, self._data, self.trials = now, data, trials
        self._title = MEASURES[data.metric].title
        self._started, self._before = time.monotonic(), len(trials.done())
        with trials.alone():  # of two that begin at once, the second one takes the run of the first
            self._record = Record(workspace, name, experiment, trials.study.user_attrs.get("mlflow_run"))
            trials.study.set_user_attr("mlflow_run", self._record.parent)

    def go_on(self) -> None:
        """Train here until there are enough trials."""
        gc.freeze()  # Keras collects garbage before each model: a third of a second, for what is imported and is none
        while (trial := self.trials.begin()) is not None:
            place = len(self.trials.done()) + len(self.trials.running())
            try:
                value, why = train(
                    self.name, self.experiment(trial.params), self._data, trial, partial(self._show, place, "")
                )
            except BaseException as error:
                if not isinstance(error, UnrollError) or self.trials.best() is None:
                    self.trials.put_back(trial)
                    raise
                value, why = None, str(error)
            self.ended(trial, value, why, place)

    def experiment(self, tried: Mapping[str, Any]) -> Experiment:
        """The experiment with the values of a trial."""
        return Experiment.model_validate(changed(self._experiment.model_dump(), self._values(tried)))

    def ended(self, trial: "Trial", value: float | None, why: str, place: int, where: str = "") -> None:
        """Keep, show and record what became of a trial.

        Args:
            trial: of the study.
            value: what it came to; None if it was given up.
            why: it was.
            place: which one it is, of all that are wanted.
            where: it was trained, in words.
        """
        from optuna.trial import TrialState

        told = self.trials.study.tell(trial, value, TrialState.PRUNED if why else None)
        best, values = self.trials.best(), self._values(told.params)
        said = why or f"{self._title} {told.value:.4g}"
        figures = [said, *(f"{option.partition('.')[2]} {chosen}" for option, chosen in values.items())]
        self._show(place, where, figures, last=True)
        score_of_best = best.value if best else None
        with_it = self.experiment(told.params)
        self._record.add(told.number + 1, with_it, told.intermediate_values, value, score_of_best)

    def _values(self, tried: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the experiment as it is."""
        return {place: rounded(value) for place, value in tried.items() if value != self._now[place]}

    def _show(self, place: int, where: str, figures: Sequence[str], *, last: bool = False) -> None:
        """A line of progress."""
        done, best = len(self.trials.done()), self.trials.best()
        best_so_far = [f"best {best.value:.4g}"] if best else []
        left = ""
        if ended := done - self._before:
            seconds = (time.monotonic() - self._started) / ended * max(0, self.trials.wanted - done)
            left = f"{progress.duration(seconds)} left"
        start = f"{self.name}  trial {place} of {self.trials.wanted}{where}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    def finish(self, target: str) -> None:
        """Write the best trial to params.yaml and say what changed."""
        best, done = self.trials.best(), self.trials.done()
        if best is None:
            raise UnrollError(f"none of {len(done)} trials of {self.name} came to an end; pass --over with lower rates")
        values, given_up = self._values(best.params), sum(trial.state.name == "PRUNED" for trial in done)
        own = [trial.value for trial in done if trial.state.name == "COMPLETE" and not self._values(trial.params)]
        beside = f" ({self.name} as it is: {own[0]:.4g})" if own else ""
        found = f"{self._title} on validation {best.value:.4g}{beside}"
        print(f"\n{len(done)} trials, {given_up} given up. The best: {found}")
        if not values:
            print(f"{self.name} as it is was the best, so nothing was written.")
            return
        width = max(map(len, values))
        print(*(f"  {place:{width}}  {self._now[place]} -> {value}" for place, value in values.items()), sep="\n")
        comment = f"By `unroll tune {self.name}`, {len(done)} trials: {found}."
        entry.write(self._workspace, self.name, target, values, self._now, comment)
        stand_in = " These are stand-in data: no figure is a result." if self._data.stand_in else ""
        print(
            f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
            f"Next: unroll repro evaluate@{self._data.name} && unroll compare {self.name} {target}"
        )
