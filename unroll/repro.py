"""`unroll repro`: DVC builds what is out of date, then the page is written, and what
failed is said once more.
"""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ValidationError

from pipeline import failures, locks
from pipeline.config import params, plain_yaml
from pipeline.config.params import Params
from pipeline.errors import StoppedError, UnrollError, UsageError
from pipeline.files import remove, write_text
from pipeline.provenance import fingerprint
from pipeline.training.run_store import WHOLE
from pipeline.validation import one_of
from pipeline.workspace import Workspace

LOCK = "dvc.lock"
"""DVC's file of what each stage was made of, and of what it made."""

REPORT = "report"
"""The stage that is built whatever failed: its page says what is missing, and why."""

ROOM = 16 * 1024**2
"""Bytes that must be free: on a full disk DVC tries for ever to write its notes."""

PAUSE = 0.05
"""Seconds between two looks at processes that are to end."""


class Entry(BaseModel):
    """A stage in dvc.lock."""

    cmd: str
    deps: list[dict[str, Any]] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[dict[str, Any]] = []


class LockFile(BaseModel):
    """A whole dvc.lock."""

    stages: dict[str, Entry]


def repro(
    workspace: Workspace, targets: Sequence[str] = (), *, quiet: bool = False
) -> int:
    """Build the targets, or everything, with `dvc repro --keep-going`, and the page.

    A stage that fails stops those that need it and nothing else. `quiet` leaves out
    what DVC says of each stage; what the stages say themselves is shown.

    Returns:
        The exit status of DVC, or of the page if that cannot be written.

    Raises:
        UsageError: params.yaml is wrong, or a target is no stage.
        UnrollError: another `unroll repro` is building here, or there is no room on the
            disk.
        StoppedError: the build was stopped; DVC and its stages have ended.
    """
    config = params.load(workspace.params)
    for target in targets:
        one_of(target, stages(config), "the target")
    busy = f"another `unroll repro` is building in {workspace.root}; wait until it is done, or stop it"
    with locks.alone(workspace.scratch / "repro.lock", busy):
        locks.sweep(workspace)
        prepare(workspace, config)
        before = failures.read(workspace)
        said = ["--quiet"] if quiet else []
        variables = environment(workspace)
        if not targets:
            variables[WHOLE] = "1"
            for stage in before:
                failures.clear(workspace, stage)
        status = run_dvc(
            workspace, ["repro", "--keep-going", *said, *targets], env=variables
        )
        failed = failures.read(workspace)
        # The page says why something is missing; no file that DVC watches for it does.
        news = ["--force"] if failed != before else []
        # The dvc.yaml that `unroll new` writes has no page.
        has_page = REPORT in plain_yaml.read(workspace.root / "dvc.yaml")["stages"]
        if has_page and (status or targets or news):
            page = run_dvc(
                workspace, ["repro", "--single-item", "--quiet", *news, REPORT]
            )
            status = status or page
    return status


def summary(workspace: Workspace, status: int) -> list[str]:
    """What failed and why, a line each, of a build that ended with a status."""
    failed = failures.read(workspace)
    lines = [f"FAILED {stage}: {why}" for stage, why in failed.items()]
    if status and not lines:
        notes = environment(workspace)["DVC_SITE_CACHE_DIR"]
        lines = [
            f"A stage failed without saying why; DVC says it above. If that is of a database, delete {notes}"
        ]
    return lines


def stages(config: Params) -> list[str]:
    """The names of all stages, as dvc.yaml makes them of params.yaml."""
    names = [config.source_stage(name) for name in config.sources]
    names += [f"prepare@{name}" for name in config.datasets]
    names += [
        f"{verb}@{name}"
        for name in config.experiments
        for verb in ("train", "evaluate")
    ]
    names += [f"answer@{name}" for name in config.series]
    return [*names, REPORT]


def prepare(workspace: Workspace, config: Params) -> None:
    """Make what DVC needs before it starts, and mend what a kill has left of its own
    files.

    Raises:
        OSError: the disk is full.
    """
    for folder in (
        workspace.root,
        Path(os.environ.get("DVC_SITE_CACHE_DIR", workspace.root)),
    ):
        if folder.exists() and shutil.disk_usage(folder).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    # the code is not here but installed, and DVC watches this for it
    if not (workspace.root / "stages").exists():
        write_if_new(workspace.root / "version.txt", f"{fingerprint.package()}\n")
    (workspace.root / "results" / "evaluations").mkdir(parents=True, exist_ok=True)
    prune(workspace, config)
    mend(workspace.root)


def prune(workspace: Workspace, config: Params) -> None:
    """Remove what was made of data sets that params.yaml no longer names; no stage
    does.
    """
    for folder in ("runs", "results/evaluations", "results/metrics"):
        for path in (workspace.root / folder).glob("[!.]*"):
            if path.name.removesuffix(".json") not in config.experiments:
                remove(path)


def mend(root: Path) -> None:
    """Remove those of DVC's own files that a kill has cut off, or that name none but
    killed processes.
    """
    notes = root / ".dvc" / "tmp" / "rwlock"
    if notes.exists() and not in_use(notes):
        notes.unlink()
    lock = root / LOCK
    if lock.exists() and not is_whole(lock):
        lock.unlink()
        print(
            "dvc.lock is damaged; it is written anew, of what DVC and .unroll/store keep",
            flush=True,
        )


def is_whole(lock: Path) -> bool:
    """Whether a dvc.lock was written to its end, and DVC will read it."""
    try:
        LockFile.model_validate(plain_yaml.read(lock))
    except (UsageError, ValidationError):
        return False
    return lock.read_bytes().endswith(b"\n")


def in_use(notes: Path) -> bool:
    """Whether a process still runs that has noted there, as DVC does, what it reads and
    writes.
    """
    numbers = re.findall(rb'"pid": (\d+)', notes.read_bytes())
    written = notes.stat().st_mtime
    return any(locks.alive(int(number), written) for number in numbers)


def write_if_new(path: Path, text: str) -> None:
    """Write a text unless the file holds it already: its time stays."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def run_dvc(workspace: Workspace, arguments: Sequence[str], **options: Any) -> int:
    """Run DVC in a workspace; its exit status.

    DVC and its stages are a session of their own, which ends with Ctrl-C or a request
    to end: DVC itself takes either for the failure of one stage, and goes on to the
    next.

    Args:
        workspace: where DVC runs.
        arguments: of DVC.
        options: of `subprocess.Popen`; `env` is this process's by default.

    Raises:
        StoppedError: it was stopped.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "dvc", *arguments],
        cwd=workspace.root,
        preexec_fn=locks.end_with_parent,  # noqa: PLW1509 - no other thread runs here
        start_new_session=True,
        **{"env": environment(workspace), **options},
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        # a second Ctrl-C changes nothing
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):
            signal.signal(number, signal.SIG_IGN)
        stop(process)
        print(
            "unroll: stopped; what was finished is kept, the same command goes on from there",
            file=sys.stderr,
        )
        raise StoppedError from None


def stop(dvc: subprocess.Popen[Any]) -> None:
    """End DVC and its stages, which get the time to end by themselves.

    DVC stands still meanwhile: it would go on to the next stage.
    """
    os.kill(dvc.pid, signal.SIGSTOP)
    family = psutil.Process(dvc.pid).children(recursive=True)
    os.killpg(dvc.pid, signal.SIGTERM)
    while any(locks.alive(process.pid, process.create_time()) for process in family):
        time.sleep(PAUSE)
    dvc.kill()
    dvc.wait()


def environment(workspace: Workspace) -> dict[str, str]:
    """Variables of DVC's process: `unroll` is found by name, and DVC's notes lie where
    the user may write.
    """
    variables = dict(os.environ)
    variables["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    variables["DVC_NO_ANALYTICS"] = "1"
    if "DVC_SITE_CACHE_DIR" not in variables:
        notes = workspace.scratch / "dvc"
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        variables["DVC_SITE_CACHE_DIR"] = str(notes)
        # else DVC asks for its settings in there
        if not Path(os.environ.get("HOME", "/")).is_dir():
            variables.setdefault("DVC_GLOBAL_CONFIG_DIR", str(notes))
    return variables


def require_built(workspace: Workspace, status: int, what: str) -> None:
    """Raise UnrollError with the reasons if a build of something did not end well."""
    if status:
        raise UnrollError(
            f"{what} is not built: {'; '.join(summary(workspace, status))}"
        )
