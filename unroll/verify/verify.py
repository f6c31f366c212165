"""The command `verify`: what is committed, or a miniature (`--quick`), is built once more and compared."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline import failures
from pipeline.errors import StoppedError, UnrollError
from pipeline.files import read_json
from pipeline.locks import alone
from pipeline.workspace import Workspace
from unroll.exits import STOPPED
from unroll.runner import dvc_graph
from unroll.runner.dvc_graph import LOCK
from unroll.runner.scheduler import ignore_signals, terminable
from unroll.verify.compare import DIFFERS, Build, Output, Verification, compare, first_names
from unroll.workspaces import checkout
from unroll.workspaces.make import miniature

FOREIGN = ("DVC_", "MLFLOW_TRACKING_URI", "UNROLL_SCHEDULER")
"""Variables of the caller's own workspace: the start of their names."""

FIRST, SECOND = "plain", "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folders of the two workspaces of `--quick`."""

CIRCUMSTANCES = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8"}
"""Of the second build: another hash seed, a time zone of tomorrow, and a language with a decimal comma."""

UMASK = 0o077
"""Of the second build: nobody else may read what it writes."""


def verify(workspace: Workspace, targets: Sequence[str], jobs: int, *, keep: bool) -> Verification:
    """Rebuild what is committed in a workspace of its own and compare it with the committed dvc.lock.

    Nothing in the user's is changed, but the rebuilt one lies in its folder `.verify`; it stays where something does
    not hold, or `keep`. Progress goes to standard error.

    Raises:
        UsageError: a target is no stage.
        UnrollError: another `unroll verify` is at work here, or nothing is committed to compare with.
        StoppedError: the build was stopped.
    """
    folder = workspace.root / checkout.FOLDER / "rebuild"
    with exclusive(workspace):
        fresh = checkout.make(workspace.root, folder)
        graph = dvc_graph.read(fresh.workspace.root)
        graph = graph.within(targets) if targets else graph
        built = len(graph.needs) - len(graph.due())
        before = f", {built} of them built before it was stopped" if built else ""
        _say(f"commit {fresh.commit[:10]}: {len(graph.needs)} stages{before}, in {fresh.workspace.root}")
        if uncommitted := checkout.uncommitted(workspace.root):
            _say(f"not in it, since not committed: {first_names(uncommitted)}")
        build(fresh.workspace, targets, jobs)
        tolerances = fresh.workspace.root / "bench/tolerances.json"
        outputs = compare(
            Build(fresh.committed, dvc_graph.cache(workspace.root)),
            Build(fresh.workspace, dvc_graph.cache(fresh.workspace.root)),
            graph.needs,
            failures.read(fresh.workspace),
            read_json(tolerances)["tolerances"] if tolerances.exists() else {},
        )
        checkout.finish(folder)
        return _ended(outputs, folder, keep=keep)


def quick(workspace: Workspace, jobs: int, *, keep: bool) -> Verification:
    """Build the miniature with the code as it is, then again in other circumstances, and compare every file.

    The second build has one job more, another folder, hash seed, time zone, language and umask. Arguments and errors
    as of `verify`; UnrollError is raised, too, if the miniature cannot be built.
    """
    folder = workspace.root / checkout.FOLDER / "quick"
    with exclusive(workspace):
        checkout.clear(folder)
        first, second = (miniature(folder / name) for name in (FIRST, SECOND))
        _say(f"the miniature, an experiment of each kind on generated data, in {first.root}")
        build_all(first, jobs)
        named = ", ".join(f"{name}={value}" for name, value in CIRCUMSTANCES.items())
        _say(f"again with --jobs {jobs + 1}, {named} and umask {UMASK:03o}, in {second.root}")
        build_all(second, jobs + 1, CIRCUMSTANCES, umask=UMASK)
        return _ended(compare_bytes(first, second), folder, keep=keep)


def compare_bytes(first: Workspace, second: Workspace) -> list[Output]:
    """Compare two builds of the same graph, file by file: every output, and dvc.lock."""
    old, new = (Build(workspace, dvc_graph.cache(workspace.root)) for workspace in (first, second))
    outputs = compare(old, new, dvc_graph.read(first.root).needs, {}, None)
    if (first.root / LOCK).read_bytes() != (second.root / LOCK).read_bytes():
        outputs.append(Output("dvc", LOCK, DIFFERS, reason="it has another text"))
    return outputs


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _ended(outputs: Sequence[Output], folder: Path, *, keep: bool) -> Verification:
    if keep or not all(output.holds for output in outputs):
        return Verification(outputs, folder)
    checkout.clear(folder)
    return Verification(outputs, None)


def exclusive(workspace: Workspace) -> AbstractContextManager[None]:
    """Let no other `unroll verify` into the block. Raises UnrollError if one is at work in the workspace."""
    busy = f"another `unroll verify` is at work in {workspace.root}; wait until it is done, or stop it"
    return alone(workspace.scratch / "verify.lock", busy)


def build(
    workspace: Workspace,
    targets: Sequence[str],
    jobs: int,
    variables: Mapping[str, str] | None = None,
    *,
    umask: int = -1,
) -> int:
    """Run `unroll repro` of the workspace's own code in a process of its own; its exit status.

    The `variables` come on top of this process's environment; a umask of -1 is this process's. What it prints goes to
    standard error.

    Raises:
        StoppedError: after Ctrl-C or a request to end, of which the build has told the user.
    """
    # In a session of its own, since Ctrl-C must reach it once: stopping takes a while, and a second would break it off.
    with (
        terminable(),
        subprocess.Popen(
            [sys.executable, "-P", "-m", "unroll", "repro", "--no-scores", "--jobs", str(jobs), *targets],
            cwd=workspace.root,
            env={**variables_of(workspace.root), **(variables or {})},
            stdout=sys.stderr,
            umask=umask,
            start_new_session=True,
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


def build_all(workspace: Workspace, jobs: int, variables: Mapping[str, str] | None = None, *, umask: int = -1) -> None:
    """As `build`, of everything. Raises UnrollError, too, if a stage fails; the text says which and why."""
    if status := build(workspace, [], jobs, variables, umask=umask):
        why = "; ".join(f"{stage}: {reason}" for stage, reason in failures.read(workspace).items())
        raise UnrollError(f"the graph in {workspace.root} cannot be built: {why or f'exit status {status}'}")


def variables_of(root: Path) -> dict[str, str]:
    """This process's, for a build in the workspace at `root`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    mirror = environment.get("UNROLL_MIRROR", "")
    if mirror and "://" not in mirror:
        environment["UNROLL_MIRROR"] = str(Path(mirror).resolve())
    if (root / "unroll").is_dir():  # ahead of an installed `unroll`, whose code is the user's
        environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [environment.get("PYTHONPATH")])])
    return environment | {"DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site")}
