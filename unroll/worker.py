"""The command `worker`: train for a build from another machine that shares its folder.

A worker has a workspace of its own in `.unroll/workers/HOST/`. The inputs there are
links to those of the build. A finished run comes into the build's store by one rename.
A lock file for each task keeps two machines from training the same one.
"""

import os
import platform
import random
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import closing

from filelock import Timeout

from pipeline import locks, processes
from pipeline.config import params
from pipeline.config.registry import EXTENSIONS
from pipeline.errors import UnrollError
from pipeline.files import read_json, scratch_folder, write_json
from pipeline.processes import Call
from pipeline.provenance import fingerprint, machine, packages
from pipeline.time_left import duration
from pipeline.tracking import ON_WORKER
from pipeline.training import run_store
from pipeline.training.run_store import Task
from pipeline.workspace import Workspace
from stages import pool
from stages.train import due

LOOK = 2.0
"""Seconds between two looks for tasks."""

LINKED = ("params.yaml", "templates.yaml", EXTENSIONS, "data")
"""The inputs of trainings, which are linked into a worker's workspace."""


def note_environment(workspace: Workspace) -> None:
    """Write the file with what a worker must have in common with this machine."""
    write_json(workspace.scratch / "environment.json", environment())


def environment() -> dict[str, str]:
    """Return the versions, the processor and the kept variables on which the bytes of a
    run depend.
    """
    processor = platform.machine()
    if machine.has_avx2():
        processor += " with AVX2 and FMA"
    return {
        "unroll": fingerprint.package(),
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "processor": processor,
        **packages.installed(packages.locked()),
        **packages.kept(),
    }


def work(workspace: Workspace, jobs: int, patience: float) -> None:
    """Train tasks of a build until there are none for `patience` seconds.

    Raises:
        UnrollError: this machine has another environment than the one that builds, or
            the folder has no params.yaml.
    """
    params.load(workspace.params)
    print(
        f"Waiting for trainings of a build in {workspace.root}; "
        f"ends after {duration(patience)} without one.",
        flush=True,
    )
    # The machine that builds logs the runs in MLflow.
    os.environ[ON_WORKER] = "1"
    here = environment()
    home = workspace.scratch / "workers" / platform.node()
    locks.sweep(Workspace(home))
    with scratch_folder(home, "worker") as folder:
        own = Workspace(folder)
        for name in LINKED:
            (folder / name).symlink_to(workspace.root / name)
        failed: set[str] = set()
        end = time.monotonic() + patience
        while time.monotonic() < end:
            tasks = [
                task
                for task in _due(workspace, here)
                if task.key not in failed and _is_free(workspace, task)
            ]
            if not tasks:
                time.sleep(LOOK)
                continue
            failed |= _train(workspace, own, tasks, jobs)
            end = time.monotonic() + patience


def _due(workspace: Workspace, here: Mapping[str, str]) -> list[Task]:
    """Return the tasks that the store lacks, in a random order.

    `here` is the environment of this machine.
    """
    noted = workspace.scratch / "environment.json"
    if not noted.exists():
        return []
    there = read_json(noted)
    differing = [
        f"{name} {there.get(name)} there, {here.get(name)} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise UnrollError(
            "this machine would not make the same bytes as the machine that builds: "
            f"{'; '.join(differing)}; install the same versions here, and keep the "
            "same variables"
        )
    tasks = due(workspace, params.load(workspace.params))
    random.shuffle(tasks)
    return tasks


def _is_free(workspace: Workspace, task: Task) -> bool:
    """Return whether no machine trains a task now."""
    try:
        with pool.task_lock(workspace, task).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _train(
    workspace: Workspace, own: Workspace, tasks: list[Task], jobs: int
) -> set[str]:
    """Train the tasks that no other machine trains; return the keys that failed."""
    calls = {}
    for task in tasks:
        log = own.log(task.whole_name)
        arguments = (workspace, own, task)
        calls[Call(task.whole_name, train_and_hand_over, arguments, log)] = task
    failed = set()
    with pool.server(tasks, jobs) as server:
        results = processes.run(list(calls), jobs, server, grace=pool.GRACE)
        with closing(results):
            for ended in results:
                said = "done, here or elsewhere"
                if ended.error:
                    said = f"FAILED: {ended.error}"
                    failed.add(calls[ended.call].key)
                print(f"{ended.call.name}  {said}", flush=True)
    return failed


def train_and_hand_over(workspace: Workspace, own: Workspace, task: Task) -> None:
    """Train a task, unless another machine is training it or has trained it."""
    from stages.perform import perform  # heavy

    try:
        lock = pool.task_lock(workspace, task).acquire(timeout=0)
    except Timeout:
        return
    where = (task.dataset, task.name, task.key)
    with lock:
        if run_store.holds(workspace, *where):
            return
        perform(own, task)
        made = own.record(task.dataset, task.name)
        kept = workspace.record(task.dataset, task.name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if made.exists():
            made.replace(kept)
        entry = run_store.entry(workspace, *where)
        entry.parent.mkdir(parents=True, exist_ok=True)
        run_store.entry(own, *where).replace(entry)
        shutil.rmtree(own.run(task.dataset, task.name))
