"""The command `repro`: DVC builds what is out of date, then the page is written."""

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

from pipeline.config import named_modules, params
from pipeline.config.params import Params
from pipeline.errors import STOPPED, StoppedError, UsageError, one_line
from pipeline.files import remove
from pipeline.locks import alone
from pipeline.processes import end_with_parent
from pipeline.provenance import git
from pipeline.provenance.git import output_of
from pipeline.validation import one_of
from pipeline.workspace import Workspace, alive
from stages.train import train_ahead
from unroll.builds import dvc_process
from unroll.builds.dvc_process import END
from unroll.dvc_lock import LOCK, locked
from unroll.terminal import BUILD

REPORT = "report"
"""The stage that is always built. Its page says what is missing, and why."""

OF_DATASET = ("prepare", "train", "evaluate")
"""The stages of a data set, in their order."""

ROOM = 16 * 1024**2
"""Bytes that must be free. On a full disk DVC tries to write its notes forever."""

OF_NO_REASON = re.compile(
    "will be skipped due to this failure|^failed to reproduce|is frozen"
)
"""What DVC says besides the reasons of failures."""

PAUSE = 0.05
"""Seconds between two looks at processes that are being ended."""


def repro(
    workspace: Workspace,
    targets: Sequence[str] = (),
    *,
    jobs: int,
    quiet: bool = False,
) -> int:
    """Build the targets, or everything, with `dvc repro --keep-going`, and the page.

    First DVC prepares the data sets. Then all that is missing is trained in one pool,
    since DVC runs one stage at a time. At last DVC runs all stages, which take the runs.
    A stage that fails stops only the stages that depend on it.

    Args:
        workspace: where to build.
        targets: names of stages; by default all.
        jobs: most experiments to train at once.
        quiet: hide what DVC prints, not what the stages print.

    Returns:
        The exit status of DVC; if it is 0, that of the page.

    Raises:
        UsageError: params.yaml is wrong, or a target is no stage.
        UnrollError: another `unroll repro` is building here, or there is no room on the
            disk.
        StoppedError: the user stopped the build; DVC and its stages have ended.
    """
    config = params.load(workspace.params)
    for target in targets:
        _require_stage(workspace, config, target)
    busy = (
        f"another `unroll repro` is building in {workspace.root}; "
        "wait until it is done, or stop it"
    )
    with alone(workspace.scratch / "repro.lock", busy):
        workspace.sweep()
        _notes(workspace).unlink(missing_ok=True)
        prepare(workspace)
        before = workspace.failures()
        needed = needed_by(config, targets)
        for stage in before:
            # A stage that fails again is noted again.
            if not targets or stage in needed:
                workspace.note_failure(stage, "")
        command = ["repro", "--keep-going"]
        if quiet:
            command.append("--quiet")
        names = [name for name in config.experiments if f"train@{name}" in needed]
        if names:
            run_dvc(workspace, [*command, *(f"prepare@{name}" for name in names)])
            train_ahead(workspace, _prepared(workspace, config, names), jobs)
        status = run_dvc(workspace, [*command, *targets])
        news = workspace.failures() != before
        if status or targets or news:
            # The page gives the reasons for failures, which DVC does not watch.
            page = make_page(workspace, force=news)
            status = status or page
    return status


def make_page(workspace: Workspace, *, force: bool = False) -> int:
    """Run the stage `report` alone, if it is out of date or with `force`.

    Return the exit status of DVC.
    """
    command = ["repro", "--single-item", "--quiet", REPORT]
    if force:
        command.append("--force")
    return run_dvc(workspace, command)


def needed_by(config: Params, targets: Sequence[str]) -> set[str]:
    """Return these targets and the stages that they need; all stages without targets."""
    if not targets or REPORT in targets:
        return {*stages(config)}
    needed = {*targets}
    for target in targets:
        kind, _, name = target.partition("@")
        if kind in OF_DATASET:
            needed.add(config.source_stage(config.dataset(name).source))
            needed |= {
                f"{before}@{name}" for before in OF_DATASET[: OF_DATASET.index(kind)]
            }
    return needed


def _prepared(workspace: Workspace, config: Params, names: Sequence[str]) -> list[str]:
    """Return the data sets of which no stage has failed up to `prepare`."""
    failed = workspace.failures()
    return [
        name
        for name in names
        if f"prepare@{name}" not in failed
        and config.source_stage(config.dataset(name).source) not in failed
    ]


def _require_stage(workspace: Workspace, config: Params, target: str) -> None:
    """Raise UsageError if a target is no stage."""
    unroll = workspace.program
    if target in config.datasets:
        raise UsageError(
            f"{target} is a data set; run `{unroll} repro evaluate@{target}`"
        )
    if target in config.runs:
        raise UsageError(
            f"{target} is an experiment; run "
            f"`{unroll} train {target.replace('/', ' ')}`"
        )
    if target.startswith(("prepare@", "train@", "evaluate@")):
        config.dataset(target.partition("@")[2])
    one_of(target, stages(config), "the target")


def summary(workspace: Workspace, status: int, since: float = 0) -> list[str]:
    """Return a line for each stage that failed, with the reason.

    `status` is the exit status of the build, `since` its start (in seconds since 1970).
    A stage that failed before and was not tried again is left out.
    """
    failed = workspace.failures(since)
    if status and not failed:
        said = _said_by_dvc(workspace) or ["it gives no reason"]
        lines = [f"DVC: {reason}" for reason in said]
        if "database" in " ".join(said):
            lines.append(
                "Its notes on files may be damaged; delete "
                f"{environment(workspace)['DVC_SITE_CACHE_DIR']}"
            )
        return lines
    return [f"FAILED {stage}: {why}" for stage, why in failed.items()]


def _said_by_dvc(workspace: Workspace) -> list[str]:
    """Return the reasons that DVC gave for failures, each in one line."""
    file = _notes(workspace)
    if not file.exists():
        return []
    notes = [one_line(note) for note in file.read_text(encoding="utf-8").split(END)]
    every = [note for note in notes if note]
    reasons = [note for note in every if not OF_NO_REASON.search(note)]
    return list(dict.fromkeys(reasons)) or every[-1:]


def _notes(workspace: Workspace) -> Path:
    return workspace.scratch / "dvc.txt"


def stages(config: Params) -> list[str]:
    """Return the names of the stages that dvc.yaml makes from params.yaml."""
    return [
        *(config.source_stage(name) for name in config.sources),
        *(f"prepare@{name}" for name in config.datasets),
        *(f"train@{name}" for name in config.experiments),
        *(f"evaluate@{name}" for name in config.experiments),
        REPORT,
    ]


def prepare(workspace: Workspace) -> None:
    """Write what DVC needs, remove results that neither params.yaml nor official.yaml
    names, and mend DVC's files.

    Raises:
        OSError: the disk is full.
    """
    root = workspace.root
    for folder in (root, Path(os.environ.get("DVC_SITE_CACHE_DIR", root))):
        if folder.exists() and shutil.disk_usage(folder).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    (root / "results" / "evaluations").mkdir(parents=True, exist_ok=True)
    named_modules.make_folders(root)
    # No stage removes the results of a data set that params.yaml no longer names.
    known = params.load_all(workspace.params).experiments
    for name in ("runs", "results/evaluations", "results/metrics"):
        for path in (root / name).glob("[!.]*"):
            if path.name not in known:
                remove(path)
    mend(root)


def mend(root: Path) -> None:
    """Remove files of DVC that a killed process has left behind or cut off."""
    notes = root / ".dvc" / "tmp" / "rwlock"
    if notes.exists():
        # In this file DVC's processes note what they read and write.
        numbers = re.findall(rb'"pid": (\d+)', notes.read_bytes())
        written = notes.stat().st_mtime
        if not any(alive(int(number), written) for number in numbers):
            notes.unlink()
    lock = root / LOCK
    if lock.exists() and not locked(lock):
        lock.unlink()
        print(
            "dvc.lock is damaged; it is written anew from what runs/ holds",
            flush=True,
        )


def run_dvc(workspace: Workspace, arguments: Sequence[str], **options: Any) -> int:
    """Run DVC in a workspace; return its exit status.

    DVC and its stages run in a session of their own, which we end on Ctrl-C or SIGTERM.
    DVC itself would take either for the failure of one stage, and go on to the next.

    Args:
        workspace: where DVC runs.
        arguments: the arguments of DVC.
        options: options of `subprocess.Popen`; `env` is this process's by default.

    Raises:
        StoppedError: the user stopped it.
    """
    notes = _notes(workspace)
    notes.parent.mkdir(parents=True, exist_ok=True)
    # By its path, since the workspace may have another version of `unroll`.
    process = subprocess.Popen(
        [sys.executable, "-P", dvc_process.__file__, str(notes.resolve()), *arguments],
        cwd=workspace.root,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs here
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
    """End DVC and its stages. The stages get the time to end by themselves.

    DVC is paused meanwhile. Otherwise it would go on to the next stage.
    """
    if dvc.poll() is not None:
        return
    os.kill(dvc.pid, signal.SIGSTOP)
    family = psutil.Process(dvc.pid).children(recursive=True)
    os.killpg(dvc.pid, signal.SIGTERM)
    while any(alive(process.pid, process.create_time()) for process in family):
        time.sleep(PAUSE)
    dvc.kill()
    dvc.wait()


def environment(
    workspace: Workspace, outside: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment variables of DVC's process.

    With them DVC finds `unroll` on PATH and keeps its notes where the user may write,
    and stages print no next command and find the mirror.
    `outside` are the caller's variables, by default those of this process.
    """
    variables = git.environment(outside)
    variables["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), variables.get("PATH", os.defpath)]
    )
    variables["DVC_NO_ANALYTICS"] = "1"
    variables[BUILD] = "1"
    mirror = variables.get("UNROLL_MIRROR", "")
    if mirror and "://" not in mirror:
        # Stages run in the workspace, where a relative path would lead elsewhere.
        variables["UNROLL_MIRROR"] = str(Path(mirror).absolute())
    if "DVC_SITE_CACHE_DIR" not in variables:
        notes = workspace.scratch / "dvc"
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        variables["DVC_SITE_CACHE_DIR"] = str(notes)
        # Without a home, DVC looks for its settings in this folder.
        if not Path(os.environ.get("HOME", "/")).is_dir():
            variables.setdefault("DVC_GLOBAL_CONFIG_DIR", str(notes))
    return variables


def dvc(root: Path, *arguments: str) -> str:
    """Return the output of DVC in the workspace at `root`.

    Raises:
        UnrollError: DVC fails; the message is DVC's own.
    """
    return output_of([sys.executable, "-P", "-m", "dvc", "--cd", str(root), *arguments])
