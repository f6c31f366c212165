"""A fresh workspace with what is committed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.locks import alone
from pipeline.provenance.environment import GIT
from pipeline.workspace import Workspace
from stages.repro.dvc_lock import LOCK
from stages.workspaces import scaled

FOLDER = ".verify"
"""Where workspaces are made, in the user's."""

RESULTS = (LOCK, "metrics", "report")
"""What a build leaves that git keeps."""

WATCHED = ("pipeline", "stages", "params.yaml", "claims.yaml", "dvc.yaml", "numerics.lock", "tolerances.json", *RESULTS)
"""What a verification reads of a commit."""

CONFIG = f"{scaled.CONFIG}[cache]\n    dir = cache\n"
"""A cache of its own, whatever the user's settings say: a shared one would answer in place of the build."""

UNFINISHED = "unfinished"
"""The file that holds the commit of a workspace whose build has not ended."""


@dataclass(frozen=True)
class Checkout:
    """A fresh workspace.

    Attributes:
        workspace: has the committed code and params.yaml; nothing is built in it yet.
        committed: holds the committed dvc.lock, metrics/ and report/.
        commit: where they are from; "" where the files of a workspace without git were taken.
    """

    workspace: Workspace
    committed: Workspace
    commit: str


def make(root: Path, folder: Path) -> Checkout:
    """Make a fresh workspace in `folder`, in place of the one that may be there.

    Where `root` is the top of a git repository, of what its last commit holds; else of the files as they are. A
    workspace of the same commit that was not built to its end (`finish`) is fresh enough, and kept.

    Args:
        root: of the user's workspace; nothing in it is changed, except that `folder` may lie there.
        folder: gets the folders `workspace` and `committed`.

    Raises:
        UnrollError: a build of an earlier call still runs in it, or no dvc.lock is committed.
    """
    workspace, committed = Workspace(folder / "workspace"), Workspace(folder / "committed")
    commit = _head(root)
    with _idle(folder):
        if commit and _unfinished(folder) == commit:
            return Checkout(workspace, committed, commit)
    clear(folder)
    for each in (workspace, committed):
        each.root.mkdir(parents=True)
    if commit:
        _unpack(root, commit, workspace.root)
    else:
        _copy(root, workspace.root)
    write_text(workspace.root / ".dvc" / "config", CONFIG)
    for name in RESULTS:
        if (workspace.root / name).exists():
            (workspace.root / name).rename(committed.root / name)
    if not (committed.root / LOCK).exists():
        what = f"no {LOCK} is committed" if commit else f"{root / LOCK} is missing"
        raise UnrollError(f"{what}, so there is nothing to compare with; `unroll repro` writes it")
    write_text(folder / UNFINISHED, commit)
    return Checkout(workspace, committed, commit)


def finish(folder: Path) -> None:
    """Call the workspace that was made in `folder` built: the next `make` starts anew."""
    (folder / UNFINISHED).unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Remove what was made in a folder. Raises UnrollError if a build still runs in it."""
    if folder.exists():
        with _idle(folder):
            shutil.rmtree(folder)
    with suppress(OSError):  # others may be there
        folder.parent.rmdir()


def uncommitted(root: Path) -> list[str]:
    """The files under `WATCHED` that differ from the last commit; none where there is no git."""
    lines = _git(root, "status", "--porcelain", "--", *WATCHED) if _head(root) else ""
    return [line[3:] for line in lines.splitlines()]


@contextmanager
def _idle(folder: Path) -> Iterator[None]:
    """Let no build run in the workspaces of a folder: one outlives the command that started it if that is killed."""
    with ExitStack() as stack:
        for lock in sorted(folder.glob("*/.unroll/repro.lock")):
            root = lock.parents[1]
            stack.enter_context(alone(lock, f"a build still runs in {root}; wait until it is done, or stop it"))
        yield


def _head(root: Path) -> str:
    """The last commit if `root` is the top of a git repository, else ""."""
    try:
        top, commit = _git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit if Path(top).resolve() == root.resolve() else ""


def _unfinished(folder: Path) -> str:
    file = folder / UNFINISHED
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _git(root: Path, *arguments: str, index: Path | None = None) -> str:
    environment = os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {})
    command = [*GIT, "-C", str(root), *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, encoding="utf-8").stdout


def _unpack(root: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into a folder, by an index of its own: the user's stays as it is."""
    index = folder.with_name("index")
    try:
        _git(root, "read-tree", commit, index=index)
        _git(root, "checkout-index", "--all", f"--prefix={folder}/", index=index)
    except subprocess.CalledProcessError as error:
        raise UnrollError(f"git cannot write {commit[:10]} to {folder}: {' '.join(error.stderr.split())}") from None
    index.unlink()


def _copy(root: Path, folder: Path) -> None:
    for name in (*scaled.LINKED, *scaled.COPIED, "params.yaml", ".unroll/scaled.txt", *RESULTS):
        source, target = root / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in scaled.LINKED:
            target.symlink_to(source.resolve(), target_is_directory=True)
        elif source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copyfile(source, target)
