"""The command `verify`: build what is committed once more, apart, and compare every output."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer

from pipeline import params
from pipeline.deviations import tolerances
from pipeline.storage import Workspace
from pipeline.verification import Build, compare
from stages import failures, graph, rebuild
from stages.alone import alone
from stages.doctor import ROOM
from stages.ending import STOPPED
from stages.estimates import Estimates, work
from stages.progress import duration
from stages.verdict import Verdict, some

SECONDS = "seconds.json"
"""What stages took here, for the time left."""


def verify(workspace: Workspace, targets: Sequence[str], jobs: int, *, keep: bool, quiet: bool) -> Verdict:
    """Rebuild what is committed in a workspace of its own and compare it with the committed dvc.lock.

    Args:
        workspace: the user's; nothing in it is changed, but the rebuilt one lies in its folder `.verify`.
        targets: stages such as `evaluate@waves`, which are built with all that they need; none means all.
        jobs: how many stages run side by side.
        keep: whether the rebuilt workspace stays; it does where something does not hold.
        quiet: whether standard output is for data, and everything else goes to standard error.

    Raises:
        UsageError: a target is no stage.
        UnrollError: another `unroll verify` is at work here, or nothing is committed to compare with.
        typer.Exit: the build was stopped.
    """
    say = partial(print, file=sys.stderr if quiet else sys.stdout, flush=True)
    folder = workspace.root / rebuild.FOLDER / "rebuild"
    with only(workspace):
        made = rebuild.make(workspace.root, folder)
        whole = graph.read(made.workspace.root)
        asked = whole.within(targets) if targets else whole
        allowed = tolerances(made.workspace.root / "tolerances.json")
        _announce(workspace, made, asked, jobs, say, whole=not targets)
        if rebuild.build(made.workspace, targets, jobs, quiet=quiet) == STOPPED:
            raise typer.Exit(STOPPED)
        outputs = compare(
            Build(made.committed, cache(workspace.root)),
            Build(made.workspace, cache(made.workspace.root)),
            asked.needs,
            failures.read(made.workspace),
            allowed,
        )
        rebuild.finish(folder)
        keep = keep or not all(output.holds for output in outputs)
        if not keep:
            rebuild.clear(folder)
    return Verdict(outputs, whole.needs, folder if keep else None)


@contextmanager
def only(workspace: Workspace) -> Iterator[None]:
    """Let no other `unroll verify` into the block. Raises UnrollError if one is at work in the workspace."""
    busy = f"another `unroll verify` is at work in {workspace.root}; wait until it is done, or stop it"
    with alone(workspace.scratch / "verify.lock", busy):
        yield


def _announce(
    workspace: Workspace,
    made: rebuild.Rebuild,
    asked: graph.Graph,
    jobs: int,
    say: Callable[[str], None],
    *,
    whole: bool,
) -> None:
    """Say what is rebuilt, what is left out of it, and what that takes."""
    what = f"commit {made.commit[:10]}" if made.commit else "the files as they are (no git repository starts here)"
    due = asked.due()
    done = f", {len(asked.needs) - len(due)} of them built before it was stopped" if len(due) < len(asked.needs) else ""
    say(f"{what}: {len(asked.needs)} stages{done}, in {made.workspace.root}")
    if changed := rebuild.uncommitted(workspace.root):
        say(f"not in it, since not committed: {some(changed)}")
    lend_times(workspace, made.workspace)
    estimates = Estimates(made.workspace.scratch / SECONDS, work(params.load(made.workspace.params)))
    room = f", and up to {ROOM / 1e9:.1f} GB of disk while it lasts" if whole else ""
    time = "how long that takes is known after a first build here (docs/performance.md has an estimate)"
    if estimates.sure(due):
        time = f"about {duration(estimates.left(due, {}, jobs))} with --jobs {jobs}, going by builds of this workspace"
    say(f"{time}{room}")


def lend_times(workspace: Workspace, made: Workspace) -> None:
    """Let a new workspace know what stages took in the user's, for the time left."""
    kept, own = workspace.scratch / SECONDS, made.scratch / SECONDS
    if kept.exists() and not own.exists():
        own.parent.mkdir(exist_ok=True)
        shutil.copyfile(kept, own)


def cache(root: Path) -> Path:
    """Where DVC keeps contents in a workspace; its own choice where the folder is none."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local.path)
    except DvcException:
        return root / ".dvc" / "cache" / "files" / "md5"
