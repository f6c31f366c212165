"""The command `tune`: trials of an experiment with other options, compared on validation; the best one is written."""

import gc
import time
from collections.abc import Sequence
from functools import partial

from optuna.trial import TrialState

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.locks import sweep
from pipeline.metrics import MEASURES
from pipeline.workspace import Workspace
from stages import progress
from unroll.tune import entry
from unroll.tune.space import lines, present, space
from unroll.tune.study import Trials, opened
from unroll.tune.trial import seen, train


def tune(
    workspace: Workspace, name: str, *, trials: int, over: Sequence[str], seeds: int, target: str, dry: bool
) -> None:
    """Go on with the trials of an experiment until there are so many, then write the best to params.yaml, as `target`.

    Each trial has so many `seeds` of the experiment's own; `over` is as in `space`; `dry` only says what is searched.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    experiment = params.load(workspace.params).experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
    searched = space(name, experiment, over)
    data = seen(workspace, experiment)
    print(f"{name} on {data.name}, chosen by {data.metric} on validation, over")
    print(*lines(searched, present(name, experiment, searched)), sep="\n", flush=True)
    if said := _on_test(workspace, data.name, [name, target], data.metric):
        print(said, flush=True)
    if dry:
        return
    entry.check(workspace, name, target)
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, trials) as found:
        tuning = _Tuning(workspace, found)
        tuning.go_on()
        if others := len(found.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            tuning.finish(target)


def _on_test(workspace: Workspace, dataset: str, names: Sequence[str], metric: str) -> str:
    """What test says of an experiment and of what earlier trials made of it, where both are built."""
    folder = workspace.evaluation(dataset)
    entries = schema.load(folder).experiments if (folder / "evaluation.json").is_file() else {}
    if not {*names} <= entries.keys():
        return ""
    figures = [f"{name} {entries[name].final['test'][metric].mean:.4g}" for name in names]
    return f"{metric} on test, of the last build: {', '.join(figures)}"


class _Tuning:
    """One process at the trials of an experiment."""

    def __init__(self, workspace: Workspace, trials: Trials) -> None:
        self._workspace, self._trials, self._title = workspace, trials, MEASURES[trials.data.metric].title
        self._started, self._before = time.monotonic(), len(trials.done())

    def go_on(self) -> None:
        """Train here until there are enough trials, and show each."""
        trials = self._trials
        gc.freeze()  # Keras collects garbage before each model: a third of a second, for what is imported and is none
        while (trial := trials.begin()) is not None:
            place = len(trials.done()) + len(trials.running())
            try:
                value, why = train(trials, trial, partial(self._show, place))
            except UnrollError as error:
                if trials.best() is None:
                    raise
                value, why = None, str(error)
            told = trials.study.tell(trial, value, TrialState.PRUNED if why else None)
            values = (f"{option.partition('.')[2]} {chosen}" for option, chosen in trials.values(told).items())
            self._show(place, [why or f"{self._title} {told.value:.4g}", *values], last=True)

    def _show(self, place: int, figures: Sequence[str], *, last: bool = False) -> None:
        """A line of progress."""
        done, best = len(self._trials.done()), self._trials.best()
        best_so_far = [f"best {best.value:.4g}"] if best else []
        left = ""
        if ended := done - self._before:
            seconds = (time.monotonic() - self._started) / ended * max(0, self._trials.wanted - done)
            left = f"{progress.duration(seconds)} left"
        start = f"{self._trials.name}  trial {place} of {self._trials.wanted}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    def finish(self, target: str) -> None:
        """Write the best trial to params.yaml and say what changed."""
        trials, name = self._trials, self._trials.name
        best, done = trials.best(), trials.done()
        if best is None:
            raise UnrollError(f"none of {len(done)} trials of {name} ended; pass --over with lower rates")
        values, given_up = trials.values(best), sum(trial.state.name == "PRUNED" for trial in done)
        own = [trial.value for trial in done if trial.state.name == "COMPLETE" and not trials.values(trial)]
        beside = f" ({name} as it is: {own[0]:.4g})" if own else ""
        found = f"{self._title} on validation {best.value:.4g}{beside}"
        print(f"\n{len(done)} trials, {given_up} given up. The best: {found}")
        if not values:
            print(f"{name} as it is was the best, so nothing was written.")
            return
        width = max(map(len, values))
        print(*(f"  {place:{width}}  {trials.now[place]} -> {value}" for place, value in values.items()), sep="\n")
        comment = f"By `unroll tune {name}`, {len(done)} trials: {found}."
        entry.write(self._workspace, name, target, values, trials.now, comment)
        stand_in = " These are stand-in data: no figure is a result." if trials.data.stand_in else ""
        print(
            f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
            f"Next: unroll repro evaluate@{trials.data.name} && unroll compare {name} {target}"
        )
