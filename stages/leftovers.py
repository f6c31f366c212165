"""What processes that were killed have left half-written: hidden files and folders that no command reads."""

from pipeline.storage import UNFINISHED, Workspace, remove


def sweep(workspace: Workspace) -> None:
    """Remove them wherever `storage.atomic_file` and `scratch_folder` write; those of living processes stay."""
    import psutil

    scratch = workspace.scratch
    folders = [workspace.root, workspace.root / "metrics", workspace.report.parent, scratch, *scratch.glob("*/")]
    folders += (workspace.root / "records").glob("*/")
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            match = UNFINISHED.fullmatch(path.name)
            if match and not psutil.pid_exists(int(match[1])):
                remove(path)
