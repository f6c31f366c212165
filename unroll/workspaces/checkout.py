"""Workspaces and git: a clone of what is committed, and one that is committed, as DVC's
commands need it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import write_text
from pipeline.provenance.record import GIT
from unroll.workspaces.make import DVC_IGNORED, WITH_GIT

OWN_CACHE = "[cache]\n    dir = cache\n"
"""Whatever the user's settings say: a shared cache would answer in place of a build."""


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
            f"{root} is not the top of its git repository, "
            "so it has no commit of its own"
        )
    return commit


def clone(root: Path, folder: Path) -> None:
    """Clone the last commit of the repository at `root` into a new folder, with a DVC
    cache of its own.

    Objects are the user's, refs and index its own: git writes nothing into the user's
    repository.

    Raises:
        UnrollError: git refuses.
    """
    git(root, "clone", "--quiet", "--shared", ".", str(folder.resolve()))
    use_own_cache(folder)


def use_own_cache(folder: Path) -> None:
    """Let DVC keep what is built in the workspace `folder` in there, and take nothing
    from elsewhere.
    """
    write_text(folder / ".dvc" / "config.local", OWN_CACHE)


def git(root: Path, *arguments: str) -> str:
    """Return what git says in a folder. Raises UnrollError, in git's own words, if it
    is not there or refuses.
    """
    return _output([*GIT, "-C", str(root), *arguments])


def dvc(root: Path, *arguments: str) -> str:
    """Return what DVC says of the workspace at `root`. Raises UnrollError, in DVC's own
    words, if it refuses.
    """
    return _output([sys.executable, "-P", "-m", "dvc", "--cd", str(root), *arguments])


def _output(command: Sequence[str]) -> str:
    variables = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, env=variables, encoding="utf-8"
        )
    except FileNotFoundError:
        raise UnrollError(f"{command[0]} is not on PATH; install it") from None
    except subprocess.CalledProcessError as error:
        raise UnrollError(one_line(error.stderr)) from None
    return done.stdout


def commit(root: Path, folder: Path, message: str) -> None:
    """Make the workspace in `folder` a git repository of its own, if it is none, and
    commit what has changed.

    DVC compares commits, and runs experiments from one.

    Raises:
        UnrollError: git is not there, or refuses.
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
            f"git cannot keep the demo, which DVC's commands need ({error})"
        ) from None
