"""Workspaces and git: clones, commits, and the commands git and DVC."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import write_text
from pipeline.provenance.git import COMMAND, environment
from unroll.workspaces.make import DVC_IGNORED, WITH_GIT

OWN_CACHE = "[cache]\n    dir = cache\n"
"""Settings of DVC in a workspace that builds everything itself. A shared cache of the
user would replace a build."""


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

    The clone has a DVC cache of its own. It shares the objects of the repository at
    `root`, into which git writes nothing.

    Raises:
        UnrollError: git refuses.
    """
    git(root, "clone", "--quiet", "--shared", ".", str(folder.resolve()))
    write_text(folder / ".dvc" / "config.local", OWN_CACHE)


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
            f"git cannot commit the demo, which DVC's commands need ({error})"
        ) from None
