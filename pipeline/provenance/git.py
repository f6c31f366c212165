"""The command git, and the environment of git and of programs that call it."""

import os
from collections.abc import Mapping

COMMAND = (
    "git",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
)
"""The git command, without locks, hooks and monitor: the repository may be a
stranger's."""

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
