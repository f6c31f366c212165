"""The whole graph, small, on generated data, offline, in a workspace of its own."""

import os
import shutil
from pathlib import Path

from pipeline import params, scaling
from pipeline.storage import Workspace, write_text
from stages.repro import repro

FOLDER = ".demo"

LINKED = ("pipeline", "stages")
"""The code, which the workspace's stages depend on."""

COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots/curves.json", "claims.yaml", "numerics.lock")

CAUTION = """These figures show that everything works; they are no results. Data and training are scaled down, and where
a table says stand-in, its data were generated in place of a download. The results: `make repro`."""

CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"


def demo(workspace: Workspace, jobs: int) -> int:
    """Build the demo and print its tables and where its page is; what is up to date is not built again.

    Args:
        workspace: the real one; the demo's is its folder `.demo`, which git ignores.
        jobs: how many stages run side by side.

    Returns:
        The exit status of the build.

    Raises:
        UsageError, UnrollError: as `stages.repro.repro`.
    """
    whole = params.load(workspace.params).experiments
    small = make_workspace(workspace.root, workspace.root / FOLDER)
    scaled = params.load(small.params).experiments
    print(f"{len(scaled)} experiments, scaled down, on generated data, in {FOLDER}/", flush=True)
    if left_out := [name for name in whole if name not in scaled]:
        print(f"left out, since their download has no stand-in: {', '.join(left_out)}", flush=True)
    # A stand-in does not belong in the user's records: MLflow writes to the demo's own folder.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    status = repro(small, [], jobs)
    _print_tables(small)
    print(f"\n{CAUTION}\nThe page: {small.report}", flush=True)
    return status


def make_workspace(root: Path, folder: Path) -> Workspace:
    """Make `folder` a DVC workspace with the graph and the code of `root` and its params.yaml scaled down.

    Files that are as they should be stay untouched, so that DVC finds them unchanged.
    """
    (folder / ".dvc" / "plots").mkdir(parents=True, exist_ok=True)
    write_text(folder / ".dvc" / "config", CONFIG)
    for name in LINKED:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(root / name, target_is_directory=True)
    for name in COPIED:
        shutil.copyfile(root / name, folder / name)
    params.dump(scaling.scale(params.read_plain(root / "params.yaml")), folder / "params.yaml")
    # The page says so, and gives no verdict on a published figure (pipeline/report/results.py).
    write_text(Workspace(folder).scratch / "scaled.txt", "Fewer rows, fewer epochs and one seed.\n")
    return Workspace(folder)


def _print_tables(workspace: Workspace) -> None:
    from stages.compare import compare, print_tables

    print_tables(compare(workspace, []))
