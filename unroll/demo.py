"""The command `demo`: the whole graph, small, on generated data, offline, in a workspace of its own."""

import os
import sys
import time
from pathlib import Path

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.workspace import Workspace
from stages.progress import duration
from unroll.results import summary
from unroll.runner.build import repro
from unroll.workspaces import scaled

FOLDER = ".demo"

CAUTION = """These figures show that everything works; they are no results: data and training are small, and a stand-in
is generated in place of a download. Without three seeds nobody can tell whether a network is better."""


def demo(workspace: Workspace, jobs: int) -> int:
    """Build the demo, then print a line for each data set, where the page is and what to do next.

    What is up to date is not built again.

    Args:
        workspace: the real one; the demo's is its folder `.demo`, which git ignores.
        jobs: how many stages run side by side.

    Returns:
        The exit status of the build.

    Raises:
        UsageError, UnrollError: as `unroll.runner.build.repro`.
    """
    real = params.load(workspace.params).experiments
    small = scaled.make_workspace(workspace.root, workspace.root / FOLDER, scaled.TWINS, once=True)
    kept = params.load(small.params).experiments
    print(
        f"The whole pipeline, small: {len(kept)} experiments on generated data, offline, {jobs} stages at a time.\n"
        f"Data are generated and prepared, networks trained, results compared, a page is written, all in {FOLDER}/.",
        flush=True,
    )
    for line in _left_out(real, kept):
        print(line, flush=True)
    # A stand-in does not belong in the user's records: MLflow writes to the demo's own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    started = time.monotonic()
    status = repro(small, [], jobs, brief=True)
    took = duration(time.monotonic() - started)
    print()
    sets = summary.built(small)
    summary.show(summary.summary(small, sets))
    print(f"\n{CAUTION}\n\nThe demo took {took}: {len(kept)} experiments, {len(sets)} data sets.")
    print("\n".join(_next(small)), flush=True)
    return status


def _left_out(real: dict[str, Experiment], kept: dict[str, Experiment]) -> list[str]:
    """What the demo does not build, and why, a line for each reason."""
    gone = {name: one.dataset for name, one in real.items() if name not in kept}
    built = {one.dataset for one in kept.values()}
    twins = dict.fromkeys(dataset for dataset in gone.values() if dataset in scaled.TWINS)
    reasons = {
        "they ask once more what others ask": list(twins),
        "their network is there, trained in another way": [name for name, dataset in gone.items() if dataset in built],
        "their download has no stand-in": [name for name, dataset in gone.items() if dataset not in {*built, *twins}],
    }
    return [f"left out, since {why}: {', '.join(names)}" for why, names in reasons.items() if names]


def _next(small: Workspace) -> list[str]:
    """What can be done with the demo, a line each."""
    command = os.path.relpath(Path(sys.executable).parent / "unroll")
    here = f"{command} --root {os.path.relpath(small.root)}"
    first = next(iter(params.load(small.params).datasets))
    steps = {
        "The page": str(small.report),
        "MLflow": f"make ui ROOT={os.path.relpath(small.root)}",
        "One data set": f"{here} compare {first}",
        "Every table": f"{here} compare",
        "The results": "make repro",
    }
    return [f"  {name:<13} {step}" for name, step in steps.items()]
