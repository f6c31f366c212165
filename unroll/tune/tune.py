"""The command `tune`: trials of an experiment with other options; the best on validation becomes another experiment."""

from collections.abc import Sequence

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.files import write_text
from pipeline.locks import sweep
from pipeline.metrics import MEASURES
from pipeline.workspace import Workspace
from unroll.tune.entries import params_lock, set_options, with_entry
from unroll.tune.space import lines, present, space
from unroll.tune.study import Trials, opened, seen, train_all


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
        with_entry(workspace, name, target, {}, "")  # refuses what could not be written after all the trials
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, trials) as study:
        train_all(study)
        if others := len(study.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            _write_best(workspace, study, target)


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
    with params_lock(workspace):
        new = target not in params.load(workspace.params).experiments
        if new:
            write_text(workspace.params, with_entry(workspace, name, target, values, comment))
    if not new:  # by earlier trials
        set_options(workspace, target, {**trials.now, **values})
    stand_in = " These are stand-in data: no figure is a result." if trials.data.stand_in else ""
    print(
        f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
        f"Next: unroll repro evaluate@{trials.data.name} && unroll compare {name} {target}"
    )
