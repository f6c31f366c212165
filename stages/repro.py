"""Build what is out of date, several stages at a time, then always the page."""

import signal
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from pipeline import params, registry
from pipeline.params import Params
from pipeline.storage import Workspace, remove
from stages import failures, graph, leftovers, server, side_by_side
from stages.__main__ import SERVER
from stages.alone import alone
from stages.building import Display
from stages.estimates import Estimates, work

Start = Callable[..., side_by_side.Process]
"""Starts a stage: its name, and whether by `force`."""

REPORT = "report"
"""The stage that is built whatever failed: it says what is missing, and why."""


def repro(workspace: Workspace, targets: Sequence[str], jobs: int) -> int:
    """Build the targets, or everything, and the page; print a line per stage.

    A stage that fails stops those that need it and nothing else. Folders of experiments and data sets that
    params.yaml no longer has are removed first, and so is what killed processes left half-written. dvc.lock ends as a
    sequential `dvc repro` would write it.

    Args:
        workspace: where params.yaml and dvc.yaml are.
        targets: stages such as `evaluate@waves`; none means all.
        jobs: how many stages run side by side, each on one core.

    Returns:
        The exit status: 0, or that of the first stage that failed.

    Raises:
        UsageError: params.yaml names what does not exist, or a target does not.
        UnrollError: another build is running here, or DVC cannot read the workspace.
        KeyboardInterrupt: the build was stopped; every stage it had started is stopped too.
    """
    wanted = params.load(workspace.params)
    _check_modules(wanted)
    busy = f"another `unroll repro` is building in {workspace.root}; wait until it is done, or stop it"
    with alone(workspace.scratch / "repro.lock", busy), terminable():
        leftovers.sweep(workspace)
        prune(workspace, wanted)
        return _build(workspace, wanted, targets, jobs)


def _build(workspace: Workspace, wanted: Params, targets: Sequence[str], jobs: int) -> int:
    before = failures.read(workspace)
    whole = graph.read(workspace.root)
    asked = whole.within(targets) if targets else whole
    due = [stage for stage in asked.due() if stage != REPORT]
    page = REPORT in whole.due()
    estimates = Estimates(workspace.scratch / "seconds.json", work(wanted))
    display = Display([*due, *[REPORT] * page], jobs, estimates, partial(_reason, workspace))
    outcomes = []
    try:
        networks = {f"train@{name}" for name, e in wanted.experiments.items() if e.model.family != "baselines"}
        with _starting(workspace, due, networks) as start:
            outcomes.append(side_by_side.build(due, asked.needs, jobs, start, display.show))
            _forget(workspace, whole, asked, outcomes[0])
            # The page shows why a stage failed, and no file that DVC watches says that.
            news = {**failures.read(workspace), REPORT: ""} != {**before, REPORT: ""}
            if page or news:
                forced = partial(start, force=news)
                outcomes.append(side_by_side.build([REPORT], {REPORT: []}, 1, forced, display.show))
    finally:
        graph.order_lock(workspace.root, whole.needs)
    display.close(outcomes, len({*asked.needs, REPORT}))
    return next((status for outcome in outcomes for status in outcome.failed.values()), 0)


@contextmanager
def _starting(workspace: Workspace, due: Sequence[str], networks: Container[str]) -> Iterator[Start]:
    """What starts a stage; with servers where there are stages enough to make up for their start."""
    variables, dvc = side_by_side.environment(), ""
    recording = [stage for stage in due if stage.startswith(("train@", "evaluate@"))]
    with ExitStack() as stack:
        if server.possible() and len(recording) > 1:
            kind = "networks" if sum(stage in networks for stage in due) > 1 else "stages"
            variables[SERVER] = server.address()
            stack.enter_context(server.serving(kind, variables[SERVER], variables, _log(workspace, "server")))
        if server.possible() and len(due) > 1:
            dvc = server.address()
            stack.enter_context(server.serving("dvc", dvc, variables, _log(workspace, "dvc")))

        def start(stage: str, *, force: bool = False) -> side_by_side.Process:
            failures.clear(workspace, stage)
            log = _log(workspace, stage)
            return side_by_side.dvc(workspace.root, stage, log, variables, server=dvc, force=force)

        yield start


def _log(workspace: Workspace, stage: str) -> Path:
    return workspace.scratch / "logs" / f"{stage}.txt"


def _reason(workspace: Workspace, stage: str) -> str:
    """Why a stage failed: what its command recorded, else what DVC said, which is then recorded."""
    recorded = failures.read(workspace).get(stage)
    if recorded:
        return recorded
    log = _log(workspace, stage)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or ["it ended without a word"]
    text = f"{said[-1]}; its output is in {log.relative_to(workspace.root)}"
    failures.record(workspace, stage, text)
    return text


def _forget(workspace: Workspace, whole: graph.Graph, asked: graph.Graph, outcome: side_by_side.Outcome) -> None:
    """Drop the reasons of stages that are up to date again, wait for another one, or are gone."""
    for stage in failures.read(workspace):
        if stage not in whole.needs or (stage in asked.needs and stage not in outcome.failed):
            failures.clear(workspace, stage)


def prune(workspace: Workspace, wanted: Params) -> None:
    """Remove the runs, evaluations and metrics of what `wanted` does not have; make the folders that DVC hashes."""
    used = {name: {*wanted.experiments_of(name)} for name in wanted.datasets}
    runs, evaluations, metrics = (workspace.root / name for name in ("runs", "evaluations", "metrics"))
    stale = [folder for folder in evaluations.glob("*") if folder.name not in used]
    stale += [file for file in metrics.glob("*.json") if file.stem not in used]
    checkpoints = workspace.scratch / "checkpoints"
    stale += [file for file in checkpoints.glob("*.npz") if file.stem not in wanted.experiments]
    for folder in runs.glob("*"):
        stale += [run for run in folder.glob("*") if run.name not in used.get(folder.name, ())]
        stale += [folder] * (folder.name not in used)
    for path in stale:
        remove(path)
    for folder in (evaluations, metrics, *(workspace.runs(name) for name in used)):
        folder.mkdir(parents=True, exist_ok=True)


def _check_modules(wanted: Params) -> None:
    """Say which name of params.yaml has no module, before DVC says that a file is missing."""
    for name, source in wanted.sources.items():
        registry.one_of(source.kind, registry.modules("sources"), f"params.yaml: sources.{name}.kind")
    for name, dataset in wanted.datasets.items():
        where = f"params.yaml: datasets.{name}.preparation.name"
        registry.one_of(dataset.preparation.name, registry.modules("datasets"), where)
    for name, experiment in wanted.experiments.items():
        where = f"params.yaml: experiments.{name}"
        registry.one_of(experiment.model.family, registry.modules("models"), f"{where}.model.family")
        registry.one_of(experiment.training.method, registry.modules("training"), f"{where}.training.method")


@contextmanager
def terminable() -> Iterator[None]:
    """Treat a request to end like Ctrl-C, so that no stage is left running."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
