"""A build in a process of its own, by the code of its workspace, in an environment of one's choice."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline import failures
from pipeline.errors import StoppedError, UnrollError
from pipeline.locks import alone
from pipeline.workspace import Workspace
from unroll.exits import STOPPED
from unroll.runner.scheduler import ignore_signals, terminable

FOREIGN = ("DVC_", "MLFLOW_TRACKING_URI", "UNROLL_SCHEDULER")
"""Variables of the caller's own workspace: the start of their names."""


def build(
    workspace: Workspace,
    targets: Sequence[str],
    jobs: int,
    variables: Mapping[str, str] | None = None,
    *,
    quiet: bool,
    umask: int = -1,
) -> int:
    """Run `unroll repro` of the workspace's own code in a process of its own; its exit status.

    The `variables` come on top of this process's environment; a umask of -1 is this process's. If `quiet`, progress
    goes to standard error, since standard output is for data.

    Raises:
        StoppedError: after Ctrl-C or a request to end, of which the build has told the user.
    """
    command = [sys.executable, "-m", "unroll", "repro", "--no-scores", "--jobs", str(jobs), *targets]
    environment = {**variables_of(workspace.root), **(variables or {})}
    output = sys.stderr if quiet else None
    # In a session of its own, since Ctrl-C must reach it once: stopping takes a while, and a second would break it off.
    with (
        terminable(),
        subprocess.Popen(
            command, cwd=workspace.root, env=environment, stdout=output, umask=umask, start_new_session=True
        ) as process,
    ):
        try:
            status = process.wait()
        except KeyboardInterrupt:
            with ignore_signals():
                process.terminate()
                status = process.wait()
    if status == STOPPED:
        raise StoppedError
    return status


def build_all(
    workspace: Workspace, jobs: int, variables: Mapping[str, str] | None = None, *, quiet: bool, umask: int = -1
) -> None:
    """As `build`, of everything. Raises UnrollError, too, if a stage fails; the text says which and why."""
    status = build(workspace, [], jobs, variables, quiet=quiet, umask=umask)
    if status:
        why = "; ".join(f"{stage}: {reason}" for stage, reason in failures.read(workspace).items())
        raise UnrollError(f"the graph in {workspace.root} cannot be built: {why or f'exit status {status}'}")


def only(workspace: Workspace) -> AbstractContextManager[None]:
    """Let no other `unroll verify` into the block. Raises UnrollError if one is at work in the workspace."""
    busy = f"another `unroll verify` is at work in {workspace.root}; wait until it is done, or stop it"
    return alone(workspace.scratch / "verify.lock", busy)


def variables_of(root: Path) -> dict[str, str]:
    """This process's, for a build in the workspace at `root`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    mirror = environment.get("UNROLL_MIRROR", "")
    if mirror and "://" not in mirror:
        environment["UNROLL_MIRROR"] = str(Path(mirror).resolve())
    # Ahead of an installed `unroll`, whose code is the user's.
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [environment.get("PYTHONPATH")])])
    return environment | {"DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site")}
