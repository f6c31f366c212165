"""The command `verify`: build what is committed once more, apart, and compare every output."""

import sys
from collections.abc import Sequence

from pipeline import failures
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.verify.compare_builds import Build, compare, tolerances
from unroll.verify.isolated_build import build, only
from unroll.verify.verdict import Verdict, some
from unroll.workspaces import checkout


def verify(workspace: Workspace, targets: Sequence[str], jobs: int, *, keep: bool, quiet: bool) -> Verdict:
    """Rebuild what is committed in a workspace of its own and compare it with the committed dvc.lock.

    Nothing in the user's is changed, but the rebuilt one lies in its folder `.verify`; it stays where something does
    not hold, or `keep`. If `quiet`, standard output is for data, and everything else goes to standard error.

    Raises:
        UsageError: a target is no stage.
        UnrollError: another `unroll verify` is at work here, or nothing is committed to compare with.
        StoppedError: the build was stopped.
    """
    folder = workspace.root / checkout.FOLDER / "rebuild"
    with only(workspace):
        made = checkout.make(workspace.root, folder)
        asked = dvc_graph.read(made.workspace.root)
        asked = asked.within(targets) if targets else asked
        count, built = len(asked.needs), len(asked.needs) - len(asked.due())
        done = f", {built} of them built before it was stopped" if built else ""
        changed = checkout.uncommitted(workspace.root)
        apart = f"\nnot in it, since not committed: {some(changed)}" if changed else ""
        said = f"commit {made.commit[:10]}: {count} stages{done}, in {made.workspace.root}{apart}"
        print(said, file=sys.stderr if quiet else sys.stdout, flush=True)
        build(made.workspace, targets, jobs, quiet=quiet)
        outputs = compare(
            Build(made.committed, dvc_graph.cache(workspace.root)),
            Build(made.workspace, dvc_graph.cache(made.workspace.root)),
            asked.needs,
            failures.read(made.workspace),
            tolerances(made.workspace.root / "bench/tolerances.json"),
        )
        checkout.finish(folder)
        keep = keep or not all(output.holds for output in outputs)
        if not keep:
            checkout.clear(folder)
    return Verdict(outputs, folder if keep else None)
