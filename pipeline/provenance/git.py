"""The command git, and the environment of git and of programs that call it."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import UnrollError, one_line

LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
)
"""The variables that bind git to one repository, as `git rev-parse --local-env-vars`
lists them, and those of a push. Git sets them for its hooks."""


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return environment variables without those in `LOCAL`; by default this process's.

    With them git and DVC would work on the repository whose hook runs Unroll, not on
    the folder that they are started in.
    """
    known = os.environ if variables is None else variables
    return {name: value for name, value in known.items() if name not in LOCAL}


def git(folder: Path, *arguments: str) -> str:
    """Return the output of git in a folder.

    Raises:
        UnrollError: git is missing, or fails; the message is git's own.
    """
    return output_of(["git", "--no-optional-locks", "-C", str(folder), *arguments])


def output_of(command: Sequence[str]) -> str:
    """Return the output of git, or of a program that calls git.

    Raises:
        UnrollError: the program is missing, or fails; the message is its own.
    """
    own = {
        "DVC_NO_ANALYTICS": "1",
        # What is asked lies on this machine: no setting lets git fetch it elsewhere.
        "GIT_ALLOW_PROTOCOL": "file",
        "LC_ALL": "C.UTF-8",
    }
    variables = environment() | own
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
