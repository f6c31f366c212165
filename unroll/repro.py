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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline import failures, locks
from pipeline.config import params, plain_yaml
from pipeline.config.params import Params
from pipeline.errors import STOPPED, StoppedError, UnrollError, UsageError
from pipeline.files import remove, write_text
from pipeline.provenance import fingerprint
from pipeline.training.run_store import WHOLE
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import worker

LOCK = "dvc.lock"
"""DVC's file of what each stage was made of, and of what it made."""

REPORT = "report"
"""The stage that is built whatever failed: its page says what is missing, and why."""

ROOM = 16 * 1024**2
"""Bytes that must be free: on a full disk DVC tries for ever to write its notes."""

PAUSE = 0.05
"""Seconds between two looks at processes that are to end."""


class Entry(BaseModel):
    """A stage in dvc.lock, as DVC reads it."""

    cmd: str
    deps: list[dict[str, Any]] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[dict[str, Any]] = []


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
    busy = (
        f"another `unroll repro` is building in {workspace.root}; "
        "wait until it is done, or stop it"
    )
    with locks.alone(workspace.scratch / "repro.lock", busy):
        locks.sweep(workspace)
        prepare(workspace, config)
        worker.note_environment(workspace)
        before = failures.read(workspace)
        variables = environment(workspace)
        if not targets:
            variables[WHOLE] = "1"
            for stage in before:
                failures.clear(workspace, stage)
        command = ["repro", "--keep-going", *targets]
        if quiet:
            command.append("--quiet")
        status = run_dvc(workspace, command, env=variables)
        news = failures.read(workspace) != before
        # The dvc.yaml that `unroll new` writes has no page.
        has_page = REPORT in plain_yaml.read(workspace.root / "dvc.yaml")["stages"]
        if has_page and (status or targets or news):
            command = ["repro", "--single-item", "--quiet", REPORT]
            # The page says why something is missing. DVC does not watch a file of that.
            if news:
                command.append("--force")
            page = run_dvc(workspace, command)
            status = status or page
    return status


def summary(workspace: Workspace, status: int) -> list[str]:
    """Return what failed and why, a line for each stage.

    `status` is the exit status of the build.
    """
    failed = failures.read(workspace)
    if status and not failed:
        notes = environment(workspace)["DVC_SITE_CACHE_DIR"]
        where = f"If that is of a database, delete {notes}"
        return [f"A stage failed without saying why; DVC says it above. {where}"]
    return [f"FAILED {stage}: {why}" for stage, why in failed.items()]


def stages(config: Params) -> list[str]:
    """Return the names of all stages, as dvc.yaml makes them of params.yaml."""
    return [
        *(config.source_stage(name) for name in config.sources),
        *(f"prepare@{name}" for name in config.datasets),
        *(f"train@{name}" for name in config.experiments),
        *(f"evaluate@{name}" for name in config.experiments),
        *(f"answer@{name}" for name in config.series),
        REPORT,
    ]


def prepare(workspace: Workspace, config: Params) -> None:
    """Make what DVC needs before it starts, and mend what a kill has left of its own
    files.

    Raises:
        OSError: the disk is full.
    """
    root = workspace.root
    for folder in (root, Path(os.environ.get("DVC_SITE_CACHE_DIR", root))):
        if folder.exists() and shutil.disk_usage(folder).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    # Where the code is not here but installed, DVC watches this file in its place.
    version = root / "version.txt"
    text = f"{fingerprint.package()}\n"
    if not (root / "stages").exists() and (
        not version.exists() or version.read_text(encoding="utf-8") != text
    ):
        write_text(version, text)
    (root / "results" / "evaluations").mkdir(parents=True, exist_ok=True)
    # No stage removes what was made of data sets that params.yaml no longer names.
    for name in ("runs", "results/evaluations", "results/metrics"):
        for path in (root / name).glob("[!.]*"):
            if path.name.removesuffix(".json") not in config.experiments:
                remove(path)
    mend(root)


def mend(root: Path) -> None:
    """Remove the files of DVC that a kill has cut off or left behind."""
    notes = root / ".dvc" / "tmp" / "rwlock"
    if notes.exists():
        # DVC's processes note here what they read and write.
        numbers = re.findall(rb'"pid": (\d+)', notes.read_bytes())
        written = notes.stat().st_mtime
        if not any(locks.alive(int(number), written) for number in numbers):
            notes.unlink()
    lock = root / LOCK
    if not lock.exists():
        return
    try:
        stages = plain_yaml.read(lock)["stages"]
        TypeAdapter(dict[str, Entry]).validate_python(stages)
        whole = lock.read_bytes().endswith(b"\n")
    except (UsageError, ValidationError, KeyError, TypeError):
        whole = False
    if not whole:
        lock.unlink()
        print(
            "dvc.lock is damaged; it is written anew, "
            "of what DVC and .unroll/store keep",
            flush=True,
        )


def run_dvc(workspace: Workspace, arguments: Sequence[str], **options: Any) -> int:
    """Run DVC in a workspace; return its exit status.

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
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop(process)
        print(f"unroll: {STOPPED}", file=sys.stderr)
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


def environment(
    workspace: Workspace, outside: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of DVC's process: `unroll` is found by name, and DVC's notes
    lie where the user may write.

    `outside` are the variables that the caller has; by default those of this process.
    """
    variables = dict(os.environ if outside is None else outside)
    path = [str(Path(sys.executable).parent), variables.get("PATH", os.defpath)]
    variables["PATH"] = os.pathsep.join(path)
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
        reasons = "; ".join(summary(workspace, status))
        raise UnrollError(f"{what} is not built: {reasons}")
