"""Build what is out of date, several stages at a time, then always the page."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from pipeline import failures, locks, numerics
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.files import remove
from pipeline.provenance import machine
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph, processes, scheduler
from unroll.runner.display import Display, Estimates, Narration
from unroll.runner.dvc_graph import BusyError, Dvc
from unroll.runner.processes import Process
from unroll.runner.scheduler import Executor, Running, terminable

NOT_RECORDED = b"not recorded in MLflow"
"""What a training or an evaluation warns of in its log (`pipeline.tracking.live`)."""

OpenExecutor = Callable[[Workspace, Dvc, Executor], AbstractContextManager[Executor]]
"""Opens what runs stages in place of this machine; gets what runs them here, which it still needs for some."""

AHEAD = 1e6
"""Seconds, more than any build takes, that an evaluation counts for which is to come before others."""

ONE_THREAD = {name: "1" for name in machine.VARIABLES if name.endswith("_THREADS")}
"""Variables that keep every library to one thread."""

TRIES = 3
"""How often a stage is run that another DVC disturbs."""

REPORT = "report"
"""The stage that is built whatever failed: it says what is missing, and why."""


def repro(
    workspace: Workspace,
    targets: Sequence[str],
    jobs: int,
    *,
    narration: Narration | None = None,
    first: Sequence[str] = (),
    on: OpenExecutor | None = None,
) -> int:
    """Build the targets, or everything, and the page; print a line per stage.

    A stage that fails stops those that need it and nothing else. Folders of experiments and data sets that
    params.yaml no longer has are removed first, and so is what killed processes left half-written. dvc.lock ends as a
    sequential `dvc repro` would write it.

    As many stages as `jobs` run side by side, each on one core, unless `on` opens a cluster that builds. The data sets
    of `first` are evaluated before others, in this order. `narration` says what is done, in place of a line per stage.

    Returns:
        The exit status: 0, or that of the first stage that failed.

    Raises:
        UsageError: params.yaml names what does not exist, or a target does not.
        UnrollError: another build is running here, or DVC cannot read the workspace.
        KeyboardInterrupt: the build was stopped; every stage it had started is stopped too.
    """
    config = params.load(workspace.params)
    busy = f"another `unroll repro` is building in {workspace.root}; wait until it is done, or stop it"
    with locks.alone(workspace.scratch / "repro.lock", busy), terminable():
        locks.sweep(workspace)
        prune(workspace, config)
        local = LocalExecutor(workspace, jobs)
        with (
            dvc_graph.opened(workspace.root) as dvc,
            on(workspace, dvc, local) if on else nullcontext(local) as executor,
        ):
            try:
                return _build(workspace, config, dvc, executor, targets, narration, first)
            except KeyboardInterrupt:
                processes.end()
                raise


def _build(
    workspace: Workspace,
    config: Params,
    dvc: Dvc,
    executor: Executor,
    targets: Sequence[str],
    narration: Narration | None,
    first: Sequence[str],
) -> int:
    before = failures.read(workspace)
    whole = dvc.graph
    graph = whole.within(targets) if targets else whole
    due = [stage for stage in graph.due() if stage != REPORT]
    page = REPORT in whole.due()
    estimates = Estimates(workspace.scratch / "seconds.json")
    many = sum(stage.startswith(("train@", "evaluate@")) for stage in due) > 1
    if many and isinstance(executor, LocalExecutor):  # else the fork server does not pay
        networks = {f"train@{name}" for name, e in config.experiments.items() if e.model.family != "baselines"}
        processes.prepare(environment(), networks=not networks.isdisjoint(due))
    shown, why = [*due, *[REPORT] * page], partial(reason, workspace)
    display = Display(shown, executor, estimates, why, narration=narration, restored=dvc.restored)

    # The path to the end of the build counts: what an evaluation needs starts before what a later one needs.
    ahead = {f"evaluate@{name}": (len(first) - index) * AHEAD for index, name in enumerate(first)}

    def weight(stage: str) -> float:
        return estimates.seconds(stage) + ahead.get(stage, 0.0)

    start = partial(Stage, workspace, dvc, executor)
    results = []
    try:
        result = scheduler.build(due, graph.needs, executor.slots, start, display.show, weight)
        results.append(result)
        for stage in failures.read(workspace):
            if stage not in whole.needs or (stage in graph.needs and stage not in result.failed):
                failures.clear(workspace, stage)  # it is gone, up to date again, or waits for another one
        # The page shows why a stage failed; no file that DVC watches for it says that.
        news = {**failures.read(workspace), REPORT: ""} != {**before, REPORT: ""}
        if REPORT in whole.needs and (page or news):
            here = partial(Stage, workspace, dvc, LocalExecutor(workspace), force=news)
            results.append(scheduler.build([REPORT], {REPORT: []}, lambda: 1, here, display.show))
    finally:
        dvc.close()
        estimates.keep()
    display.close(results, len({*graph.needs, *({REPORT} & {*whole.needs})}))
    logs = [workspace.log(stage) for stage in result.built if stage not in dvc.restored]
    if unrecorded := sum(log.exists() and NOT_RECORDED in log.read_bytes() for log in logs):
        print(f"What {unrecorded} stages made is not recorded in MLflow; `unroll track` records it.", flush=True)
    return next((status for result in results for status in result.failed.values()), 0)


def prune(workspace: Workspace, config: Params) -> None:
    """Remove the runs, evaluations and metrics of what params.yaml no longer has; make the folders that DVC hashes."""
    used = {name: {*config.experiments_of(name)} for name in config.datasets}
    evaluations, metrics = workspace.root / "results" / "evaluations", workspace.root / "results" / "metrics"
    folders = (workspace.root / "runs", evaluations, metrics)
    stale = [path for folder in folders for path in folder.glob("*/") if path.name not in used]
    for name, experiments in used.items():
        stale += [run for run in workspace.runs(name).glob("*") if run.name not in experiments]
        stale += [file for file in workspace.metrics(name).glob("*.json") if file.stem not in experiments]
    checkpoints = workspace.scratch / "checkpoints"
    stale += [file for file in checkpoints.glob("*.npz") if file.name.partition(".")[0] not in config.experiments]
    for path in stale:
        remove(path)
    for folder in (evaluations, metrics, *map(workspace.runs, used)):
        folder.mkdir(parents=True, exist_ok=True)


class LocalExecutor:
    """Runs commands on this machine, so many at once (`scheduler.Executor`)."""

    def __init__(self, workspace: Workspace, jobs: int = 1) -> None:
        self._workspace, self._jobs = workspace, jobs

    def slots(self) -> int:
        return self._jobs

    def start(self, stage: str, command: str) -> Running:
        root = self._workspace.root
        variables = {**os.environ, **environment(), "DVC_ROOT": str(root), "DVC_STAGE": stage}
        return Process(command, root, self._workspace.log(stage), variables)

    def where(self, _stage: str) -> str:
        return ""


class Stage:
    """A stage at work (`scheduler.Running`): taken from DVC's cache (not if `force`), or run and then taken into it."""

    def __init__(self, workspace: Workspace, dvc: Dvc, executor: Executor, name: str, *, force: bool = False) -> None:
        self._workspace, self._dvc, self._executor, self._name, self._force = workspace, dvc, executor, name, force
        self._waited = self._stopped = False
        self._tries = TRIES
        self._process: Running | None = None

    def poll(self) -> int | None:
        """The exit status, None while it runs or waits for another DVC; what that one disturbed is run again."""
        if self._stopped and self._process is None:
            return 1
        try:
            if self._process is None:
                failures.clear(self._workspace, self._name)
                command = self._dvc.begin(self._name, force=self._force)
                if not command:
                    return 0
                self._process = self._executor.start(self._name, command)
            status = self._process.poll()
            if status is None or (status and self._stopped) or self._dvc.finish(self._name, status):
                return status
            why = "another `dvc` has written anew what it depends on; run this again"
        except BusyError:
            self._waited = self._process is not None
            return 1 if self._stopped else None
        except UnrollError as error:
            why = str(error)
            if not self._waited:  # else the other one may have been stopped, and have left no outputs
                self._tries = 0
        self._process, self._waited, self._tries = None, False, self._tries - 1
        if self._tries > 0:
            return None
        failures.record(self._workspace, self._name, why)
        return 1

    def send_signal(self, number: int) -> None:
        self._stopped = True
        if self._process:
            self._process.send_signal(number)


def environment() -> dict[str, str]:
    """The environment of stages: one thread each, since parallelism is across stages, and `unroll` on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return ONE_THREAD | numerics.from_start() | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def reason(workspace: Workspace, stage: str) -> str:
    """Why a stage failed: what its command recorded; if it did not, where its output is, which is then recorded."""
    if not failures.read(workspace).get(stage):
        log = workspace.log(stage).relative_to(workspace.root)
        failures.record(workspace, stage, f"it ended without a word; its output is in {log}")
    return failures.read(workspace)[stage]
