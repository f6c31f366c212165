"""The command `tune`: trials of an experiment with other options, compared on validation; the best one is written."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from pipeline.config import params
from pipeline.locks import sweep
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace
from unroll.cluster.connection import Address
from unroll.tune import cluster, entry
from unroll.tune.space import lines, present, space
from unroll.tune.study import opened
from unroll.tune.trial import pruner, seen
from unroll.tune.tuning import Tuning


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        trials: how many, those of before included.
        over: see `space`.
        seeds: with how many of the experiment's seeds each trial is trained.
        name: of the new experiment; None: the old one's with "_tuned".
        dry: only say what would be searched.
        on: a cluster whose workers train in place of this machine.
    """

    trials: int = 30
    over: Sequence[str] = ()
    seeds: int = 1
    name: str | None = None
    dry: bool = False
    on: Address | None = None


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

    every = params.load(workspace.params)
    experiment = every.experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[: wanted.seeds]})
    searched, target = space(name, experiment, wanted.over), wanted.name or f"{name}_tuned"
    now = present(name, experiment, searched)
    data = seen(workspace, experiment)
    print(
        f"{name} on {data.name}, chosen by {data.metric} on validation, over",
        *lines(searched, now),
        sep="\n",
        flush=True,
    )
    if wanted.dry:
        return
    entry.check(workspace, name, target)
    preparation = every.dataset(experiment.dataset).preparation
    made_of = fingerprint.ingredients(workspace.prepared(data.name), experiment, preparation).fingerprint
    made_of |= {place: place + distribution_to_json(tried) for place, tried in searched.items()}
    sweep(workspace)
    with (
        cluster.opened(workspace, data.name, wanted.on) if wanted.on else nullcontext() as trainers,
        opened(
            workspace.scratch / "tuning" / f"{name}.db",
            fingerprint.brief(made_of),
            searched,
            now,
            higher=MEASURES[data.metric].higher,
            pruner=pruner(experiment),
            wanted=wanted.trials,
        ) as trials,
    ):
        tuning = Tuning(workspace, name, experiment, now, data, trials)
        if trainers:
            trainers.go_on(tuning)
        else:
            tuning.go_on()
        if others := len(trials.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            tuning.finish(target)
