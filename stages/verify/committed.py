"""The command `verify`: build what is committed once more, apart, and compare every output."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from pipeline import failures
from pipeline.workspace import Workspace
from stages.console.progress import duration
from stages.repro import dvc_graph
from stages.repro.dvc_graph import Graph
from stages.repro.eta import ROOM, Estimates
from stages.verify.compare_builds import Build, compare
from stages.verify.isolated_build import SECONDS, build, lend_times, only
from stages.verify.tolerances import tolerances
from stages.verify.verdict import Verdict, some
from stages.workspaces import checkout
from stages.workspaces.checkout import Checkout


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
        StoppedError: the build was stopped.
    """
    say = partial(print, file=sys.stderr if quiet else sys.stdout, flush=True)
    folder = workspace.root / checkout.FOLDER / "rebuild"
    with only(workspace):
        made = checkout.make(workspace.root, folder)
        whole = dvc_graph.read(made.workspace.root)
        asked = whole.within(targets) if targets else whole
        allowed = tolerances(made.workspace.root / "tolerances.json")
        _announce(workspace, made, asked, jobs, say, whole=not targets)
        build(made.workspace, targets, jobs, quiet=quiet)
        outputs = compare(
            Build(made.committed, dvc_graph.cache(workspace.root)),
            Build(made.workspace, dvc_graph.cache(made.workspace.root)),
            asked.needs,
            failures.read(made.workspace),
            allowed,
        )
        checkout.finish(folder)
        keep = keep or not all(output.holds for output in outputs)
        if not keep:
            checkout.clear(folder)
    return Verdict(outputs, whole.needs, folder if keep else None)


def _announce(
    workspace: Workspace,
    made: Checkout,
    asked: Graph,
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
    if changed := checkout.uncommitted(workspace.root):
        say(f"not in it, since not committed: {some(changed)}")
    lend_times(workspace, made.workspace)
    estimates = Estimates(made.workspace.scratch / SECONDS)
    room = f", and up to {ROOM / 1e9:.1f} GB of disk while it lasts" if whole else ""
    time = "how long that takes is known after a first build here"
    if estimates.sure(due):
        time = f"about {duration(estimates.left(due, {}, jobs))} with --jobs {jobs}, going by builds of this workspace"
    say(f"{time}{room}")
