"""The command `tune`: trials of an experiment with other options, compared on validation; the best one is written."""

from collections.abc import Sequence

from pipeline.config import params
from pipeline.evaluation import schema
from pipeline.locks import sweep
from pipeline.workspace import Workspace
from unroll.tune import entry
from unroll.tune.space import lines, present, space
from unroll.tune.study import opened
from unroll.tune.trial import seen
from unroll.tune.tuning import Tuning


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
    now = present(name, experiment, searched)
    data = seen(workspace, experiment)
    print(
        f"{name} on {data.name}, chosen by {data.metric} on validation, over",
        *lines(searched, now),
        sep="\n",
        flush=True,
    )
    if said := _on_test(workspace, data.name, [name, target], data.metric):
        print(said, flush=True)
    if dry:
        return
    entry.check(workspace, name, target)
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, now, trials) as found:
        tuning = Tuning(workspace, name, experiment, now, data, found)
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
