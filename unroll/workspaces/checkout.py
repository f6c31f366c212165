"""Workspaces and git: clones, commits, and the commands git and DVC."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.errors import UnrollError, one_line
from pipeline.files import remove, write_text
from pipeline.provenance.git import COMMAND, environment
from unroll.workspaces.make import DVC_IGNORED, WITH_GIT

OWN_CACHE = "[cache]\n    dir = cache\n"
"""Settings of DVC in a workspace that builds everything itself. A shared cache of the
user would replace a build."""

OF_DVC = {"config", "plots", ".gitignore"}
"""The files in .dvc that are written by hand. All others are caches and notes."""

STORES = (".unroll", "records", "runs", "data/raw", "data/prepared")
"""The folders of a workspace from which a build could take what it should make."""

COMPILED = {".pyc", ".pyo", ".so", ".pyd"}
"""The suffixes of compiled code. Python runs it in place of the source beside it."""


def last_commit(root: Path) -> str:
    """Return the hash of the last commit of the workspace at `root`.

    Raises:
        UnrollError: `root` is not the top of a repository, or git cannot read its last
            commit.
    """
    try:
        commit = git(root, "rev-parse", "HEAD").strip()
        inside = git(root, "rev-parse", "--show-prefix").strip()
    except UnrollError as error:
        raise UnrollError(
            f"git cannot read the last commit of {root} ({error})"
        ) from None
    if inside:
        raise UnrollError(
            f"{root} is not the top of its git repository, so it has no commit of its "
            "own; run this at the top, or run `git init` in the folder and commit it"
        )
    return commit


def clone(root: Path, folder: Path) -> None:
    """Clone the last commit of the repository at `root` into a new folder.

    The clone has a DVC cache of its own, and none of the commit's runs, stores, caches
    and compiled code. It shares the objects of the repository at `root`, into which git
    writes nothing.

    Raises:
        UnrollError: git refuses.
    """
    git(root, "clone", "--quiet", "--shared", ".", str(folder.resolve()))
    of_dvc = folder / ".dvc"
    if of_dvc.is_symlink():
        remove(of_dvc)
    for path in of_dvc.glob("*"):
        if path.name not in OF_DVC:
            remove(path)
    for name in STORES:
        remove_within(folder, name)
    for name in paths(git(folder, "ls-files", "-z")):
        if PurePosixPath(name).suffix in COMPILED:
            remove_within(folder, name)
    write_text(folder / ".dvc" / "config.local", OWN_CACHE)


def paths(output: str) -> list[str]:
    """Return the paths in an output of git's option `-z`."""
    return [path for path in output.split("\0") if path]


def remove_within(folder: Path, name: str) -> None:
    """Remove a path in a folder. Nothing outside of the folder is removed.

    If a part of the path is a link, the link is removed, since it may lead out.
    """
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        return
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            break
    remove(path)


def git(root: Path, *arguments: str) -> str:
    """Return the output of git in a folder.

    Raises:
        UnrollError: git is missing, or fails; the message is git's own.
    """
    return _output([*COMMAND, "-C", str(root), *arguments])


def dvc(root: Path, *arguments: str) -> str:
    """Return the output of DVC in the workspace at `root`.

    Raises:
        UnrollError: DVC fails; the message is DVC's own.
    """
    return _output([sys.executable, "-P", "-m", "dvc", "--cd", str(root), *arguments])


def _output(command: Sequence[str]) -> str:
    variables = {**environment(), "DVC_NO_ANALYTICS": "1"}
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, env=variables, encoding="utf-8"
        )
    except FileNotFoundError:
        raise UnrollError(
            f"{command[0]} is not on PATH; install {command[0]}"
        ) from None
    except subprocess.CalledProcessError as error:
        raise UnrollError(one_line(error.stderr)) from None
    return done.stdout


def commit(root: Path, folder: Path, message: str) -> None:
    """Commit what has changed in the workspace `folder`, as a git repository of its own.

    DVC compares commits, and runs experiments from a commit.

    Raises:
        UnrollError: git is missing, or fails.
    """
    write_text(folder / ".dvc" / "config", WITH_GIT)
    write_text(folder / ".dvc" / ".gitignore", DVC_IGNORED)
    shutil.copyfile(root / ".gitignore", folder / ".gitignore")
    settings = "user.name=unroll", "user.email=unroll@localhost", "commit.gpgsign=false"
    author = [word for setting in settings for word in ("-c", setting)]
    try:
        git(folder, "init", "--quiet")
        git(folder, "add", "--all")
        words = ["commit", "--quiet", "--allow-empty", "-m", message]
        git(folder, *author, *words)
    except UnrollError as error:
        raise UnrollError(
            f"git cannot commit {folder.name}, which DVC's commands need ({error})"
        ) from None
