"""Workspaces and git: a fresh one with what is committed, and one that is committed, as DVC's commands need it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import write_text
from pipeline.locks import alone
from pipeline.provenance.record import GIT
from pipeline.workspace import Workspace
from unroll.runner.dvc_graph import LOCK
from unroll.workspaces.make import CONFIG as WITHOUT_GIT
from unroll.workspaces.make import DVC_IGNORED, WITH_GIT

FOLDER = ".verify"
"""Where workspaces are made, in the user's."""

RESULTS = (LOCK, "results/metrics", "results/evaluations", "results/index.html")
"""What a build leaves that git keeps."""

CONFIG = f"{WITHOUT_GIT}[cache]\n    dir = cache\n"
"""A cache of its own, whatever the user's settings say: a shared one would answer in place of the build."""

UNFINISHED = "unfinished"
"""The file that holds the commit of a workspace whose build has not ended."""


@dataclass(frozen=True)
class Checkout:
    """A fresh workspace with the code and params.yaml of a commit, in which nothing is built yet.

    The `RESULTS` of that commit are in `committed`.
    """

    workspace: Workspace
    committed: Workspace
    commit: str


def make(root: Path, folder: Path) -> Checkout:
    """Make a fresh workspace of the last commit in `folder`, in place of the one that may be there.

    A workspace of the same commit that was not built to its end (`finish`) is fresh enough, and kept. Nothing in the
    user's, at `root`, is changed, except that `folder` may lie there.

    Raises:
        UnrollError: `root` is not the top of a repository, git cannot read it, a build of an earlier call still runs in
            `folder`, or no dvc.lock is committed.
    """
    try:
        top, commit = git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
    except UnrollError as error:
        why = f"git cannot read the last commit of {root}, which is what is built ({error})"
        raise UnrollError(f"{why}; `unroll verify --quick` needs none") from None
    if Path(top).resolve() != root.resolve():
        raise UnrollError(f"{root} is not the top of its git repository, {top}, so it has no commit to build")
    fresh = Checkout(Workspace(folder / "workspace"), Workspace(folder / "committed"), commit)
    with _idle(folder):
        unfinished = folder / UNFINISHED
        if unfinished.exists() and unfinished.read_text(encoding="utf-8") == fresh.commit:
            return fresh
    clear(folder)
    fresh.committed.root.mkdir(parents=True)
    # Objects are the user's, refs and index its own: git writes nothing into the user's repository.
    git(root, "clone", "--quiet", "--shared", ".", str(fresh.workspace.root.resolve()))
    write_text(fresh.workspace.root / ".dvc" / "config", CONFIG)
    for name in RESULTS:
        if (fresh.workspace.root / name).exists():
            (fresh.committed.root / name).parent.mkdir(exist_ok=True)
            (fresh.workspace.root / name).rename(fresh.committed.root / name)
    if not (fresh.committed.root / LOCK).exists():
        raise UnrollError(f"no {LOCK} is committed, so there is nothing to compare with; `unroll repro` writes it")
    if (times := Workspace(root).scratch / "seconds.json").exists():  # what starts first, and the time left, go by them
        write_text(fresh.workspace.scratch / times.name, times.read_text(encoding="utf-8"))
    write_text(unfinished, fresh.commit)
    return fresh


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
    """The files that differ from the last commit, and those that git does not know. Errors as in `make`."""
    return [line[3:] for line in git(root, "status", "--porcelain").splitlines()]


@contextmanager
def _idle(folder: Path) -> Iterator[None]:
    """Let no build run in the workspaces of a folder: one outlives the command that started it if that is killed."""
    with ExitStack() as stack:
        for lock in sorted(folder.glob("*/.unroll/repro.lock")):
            root = lock.parents[1]
            stack.enter_context(alone(lock, f"a build still runs in {root}; wait until it is done, or stop it"))
        yield


def git(root: Path, *arguments: str) -> str:
    """What git says in a folder. Raises UnrollError, in git's own words, if it is not there or refuses."""
    try:
        done = subprocess.run([*GIT, "-C", str(root), *arguments], check=True, capture_output=True, encoding="utf-8")
    except FileNotFoundError:
        raise UnrollError("git is not on PATH; install it") from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnrollError(one_line(getattr(error, "stderr", "") or str(error))) from None
    return done.stdout


def commit(root: Path, folder: Path, message: str) -> None:
    """Make the workspace in `folder` a git repository of its own, if it is none, and commit what has changed.

    DVC compares commits, and runs experiments from one.

    Raises:
        UnrollError: git is not there, or refuses.
    """
    write_text(folder / ".dvc" / "config", WITH_GIT)
    write_text(folder / ".dvc" / ".gitignore", DVC_IGNORED)
    shutil.copyfile(root / ".gitignore", folder / ".gitignore")
    author = ("-c", "user.name=unroll", "-c", "user.email=unroll@localhost", "-c", "commit.gpgsign=false")
    try:
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--allow-empty", "-m", message)):
            git(folder, *author, *words)
    except UnrollError as error:
        raise UnrollError(f"git cannot keep the demo, which DVC's commands need ({error})") from None
