"""The commands `tune` and `search`: trials of an experiment with other options, compared on validation.

`tune` adds the best one to params.yaml under another name. `search` gives each of a data set's families of models the
same number of trials (docs/decisions/opponents.md), and the best replaces the experiment's own options.
"""

import gc
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from optuna.trial import TrialState

from pipeline import tables
from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, merged
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import schema
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone, sweep
from pipeline.metrics import MEASURES
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import progress
from unroll.tune.space import changed, family_space, lines, present, space
from unroll.tune.study import PATIENCE, Trials, opened, seen, train


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
    folder = workspace.evaluation(data.name)
    built = schema.load(folder).experiments if (folder / "evaluation.json").is_file() else {}
    if {name, target} <= built.keys():  # what test says of it and of what earlier trials made of it
        scores = [
            f"{built_name} {built[built_name].final['test'][data.metric].mean:.4g}" for built_name in (name, target)
        ]
        print(f"{data.metric} on test, of the last build: {', '.join(scores)}", flush=True)
    if dry:
        return
    every = params.load(workspace.params).experiments
    there = every.get(target)
    if there is None or (there.dataset, there.model.name) != (every[name].dataset, every[name].model.name):
        _with_entry(workspace, name, target, {}, "")  # refuses what could not be written after all the trials
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, trials) as study:
        _train_all(study)
        if others := len(study.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            _write_best(workspace, study, target)


def search(workspace: Workspace, dataset: str, only: str | None = None) -> None:
    """Try each experiment of a data set that has `trials` as often as it says; the best options replace its own.

    All trials go to results/trials/EXPERIMENT.csv. What was tried before is not tried again. `only` is one of the
    experiments.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    every = params.load(workspace.params)
    every.dataset(dataset)
    families = {name: e for name, e in every.experiments_of(dataset).items() if e.trials and e.share == 1}
    if only is not None:
        families = {only: families[one_of(only, families, f"the experiment of {dataset} with `trials`")]}
    if not families:
        raise UnrollError(f"no experiment of {dataset} has `trials`, so there is nothing to try")
    for name, experiment in families.items():
        file = workspace.trials(name)
        if not file.exists():
            tables.write(file, _table(workspace, name, experiment.model_copy(update={"seeds": experiment.seeds[:1]})))
        # From the file, so that a search that was killed before it wrote them does so the next time.
        table = tables.read(file, experiment=str, trial=int, seed=int, ended=str, options=str)
        (measure,) = (column for column in table if column.startswith("validation_"))
        higher, scores = MEASURES[measure.removeprefix("validation_")].higher, table[measure]
        best = json.loads(table["options"][scores.idxmax() if higher else scores.idxmin()])
        section = experiment.model_dump()
        if changed(section, best) != section:
            _set_options(workspace, name, best)


def _table(workspace: Workspace, name: str, experiment: Experiment) -> pd.DataFrame:
    """Train all trials of a family: a row for each."""
    data = seen(workspace, experiment)
    searched = family_space(name, experiment, data.input_shape[0])
    with opened(workspace, name, experiment, data, searched, experiment.trials) as study:
        _train_all(study)
        if study.best() is None:
            raise UnrollError(f"none of the {experiment.trials} trials of {name} came to an end")
        ended = sorted(study.done(), key=lambda trial: trial.number)
    rows = [
        {
            "experiment": name,
            "trial": number,
            "seed": experiment.seeds[0],
            f"validation_{data.metric}": None if trial.user_attrs["why"] else trial.value,
            "ended": trial.user_attrs["why"] or "complete",
            "options": json.dumps({**study.now, **study.values(trial)}, sort_keys=True),
        }
        for number, trial in enumerate(ended, 1)
    ]
    return pd.DataFrame(rows)


def _train_all(trials: Trials) -> None:
    """Train here until there are enough trials, and show each."""
    started, before, title = time.monotonic(), len(trials.done()), MEASURES[trials.data.metric].title

    def show(number: int, figures: Sequence[str], *, last: bool = False) -> None:
        done, best, left = len(trials.done()), trials.best(), ""
        if ended := done - before:
            seconds = (time.monotonic() - started) / ended * max(0, trials.count - done)
            left = f"{progress.duration(seconds)} left"
        best_so_far = [f"best {best.value:.4g}"] if best else []
        start = f"{trials.name}  trial {number} of {trials.count}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    gc.freeze()  # Keras collects garbage before each model: a third of a second, for what is imported and is none
    while (trial := trials.begin()) is not None:
        number = len(trials.done()) + len(trials.running())
        try:
            value, why = train(trials, trial, partial(show, number))
        except UnrollError as error:
            if trials.best() is None:
                raise
            value, why = None, str(error)
        trial.set_user_attr("why", why)
        ended = trials.study.tell(trial, value, TrialState.PRUNED if why else None)
        options = (f"{option.partition('.')[2]} {chosen}" for option, chosen in trials.values(ended).items())
        show(number, [why or f"{title} {ended.value:.4g}", *options], last=True)


def _write_best(workspace: Workspace, trials: Trials, target: str) -> None:
    """Write the best trial to params.yaml and say what changed."""
    name, best, done = trials.name, trials.best(), trials.done()
    if best is None:
        raise UnrollError(f"none of {len(done)} trials of {name} ended; pass --over with lower rates")
    values, given_up = trials.values(best), sum(trial.state.name == "PRUNED" for trial in done)
    own = [trial.value for trial in done if trial.state.name == "COMPLETE" and not trials.values(trial)]
    beside = f" ({name} as it is: {own[0]:.4g})" if own else ""
    score = f"{MEASURES[trials.data.metric].title} on validation {best.value:.4g}{beside}"
    print(f"\n{len(done)} trials, {given_up} given up. The best: {score}")
    if not values:
        print(f"{name} as it is was the best, so nothing was written.")
        return
    width = max(map(len, values))
    print(*(f"  {option:{width}}  {trials.now[option]} -> {value}" for option, value in values.items()), sep="\n")
    comment = f"By `unroll tune {name}`, {len(done)} trials: {score}."
    with alone(workspace.scratch / "params.lock", "another tune writes params.yaml", patience=PATIENCE):
        new = target not in params.load(workspace.params).experiments
        if new:
            write_text(workspace.params, _with_entry(workspace, name, target, values, comment))
    if not new:  # by earlier trials
        _set_options(workspace, target, {**trials.now, **values})
    stand_in = " These are stand-in data: no figure is a result." if trials.data.stand_in else ""
    print(
        f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
        f"Next: unroll repro evaluate@{trials.data.name} && unroll compare {name} {target}"
    )


def _options(section: Mapping[str, Any], values: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Part and option of an experiment -> what it becomes with other values."""
    after = changed(section, values)
    return {(part, option): after[part][option] for part, option, *_ in (where.split(".") for where in values)}


def _set_options(workspace: Workspace, name: str, values: Mapping[str, Any]) -> None:
    """Set options of an experiment in params.yaml, as `dvc exp run -S` does."""
    from dvc.utils.hydra import apply_overrides

    with alone(workspace.scratch / "params.lock", "another process writes params.yaml", patience=PATIENCE):
        options = _options(params.load(workspace.params).experiments[name].model_dump(), values)
        apply_overrides(
            workspace.params,
            [f"++experiments.{name}.{part}.{option}={json.dumps(value)}" for (part, option), value in options.items()],
        )


def _with_entry(workspace: Workspace, name: str, target: str, values: Mapping[str, Any], comment: str) -> str:
    """The text of params.yaml with an experiment once more, with other values, under another name, checked.

    It has the seeds of its data set, if that says how such experiments are trained.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if target in every.experiments:
        raise UsageError(f"params.yaml has {target} already; pass --name with another, or take its entry out")
    new: dict[str, dict[str, Any]] = {}
    for (part, option), value in _options(experiment.model_dump(), values).items():
        new.setdefault(part, {})[option] = value
    entry = dict(merged(plain_yaml.read(workspace.params)["experiments"][name], new))
    usual = every.datasets[experiment.dataset]
    if usual.training is not None and usual.training.method == experiment.training.method:
        entry.pop("seeds", None)
    comments: dict[plain_yaml.Place, str] = {("experiments", target): comment} if comment else {}
    text = plain_yaml.added(workspace.params, {"experiments": {target: entry}}, comments)
    with scratch_folder(workspace.scratch, "tune") as scratch:
        write_text(scratch / workspace.params.name, text)
        params.load(scratch / workspace.params.name)
    return text
