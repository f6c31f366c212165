"""Long trainings of several seeds: where slots would stay empty, each seed is a part that runs by itself.

A part is a command (`stages.replicate`) that leaves a checkpoint of one seed; the stage runs after its parts, goes on
from there, and leaves the bytes that it would have left without them. DVC and MLflow hear of the stage alone.
"""

import math
from collections.abc import Sequence
from contextlib import suppress

from pipeline.config.params import Params
from pipeline.errors import UnrollError
from stages.repro.dvc_graph import Dvc
from stages.repro.eta import Estimates
from stages.repro.scheduler import Executor, Rest, Wrapping

LEAST = 60.0
"""Seconds that a stage must be thought to take: first estimates are rough, and little is won with short ones."""

START = 10.0
"""Seconds that a part takes beside its training, about: it reads the data and compiles, as does the stage after it."""

SEED = " seed "


class Split:
    """Says which stages are split (`scheduler.Split`).

    Args:
        wanted: params.yaml.
        dvc: the workspace as DVC sees it.
        estimates: learns of the parts.
    """

    def __init__(self, wanted: Params, dvc: Dvc, estimates: Estimates) -> None:
        self._dvc, self._estimates = dvc, estimates
        self._seeds = {
            f"train@{name}": experiment.seeds
            for name, experiment in wanted.experiments.items()
            if "epochs" in experiment.training.options  # others keep no checkpoint
        }

    def __call__(self, stage: str, slots: int, rest: Rest) -> Sequence[str]:
        """See `scheduler.Split`. What DVC's cache has is not split: it need not run."""
        seeds, seconds = self._seeds.get(stage, ()), self._estimates.seconds(stage)
        if len(seeds) < 2 or seconds < LEAST or not pays(seconds, len(seeds), *rest(), slots):
            return ()
        try:
            if not self._dvc.begin(stage):
                return ()
        except UnrollError:  # its start says so
            return ()
        parts = [f"{stage}{SEED}{one}" for one in seeds]
        self._estimates.fix(dict.fromkeys(parts, seconds / len(seeds) + START) | {stage: START})
        return parts

    def likely(self, due: Sequence[str]) -> bool:
        """Whether one of these stages is long enough, and of several seeds."""
        return any(len(self._seeds.get(one, ())) > 1 and self._estimates.seconds(one) >= LEAST for one in due)


class Part(Wrapping):
    """A part at work (`scheduler.Running`). Where it cannot be built, its stage says why."""

    def __init__(self, executor: Executor, name: str) -> None:
        command = f"unroll replicate {whole(name).partition('@')[2]} {seed(name)}"
        with suppress(UnrollError):
            self.process = executor.start(name, command)

    def poll(self) -> int | None:
        """See `scheduler.Running`."""
        try:
            return self.process.poll() if self.process else 1
        except UnrollError:
            return 1


def pays(seconds: float, parts: int, after: float, left: float, slots: int) -> bool:
    """Whether a build can end sooner if a stage is split.

    It ends neither before its longest chain does, nor before what is left of it, shared by all slots, is done.

    Args:
        seconds: of the stage.
        parts: that it would have.
        after: seconds of the longest chain that needs the stage.
        left: seconds of all that is left of the build, the stage too.
        slots: how many stages run at once.
    """
    if parts < 2 or slots < 2 or seconds < LEAST:
        return False
    chain = math.ceil(parts / slots) * (seconds / parts + START) + START + after
    return max(chain, (left + (parts + 1) * START) / slots) < seconds + after


def is_part(name: str) -> bool:
    """Whether a name is that of a part."""
    return SEED in name


def whole(name: str) -> str:
    """The stage that a part is of; a stage itself."""
    return name.partition(SEED)[0]


def seed(part: str) -> int:
    """The seed of a part."""
    return int(part.partition(SEED)[2])
