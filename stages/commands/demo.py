"""The command `demo`: the whole graph, small, on generated data, offline, in a workspace of its own."""

import os
import time

from pipeline.config import params
from pipeline.workspace import Workspace
from stages.console.progress import duration
from stages.repro.build import repro
from stages.results import compare
from stages.workspaces import scaled

FOLDER = ".demo"

CAUTION = """These figures show that everything works; they are no results. Data and training are scaled down, and where
a table says stand-in, its data were generated in place of a download. The results: `make repro`."""


def demo(workspace: Workspace, jobs: int) -> int:
    """Build the demo and print its tables and where its page is; what is up to date is not built again.

    Args:
        workspace: the real one; the demo's is its folder `.demo`, which git ignores.
        jobs: how many stages run side by side.

    Returns:
        The exit status of the build.

    Raises:
        UsageError, UnrollError: as `stages.repro.build.repro`.
    """
    whole = params.load(workspace.params).experiments
    small = scaled.make_workspace(workspace.root, workspace.root / FOLDER, scaled.TWINS)
    kept = params.load(small.params).experiments
    print(
        f"The whole pipeline, small: {len(kept)} experiments on generated data, offline, {jobs} stages at a time.\n"
        f"Data are generated and prepared, networks trained, results compared, a page is written, all in {FOLDER}/.",
        flush=True,
    )
    twins = list(dict.fromkeys(one.dataset for one in whole.values() if one.dataset in scaled.TWINS))
    if twins:
        print(f"left out, since they ask once more what others ask: {', '.join(twins)}", flush=True)
    if left_out := [name for name, one in whole.items() if name not in kept and one.dataset not in twins]:
        print(f"left out, since their download has no stand-in: {', '.join(left_out)}", flush=True)
    # A stand-in does not belong in the user's records: MLflow writes to the demo's own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    started = time.monotonic()
    status = repro(small, [], jobs)
    compare.show(compare.compare(small, []))
    took = duration(time.monotonic() - started)
    print(f"\n{CAUTION}\nThe demo took {took}. The page: {small.report}", flush=True)
    return status
